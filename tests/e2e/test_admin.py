"""The operators' reads and switches: events, requests, paging, the queue."""

import threading

import pytest

from harness import ADMIN_TOKEN, Api, assert_problem, event_body, is_paused

STATUSES = {"RECEIVED", "QUEUED", "PROCESSING", "SUCCEEDED", "REJECTED", "FAILED_FINAL"}


def test_an_event_is_created_read_and_changed(api, event):
    full = event_body(7, title="콘서트 1차", opensAt="2020-01-01T09:00:00+09:00", closesAt="2099-01-01T00:00:00Z")
    created = api.admin("PUT", f"/admin/events/{event}", json=full)
    assert created.status == 201, created
    view = api.event(event)
    assert created.json() == view
    assert view["eventId"] == event and view["title"] == "콘서트 1차" and view["policy"] == "FIRST_COME"
    assert (view["capacityTotal"], view["capacityRemaining"]) == (7, 7)
    assert view["opensAt"].startswith("2020-01-01T00:00:00") and view["opensAt"].endswith("Z")
    assert view["closesAt"].startswith("2099-01-01T00:00:00")
    changed = api.admin("PUT", f"/admin/events/{event}", json=event_body(9, title="other"))
    assert changed.status == 200, changed
    view = api.event(event)
    assert (view["title"], view["capacityTotal"], view["capacityRemaining"]) == ("other", 9, 9)
    assert "opensAt" not in view and "closesAt" not in view, "PUT replaces: what is not given is unset"


def test_the_same_put_again_changes_nothing(api, event):
    first = api.put_event(event, 5)
    assert api.put_event(event, 5) == first


def test_an_unknown_event_is_404_for_admins_too(api):
    assert_problem(api.admin("GET", "/admin/events/nobody-made-this"), 404, "not_found")
    assert_problem(api.admin("GET", "/admin/events/nobody-made-this/requests"), 404, "not_found")


def test_capacity_grows_while_open_and_never_below_what_is_taken(api, event):
    api.put_event(event, 2)
    people = [api.login(f"u{i}") for i in range(4)]
    finals = [api.until_final(api.participate(event, token), token)["status"] for token in people[:3]]
    assert finals == ["SUCCEEDED", "SUCCEEDED", "REJECTED"]
    for below in (0, 1):
        refused = api.admin("PUT", f"/admin/events/{event}", json=event_body(below))
        assert refused.status in (409, 400) if below == 0 else refused.status == 409, refused
        if refused.status == 409:
            assert_problem(refused, 409, "capacity_below_taken")
    assert (api.event(event)["capacityTotal"], api.event(event)["capacityRemaining"]) == (2, 0)
    api.put_event(event, 3)
    assert api.event(event)["capacityRemaining"] == 1
    assert api.until_final(api.participate(event, people[3]), people[3])["status"] == "SUCCEEDED"
    assert api.event(event)["capacityRemaining"] == 0
    api.put_event(event, 3)


def test_capacity_may_shrink_to_what_is_taken(api, event):
    api.put_event(event, 10)
    token = api.login("u1")
    api.until_final(api.participate(event, token), token)
    api.put_event(event, 1)
    assert (api.event(event)["capacityTotal"], api.event(event)["capacityRemaining"]) == (1, 0)
    other = api.login("u2")
    assert api.until_final(api.participate(event, other), other)["resultCode"] == "REJECTED_CAPACITY"


def test_an_admin_sees_everything_of_a_request(api, event):
    api.put_event(event, 1)
    winner, loser = api.login("winner"), api.login("loser")
    won = api.http.post(f"/events/{event}/participations", token=winner, json={"size": "L"}).json()["requestId"]
    lost = api.participate(event, loser)
    for request_id, token, user, status in [(won, winner, "winner", "SUCCEEDED"), (lost, loser, "loser", "REJECTED")]:
        view = api.until_final(request_id, token)
        detail = api.detail(request_id)
        assert {k: detail[k] for k in view} == view, "the same as the owner sees, and more"
        assert detail["userId"] == user
        # A refusal for want of places needs no worker, so it may be made without a delivery.
        assert detail["receiveCount"] >= (1 if status == "SUCCEEDED" else 0)
        log = detail["statusLog"]
        assert [entry["status"] for entry in log] == ["RECEIVED", "QUEUED", "PROCESSING", status]
        times = [entry["at"] for entry in log]
        assert times == sorted(times)
        assert (log[1]["at"], log[2]["at"], log[3]["at"]) == (view["queuedAt"], view["startedAt"], view["finishedAt"])
    assert api.detail(lost)["failureClass"] == "NON_RETRYABLE"
    assert "failureClass" not in api.detail(won)


def test_an_unknown_request_is_404_for_admins(api):
    assert_problem(api.admin("GET", "/admin/requests/nobody-has-this"), 404, "not_found")


# ---- Lists ------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def listed(server):
    """25 people at an event of 10 places, decided; their ids in the order in which they came."""
    api = Api(server)
    api.put_event("listed", 10)
    people = [(f"u{i}", api.login(f"u{i}")) for i in range(25)]
    ids = [api.participate("listed", token) for _, token in people]
    for request_id, (_, token) in zip(ids, people):
        api.until_final(request_id, token)
    return ids


def page(api, query=""):
    response = api.admin("GET", f"/admin/events/listed/requests{query}")
    assert response.status == 200, response
    return response.json()


def test_the_list_is_in_order_with_counts(api, listed):
    whole = page(api)
    assert [item["requestId"] for item in whole["items"]] == listed
    assert [item["userId"] for item in whole["items"]] == [f"u{i}" for i in range(25)]
    keys = [(item["queuedAt"], item["requestId"]) for item in whole["items"]]
    assert keys == sorted(keys)
    assert [item["status"] for item in whole["items"]] == ["SUCCEEDED"] * 10 + ["REJECTED"] * 15
    assert whole["counts"] == {**dict.fromkeys(STATUSES, 0), "SUCCEEDED": 10, "REJECTED": 15}
    assert "nextCursor" not in whole


@pytest.mark.parametrize("limit", [1, 2, 7, 24, 25, 26, 1000])
def test_pages_put_together_are_the_list(api, listed, limit):
    assert [item["requestId"] for item in api.list("listed", limit=limit)] == listed
    first = page(api, f"?limit={limit}")
    assert len(first["items"]) <= limit
    assert first["counts"]["SUCCEEDED"] == 10, "counts are of the event, not of the page"


@pytest.mark.parametrize("status, from_, to", [("SUCCEEDED", 0, 10), ("REJECTED", 10, 25), ("QUEUED", 0, 0),
                                               ("RECEIVED", 0, 0), ("PROCESSING", 0, 0), ("FAILED_FINAL", 0, 0)])
@pytest.mark.parametrize("limit", [4, 1000])
def test_the_list_filtered_by_status(api, listed, status, from_, to, limit):
    items = api.list("listed", limit=limit, status=status)
    assert [item["requestId"] for item in items] == listed[from_:to]


@pytest.mark.parametrize("query, field", [
    ("?limit=0", "limit"), ("?limit=-1", "limit"), ("?limit=1001", "limit"), ("?limit=ten", "limit"),
    ("?limit=1e2", "limit"), ("?limit=", "limit"), ("?limit=99999999999999999999", "limit"), ("?limit=1.5", "limit"),
    ("?status=WON", "status"), ("?status=succeeded", "status"),
    ("?cursor=garbage!", "cursor"), ("?cursor=" + "A" * 500, "cursor"),
])
def test_bad_list_queries_are_400_and_named(api, listed, query, field):
    response = api.admin("GET", f"/admin/events/listed/requests{query}")
    assert_problem(response, 400, "invalid_argument", names=field)


def test_a_list_that_grows_while_it_is_read_shows_nobody_twice_and_forgets_nobody(server, api, event):
    api.put_event(event, 5)
    early = {api.participate(event, api.login(f"early{i}")) for i in range(30)}
    stop = threading.Event()

    def go_on():
        other = Api(server)
        for i in range(300):
            if stop.is_set():
                return
            other.participate(event, other.login(f"late{i}"))

    late = threading.Thread(target=go_on)
    late.start()
    try:
        for _ in range(5):
            ids = [item["requestId"] for item in api.list(event, limit=3)]
            assert len(set(ids)) == len(ids)
            assert early <= set(ids)
    finally:
        stop.set()
        late.join()


# ---- Queue ------------------------------------------------------------------------------------------------

def test_paused_the_depth_only_rises_and_resumed_it_drains_to_0(make_server, event):
    """The promise of the load test, in small."""
    with make_server("--workers", "0") as server:
        api = Api(server)
        api.put_event(event, 100)
        assert is_paused(api.queue())
        depths, people = [], []
        for i in range(60):
            token = api.login(f"u{i}")
            people.append((api.participate(event, token), token))
            stats = api.queue()
            depths.append(stats["visible"] + stats["inFlight"] + stats["delayed"])
        assert depths == list(range(1, 61))
        stats = api.queue()
        assert stats["oldestAgeSeconds"] >= 0 and stats["deadLetters"] == 0
        assert api.event(event)["capacityRemaining"] == 100, "untouched before"
        assert {item["status"] for item in api.list(event)} == {"QUEUED"}
        api.resume()
        assert {api.until_final(*person)["status"] for person in people} == {"SUCCEEDED"}
        stats = api.queue()
        assert (stats["visible"], stats["inFlight"], stats["delayed"], stats["deadLetters"]) == (0, 0, 0, 0)
        assert not is_paused(stats) and stats["workers"]["running"] >= 1
        assert stats.get("oldestAgeSeconds", 0) == 0
        assert api.event(event)["capacityRemaining"] == 40


def test_pause_and_resume_any_number_of_times(make_server, event):
    with make_server() as server:
        api = Api(server)
        api.put_event(event, 1000)
        for turn in range(5):
            api.pause()
            api.pause()
            assert is_paused(api.queue())
            token = api.login(f"u{turn}")
            request_id = api.participate(event, token)
            for _ in range(5):
                assert api.request(request_id, token)["status"] == "QUEUED"
            api.resume()
            api.resume()
            assert not is_paused(api.queue())
            assert api.until_final(request_id, token)["status"] == "SUCCEEDED"


def test_the_queue_has_exactly_the_members_of_the_contract(api):
    stats = api.queue()
    assert set(stats) == {"visible", "inFlight", "delayed", "oldestAgeSeconds", "deadLetters", "workers", "redrive"}
    assert set(stats["workers"]) == {"running", "paused"}


# ---- Bodies of PUT ----------------------------------------------------------------------------------------

GOOD = event_body(10)


@pytest.mark.parametrize("field, value", [
    ("capacityTotal", None), ("capacityTotal", -1), ("capacityTotal", 1.5), ("capacityTotal", "10"),
    ("capacityTotal", True), ("capacityTotal", [1]), ("capacityTotal", {}), ("capacityTotal", 1_000_000_001),
    ("capacityTotal", 2**53), ("capacityTotal", 2**63), ("capacityTotal", 2**64), ("capacityTotal", 10**40),
    ("title", None), ("title", 5), ("title", "x" * 257), ("title", ["a"]),
    ("policy", "LOTTERY"), ("policy", 1), ("policy", "first_come"), ("policy", ""),
    ("opensAt", "tomorrow"), ("opensAt", 1700000000), ("opensAt", "2026-13-01T00:00:00Z"),
    ("opensAt", "2026-02-30T00:00:00Z"), ("opensAt", "2026-01-01"), ("opensAt", "2026-01-01T00:00:00"),
    ("opensAt", "2026-01-01T24:00:01Z"), ("opensAt", ""), ("opensAt", "99999-01-01T00:00:00Z"),
    ("closesAt", "never"), ("closesAt", False),
])
def test_a_bad_member_is_400_and_named(api, event, field, value):
    response = api.admin("PUT", f"/admin/events/{event}", json={**GOOD, field: value})
    assert_problem(response, 400, "invalid_argument", names=field)
    assert api.admin("GET", f"/admin/events/{event}").status == 404


def test_a_missing_capacity_is_named(api, event):
    body = {k: v for k, v in GOOD.items() if k != "capacityTotal"}
    response = api.admin("PUT", f"/admin/events/{event}", json=body)
    assert_problem(response, 400, "invalid_argument", names="capacityTotal")


def test_an_event_cannot_close_before_it_opens(api, event):
    body = event_body(1, opensAt="2026-01-02T00:00:00Z", closesAt="2026-01-01T00:00:00Z")
    assert_problem(api.admin("PUT", f"/admin/events/{event}", json=body), 400, "invalid_argument", names="closesAt")


@pytest.mark.parametrize("number", [b"1e400", b"-0.0001", b"1" + b"0" * 400, b"18446744073709551616",
                                    b"-9223372036854775809"])
def test_numbers_out_of_any_range(api, event, number):
    body = b'{"title":"t","policy":"FIRST_COME","capacityTotal":' + number + b"}"
    assert_problem(api.admin("PUT", f"/admin/events/{event}", body=body), 400, "invalid_argument",
                   names="capacityTotal")


@pytest.mark.parametrize("name", ["a%20b", "x" * 129, "%ED%95%9C", "a%2Fb", "%00", "a%0Ab"])
def test_an_event_cannot_have_such_a_name(api, name):
    response = api.admin("PUT", f"/admin/events/{name}", json=GOOD)
    assert response.status in (400, 404), response


def test_admin_secret_and_tokens_do_not_show_up_in_the_log(server, api):
    token = api.login("secretive")
    api.http.get("/requests/x", token=token)
    api.http.get("/admin/requests/x", token=ADMIN_TOKEN)
    assert token not in server.errors() and ADMIN_TOKEN not in server.errors()
    assert not any(ADMIN_TOKEN in line for line in server.output)
