"""Coordinated omission: a server that stands still for a moment keeps a load generator with few virtual users from
asking, so that hardly any request sees the stop. What is counted from when each was due shows it."""

from load_lab import INVALID, arrivals, plan_of, with_server

RATE, STOP_S, VUS = 200, 1.0, 4


def entries(seconds, at=2, **more):
    """Of all requests 1/8 and more are due during the stop; of them only as many as there are virtual users are sent
    into it: 0.25%, which no p(99) shows."""
    return plan_of("queue-entry", arrivals(RATE, f"{seconds}s", VUS, **more), {"re_enter": 0, "check_receipts": 0},
                   invariants=["nothing-lost"], faults=[{"kind": "stop", "at": at, "for": STOP_S}])


def test_late_iterations_are_made_and_counted_from_when_they_were_due(tmp_path):
    run = with_server(tmp_path, entries(8, late="wait")).expect(0)
    assert run.count("iterations") == run.count("http_reqs") == 8 * RATE and run.count("dropped_iterations") == 0
    stop_ms = 1000 * (run.ours["faults"][0]["until_s"] - run.ours["faults"][0]["from_s"])
    assert stop_ms > 500 * STOP_S
    assert run.values("http_req_response_time")["p(99)"] >= stop_ms / 2
    assert run.values("http_req_duration")["p(99)"] < stop_ms / 10
    # Those who were sent into the stop saw it in both.
    assert run.values("http_req_duration")["max"] >= stop_ms / 2
    step = run.ours["steps"][-1]
    assert step["response"]["p99"] >= stop_ms / 2 > step["service"]["p99"]


def test_a_stop_at_the_end_hides_nobody(tmp_path):
    """Who was due before the end and had to wait is still made after it."""
    run = with_server(tmp_path, entries(2, at=1.5, late="wait")).expect(0)
    assert run.count("iterations") == 2 * RATE and run.count("dropped_iterations") == 0
    assert run.values("http_req_response_time")["p(95)"] >= 400, "a fifth of all waited for half a second and more"


def test_as_k6_does_it_they_are_dropped_and_the_run_is_invalid(tmp_path):
    run = with_server(tmp_path, entries(4)).expect(INVALID)
    assert run.count("iterations") + run.count("dropped_iterations") == 4 * RATE
    assert run.count("dropped_iterations") >= RATE * STOP_S / 2
    assert run.ours["verdict"] == "INVALID" and "load was not applied" in " ".join(run.ours["grounds"])
