"""The audit log: every administrative change that took effect, and nothing else; one commit with the change itself."""

import threading

import pytest

from client import Http
from harness import ADMIN_TOKEN, Api, assert_problem, event_body


@pytest.fixture
def audited(make_server):
    server = make_server("--workers", "0", identity="users").start()
    api = Api(server)
    yield api
    api.http.close()


def audit(api, query: str = "") -> list[dict]:
    response = api.admin("GET", "/admin/audit" + query)
    assert response.status == 200, response
    return response.json()["items"]


def test_changes_are_told_with_who_what_before_and_after(audited):
    audited.put_event("EVT", 3)
    audited.put_event("EVT", 5)
    audited.resume()
    audited.pause()
    audited.admin("PUT", "/admin/users/ada", json={"password": "correct horse battery", "role": "admin"})
    token = audited.http.post("/auth/login", json={"userId": "ada", "password": "correct horse battery"}).json()
    response = audited.http.post("/admin/queues/participations/resume", token=token["accessToken"])
    assert response.status == 200, response
    audited.admin("POST", "/admin/users/ada/sign-out")
    items = audit(audited)
    assert [(i["sequence"], i["actor"], i["action"], i["target"]) for i in reversed(items)] == [
        (1, "admin-token", "event.create", "EVT"),
        (2, "admin-token", "event.change", "EVT"),
        (3, "admin-token", "queue.resume", "participations"),
        (4, "admin-token", "queue.pause", "participations"),
        (5, "admin-token", "user.add", "ada"),
        (6, "ada", "queue.resume", "participations"),
        (7, "admin-token", "user.sign_out", "ada"),
    ]
    assert {i["address"] for i in items} == {"127.0.0.1"}
    change = items[-2]
    assert (change["before"]["capacityTotal"], change["after"]["capacityTotal"]) == (3, 5)
    assert "before" not in items[-1] and items[-1]["after"] == {"title": "A test", "capacityTotal": 3}
    assert "horse" not in str(items)


def test_what_changes_nothing_or_is_refused_is_not_told(audited):
    audited.put_event("EVT", 3)
    audited.put_event("EVT", 3)
    assert audited.admin("PUT", "/admin/events/EVT", json={"title": "x"}).status == 400
    audited.resume()
    audited.resume()
    assert audited.http.post("/admin/queues/participations/pause", token="sp2.no.good").status == 401
    assert [i["action"] for i in reversed(audit(audited))] == ["event.create", "queue.resume"]


def test_filters_and_pages(audited):
    for number in range(5):
        audited.put_event(f"EVT-{number % 2}", number + 1)
    assert [i["target"] for i in audit(audited, "?action=event.create")] == ["EVT-1", "EVT-0"]
    assert len(audit(audited, "?target=EVT-0")) == 3
    assert audit(audited, "?actor=nobody") == []
    page = audited.admin("GET", "/admin/audit?limit=2").json()
    assert [i["sequence"] for i in page["items"]] == [5, 4]
    rest = audited.admin("GET", f"/admin/audit?limit=1000&cursor={page['nextCursor']}").json()
    assert [i["sequence"] for i in rest["items"]] == [3, 2, 1] and "nextCursor" not in rest
    for query, name in (("?limit=0", "limit"), ("?limit=1001", "limit"), ("?cursor=x", "cursor")):
        assert_problem(audited.admin("GET", "/admin/audit" + query), 400, "invalid_argument", names=name)


def test_a_change_and_its_record_are_one_commit(make_server):
    """Killed in the middle of a stream of changes: what is there is told, and what is told is there."""
    server = make_server("--workers", "0", identity="none").start()
    acknowledged = []
    first_ones = threading.Event()

    def change() -> None:
        try:
            with_http = Http(server.host, server.port)
            for number in range(1, 100_000):
                answer = with_http.request("PUT", "/admin/events/EVT", token=ADMIN_TOKEN, json=event_body(number))
                if answer.status not in (200, 201):
                    return
                acknowledged.append(number)
                if number == 200:
                    first_ones.set()
        except OSError:
            return  # killed

    changer = threading.Thread(target=change)
    changer.start()
    assert first_ones.wait(60)
    server.kill()
    changer.join()
    api = Api(server.restart())
    capacity = api.event("EVT")["capacityTotal"]
    newest = audit(api, "?limit=1")[0]
    assert capacity in (acknowledged[-1], acknowledged[-1] + 1)
    assert newest["after"]["capacityTotal"] == capacity
    assert newest["sequence"] == capacity, "one record for every change"
    api.http.close()
