"""What is read from the generators: a figure of answers that were not the wanted ones must not become one."""

import copy
import sys
import tomllib

import pytest

from .generators import Run, Workload, did_of_summary, did_of_wrk, find_k6, toml
from .load import times, waiting_plan
from .processes import BenchError

WRK = """Running 6s test @ http://127.0.0.1:8080/livez
  1 threads and 64 connections
  750000 requests in 6.10s, 92.98MB read
Requests/sec: 122950.81
"""
GET = Workload("GET", path="/livez")
ENTRY = Workload("queue-entry", journey="queue-entry", concert="c")
SUMMARY = {"state": {"testRunDurationMs": 2500},
           "metrics": {"http_reqs": {"values": {"count": 101}}, "http_req_failed": {"values": {"rate": 0}},
                       "queue_entry_success": {"values": {"passes": 100, "fails": 0, "rate": 1}}}}


def test_wrk():
    did = did_of_wrk(WRK, "GET")
    assert (did.requests, did.seconds) == (750000, 6.1)
    assert did_of_wrk(WRK.replace("6.10s", "1.50m"), "GET").seconds == 90


@pytest.mark.parametrize("more", ["  Non-2xx or 3xx responses: 1\n",
                                  "  Socket errors: connect 0, read 1, write 0, timeout 0\n"])
def test_wrk_with_wrong_answers(more):
    with pytest.raises(BenchError):
        did_of_wrk(WRK + more, "GET")


@pytest.mark.parametrize("text", ["unable to connect to 127.0.0.1:1 Connection refused\n",
                                  WRK.replace("750000", "0")])
def test_wrk_without_any(text):
    with pytest.raises(BenchError):
        did_of_wrk(text, "GET")


def test_summary():
    assert did_of_summary(SUMMARY, GET).requests == 101
    people = did_of_summary(SUMMARY, ENTRY)  # without the request that configured the line
    assert (people.requests, people.seconds) == (100, 2.5)


@pytest.mark.parametrize("workload, metric, value, wrong", [
    (GET, "http_req_failed", "rate", 0.001), (GET, "http_reqs", "count", 0),
    (ENTRY, "queue_entry_success", "fails", 1), (ENTRY, "queue_entry_success", "passes", 0)])
def test_summary_of_wrong_answers(workload, metric, value, wrong):
    summary = copy.deepcopy(SUMMARY)
    summary["metrics"][metric]["values"][value] = wrong
    with pytest.raises(BenchError):
        did_of_summary(summary, workload)


def test_times_is_the_median_of_pairs():
    reports = {"ours": [{"per_cpu_s": rate} for rate in (10, 40, 90)],
               "k6": [{"per_cpu_s": rate} for rate in (1, 2, 3)]}
    assert times(reports, "ours", "k6") == 20
    assert times(reports, "ours", "wrk") is None


def test_plans_are_toml():
    plan = waiting_plan(8080, 16_667, 30, 30)
    assert tomllib.loads(toml(plan)) == plan


def test_k6_is_a_program_or_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SPILLWAY_K6", raising=False)
    assert find_k6() is None
    program = tmp_path / "k6"
    program.touch(0o755)
    assert find_k6() == str(program)
    monkeypatch.setenv("SPILLWAY_K6", str(tmp_path))
    assert find_k6() is None


def test_cpu_time_is_the_childs(tmp_path):
    def run(script, **more):
        child = Run([sys.executable, "-c", script], tmp_path)
        child.finish(60, **more)
        return child
    idle, busy = run("pass"), run("sum(range(20_000_000))")
    assert 0 < idle.cpu_s < busy.cpu_s
    with pytest.raises(BenchError, match="exit 3: why"):
        run("print('why'); raise SystemExit(3)")
    assert run("raise SystemExit(98)", good=(0, 98)).process.returncode == 98
