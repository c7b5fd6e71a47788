"""The operators' search for requests, and what an event tells of itself."""

import pytest

from harness import ADMIN_TOKEN, Api, assert_problem

EVENTS = [f"searched-{i}" for i in range(6)]


def found(api, **query):
    """All pages of a search, put together."""
    items, cursor = [], None
    while True:
        target = "/admin/requests?" + "&".join(f"{k}={v}" for k, v in {**query, "cursor": cursor or ""}.items())
        response = api.admin("GET", target)
        assert response.status == 200, response
        page = response.json()
        assert set(page) <= {"items", "nextCursor"}, page
        assert len(page["items"]) <= query.get("limit", 100)
        items += page["items"]
        cursor = page.get("nextCursor")
        if not cursor:
            return items


@pytest.fixture(scope="module")
def people(server):
    """Two people at six events of one place each; the requestIds of each, as they came."""
    api = Api(server)
    tokens = {name: api.login(name) for name in ("search-ann", "search ben/한")}
    ids = {name: [] for name in tokens}
    for event in EVENTS:
        api.put_event(event, 1)
        for name, token in tokens.items():
            ids[name].append(api.participate(event, token))
            api.until_final(ids[name][-1], token)
    return ids


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 7, 1000])
def test_by_user_newest_first_in_pages(api, people, limit):
    items = found(api, userId="search-ann", limit=limit)
    assert [item["requestId"] for item in items] == people["search-ann"][::-1]
    assert {item["userId"] for item in items} == {"search-ann"}
    assert [item["eventId"] for item in items] == EVENTS[::-1]


def test_a_user_id_of_any_characters(api, people):
    items = found(api, userId="search%20ben%2F%ED%95%9C")
    assert [item["requestId"] for item in items] == people["search ben/한"][::-1]


def test_all_that_is_given_applies(api, people):
    ann, ben = people["search-ann"], people["search ben/한"]
    assert [item["requestId"] for item in found(api, requestId=ann[2])] == [ann[2]]
    assert [item["requestId"] for item in found(api, userId="search-ann", eventId=EVENTS[3])] == [ann[3]]
    assert [item["requestId"] for item in found(api, eventId=EVENTS[3])] == [ann[3], ben[3]]
    assert [item["requestId"] for item in found(api, eventId=EVENTS[3], status="REJECTED")] == [ben[3]]
    assert len(found(api, userId="search-ann", status="SUCCEEDED")) == 6
    for nothing in ({"userId": "search-nobody"}, {"requestId": "nobody-has-this"},
                    {"userId": "search-ann", "requestId": ben[0]}, {"userId": "search-ann", "status": "REJECTED"},
                    {"requestId": ann[0], "eventId": EVENTS[1]}, {"requestId": ann[0], "status": "QUEUED"}):
        assert found(api, **nothing) == []


def test_an_item_is_that_of_the_list(api, people):
    (item,) = found(api, requestId=people["search-ann"][0])
    assert item == api.list(EVENTS[0])[0]
    assert not {"body", "attempts", "statusLog"} & set(item)


@pytest.mark.parametrize("query, field", [
    ("", "userId"), ("?status=QUEUED", "userId"), ("?userId=&requestId=&eventId=", "userId"), ("?limit=5", "requestId"),
    ("?userId=" + "x" * 129, "userId"), ("?userId=%0A", "userId"), ("?userId=%ff", "userId"),
    ("?eventId=a%20b", "eventId"), ("?eventId=" + "x" * 129, "eventId"),
    ("?requestId=%2F", "requestId"), ("?requestId=" + "x" * 129, "requestId"),
    ("?userId=a&status=WON", "status"), ("?userId=a&limit=0", "limit"), ("?userId=a&limit=1001", "limit"),
    ("?userId=a&limit=ten", "limit"), ("?userId=a&cursor=garbage!", "cursor"), ("?userId=a&cursor=00000000", "cursor"),
    ("?eventId=searched-0&cursor=zzzzzzzz", "cursor"), ("?requestId=a&cursor=00000001", "cursor"),
])
def test_bad_questions_are_400_and_named(api, people, query, field):
    assert_problem(api.admin("GET", f"/admin/requests{query}"), 400, "invalid_argument", names=field)


def test_an_event_that_is_none_is_404(api):
    for query in ("eventId=nobody-made-this", "userId=a&eventId=nobody-made-this"):
        assert_problem(api.admin("GET", f"/admin/requests?{query}"), 404, "not_found")


def test_an_event_tells_its_state_and_what_is_taken(api, event, people):
    assert (api.event(EVENTS[0])["taken"], api.event(EVENTS[0])["state"]) == (1, "OPEN")
    pending = api.put_event(event, 3, opensAt="2999-01-01T00:00:00Z")
    assert (pending["taken"], pending["state"]) == (0, "PENDING")
    assert api.event(event)["state"] == "PENDING"
    assert api.put_event(event, 3, closesAt="2020-01-01T00:00:00Z")["state"] == "CLOSED"
    listed = api.http.get("/admin/events?limit=1000", token=ADMIN_TOKEN).json()["items"]
    assert {item["eventId"]: item["state"] for item in listed}[event] == "CLOSED"
