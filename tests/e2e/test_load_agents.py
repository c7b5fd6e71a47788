"""`spillway load run --agents`: the load of one run from several agents, each a process with a port of its own."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, Api, clean_environment

SECRET = "the-agents-secret-of-the-tests-0123456789"
PASS, USAGE, INVALID, ABORTED, NO_RUN = 0, 2, 98, 105, 107
VUS, ITERATIONS = 12, 25  # of the exact plan, each iteration two requests

EXACT = """
name = "exact"
title = "Every iteration is two requests"
base_url = "{url}"
invariants = []
[scenarios.people]
executor = "per-vu-iterations"
journey = "participation"
vus = {vus}
iterations = {iterations}
maxDuration = "80s"
[scenarios.people.settings]
event = "{event}"
participation_repeat = 0
poll_to_end = false
[thresholds]
checks = ["rate==1"]
"""

# Until somebody ends it.
LONG = """
name = "long"
title = "Longer than a test"
base_url = "{url}"
invariants = []
[scenarios.people]
executor = "constant-vus"
journey = "participation"
vus = 6
duration = "{duration}"
gracefulStop = "1s"
[scenarios.people.settings]
event = "{event}"
participation_repeat = 0
poll_to_end = false
"""


class Process:
    """A process whose lines are collected, and can be waited for."""

    def __init__(self, *command: str, env: dict[str, str] | None = None):
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, env=clean_environment(env))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        self.process.stdout.close()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def until(self, pattern: str, count: int = 1) -> re.Match[str]:
        """The count-th line that matches, as soon as it is there."""
        def found() -> list[re.Match[str]]:
            return [match for match in (re.search(pattern, line) for line in self.lines) if match]

        with self._changed:
            assert self._changed.wait_for(lambda: len(found()) >= count, HANG_GUARD_S), (pattern, self.text)
            return found()[count - 1]

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def ended(self) -> int:
        code = self.process.wait(HANG_GUARD_S)
        self._reader.join(HANG_GUARD_S)
        return code

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.ended()


class Lab:
    def __init__(self, binary: str, server, folder: pathlib.Path, event: str):
        self.binary, self.server, self.folder, self.event = binary, server, folder, event
        self.started: list[Process] = []
        self.agents: list[Process] = []

    def start(self, *args: str, **env: str) -> Process:
        process = Process(self.binary, "load", *args, env=env)
        self.started.append(process)
        return process

    def agent(self, *args: str, listen: str, secret: str | None = SECRET) -> Process:
        agent = self.start("agent", "--listen", listen, *args, **({"SPILLWAY_AGENT_SECRET": secret} if secret else {}))
        agent.address = agent.until(r"^ready agent (\S+:[1-9]\d*)$")[1]
        return agent

    def three_agents(self) -> None:
        """On three addresses, of different sizes."""
        self.agents = [self.agent("--threads", str(threads), listen=f"127.0.0.{threads + 1}:0")
                       for threads in (1, 2, 3)]

    def plan(self, text: str, **more) -> str:
        path = self.folder / f"plan{len(self.started)}.toml"
        path.write_text(text.format(url=self.server.url, event=self.event, **more))
        return str(path)

    def run(self, plan: str, *args: str, agents: list[Process] | None = None, secret: str | None = SECRET) -> Process:
        named = ",".join(agent.address for agent in (self.agents if agents is None else agents))
        env = {"SPILLWAY_ADMIN_TOKEN": ADMIN_TOKEN, **({"SPILLWAY_AGENT_SECRET": secret} if secret else {})}
        return self.start("run", plan, *(["--agents", named] if named else []), *args, **env)

    def exact(self, *args: str, vus: int = VUS, iterations: int = ITERATIONS, **more) -> dict:
        """Runs the exact plan; its summary."""
        folder = self.folder / f"report{len(self.started)}"
        run = self.run(self.plan(EXACT, vus=vus, iterations=iterations), "--report-dir", str(folder), *args, **more)
        # On a machine that others use the generator may have been late: that is told, and is no matter here.
        assert run.ended() in (PASS, INVALID), run.text
        (file,) = folder.glob("*_summary_*.json")
        return json.loads(file.read_text())

    def end(self) -> None:
        for process in self.started:
            process.kill()
        for process in self.started:  # those that are killed have no exit code to tell it by
            assert "Sanitizer" not in process.text, process.text


@pytest.fixture
def lab(binary, make_server, tmp_path, event):
    server = make_server("--limit", "participate.account=off").start()
    api = Api(server)
    api.put_event(event, 1_000_000)
    made = Lab(binary, server, tmp_path, event)
    made.api = api
    made.three_agents()
    yield made
    made.end()
    api.http.close()


def signed_up(lab: Lab) -> int:
    response = lab.api.admin("GET", f"/admin/events/{lab.event}/requests?limit=1")
    assert response.status == 200, response
    return sum(response.json()["counts"].values())


def until_signed_up(lab: Lab, more_than: int) -> None:
    guard = time.monotonic() + HANG_GUARD_S
    while signed_up(lab) <= more_than:
        assert time.monotonic() < guard, "no load came"


def counts(summary: dict) -> dict[str, float]:
    names = ("http_reqs", "iterations", "participations_accepted")
    return {name: summary["metrics"][name]["values"]["count"] for name in names}


def test_three_agents_make_what_one_process_makes(lab):
    wanted = {"http_reqs": 2 * VUS * ITERATIONS, "iterations": VUS * ITERATIONS,
              "participations_accepted": VUS * ITERATIONS}
    for summary in (lab.exact(), lab.exact(agents=[])):
        assert counts(summary) == wanted
        trend = summary["metrics"]["http_req_duration"]["values"]
        assert 0 < trend["min"] <= trend["med"] <= trend["p(95)"] <= trend["max"]
    assert signed_up(lab) == 2 * VUS * ITERATIONS
    slices = [int(agent.until(r"^run \w+ of .*: (\d+) slices")[1]) for agent in lab.agents]
    assert slices == [1, 2, 3]


def test_the_evidence_of_all_agents_is_judged(lab):
    """Whoever was acknowledged through any agent is looked for."""
    summary = lab.exact("--set", 'invariants=["all"]', "--set", "scenarios.people.settings.poll_to_end=true")
    invariants = {one["name"]: one for one in find(summary, "invariants")}
    assert invariants and all(one["ok"] for one in invariants.values()), invariants
    assert invariants["nothing-lost"]["looked_at"] == VUS * ITERATIONS, invariants


def find(tree, key: str):
    """The first value of that name anywhere in a summary."""
    if isinstance(tree, dict):
        if key in tree:
            return tree[key]
        tree = list(tree.values())
    for branch in tree if isinstance(tree, list) else []:
        found = find(branch, key)
        if found is not None:
            return found
    return None


def test_fewer_people_than_threads(lab):
    assert counts(lab.exact(vus=1, iterations=7))["iterations"] == 7
    assert counts(lab.exact(vus=4, iterations=3))["iterations"] == 12


def test_an_agent_that_is_killed_makes_the_run_invalid(lab):
    run = lab.run(lab.plan(LONG, duration="6s"))
    until_signed_up(lab, 50)
    lost = lab.agents[1]
    lost.signal(signal.SIGKILL)
    assert run.ended() == INVALID, run.text
    assert "VERDICT: INVALID" in run.text, run.text
    grounds = run.text.split("VERDICT: INVALID")[1].split("To do")[0]
    # It was lost, or broke; of its two slices it is told once.
    assert grounds.count(f"agent {lost.address}: the connection") == 1, grounds
    # The others go on.
    others = [agent for agent in lab.agents if agent is not lost]
    assert counts(lab.exact(agents=others))["iterations"] == VUS * ITERATIONS
    # And one that is not there is named.
    refused = lab.run(lab.plan(EXACT, vus=1, iterations=1))
    assert refused.ended() == NO_RUN
    assert lost.address in refused.text


def test_an_agent_that_is_told_to_end_says_so(lab):
    run = lab.run(lab.plan(LONG, duration="6s"))
    until_signed_up(lab, 50)
    lab.agents[0].signal(signal.SIGTERM)
    assert lab.agents[0].ended() == 0, lab.agents[0].text
    assert run.ended() == INVALID, run.text
    assert re.search(rf"agent {re.escape(lab.agents[0].address)}: it gave up: it was told to end", run.text), run.text
    lab.agents[1].signal(signal.SIGINT)
    assert lab.agents[1].ended() == 0


def test_the_secret_must_be_the_same(lab):
    plan = lab.plan(EXACT, vus=1, iterations=1)
    for secret in ("another-secret-of-the-tests-0123456789", None):
        run = lab.run(plan, secret=secret)
        assert run.ended() == NO_RUN
        assert any(f"agent {agent.address}: " in run.text for agent in lab.agents), run.text
        assert "SPILLWAY_AGENT_SECRET" in run.text
        assert SECRET not in run.text and not (secret and secret in run.text)
    short = lab.run(plan, secret="short")
    assert short.ended() == NO_RUN and "SPILLWAY_AGENT_SECRET" in short.text and "32" in short.text
    assert signed_up(lab) == 0
    assert counts(lab.exact())["iterations"] == VUS * ITERATIONS


def test_an_agent_without_a_secret_is_for_this_machine(lab):
    refused = lab.start("agent", "--listen", "0.0.0.0:0")
    assert refused.ended() == USAGE and "SPILLWAY_AGENT_SECRET" in refused.text and "loopback" in refused.text
    short = lab.start("agent", SPILLWAY_AGENT_SECRET="x" * 31)
    assert short.ended() == USAGE and "SPILLWAY_AGENT_SECRET" in short.text
    for bad in ("nonsense", "127.0.0.1", "127.0.0.1:", ":7000", "127.0.0.1:70000", "127.0.0.1:7x"):
        wrong = lab.start("agent", "--listen", bad, SPILLWAY_AGENT_SECRET=SECRET)
        assert wrong.ended() == USAGE and "--listen" in wrong.text, (bad, wrong.text)
    agent = lab.agent(listen="127.0.0.5:0", secret=None)
    agent.until("SPILLWAY_AGENT_SECRET is not set")
    assert counts(lab.exact(agents=[agent], secret=None))["iterations"] == VUS * ITERATIONS


def test_options_that_do_not_go_with_agents(lab):
    plan = lab.plan(EXACT, vus=1, iterations=1)
    for option in ("--points", "--threads"):
        run = lab.run(plan, option, "1")
        assert run.ended() == NO_RUN and option in run.text, run.text
    for agents in ("nonsense", "127.0.0.2:x", f"{lab.agents[0].address},{lab.agents[0].address}"):
        run = lab.start("run", plan, "--agents", agents, SPILLWAY_ADMIN_TOKEN=ADMIN_TOKEN, SPILLWAY_AGENT_SECRET=SECRET)
        assert run.ended() == NO_RUN and "--agents" in run.text, run.text


# ---- What else may come to an agent's port -----------------------------------------------------------------------

GREETING, HELLO, READY, REFUSED, PLAN, PREPARED, GO, STOP, ALIVE, SECOND, EVIDENCE, END, ERROR = range(1, 14)


def text(value: str) -> bytes:
    return f"{len(value.encode())} {value}".encode()


class Raw:
    """A coordinator, or an agent, that says what it is told to."""

    def __init__(self, other: Process | socket.socket):
        if isinstance(other, Process):
            host, port = other.address.rsplit(":", 1)
            other = socket.create_connection((host, int(port)))
        self.socket = other
        self.socket.settimeout(HANG_GUARD_S)

    def send(self, kind: int, payload: bytes = b"") -> None:
        self.socket.sendall(struct.pack("<IB", len(payload), kind) + payload)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    def frame(self) -> tuple[int, bytes]:
        size, kind = struct.unpack("<IB", self.read(5))
        return kind, self.read(size)

    def greeted(self) -> tuple[str, str]:
        kind, payload = self.frame()
        version, size, nonce = payload.decode().split(" ", 2)
        assert kind == GREETING and int(size) == len(nonce) == 64
        return version, nonce

    def hello(self, secret: str = SECRET) -> None:
        version, nonce = self.greeted()
        said = f"spillway load agents {version} ".encode() + text("coordinator") + text(nonce) + text("mine")
        proof = hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()
        self.send(HELLO, f"{version} ".encode() + text("mine") + text(proof))

    def until_closed(self) -> None:
        with contextlib.suppress(ConnectionError):
            while self.socket.recv(65536):
                pass

    def close(self) -> None:
        self.socket.close()


def test_another_version_is_refused(lab):
    raw = Raw(lab.agents[0])
    version, _ = raw.greeted()
    raw.send(HELLO, f"{int(version) + 1} ".encode() + b"whatever that version says")
    kind, payload = raw.frame()
    assert kind == REFUSED and f"version {int(version) + 1}" in payload.decode(), payload
    raw.until_closed()


def test_an_agent_of_another_version_is_refused(lab):
    with socket.create_server(("127.0.0.7", 0)) as listener:
        listener.settimeout(HANG_GUARD_S)
        address = "127.0.0.7:%d" % listener.getsockname()[1]
        run = lab.run(lab.plan(EXACT, vus=1, iterations=1), "--agents", address, agents=[])
        connection, _ = listener.accept()
        with connection:
            greeting = b"9 " + text("x" * 64)
            connection.sendall(struct.pack("<IB", len(greeting), GREETING) + greeting)
            assert run.ended() == NO_RUN
    assert f"agent {address}" in run.text and "version 9" in run.text, run.text


def test_an_agent_that_does_not_know_the_secret_gets_no_plan(lab):
    with socket.create_server(("127.0.0.7", 0)) as listener:
        listener.settimeout(HANG_GUARD_S)
        address = "127.0.0.7:%d" % listener.getsockname()[1]
        run = lab.run(lab.plan(EXACT, vus=1, iterations=1), "--agents", address, agents=[])
        connection, _ = listener.accept()
        fake = Raw(connection)
        fake.send(GREETING, b"1 " + text("0" * 64))
        kind, hello = fake.frame()
        assert kind == HELLO and SECRET.encode() not in hello
        # The coordinator's own proof is none of an agent's.
        fake.send(READY, text(hello.decode().split(" ")[-1]) + b"1 " + text("host"))
        with pytest.raises((EOFError, ConnectionError)):
            fake.frame()
        assert run.ended() == NO_RUN
        fake.close()
    assert f"agent {address}" in run.text and "SPILLWAY_AGENT_SECRET" in run.text, run.text


def test_agents_trust_what_the_coordinator_trusts(lab, make_server, certificate):
    """The file is the coordinator's; agents need not have it."""
    cert, key = certificate
    server = make_server("--tls-cert", cert, "--tls-key", key, data="tls").start()
    assert server.url.startswith("https://")
    lab.server = server
    for trust in (("--ca-file", cert), ("--insecure",)):
        summary = lab.exact(*trust, "--set", "scenarios.people.settings.capacity=100", vus=2, iterations=2)
        assert summary["metrics"]["http_req_failed"]["values"]["rate"] == 0
        assert counts(summary)["participations_accepted"] == 4
    assert lab.run(lab.plan(EXACT, vus=2, iterations=2)).ended() == NO_RUN, "nobody vouches for it"


def test_something_else_where_an_agent_should_be(lab):
    with socket.create_server(("127.0.0.7", 0)) as listener:
        listener.settimeout(HANG_GUARD_S)
        address = "127.0.0.7:%d" % listener.getsockname()[1]
        run = lab.run(lab.plan(EXACT, vus=1, iterations=1), "--agents", address, agents=[])
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            assert run.ended() == NO_RUN
        assert f"agent {address}" in run.text, run.text


def test_garbage_does_an_agent_no_harm(lab):
    agent = lab.agents[0]
    garbage = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\x00" * 5, os.urandom(100_000),
               struct.pack("<IB", 1 << 30, HELLO), struct.pack("<IB", 3, HELLO) + b"abc",
               struct.pack("<IB", 4, PLAN) + b"abcd", struct.pack("<IB", 2, GO) + b"1 ", struct.pack("<IB", 0, ALIVE),
               struct.pack("<IB", 1025, HELLO) + b"x" * 1025]
    for bytes_ in garbage:
        raw = Raw(agent)
        with contextlib.suppress(ConnectionError):
            raw.socket.sendall(bytes_)
        raw.until_closed()
        raw.close()
    # Those who say nothing do not keep a coordinator out, however many.
    silent = [Raw(agent) for _ in range(100)]
    assert counts(lab.exact(agents=[agent]))["iterations"] == VUS * ITERATIONS
    for raw in silent:
        raw.close()
    # One who knows the secret and then talks nonsense.
    for kind, payload in ((PLAN, b"nonsense"), (GO, b"100 "), (SECOND, b""), (99, b""), (STOP, b"")):
        raw = Raw(agent)
        raw.hello()
        assert raw.frame()[0] == READY
        raw.send(kind, payload)
        assert raw.frame()[0] in (REFUSED, ERROR)
        raw.until_closed()
        raw.close()
    assert counts(lab.exact(agents=[agent]))["iterations"] == VUS * ITERATIONS


def test_a_plan_that_an_agent_cannot_run(lab):
    raw = Raw(lab.agents[0])
    raw.hello()
    assert raw.frame()[0] == READY
    content = pathlib.Path(lab.plan(EXACT, vus=1, iterations=1)).read_text().replace('"participation"', '"juggling"')
    raw.send(PLAN, text(content) + text("ab") + b"0 1 1 1 " + text(""))
    kind, payload = raw.frame()
    assert kind == REFUSED and "juggling" in payload.decode(), payload


def test_a_second_coordinator_is_told_that_the_agent_is_busy(lab):
    first = lab.run(lab.plan(LONG, duration="10m"))
    until_signed_up(lab, 20)
    second = lab.run(lab.plan(EXACT, vus=1, iterations=1))
    assert second.ended() == NO_RUN
    assert "busy" in second.text and "agent 127.0.0." in second.text, second.text
    assert first.process.poll() is None, "the first goes on"
    before = signed_up(lab)
    until_signed_up(lab, before)
    first.signal(signal.SIGINT)
    assert first.ended() == ABORTED, first.text


# ---- Ends --------------------------------------------------------------------------------------------------------

def assert_no_load(lab: Lab) -> None:
    """After what agents said was the end: nothing but what is asked for now comes to the server."""
    before = signed_up(lab)
    lab.exact()
    assert signed_up(lab) == before + VUS * ITERATIONS


def test_an_interrupt_stops_the_agents(lab):
    run = lab.run(lab.plan(LONG, duration="10m"))
    until_signed_up(lab, 20)
    run.signal(signal.SIGINT)
    assert run.ended() == ABORTED, run.text
    for agent in lab.agents:
        agent.until(r"^run \w+: stopping")
        agent.until(r"^run \w+: ended$")
    assert_no_load(lab)


def test_agents_end_the_load_of_a_coordinator_that_is_lost(lab):
    run = lab.run(lab.plan(LONG, duration="10m"))
    until_signed_up(lab, 20)
    run.signal(signal.SIGKILL)
    for agent in lab.agents:
        agent.until(r"^run \w+: .*(lost|broke)")
    assert_no_load(lab)
