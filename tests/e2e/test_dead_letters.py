"""Dead letters over HTTP: what is answered, who may, what is audited. How requests die and come back is tested where
their work can be made to fail: src/intake/machine_dead_letters_test.cc, tests/contract, tests/sim and tests/crash."""

import time

import pytest

from harness import Api, assert_problem

LETTERS = "/admin/queues/participations/dead-letters"


@pytest.fixture
def api(make_server):
    api = Api(make_server().start())
    yield api
    api.http.close()


def test_none_at_first(api):
    assert api.admin("GET", LETTERS).json() == {"items": [], "total": 0}
    assert api.admin("GET", "/admin/queues/participations").json()["redrive"] is None
    assert_problem(api.admin("GET", LETTERS + "/nobody"), 404, "not_found")
    assert_problem(api.admin("GET", LETTERS + "/redrive"), 404, "not_found")
    assert_problem(api.admin("POST", LETTERS + "/redrive/stop"), 404, "not_found")


def test_a_request_that_is_decided_is_no_dead_letter(api):
    api.put_event("EVT", 3)
    request = api.participate("EVT", api.login("ann"))
    assert_problem(api.admin("GET", f"{LETTERS}/{request}"), 404, "not_found")
    body = {"requestIds": [request], "reason": "not wanted"}
    assert api.admin("POST", LETTERS + "/discard", json=body).json() == {"discarded": 0}
    dry = api.admin("POST", LETTERS + "/redrive", json={"filter": {"requestIds": [request]}, "dryRun": True})
    assert dry.status == 200 and dry.json() == {"matching": 0, "sample": []}


def test_a_redrive_runs_ends_and_is_audited(api):
    started = api.admin("POST", LETTERS + "/redrive", json={"ratePerSecond": 5, "stopAfterFailures": 2})
    assert started.status == 202, started
    assert started.json()["matching"] == 0 and started.json()["ratePerSecond"] == 5
    deadline = time.monotonic() + 60
    while (redrive := api.admin("GET", LETTERS + "/redrive").json())["state"] == "RUNNING":
        assert time.monotonic() < deadline
    assert redrive["state"] == "DONE" and redrive["finishedAt"]
    assert api.admin("POST", LETTERS + "/redrive/stop").json() == redrive
    actions = [item["action"] for item in api.admin("GET", "/admin/audit").json()["items"]]
    assert actions == ["dead_letters.redrive"]


@pytest.mark.parametrize("body", [
    {"filter": {"requestIds": []}},
    {"filter": {"requestIds": [1]}},
    {"filter": {"requestIds": ["a"] * 1001}},
    {"filter": {"failureClass": "SOMETIMES"}},
    {"filter": {"deadBefore": "yesterday"}},
    {"filter": "all"},
    {"ratePerSecond": 0},
    {"stopAfterFailures": 0},
    {"dryRun": "yes"},
])
def test_bad_redrives_are_refused(api, body):
    assert_problem(api.admin("POST", LETTERS + "/redrive", json=body), 400, "invalid_argument")
    assert_problem(api.admin("GET", LETTERS + "/redrive"), 404, "not_found")


@pytest.mark.parametrize("body", [
    {"reason": "which?"},
    {"requestIds": ["a"]},
    {"requestIds": ["a"], "reason": ""},
    {"requestIds": ["a"], "reason": "r" * 501},
    {"requestIds": ["a"], "filter": {}, "reason": "both"},
])
def test_bad_discards_are_refused(api, body):
    assert_problem(api.admin("POST", LETTERS + "/discard", json=body), 400, "invalid_argument")


def test_unknown_events_and_cursors_are_refused(api):
    assert_problem(api.admin("POST", LETTERS + "/redrive", json={"filter": {"eventId": "no"}}), 404, "not_found")
    assert_problem(api.admin("GET", LETTERS + "?eventId=no"), 404, "not_found")
    for query in ("cursor=x", "limit=0", "failureClass=SOMETIMES"):
        assert_problem(api.admin("GET", f"{LETTERS}?{query}"), 400, "invalid_argument")
