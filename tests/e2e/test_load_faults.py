"""Faults of a plan: carried out when it says, seen in the figures, taken back, and nothing left behind."""

import asyncio
import os
import signal
import sys

import pytest

from load_lab import (ABORTED, NO_RUN, Listener, Run, alive, arrivals, free_port, plan_of, processes_of, state_of,
                      until, with_server)


@pytest.fixture(autouse=True)
def no_server_stays(tmp_path):
    """Not even behind a test that failed."""
    yield
    for pid in processes_of(tmp_path / "data"):
        os.kill(pid, signal.SIGKILL)


# Faults make failures: a plan with them says how many it bears, else a tenth is too many.
BEARS_HALF = {"http_req_failed": ["rate<0.5"]}


def people(seconds, faults, rate=40, **more):
    return plan_of("participation", arrivals(rate, seconds, 1000),
                   {"capacity": 50, "participation_repeat": 0.3, "poll": "200ms", "event": "on-sale"}, faults=faults,
                   thresholds=BEARS_HALF, **more)


def seconds_within(run, fault):
    """The seconds of the run that lie wholly within the fault, and those that end before it."""
    timeline = run.ours["timeline"]
    inside = [p for p in timeline if fault["from_s"] + 1 <= p["at_s"] <= fault["until_s"]]
    return inside, [p for p in timeline if p["at_s"] <= fault["from_s"]]


def test_a_kill(tmp_path):
    """Everything that was acknowledged before it is there after it."""
    run = with_server(tmp_path, people("6s", [{"kind": "kill", "at": 2, "for": 1.2}], rate=100))
    run.expect(0)
    (fault,) = run.ours["faults"]
    assert fault["name"] == "kill -9 the server" and fault["from_s"] >= 2
    assert fault["until_s"] - fault["from_s"] > 1
    assert 0 < fault["failed_requests"] <= run.values("http_req_failed")["passes"]
    inside, before = seconds_within(run, fault)
    assert sum(p["failed"] for p in before) == 0, before
    after = [p for p in run.ours["timeline"] if fault["until_s"] + 1 < p["at_s"] <= 6]
    assert after and all(p["failed"] == 0 < p["requests"] for p in after), after
    assert run.broken == set() and all(one["looked_at"] > 0 for one in run.invariants.values()), run.invariants
    assert run.count("iterations") == 600
    assert processes_of(tmp_path / "data") == []
    # Started twice on the same data.
    assert run.file("server", "log").read_text().count("ready http://") == 2
    assert "kill -9 the server" in run.file("summary", "html").read_text()


SLOW_SERVER = """
import asyncio, sys
async def talk(reader, writer):
    while await reader.readline():
        while await reader.readline() != b"\\r\\n": pass
        await asyncio.sleep(0.3)
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
async def serve(port):
    server = await asyncio.start_server(talk, "127.0.0.1", port)
    print(f"ready http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()
asyncio.run(serve(int(sys.argv[1])))
"""


def test_a_restart_and_the_time_to_recover(tmp_path):
    """Of a server whose every answer takes 0.3 s: beside that it does not matter how busy the machine is."""
    (tmp_path / "slow.py").write_text(SLOW_SERVER)
    port = free_port()
    plan = plan_of("get", arrivals(30, "8s", 90), faults=[{"kind": "restart", "at": 2, "for": 1}], invariants=[],
                   thresholds=BEARS_HALF)
    run = Run(tmp_path, plan, "--server-command", f"{sys.executable} {tmp_path}/slow.py {port}",
              url=f"http://127.0.0.1:{port}").expect(0)
    (fault,) = run.ours["faults"]
    assert fault["recovery_s"] is not None and fault["recovery_s"] >= 0, (fault, run.ours["timeline"])
    assert fault["failed_requests"] == run.values("http_req_failed")["passes"] > 0
    assert run.count("iterations") == 240
    for name in ("md", "html"):
        assert fault["name"] in run.file("summary", name).read_text()


class Thinking(Listener):
    """Takes so long for each answer that a busy machine, which the tests may have, makes little difference: what
    "recovered" means is told by the times before the fault."""

    async def talk(self, reader, writer):
        while await self.asked(reader):
            await asyncio.sleep(0.3)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()


def test_a_slow_and_a_cut_network(tmp_path):
    faults = [{"kind": "latency", "at": 2, "for": 2.2, "latency_ms": 300}, {"kind": "down", "at": 8, "for": 2}]
    plan = plan_of("queue-entry", arrivals(40, "14s", 400), {"re_enter": 0, "check_receipts": 0, "max_active": 0},
                   faults=faults, invariants=[], thresholds=BEARS_HALF)
    with Thinking() as server:
        run = Run(tmp_path, plan, url=server.url).expect(0)
    slow, down = run.ours["faults"]
    inside, before = seconds_within(run, slow)
    assert inside and all(p["service"]["p95"] >= 600 for p in inside), inside
    assert before and min(p["service"]["p95"] for p in before) < 600
    # A busy machine ends a second late, with what came since.
    assert sum(p["failed"] for p in run.ours["timeline"] if p["at_s"] <= down["from_s"] - 1) == 0
    assert slow["recovery_s"] is not None and slow["recovery_s"] >= 0 and slow["failed_requests"] == 0
    inside, _ = seconds_within(run, down)
    assert inside and all(p["failed"] == p["requests"] > 0 for p in inside), inside
    assert down["recovery_s"] is not None and down["recovery_s"] >= 0
    assert down["failed_requests"] >= sum(p["failed"] for p in inside)
    assert run.ours["timeline"][-2]["failed"] == 0, "it recovered"
    assert run.count("iterations") == 14 * 40


def test_ctrl_c_while_the_server_is_stopped(tmp_path):
    """What is under way could never finish: the server goes on at once, and is ended in order."""
    plan = people("60s", [{"kind": "stop", "at": 1, "for": 50}])
    plan["scenarios"]["people"]["gracefulStop"] = "60s"
    run = with_server(tmp_path, plan)
    (pid,) = until(lambda: [p for p in processes_of(tmp_path / "data") if state_of(p) == "T"], "a server that stands")
    run.interrupt()
    run.expect(ABORTED)
    assert not alive(pid) and processes_of(tmp_path / "data") == []
    (fault,) = run.ours["faults"]
    assert fault["until_s"] - fault["from_s"] < 50, "taken back early"
    assert run.broken == set() and run.invariants


def test_whoever_asks_twice_does_not_leave_a_server_behind(tmp_path):
    plan = people("60s", [{"kind": "stop", "at": 1, "for": 50}])
    run = with_server(tmp_path, plan)
    until(lambda: [p for p in processes_of(tmp_path / "data") if state_of(p) == "T"], "a server that stands")
    run.interrupt()
    while run.process.poll() is None:
        run.interrupt()
    assert run.wait() == -signal.SIGINT
    until(lambda: not processes_of(tmp_path / "data"), "the end of the server")


def test_a_server_that_does_not_start(tmp_path):
    bad = with_server(tmp_path, people("2s", []), options=["--no-such-option"])
    bad.expect(NO_RUN)
    assert "--no-such-option" in bad.stderr, "what the server said"
    assert processes_of(tmp_path / "data") == []
