"""A load generator that always says PASS is worth nothing. Between it and a real server stands a proxy that lies, in
one thing at a time: the run must fail and name just that invariant. And with the proxy telling the truth it passes."""

import collections
import json
import re

import pytest

from load_lab import THRESHOLDS, Proxy, Run, arrivals, plan_of

PEOPLE, PLACES = 40, 10
REQUEST = re.compile(r"/requests/[^/?]+")


def participation(event, **settings):
    return plan_of("participation", arrivals(PEOPLE, "1s"),
                   {"event": event, "capacity": PLACES, "participation_repeat": 1, "poll": "100ms", **settings},
                   settle="1s")


def circulation(crowd):
    """Long enough for an operator to look; with a crowd, more than fit in, so that some wait for a few polls."""
    return plan_of("queue-circulation", arrivals(25, "1s", 30),
                   {"max_active": 8 if crowd else 50, "stay_min": "500ms", "stay_max": "700ms", "re_enter": 1,
                    "check_receipts": 1})


def is_list(asked):
    return asked.method == "GET" and re.fullmatch(r"/admin/events/[^/]+/requests", asked.path)


def by(items, **wanted):
    """The first and the last item like this."""
    found = [item for item in items if all(item.get(k) == v for k, v in wanted.items())]
    return found[0], found[-1]


# ---- The intake: each is made anew for a test, and keeps what it said ---------------------------------------------


def in_the_list(change):
    """Lies to the operator about the whole list. People are not asked to follow their request, so that the operator's
    list is all that is looked at."""

    def lie(asked, status, value):
        if not is_list(asked) or len(value["items"]) < PEOPLE:
            return None  # the look at the counts
        change(value["items"])
        return status, value

    return lie


def oversell(items):
    first, _ = by(items, resultCode="REJECTED_CAPACITY")
    first.update(status="SUCCEEDED", resultCode="SUCCEEDED")


def undersell(items):
    _, last = by(items, status="SUCCEEDED")
    last.update(status="REJECTED", resultCode="REJECTED_CAPACITY")


def lose_one(items):
    items.remove(by(items, resultCode="REJECTED_CAPACITY")[1])


def overtake(items):
    _, winner = by(items, status="SUCCEEDED")
    loser, _ = by(items, resultCode="REJECTED_CAPACITY")
    a, b = items.index(winner), items.index(loser)
    items[a], items[b] = loser, winner


def unfinished(items):
    _, last = by(items, resultCode="REJECTED_CAPACITY")
    last.update(status="FAILED")  # no status that there is


def twice_in_the_list(items):
    _, last = by(items, resultCode="REJECTED_CAPACITY")
    last["userId"] = items[0]["userId"]


def status_back():
    """PROCESSING, then QUEUED, then the truth; for one."""
    told = collections.Counter()

    def lie(asked, status, value):
        if not REQUEST.fullmatch(asked.path) or status != 200 or (told and asked.path not in told):
            return None
        told[asked.path] += 1
        if told[asked.path] > 2:
            return None
        value["status"] = "PROCESSING" if told[asked.path] == 1 else "QUEUED"
        return status, value

    return lie


def final_taken_back():
    """Who was told SUCCEEDED is REJECTED in the list, and the next one has the place, as if it had always been so."""
    winners = []

    def lie(asked, status, value):
        if REQUEST.fullmatch(asked.path) and status == 200 and value["status"] == "REJECTED" and not winners:
            winners.append(value["requestId"])
            return status, {**value, "status": "SUCCEEDED", "resultCode": "SUCCEEDED"}
        return None

    return lie


def vanished():
    """One that was acknowledged answers 404 to its owner."""
    gone = []

    def lie(asked, status, value):
        if not REQUEST.fullmatch(asked.path) or (gone and gone[0] != asked.path):
            return None
        gone[:] = [asked.path]
        return 404, {"type": "about:blank", "title": "Not found", "status": 404, "detail": "none", "code": "not_found"}

    return lie


def another_id():
    """Who presses twice gets a second request; one of them does."""
    seen = collections.Counter()
    done = []

    def lie(asked, status, value):
        if not asked.path.endswith("/participations") or done:
            return None
        person = asked.headers["authorization"]
        seen[person] += 1
        if seen[person] < 2:
            return None
        done.append(person)
        return status, {**value, "requestId": value["requestId"][:-1] + "_"}

    return lie


LISTED = {"poll_to_end": False}


@pytest.mark.parametrize("lie, settings, broken", [
    (in_the_list(oversell), LISTED, "exactly-n-winners"),
    (in_the_list(undersell), LISTED, "exactly-n-winners"),
    (in_the_list(lose_one), LISTED, "nothing-lost"),
    (in_the_list(overtake), LISTED, "first-come-first-served"),
    (in_the_list(unfinished), LISTED, "every-request-final"),
    (in_the_list(twice_in_the_list), LISTED, "one-id-per-person"),
    (another_id(), LISTED, "one-id-per-person"),
    (status_back(), {}, "no-status-back"),
    (final_taken_back(), {}, "no-status-back"),
    (vanished(), {}, "nothing-lost"),
], ids=["oversell", "undersell", "lost", "overtaken", "unfinished", "listed-twice", "another-id", "status-back",
        "taken-back", "vanished"])
def test_lies_of_an_intake(server, api, event, tmp_path, lie, settings, broken):
    # Who does not follow the request was told no status, and no-status-back has nothing to look at.
    known = sorted(INTAKE - ({"no-status-back"} if settings else set()))
    with Proxy(server, lie) as proxy:
        run = Run(tmp_path, {**participation(event, **settings), "invariants": known}, url=proxy.url)
        assert_found(run, proxy, broken)


INTAKE = {"exactly-n-winners", "one-id-per-person", "nothing-lost", "every-request-final", "no-status-back",
          "first-come-first-served"}


def assert_found(run, proxy, broken):
    run.expect(THRESHOLDS)
    assert proxy.lies > 0
    assert run.ours["verdict"] == "FAIL"
    told = run.invariants
    assert run.broken == {broken}, {name: one["detail"] for name, one in told.items() if not one["ok"]}
    assert told[broken]["violations"] > 0 and "for example" in told[broken]["detail"]
    assert all(one["looked_at"] > 0 for one in told.values()), told
    assert any(f'"{broken}" was violated' in ground for ground in run.ours["grounds"])
    for ending in ("md", "html"):
        assert broken in run.file("summary", ending).read_text()


def test_the_truth_of_an_intake(server, event, tmp_path):
    with Proxy(server) as proxy:
        run = Run(tmp_path, participation(event), url=proxy.url).passed()
    assert set(run.invariants) == INTAKE and proxy.lies == 0 and proxy.requests > run.count("http_reqs")


# ---- The waiting room -------------------------------------------------------------------------------------------

LINE = re.compile(r"/admin/queues/waitroom/[^/]+")


def over_the_cap():
    def lie(asked, status, value):
        if asked.method != "GET" or not LINE.fullmatch(asked.path) or status != 200:
            return None
        data = value["data"]
        data["sizes"]["ready"] = data["settings"]["maxActive"] - data["sizes"]["active"] + 1
        return status, value

    return lie


def of_one(path, change):
    """Lies to one person, once, in an answer to this where `change(value, number)` wants to; number counts theirs."""
    asked_by = collections.Counter()
    done = []

    def lie(asked, status, value):
        if asked.path != path or status != 200 or done:
            return None
        person = asked.headers.get("x-queue-token") or json.loads(asked.body)["userId"]
        asked_by[person] += 1
        told = change(value["data"], asked_by[person])
        if told is None:
            return None
        done.append(person)
        return told

    return lie


def back_in_line():
    def change(data, number):
        if data["status"] != "WAITING":
            return None
        return 200, {"data": {**data, "position": data["position"] + 1000}}

    return of_one("/api/v1/queue/status", change)


def another_token():
    def change(data, number):
        return None if number < 2 else (200, {"data": {**data, "token": data["token"] + "x"}})

    return of_one("/api/v1/queue/enter", change)


def lost_token():
    def change(data, number):
        return 404, {"code": "not_found", "status": 404}

    return of_one("/api/v1/queue/activate", change)


def ready_no_more():
    """Who activates is told that they wait."""

    def change(data, number):
        return 200, {"data": {**data, "status": "WAITING", "position": 0, "pollAfterMs": 100}}

    return of_one("/api/v1/queue/activate", change)


def forgotten():
    """The server knows of fewer places than it gave."""

    def lie(asked, status, value):
        if asked.method != "GET" or not LINE.fullmatch(asked.path) or status != 200:
            return None
        value["data"]["sizes"]["entered"] -= 1
        return status, value

    return lie


def passed_over():
    """The first who waits goes on waiting while all others are let in."""
    first, calls = [], collections.Counter()

    def lie(asked, status, value):
        if asked.path != "/api/v1/queue/status" or status != 200:
            return None
        token = asked.headers["x-queue-token"]
        if not first:
            first.append(token)
        calls[token] += 1
        data = value["data"]
        if token != first[0] or data["status"] == "WAITING" or calls[token] > 4:
            return None
        return status, {"data": {**data, "status": "WAITING", "position": 1, "pollAfterMs": 1000}}

    return lie


@pytest.mark.parametrize("lie, crowd, broken", [
    (over_the_cap(), False, "active-under-cap"),
    (back_in_line(), True, "position-never-up"),
    (another_token(), False, "one-id-per-person"),
    (lost_token(), False, "nothing-lost"),
    (forgotten(), False, "nothing-lost"),
    (ready_no_more(), False, "no-status-back"),
    (passed_over(), True, "first-come-first-served"),
], ids=["over-the-cap", "position-up", "another-token", "lost-token", "forgotten", "status-back", "passed-over"])
def test_lies_of_a_waiting_room(server, tmp_path, lie, crowd, broken):
    with Proxy(server, lie) as proxy:
        run = Run(tmp_path, circulation(crowd), url=proxy.url)
        assert_found(run, proxy, broken)


def test_the_truth_of_a_waiting_room(server, tmp_path):
    with Proxy(server) as proxy:
        run = Run(tmp_path, circulation(True), url=proxy.url).passed()
    assert proxy.lies == 0 and proxy.requests > run.count("http_reqs")
