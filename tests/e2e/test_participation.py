"""POST /events/{eventId}/participations."""

import json

import pytest

from harness import FINAL, assert_problem


def test_the_first_crowd_of_one(api, event):
    """The whole way: 202 at once, a queue, a worker, a final answer."""
    api.put_event(event, 1)
    token = api.login("u1")
    response = api.http.post(f"/events/{event}/participations", token=token)
    assert response.status == 202
    assert response.headers["content-type"].split(";")[0] == "application/json"
    body = response.json()
    assert list(body) == ["requestId"], "nothing but the requestId, above all no status"
    assert response.headers["location"] == f"/requests/{body['requestId']}"
    assert int(response.headers["retry-after"]) >= 1
    final = api.until_final(body["requestId"], token)
    assert (final["status"], final["resultCode"]) == ("SUCCEEDED", "SUCCESS")
    assert api.event(event)["capacityRemaining"] == 0


def test_one_person_has_one_request_id(api, event):
    api.put_event(event, 5)
    token = api.login("u1")
    first = api.participate(event, token)
    assert [api.participate(event, token) for _ in range(3)] == [first] * 3
    assert api.participate(event, api.login("u1")) == first, "another token of the same person"
    assert api.until_final(first, token)["status"] == "SUCCEEDED"
    assert api.participate(event, token) == first, "also when it is final"
    assert [item["requestId"] for item in api.list(event)] == [first]
    assert api.event(event)["capacityRemaining"] == 4


def test_a_double_click_on_many_connections(server, api, event):
    api.put_event(event, 5)
    token = api.login("u1")
    lines = [server.http() for _ in range(8)]
    for line in lines:
        for _ in range(4):  # pipelined
            line.send("POST", f"/events/{event}/participations", token=token)
    ids = set()
    for line in lines:
        for _ in range(4):
            response = line.receive()
            assert response.status == 202
            ids.add(response.json()["requestId"])
        line.close()
    assert len(ids) == 1
    assert len(api.list(event)) == 1


def test_the_same_person_at_two_events_has_two_requests(api, event):
    api.put_event(event, 1)
    api.put_event(event + "-b", 1)
    token = api.login("u1")
    assert api.participate(event, token) != api.participate(event + "-b", token)


def test_pipelined_requests_are_answered_in_order(server, api, event):
    api.put_event(event, 50)
    tokens = [api.login(f"p{i}") for i in range(50)]
    line = server.http()
    for token in tokens:
        line.send("POST", f"/events/{event}/participations", token=token)
    ids = [line.receive().json()["requestId"] for _ in tokens]
    line.close()
    assert [api.detail(i)["userId"] for i in ids] == [f"p{i}" for i in range(50)]
    assert [item["requestId"] for item in api.list(event)] == ids, "and taken in that order"


def test_exactly_n_win_and_the_first_come_first(api, event):
    api.put_event(event, 3)
    people = [(u, api.login(u)) for u in (f"u{i}" for i in range(10))]
    ids = [api.participate(event, token) for _, token in people]
    finals = [api.until_final(i, token) for i, (_, token) in zip(ids, people)]
    assert [f["status"] for f in finals] == ["SUCCEEDED"] * 3 + ["REJECTED"] * 7
    assert {f["resultCode"] for f in finals[3:]} == {"REJECTED_CAPACITY"}
    assert api.event(event)["capacityRemaining"] == 0


def test_no_places_means_that_everybody_is_rejected(api, event):
    response = api.admin("PUT", f"/admin/events/{event}", json={"title": "none", "capacityTotal": 0,
                                                               "policy": "FIRST_COME"})
    if response.status == 400:  # a deployment may as well refuse such an event; but then at once and by name
        assert_problem(response, 400, "invalid_argument", names="capacityTotal")
        return
    token = api.login("u1")
    assert api.until_final(api.participate(event, token), token)["resultCode"] == "REJECTED_CAPACITY"


# ---- The body ---------------------------------------------------------------------------------------------

def body_of(size: int) -> bytes:
    empty = len(json.dumps({"note": ""}))
    return json.dumps({"note": "x" * (size - empty)}).encode()


@pytest.mark.parametrize("size", [12, 1000, 4095, 4096])
def test_a_body_up_to_4_kib_is_kept_with_the_request(api, event, size):
    api.put_event(event, 1)
    body = body_of(size)
    assert len(body) == size
    response = api.http.post(f"/events/{event}/participations", token=api.login("u1"), body=body)
    assert response.status == 202, response
    assert kept_body(api, response) == json.loads(body)


def kept_body(api, response):
    return api.detail(response.json()["requestId"])["body"]


@pytest.mark.parametrize("size", [4097, 8192, 64 * 1024 + 1, 5_000_000])
def test_a_larger_body_is_413(server, api, event, size):
    api.put_event(event, 1)
    token = api.login("u1")
    with server.http() as line:
        response = line.post(f"/events/{event}/participations", token=token, body=body_of(size))
    assert_problem(response, 413, "payload_too_large")
    assert api.list(event) == []


@pytest.mark.parametrize("body", ['{"a": "사용자 😀", "b": [1, -2.5e3, null, true], "c": {"d": "\\u00e9\\n"}}',
                                  '{}', '  {"a":1}  ', '{"":""}', '[1,2]', '"text"', '0', 'null'])
def test_any_json_body_is_kept_as_it_came(api, event, body):
    api.put_event(event, 1)
    response = api.http.post(f"/events/{event}/participations", token=api.login("u1"), body=body.encode())
    assert response.status == 202, response
    assert kept_body(api, response) == json.loads(body)


def test_a_repeat_with_another_body_changes_nothing(api, event):
    api.put_event(event, 1)
    token = api.login("u1")
    first = api.http.post(f"/events/{event}/participations", token=token, json={"seat": "A"})
    again = api.http.post(f"/events/{event}/participations", token=token, json={"seat": "B"})
    assert again.status == 202 and again.json() == first.json()
    assert kept_body(api, first) == {"seat": "A"}


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                                          "application/jsonp", "application/xml", "json", "", None])
def test_another_content_type_is_415(api, event, content_type):
    api.put_event(event, 1)
    response = api.http.post(f"/events/{event}/participations", token=api.login("u1"), body=b'{"a":1}',
                             content_type=content_type)
    assert_problem(response, 415, "unsupported_media_type")
    assert api.list(event) == []


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8",
                                          "Application/JSON", "application/json;charset=UTF-8"])
def test_content_types_that_are_json(api, event, content_type):
    api.put_event(event, 1)
    response = api.http.post(f"/events/{event}/participations", token=api.login("u1"), body=b'{"a":1}',
                             content_type=content_type)
    assert response.status == 202, response


# ---- Events that do not take part --------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["nobody-made-this", "x" * 128, "...", "a.b_c~d-e"])
def test_an_unknown_event_is_404(api, name):
    assert_problem(api.http.post(f"/events/{name}/participations", token=api.login("u1")), 404, "not_found")


@pytest.mark.parametrize("name", ["x" * 129, "a%20b", "%00", "a%2Fb", "%ED%95%9C", "a%2", "%zz", ".", "..", "%2e%2e"])
def test_what_is_no_event_id_is_refused(api, name):
    response = api.http.post(f"/events/{name}/participations", token=api.login("u1"))
    assert response.status in (400, 404), response
    assert response.headers["content-type"].startswith("application/problem+json")


def test_before_it_opens_409_with_the_time(api, event):
    api.put_event(event, 1, opensAt="2099-05-17T09:00:00Z")
    response = api.http.post(f"/events/{event}/participations", token=api.login("u1"))
    problem = assert_problem(response, 409, "event_not_open", names="2099-05-17T09:00:00")
    assert problem["instance"] == f"/events/{event}/participations"
    assert api.list(event) == []


def test_after_it_closed_409_with_the_time(api, event):
    api.put_event(event, 1, opensAt="2020-01-01T00:00:00Z", closesAt="2021-02-03T04:05:06Z")
    response = api.http.post(f"/events/{event}/participations", token=api.login("u1"))
    assert_problem(response, 409, "event_closed", names="2021-02-03T04:05:06")
    assert api.list(event) == []


def test_an_event_that_is_opened_early_takes_people(api, event):
    api.put_event(event, 1, opensAt="2099-01-01T00:00:00Z")
    token = api.login("u1")
    assert api.http.post(f"/events/{event}/participations", token=token).status == 409
    api.put_event(event, 1, opensAt="2020-01-01T00:00:00Z")
    assert api.until_final(api.participate(event, token), token)["status"] in FINAL


def test_whoever_took_part_keeps_the_id_when_the_event_has_closed(api, event):
    """A repeat after the end is told the id, not that it came too late."""
    api.put_event(event, 1)
    token = api.login("u1")
    first = api.participate(event, token)
    api.put_event(event, 1, closesAt="2021-01-01T00:00:00Z", opensAt="2020-01-01T00:00:00Z")
    assert api.participate(event, token) == first
    assert api.http.post(f"/events/{event}/participations", token=api.login("u2")).status == 409
