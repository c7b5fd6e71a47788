"""What went wrong must not pass: each of these runs once looked good."""

import asyncio
import json
import sys

import pytest

from load_lab import BAD_PLAN, INVALID, PASS, THRESHOLDS, Listener, Run, arrivals, entries, free_port, plan_of

UNCONFIGURED = {"max_active": 0}  # the line is taken as it is


class Silent(Listener):
    """Takes requests, and answers the first so many."""

    def __init__(self, answers):
        super().__init__()
        self.left = answers

    async def talk(self, reader, writer):
        while asked := await self.asked(reader):
            if asked.path == "/api/v1/queue/enter":
                if self.left == 0:
                    await asyncio.Event().wait()
                self.left -= 1
            body = json.dumps({"data": {"token": "t", "status": "READY", "position": 0}}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            await writer.drain()


def test_requests_that_hang_at_the_end_are_failures(tmp_path):
    """The load was over before any of them had timed out."""
    with Silent(answers=10) as server:
        plan = plan_of("queue-entry", {"executor": "constant-vus", "vus": 4, "duration": "1s", "gracefulStop": "1500ms"},
                       UNCONFIGURED, invariants=[], thresholds={"http_req_failed": ["rate<0.01"]})
        run = Run(tmp_path, plan, url=server.url, admin=None).expect(THRESHOLDS)
    assert run.count("interrupted_iterations") == 4
    assert run.values("http_req_failed")["passes"] == 4


def test_iterations_that_time_cut_off_were_dropped(tmp_path):
    with Silent(answers=10 ** 9) as server:
        for executor, planned in (("per-vu-iterations", 2_000_000), ("shared-iterations", 1_000_000)):
            plan = plan_of("queue-entry", {"executor": executor, "vus": 2, "iterations": 1_000_000, "maxDuration": "1s"},
                           UNCONFIGURED, invariants=[])
            run = Run(tmp_path / executor, plan, url=server.url, admin=None).expect(INVALID)
            assert run.count("iterations") + run.count("dropped_iterations") == planned


def test_named_invariants_are_judged_for_each_journey(server, tmp_path):
    """Two scenarios with other settings are two subjects: nobody may look at the first alone."""
    plan = plan_of("queue-entry", arrivals(20, "1s"), {"re_enter": 1}, invariants=["position-never-up"])
    plan["scenarios"]["others"] = {"journey": "queue-entry", **arrivals(20, "1s"), "settings": {"max_active": 7}}
    run = Run(tmp_path, plan, url=server.url).expect(PASS)
    assert [one["name"] for one in run.ours["invariants"]] == ["position-never-up"] * 2


DYING = """
import asyncio, os, sys
seen = 0
async def talk(reader, writer):
    global seen
    while await reader.readline():
        while await reader.readline() != b"\\r\\n": pass
        seen += 1
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        await writer.drain()
        if seen == 20: os._exit(3)
async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()
asyncio.run(main())
"""


def dying_server(tmp_path):
    file = tmp_path / "dying.py"
    file.write_text(DYING)
    port = free_port()
    return f"http://127.0.0.1:{port}", f"{sys.executable} {file} {port}"


def test_a_server_that_ends_by_itself_is_no_pass(tmp_path):
    url, command = dying_server(tmp_path)
    plan = plan_of("get", {"executor": "shared-iterations", "vus": 1, "iterations": 60}, invariants=[])
    run = Run(tmp_path, plan, "--server-command", command, url=url).expect(THRESHOLDS)
    assert run.broken == {"server-stays-up"} and run.ours["verdict"] == "FAIL"
    assert "exit code 3" in run.invariants["server-stays-up"]["detail"]


def test_a_fault_whose_time_never_came_is_no_pass(tmp_path):
    with Silent(answers=10 ** 9) as server:
        plan = plan_of("queue-entry", {"executor": "shared-iterations", "vus": 1, "iterations": 50, "maxDuration": "1m"},
                       UNCONFIGURED, invariants=[], faults=[{"kind": "latency", "at": 30, "for": 1, "latency_ms": 5}])
        run = Run(tmp_path, plan, url=server.url, admin=None).expect(INVALID)
    assert "0 of 1 faults" in run.invariants["faults-as-planned"]["detail"]


def test_an_abort_stays_missed_when_what_was_missed_recovers(tmp_path):
    """The first answers fail, the rest are good: at the end the threshold would hold."""

    class Recovering(Listener):
        seen = 0

        async def talk(self, reader, writer):
            while await self.asked(reader):
                Recovering.seen += 1
                status = b"503 No" if 2 < Recovering.seen < 20 else b"200 OK"
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)
                await writer.drain()

    with Recovering() as server:
        plan = plan_of("get", {**arrivals(20, "30s", 200)}, invariants=[],
                       thresholds={"http_req_failed": [{"threshold": "rate<0.5", "abortOnFail": True}]})
        run = Run(tmp_path, plan, url=server.url, admin=None).expect(THRESHOLDS)
    assert run.count("iterations") < 200


@pytest.mark.parametrize("wanted, sentence", [
    ("limit", "the knee: 20 held, 40 did not"), ("none", "the knee is above 40, the last level that was tried")])
def test_the_knee(tmp_path, wanted, sentence):
    class Bounded(Listener):
        began = {}

        async def talk(self, reader, writer):
            while await self.asked(reader):
                loop = asyncio.get_running_loop()
                second = int(loop.time())
                self.began[second] = self.began.get(second, 0) + 1
                too_many = wanted == "limit" and self.began[second] > 30
                writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % (b"503 No" if too_many else b"200 OK"))
                await writer.drain()

    with Bounded() as server:
        plan = plan_of("get", arrivals(1, "1s", 50), invariants=[], thresholds={"http_req_failed": ["rate<0.01"]},
                       knee={"start": 10, "factor": 2, "most": 40, "step": "3s"})
        run = Run(tmp_path, plan, url=server.url, admin=None).expect(PASS)
        assert sentence in run.ours["grounds"], run.ours["grounds"]
        plan["scenarios"]["people"] = {"journey": "get", "executor": "ramping-vus", "startVUs": 1,
                                       "stages": [{"duration": "1s", "target": 2}]}
        refused = Run(tmp_path / "ramping", plan, url=server.url, admin=None).expect(BAD_PLAN)
        assert "knee" in refused.stderr and "people" in refused.stderr


@pytest.mark.parametrize("setting", ["event=a b", "event=../x", "event=a\"b"])
def test_an_id_that_is_none(tmp_path, setting):
    run = Run(tmp_path, plan_of("participation", arrivals(1, "1s")), "--set", f"settings.{setting}").expect(BAD_PLAN)
    assert "settings.event" in run.stderr


def test_entries_of_a_stranger_are_still_entries(server, tmp_path):
    """What these runs are compared with: the same, with nothing wrong."""
    Run(tmp_path, entries(), url=server.url).expect(PASS)
