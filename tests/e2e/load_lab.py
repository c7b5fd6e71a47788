"""Runs `spillway load` as a person does, and reads what it wrote."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
from typing import Any, Callable, Iterable

import pytest

from client import HANG_GUARD_S, Connection, build_request
from harness import ADMIN_TOKEN, clean_environment, find_binary

PASS, INVALID, THRESHOLDS, BAD_PLAN, ABORTED, NO_RUN = 0, 98, 99, 104, 105, 107


def toml(plan: dict[str, Any]) -> str:
    """A plan as its file. JSON's strings, numbers and arrays are TOML's as well."""
    lines: list[str] = []

    def table(path: list[str], values: dict[str, Any]) -> None:
        inner = {k: v for k, v in values.items() if isinstance(v, dict)}
        if path and (len(inner) < len(values) or not values):
            lines.append(f"[{'.'.join(json.dumps(p) for p in path)}]")
        many = {k: v for k, v in values.items() if k == "faults"}
        for key, value in values.items():
            if key not in inner and key not in many:
                lines.append(f"{json.dumps(key)} = {inline(value)}")
        for key, value in inner.items():
            table([*path, key], value)
        for key, elements in many.items():
            for element in elements:
                lines.append(f"[[{key}]]")
                lines.extend(f"{json.dumps(k)} = {inline(v)}" for k, v in element.items())

    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {inline(v)}" for k, v in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(inline, value)) + "]"
        return json.dumps(value)

    table([], plan)
    return "\n".join(lines) + "\n"


def arrivals(rate: float, duration: str, vus: int = 20, **more: Any) -> dict[str, Any]:
    return {"executor": "constant-arrival-rate", "rate": rate, "duration": duration, "preAllocatedVUs": vus, **more}


def plan_of(journey: str, scenario: dict[str, Any], settings: dict[str, Any] | None = None,
            **more: Any) -> dict[str, Any]:
    """A plan with one scenario, "people"."""
    return {"name": "tried", "base_url": "http://127.0.0.1:9", "settings": settings or {},
            "scenarios": {"people": {"journey": journey, **scenario}}, **more}


class Run:
    """One `spillway load run`, which ends by itself unless it is interrupted."""

    def __init__(self, folder: pathlib.Path, plan: dict[str, Any] | str, *args: str, url: str | None = None,
                 admin: str | None = ADMIN_TOKEN, report: bool = True):
        folder.mkdir(parents=True, exist_ok=True)
        self.reports = folder / "reports"
        if isinstance(plan, str):
            self.name, file = plan, plan
        else:
            self.name, file = plan["name"], str(folder / "plan.toml")
            pathlib.Path(file).write_text(toml(plan))
        command = [find_binary(), "load", "run", file, *args]
        command += ["--base-url", url] if url else []
        command += ["--report-dir", str(self.reports)] if report else []
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment({"SPILLWAY_ADMIN_TOKEN": admin} if admin else {}))
        self.stdout = self.stderr = ""
        self._data: dict[str, Any] | None = None

    def wait(self) -> int:
        try:
            self.stdout, self.stderr = self.process.communicate(timeout=HANG_GUARD_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.stdout, self.stderr = self.process.communicate()
            raise AssertionError(f"still not over: {self}") from None
        return self.process.returncode

    @property
    def code(self) -> int:
        return self.wait() if self.process.returncode is None else self.process.returncode

    def expect(self, code: int) -> "Run":
        if self.code == INVALID != code and self.ours["self"]["grounds"] and others_load():
            pytest.skip(f"others keep this machine too busy for a load generator: {self.ours['self']['grounds']}")
        assert self.code == code, self
        return self

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def said(self, text: str) -> str:
        """Reads stderr until a line has this, and gives the line."""
        assert self.process.stderr is not None
        seen = ""
        for line in self.process.stderr:
            seen += line
            if text in line:
                return line
        raise AssertionError(f"never said {text!r}: {seen}")

    def file(self, what: str, ending: str) -> pathlib.Path:
        (found,) = self.reports.glob(f"{self.name}_{what}_*.{ending}")
        return found

    @property
    def data(self) -> dict[str, Any]:
        """The summary, in the shape of k6's handleSummary."""
        if self._data is None:
            self._data = json.loads(self.file("summary", "json").read_text())
        return self._data

    @property
    def ours(self) -> dict[str, Any]:
        """What the summary has and k6's has not."""
        return self.data["spillway"]

    def values(self, metric: str) -> dict[str, float]:
        return self.data["metrics"][metric]["values"]

    def count(self, metric: str) -> float:
        """0 for what was never counted."""
        return self.values(metric)["count"] if metric in self.data["metrics"] else 0

    @property
    def invariants(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.ours["invariants"]}

    @property
    def broken(self) -> set[str]:
        return {name for name, one in self.invariants.items() if not one["ok"]}

    def passed(self) -> "Run":
        """Exit 0, PASS, and every invariant was held against something."""
        self.expect(PASS)
        assert self.ours["verdict"] == "PASS", self
        for name, one in self.invariants.items():
            assert one["ok"] and one["looked_at"] > 0 and one["violations"] == 0, (name, one)
        return self

    def __repr__(self) -> str:
        return f"exit code {self.process.returncode}\n{self.stdout}\n{self.stderr}"


# Settings of a waiting room's journeys with which every invariant has something to look at.
PLACES = {"re_enter": 1, "check_receipts": 1}


def others_load() -> bool:
    """More than twice as much to do as there are cores: a generator alone, even a bad one, does not get there."""
    return os.getloadavg()[0] > 2 * (os.cpu_count() or 1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def alive(pid: int) -> bool:
    """A zombie is not: nobody serves."""
    return state_of(pid) not in ("", "Z")


def state_of(pid: int) -> str:
    """R, S, T (stopped), Z ...; empty when there is no such process."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[0]


def until(condition: Callable[[], Any], what: str) -> Any:
    """For what cannot be waited for: processes that are not ours to wait for."""
    guard = time.monotonic() + HANG_GUARD_S
    while time.monotonic() < guard:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"never: {what}")


class Asked:
    """One request as it came."""

    def __init__(self, head: bytes, body: bytes):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.path = self.target.partition("?")[0]
        self.headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        self.body = body

    def __repr__(self) -> str:
        return f"<{self.method} {self.target} {self.body!r}>"


class Listener:
    """An asyncio server on a thread of its own, for the length of a `with`. `talk` gets each connection."""

    def __init__(self) -> None:
        self.requests = 0
        self.url = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def asked(self, reader: asyncio.StreamReader) -> Asked | None:
        """The next request; nothing when the client has gone."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            request = Asked(head[:-4], b"")
            request.body = await reader.readexactly(int(request.headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        self.requests += 1
        return request

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.talk(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))

    def __enter__(self):
        self._thread.start()
        assert self._ready.wait(HANG_GUARD_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(HANG_GUARD_S)


class Proxy(Listener):
    """Passes everything on to a server, and lets `lie(asked, status, value)` change what comes back. `value` is the
    JSON; what is returned instead is (status, value), or nothing for the answer as it was."""

    def __init__(self, server: Any, lie: Callable[[Asked, int, Any], tuple[int, Any] | None] | None = None):
        super().__init__()
        self.server = server
        self.lie = lie or (lambda asked, status, value: None)
        self.lies = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await Connection.open(self.server.host, self.server.port)
        try:
            while (asked := await self.asked(reader)) is not None:
                headers = {k: v for k, v in asked.headers.items() if k not in ("host", "content-length")}
                answer = await upstream.send(build_request(
                    asked.method, asked.target, body=asked.body or None, content_type=None, headers=headers))
                head, body = answer.head, answer.body
                is_json = body and "json" in answer.headers.get("content-type", "")
                told = self.lie(asked, answer.status, json.loads(body)) if is_json else None
                if told is not None:
                    self.lies += 1
                    body = json.dumps(told[1]).encode()
                    head = b"\r\n".join([b"HTTP/1.1 %d Told" % told[0], *head.split(b"\r\n")[1:]])
                fields = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length:")]
                writer.write(b"\r\n".join([*fields, b"Content-Length: %d" % len(body), b"", body]))
                await writer.drain()
        finally:
            upstream.close()


def with_server(folder: pathlib.Path, plan: dict[str, Any], *args: str, options: Iterable[str] = ()) -> Run:
    """A run that starts the server itself, on folder/data."""
    port = free_port()
    command = " ".join([find_binary(), "serve", "--identity", "open", "--listen", f"127.0.0.1:{port}", "--data",
                        str(folder / "data"), *options])
    return Run(folder, plan, *args, "--server-command", command, url=f"http://127.0.0.1:{port}")


def processes_of(data: pathlib.Path) -> list[int]:
    """Those that serve this data directory."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except (FileNotFoundError, ProcessLookupError):
            continue
        if os.fsencode(data) in words and b"serve" in words and alive(int(entry.name)):
            found.append(int(entry.name))
    return found


# Without these nobody is asked as an operator, and any server will do.
NO_ADMIN = ["--set", "invariants=[]", "--set", "settings.max_active=0"]


def entries(rate=50, duration="1s", **more):
    """People for a server that has but one answer."""
    return plan_of("queue-entry", arrivals(rate, duration, 100), {"re_enter": 0, "check_receipts": 0}, **more)


class Counted(Listener):
    """Gives everybody a place."""

    PLACE = json.dumps({"data": {"token": "t", "status": "WAITING", "position": 1, "pollAfterMs": 1000}}).encode()

    async def talk(self, reader, writer):
        while await self.asked(reader):
            writer.write(self.answer())
            await writer.drain()

    def answer(self):
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(self.PLACE), self.PLACE)
