"""Starts, stops, kills and restarts a real server, and speaks its API in short words."""

from __future__ import annotations

import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from typing import Any

from client import HANG_GUARD_S, Http, Response

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADMIN_TOKEN = "an-admin-token-for-the-tests-0123456789abcdef"
FINAL = ("SUCCEEDED", "REJECTED", "FAILED_FINAL")
# As ./dev does it, tools/k6.sh.
INSTALL_K6 = "GOBIN=~/.cache/spillway/k6-1.8.1 go install go.k6.io/k6@v1.8.1"

_READY = re.compile(r"^ready (https?)://(.+):(\d+)$")


def find_binary() -> str:
    """SPILLWAY_BIN, else what was built last."""
    given = os.environ.get("SPILLWAY_BIN")
    if given:
        if not os.access(given, os.X_OK):
            raise FileNotFoundError(f"SPILLWAY_BIN={given} is not a program")
        return str(pathlib.Path(given).resolve())
    built = [p for p in (ROOT / "build/release/spillway", ROOT / "build/dev/spillway") if p.exists()]
    if not built:
        raise FileNotFoundError("no build/release/spillway and no build/dev/spillway: ./dev build, or set SPILLWAY_BIN")
    return str(max(built, key=lambda p: p.stat().st_mtime))


def find_k6(given: str | None = None) -> str:
    """The one given, else SPILLWAY_K6, else what the set-up installed, else the one on PATH."""
    found = given or os.environ.get("SPILLWAY_K6")
    if not found:
        cached = sorted(pathlib.Path.home().glob(".cache/spillway/k6-*/k6"))
        found = str(cached[-1]) if cached else shutil.which("k6")
    if not found or not os.access(found, os.X_OK):
        raise FileNotFoundError(f"no k6 (SPILLWAY_K6, ~/.cache/spillway, PATH); with Go 1.25 or newer: {INSTALL_K6}")
    return found


def clean_environment(more: dict[str, str] | None = None) -> dict[str, str]:
    """Ours without the SPILLWAY_ variables of whoever runs the tests."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("SPILLWAY_")}
    env.update(more or {})
    return env


class DidNotStart(Exception):
    def __init__(self, code: int | None, errors: str):
        super().__init__(f"exit code {code}: {errors}")
        self.code = code
        self.errors = errors


class Server:
    """One server process on a data directory. `start` may be called again after `stop` or `kill`."""

    def __init__(self, data: os.PathLike[str] | str, *args: str, env: dict[str, str] | None = None,
                 listen: str | None = "127.0.0.1:0", identity: str | None = "open", binary: str | None = None,
                 log: pathlib.Path | None = None):
        self.data = pathlib.Path(data)
        self.command = [binary or find_binary(), "serve"]
        if listen is not None:
            self.command += ["--listen", listen]
        if identity is not None:
            self.command += ["--identity", identity]
        self.command += ["--data", str(self.data), *args]
        self.env = clean_environment({"SPILLWAY_ADMIN_TOKEN": ADMIN_TOKEN, **(env or {})})
        self.log = log or self.data.parent / f"{self.data.name}.log"
        self.scheme, self.host, self.port = "http", "", 0
        self.output: list[str] = []  # lines of stdout since the last start
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()

    def __enter__(self) -> "Server":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Starts the process and does not wait for it to be ready."""
        assert not self.running, "it runs already"
        self.output = []
        self._lines = queue.Queue()
        with open(self.log, "ab") as errors:
            self._log_start = errors.tell()
            self._process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=errors, text=True,
                                             stdin=subprocess.DEVNULL, env=self.env)
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: "queue.Queue[str | None]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line.rstrip("\n"))
        process.stdout.close()
        lines.put(None)

    def start(self) -> "Server":
        """Until it says that it answers. DidNotStart when it ends instead."""
        self.launch()
        return self.wait_ready()

    def wait_ready(self) -> "Server":
        guard = time.monotonic() + HANG_GUARD_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, guard - time.monotonic()))
            except queue.Empty:
                self.kill()
                raise DidNotStart(None, f"it said nothing for {HANG_GUARD_S:.0f} s\n{self.errors()}") from None
            if line is None:
                assert self._process is not None
                raise DidNotStart(self._process.wait(), self.errors())
            self.output.append(line)
            ready = _READY.match(line)
            if ready:
                self.scheme, self.host, self.port = ready[1], ready[2].strip("[]"), int(ready[3])
                return self

    def errors(self) -> str:
        """What it wrote to stderr since the last start."""
        with open(self.log, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode("utf-8", "replace")

    def terminate(self) -> None:
        """SIGTERM, without waiting for the end."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self) -> int:
        assert self._process is not None
        return self._process.wait(HANG_GUARD_S)

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.terminate()
        return self.wait()

    def strike(self) -> None:
        """kill -9, without waiting for the end."""
        os.kill(self.pid, signal.SIGKILL)

    def kill(self) -> None:
        """kill -9, as a crash would, until it is gone. Nothing when it does not run."""
        if self.running:
            self.strike()
            self.wait()

    def restart(self) -> "Server":
        self.kill()
        return self.start()

    def http(self) -> Http:
        return Http(self.host, self.port)


class Api:
    """The routes in short words, on one blocking connection. Calls with a name of their own expect success."""

    def __init__(self, server: Server):
        self.server = server
        self.http = server.http()

    def reconnect(self) -> None:
        """After a restart, which changes the port."""
        self.http.close()
        self.http = self.server.http()

    def login(self, user: str) -> str:
        response = self.http.post("/auth/login", json={"userId": user})
        assert response.status == 200, response
        return response.json()["accessToken"]

    def admin(self, method: str, target: str, **more: Any) -> Response:
        return self.http.request(method, target, token=ADMIN_TOKEN, **more)

    def put_event(self, event: str, capacity: int, **more: Any) -> dict[str, Any]:
        response = self.admin("PUT", f"/admin/events/{event}", json=event_body(capacity, **more))
        assert response.status in (200, 201), response
        return response.json()

    def event(self, event: str) -> dict[str, Any]:
        response = self.admin("GET", f"/admin/events/{event}")
        assert response.status == 200, response
        return response.json()

    def participate(self, event: str, token: str) -> str:
        response = self.http.post(f"/events/{event}/participations", token=token)
        assert response.status == 202, response
        return response.json()["requestId"]

    def request(self, request_id: str, token: str) -> dict[str, Any]:
        response = self.http.get(f"/requests/{request_id}", token=token)
        assert response.status == 200, response
        return response.json()

    def until_final(self, request_id: str, token: str) -> dict[str, Any]:
        """Follows a request to its end by held reads."""
        guard = time.monotonic() + HANG_GUARD_S
        while time.monotonic() < guard:
            response = self.http.get(f"/requests/{request_id}?wait=30s", token=token)
            assert response.status == 200, response
            view = response.json()
            if view["status"] in FINAL:
                return view
        raise AssertionError(f"still not final: {view}")

    def detail(self, request_id: str) -> dict[str, Any]:
        response = self.admin("GET", f"/admin/requests/{request_id}")
        assert response.status == 200, response
        return response.json()

    def list(self, event: str, limit: int = 1000, status: str | None = None) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            target = f"/admin/events/{event}/requests?limit={limit}"
            target += f"&status={status}" if status else ""
            target += f"&cursor={cursor}" if cursor else ""
            response = self.admin("GET", target)
            assert response.status == 200, response
            page = response.json()
            items += page["items"]
            cursor = page.get("nextCursor")
            if not cursor:
                return items

    def queue(self) -> dict[str, Any]:
        response = self.admin("GET", "/admin/queues/participations")
        assert response.status == 200, response
        return response.json()

    def pause(self) -> None:
        response = self.admin("POST", "/admin/queues/participations/pause")
        assert response.status == 200, response

    def resume(self) -> None:
        response = self.admin("POST", "/admin/queues/participations/resume")
        assert response.status == 200, response


def is_paused(queue: dict[str, Any]) -> bool:
    """`workers` counts those that run and those that are paused; it is one or the other for all of them."""
    workers = queue["workers"]
    assert (workers["running"] == 0) != (workers["paused"] == 0), workers
    return workers["paused"] > 0


def event_body(capacity: Any, **more: Any) -> dict[str, Any]:
    return {"title": "A test", "capacityTotal": capacity, "policy": "FIRST_COME", **more}


def assert_problem(response: Response, status: int, code: str, *, names: str | None = None) -> dict[str, Any]:
    """RFC 9457 with our stable code; `names` must stand in the detail."""
    assert response.status == status, response
    assert response.headers["content-type"].split(";")[0] == "application/problem+json", response
    problem = response.json()
    for member in ("type", "title", "detail", "instance", "code"):
        assert isinstance(problem.get(member), str), (member, problem)
    assert problem["status"] == status, problem
    assert problem["code"] == code, problem
    if names is not None:
        assert names in problem["detail"], (names, problem)
    return problem
