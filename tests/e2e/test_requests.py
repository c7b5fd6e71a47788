"""GET /requests/{requestId}: at once, held with ?wait=, and as a stream."""

import json
import re

import pytest

from harness import FINAL, Api, assert_problem

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$")
RANK = {"RECEIVED": 0, "QUEUED": 1, "PROCESSING": 2, "SUCCEEDED": 3, "REJECTED": 3, "FAILED_FINAL": 3}


@pytest.fixture
def paused(make_server):
    """A server whose workers are paused: what is queued stays so until the test resumes them."""
    server = make_server("--workers", "0")
    with server:
        yield Api(server)


def test_while_it_waits_in_the_queue(paused, event):
    paused.put_event(event, 10)
    tokens = [paused.login(f"u{i}") for i in range(3)]
    ids = [paused.participate(event, token) for token in tokens]
    for position, (request_id, token) in enumerate(zip(ids, tokens), start=1):
        response = paused.http.get(f"/requests/{request_id}", token=token)
        assert response.status == 200
        assert int(response.headers["retry-after"]) >= 1
        view = response.json()
        assert TIME.match(view.pop("queuedAt"))
        assert view == {"requestId": request_id, "eventId": event, "status": "QUEUED", "position": position}


def test_when_it_is_final(api, event):
    api.put_event(event, 1)
    winner, loser = api.login("winner"), api.login("loser")
    ids = [api.participate(event, winner), api.participate(event, loser)]
    for request_id, token, status, code in [(ids[0], winner, "SUCCEEDED", "SUCCESS"),
                                            (ids[1], loser, "REJECTED", "REJECTED_CAPACITY")]:
        api.until_final(request_id, token)
        response = api.http.get(f"/requests/{request_id}", token=token)
        assert "retry-after" not in response.headers
        view = response.json()
        assert (view["requestId"], view["eventId"]) == (request_id, event)
        assert (view["status"], view["resultCode"]) == (status, code)
        times = [view["queuedAt"], view["startedAt"], view["finishedAt"]]
        assert all(TIME.match(t) for t in times) and times == sorted(times)
        assert set(view) == {"requestId", "eventId", "status", "resultCode", "queuedAt", "startedAt", "finishedAt"}


def test_somebody_elses_and_unknown_look_the_same(api, event):
    """An id is never a permission, and no answer tells whether it exists."""
    api.put_event(event, 1)
    request_id = api.participate(event, api.login("owner"))
    stranger = api.login("stranger")
    unknown = request_id[:-1] + ("a" if request_id[-1] != "a" else "b")
    answers = []
    for target in (request_id, unknown):
        for tail in ("", "?wait=1s", "/stream"):
            response = api.http.get(f"/requests/{target}{tail}", token=stranger)
            problem = assert_problem(response, 404, "not_found")
            problem.pop("instance")
            problem["detail"] = problem["detail"].replace(target, "ID")
            answers.append(problem)
    assert all(answer == answers[0] for answer in answers), answers


@pytest.mark.parametrize("name", ["x", "x" * 128, "x" * 129, "a%20b", "%00", "..", "0", "-1", "%F0%9F%98%80",
                                  "zzzzzzzzzzzzzzzzzzzzzzzzzz"])
def test_ids_that_were_never_given_out(api, name):
    response = api.http.get(f"/requests/{name}", token=api.login("u1"))
    assert response.status in (400, 404), response
    assert response.headers["content-type"].startswith("application/problem+json")


# ---- wait -------------------------------------------------------------------------------------------------

def test_wait_holds_the_answer_until_the_state_changes(paused, event):
    paused.put_event(event, 1)
    token = paused.login("u1")
    request_id = paused.participate(event, token)
    held = paused.server.http()
    held.get("/livez")
    held.send("GET", f"/requests/{request_id}?wait=30s", token=token)
    for _ in range(20):  # the server is awake and does other things meanwhile
        assert paused.request(request_id, token)["status"] == "QUEUED"
    assert not held.answered()
    paused.resume()
    view = held.receive().json()
    assert RANK[view["status"]] > RANK["QUEUED"]


def test_wait_holds_for_its_time_at_most(paused, event):
    """Nothing changes here for ever: that an answer comes at all is what is tested."""
    paused.put_event(event, 1)
    token = paused.login("u1")
    request_id = paused.participate(event, token)
    response = paused.http.get(f"/requests/{request_id}?wait=1s", token=token)
    assert response.status == 200 and response.json()["status"] == "QUEUED"


def test_wait_on_a_final_request_answers_at_once(api, event):
    api.put_event(event, 1)
    token = api.login("u1")
    request_id = api.participate(event, token)
    api.until_final(request_id, token)
    # Thirty held answers one after the other would run into the guard of the client (90 s).
    for _ in range(30):
        assert api.http.get(f"/requests/{request_id}?wait=30s", token=token).json()["status"] in FINAL


def test_a_held_answer_does_not_hold_up_other_connections_and_may_be_abandoned(paused, event):
    paused.put_event(event, 1)
    token = paused.login("u1")
    request_id = paused.participate(event, token)
    lines = [paused.server.http() for _ in range(50)]
    for line in lines:
        line.send("GET", f"/requests/{request_id}?wait=30s", token=token)
    assert paused.request(request_id, token)["status"] == "QUEUED"
    for line in lines[:25]:
        line.close()
    paused.resume()
    for line in lines[25:]:
        assert RANK[line.receive().json()["status"]] > RANK["QUEUED"]
        line.close()
    assert paused.until_final(request_id, token)["status"] == "SUCCEEDED"


def test_what_is_pipelined_behind_a_held_answer_comes_after_it(paused, event):
    paused.put_event(event, 1)
    token = paused.login("u1")
    request_id = paused.participate(event, token)
    line = paused.server.http()
    line.send("GET", f"/requests/{request_id}?wait=30s", token=token)
    line.send("GET", "/livez")
    paused.resume()
    assert line.receive().json()["requestId"] == request_id
    assert line.receive().status == 200
    line.close()


@pytest.mark.parametrize("wait", ["abc", "-1s", "s", "1x", "1e3s", "0x10s", " 5s", "5s ", "5s5s", "", "1.2.3s", "+5s",
                                  "31s", "30001ms", "99999999999999999999s", "NaN", "5s%0A"])
def test_a_bad_wait_is_400_and_named(api, event, wait):
    api.put_event(event, 1)
    token = api.login("u1")
    request_id = api.participate(event, token)
    response = api.http.get(f"/requests/{request_id}?wait={wait.replace(' ', '%20')}", token=token)
    assert_problem(response, 400, "invalid_argument", names="wait")


@pytest.mark.parametrize("wait", ["0s", "1s", "20s", "30s", "1500ms"])
def test_good_waits(api, event, wait):
    api.put_event(event, 1)
    token = api.login("u1")
    request_id = api.participate(event, token)
    api.until_final(request_id, token)
    assert api.http.get(f"/requests/{request_id}?wait={wait}", token=token).status == 200


# ---- stream -----------------------------------------------------------------------------------------------

def test_the_stream_tells_every_change_once_and_ends(paused, event):
    paused.put_event(event, 1)
    token = paused.login("u1")
    request_id = paused.participate(event, token)
    line = paused.server.http()
    head, events = line.stream(f"/requests/{request_id}/stream", token=token)
    assert head.status == 200
    assert head.headers["content-type"].split(";")[0] == "text/event-stream"
    assert head.headers.get("cache-control") in ("no-store", "no-cache")
    first = json.loads(next(events)["data"])
    assert first["requestId"] == request_id and first["status"] == "QUEUED"
    paused.resume()
    statuses = [first["status"]] + [json.loads(e["data"])["status"] for e in events]  # until the server ends it
    assert statuses == ["QUEUED", "PROCESSING", "SUCCEEDED"]


def test_the_stream_of_a_final_request_is_one_event(api, event):
    api.put_event(event, 1)
    token = api.login("u1")
    request_id = api.participate(event, token)
    view = api.until_final(request_id, token)
    head, events = api.server.http().stream(f"/requests/{request_id}/stream", token=token)
    assert head.status == 200
    assert [json.loads(e["data"]) for e in events] == [view]


def test_many_streams_of_many_requests(paused, event):
    paused.put_event(event, 5)
    people = [(token, paused.participate(event, token)) for token in (paused.login(f"u{i}") for i in range(20))]
    streams = [paused.server.http().stream(f"/requests/{i}/stream", token=t) for t, i in people for _ in range(2)]
    firsts = [json.loads(next(events)["data"])["status"] for _, events in streams]
    assert set(firsts) == {"QUEUED"}
    paused.resume()
    ends = []
    for _, events in streams:
        statuses = [json.loads(e["data"])["status"] for e in events]
        ranks = [RANK[s] for s in statuses]
        assert ranks == sorted(set(ranks)) and ranks[-1] == 3, statuses
        ends.append(statuses[-1])
    assert ends == ["SUCCEEDED"] * 10 + ["REJECTED"] * 30


def test_streams_that_are_dropped_harm_nobody(paused, event):
    paused.put_event(event, 1)
    token = paused.login("u1")
    request_id = paused.participate(event, token)
    for _ in range(20):
        line = paused.server.http()
        _, events = line.stream(f"/requests/{request_id}/stream", token=token)
        next(events)
        line.close()
    paused.resume()
    assert paused.until_final(request_id, token)["status"] == "SUCCEEDED"
