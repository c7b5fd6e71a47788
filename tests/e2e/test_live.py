"""GET /admin/live, and that of a line: the series of the last minutes, and a point a second."""

import json
import time

import pytest

from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, Api, assert_problem

MEMBERS = {"at", "accepted", "duplicate", "refused", "finished", "visible", "inFlight", "delayed", "deadLetters",
           "oldestAgeSeconds", "latency", "http", "paused"}


class Live:
    """A listener: what it was sent, in order."""

    def __init__(self, server, token=ADMIN_TOKEN, path="/admin/live"):
        self.response, self.events = server.http().stream(path, token=token)
        assert self.response.status == 200, self.response
        self.history = []
        while True:
            event = next(self.events)
            assert event["event"] == "history", event
            piece = json.loads(event["data"])
            self.history += piece["points"]
            if piece["last"]:
                break

    def point(self):
        event = next(self.events)
        assert event["event"] == "point", event
        return json.loads(event["data"])

    def points_until(self, enough):
        """Points until `enough(points)`; each test of that is an event that the server sends."""
        points = []
        guard = time.monotonic() + HANG_GUARD_S
        while not enough(points):
            assert time.monotonic() < guard, points
            points.append(self.point())
        return points


def total(points, *path):
    values = []
    for point in points:
        for name in path:
            point = point[name]
        values.append(point or 0)
    return sum(values)


def test_points_have_every_member_and_come_in_order(server):
    live = Live(server)
    points = live.points_until(lambda points: len(points) == 3)
    for point in live.history + points:
        assert set(point) == MEMBERS
        assert set(point["finished"]) == {"succeeded", "rejected", "failed"}
        assert set(point["latency"]) == {"p50", "p99", "count"}
        assert set(point["http"]) == {"requests", "errors"}
    times = [point["at"] for point in live.history + points]
    assert times == sorted(set(times)), "each second once, also where history and points meet"


def test_what_happens_is_counted_once_and_shown_to_everybody(make_server, event):
    server = make_server("--workers", "2").start()
    api = Api(server)
    live = Live(server)
    live.points_until(lambda points: points and points[-1]["accepted"] is not None)  # from here on rates are known
    api.put_event(event, 2)
    people = [api.login(f"u{i}") for i in range(5)]
    for token in people:
        api.until_final(api.participate(event, token), token)
    api.participate(event, people[0])
    points = live.points_until(lambda points: total(points, "latency", "count") >= 5
                               and total(points, "duplicate") >= 1)
    assert total(points, "accepted") == 5
    assert total(points, "duplicate") == 1
    assert total(points, "finished", "succeeded") == 2
    assert total(points, "finished", "rejected") == 3
    assert total(points, "latency", "count") == 5
    assert total(points, "http", "requests") >= 11
    busy = [point for point in points if point["latency"]["count"]]
    assert all(0 < point["latency"]["p50"] <= point["latency"]["p99"] for point in busy)
    assert all(point["latency"]["p50"] is None for point in points if point["latency"]["count"] == 0)
    late = Live(server)
    shown = {point["at"]: point for point in late.history}
    for point in points:
        assert shown[point["at"]] == point, "a fresh page shows what others have seen"


def test_the_queue_and_its_pause_are_shown(make_server, event):
    server = make_server("--workers", "0").start()
    api = Api(server)
    api.put_event(event, 5)
    for i in range(3):
        api.participate(event, api.login(f"u{i}"))
    live = Live(server)
    held = live.points_until(lambda points: points and points[-1]["visible"] == 3)[-1]
    assert held["paused"] is True
    api.resume()
    last = live.points_until(lambda points: points and points[-1]["visible"] == 0 and not points[-1]["paused"])[-1]
    assert last["oldestAgeSeconds"] == 0


def test_only_readers_of_admin_may_listen(server, api):
    assert_problem(api.http.get("/admin/live"), 401, "unauthenticated")
    assert_problem(api.http.get("/admin/live", token=api.login("somebody")), 403, "forbidden")


def test_an_operator_listens_until_the_token_is_revoked(make_server):
    server = make_server(identity="users").start()
    api = Api(server)
    made = api.admin("PUT", "/admin/users/olga", json={"role": "operator", "password": "a long horse"})
    assert made.status in (200, 201), made
    login = api.http.post("/auth/login", json={"userId": "olga", "password": "a long horse"})
    assert login.status == 200, login
    live, other = Live(server, login.json()["accessToken"]), Live(server)
    live.point()
    assert api.admin("POST", "/admin/users/olga/sign-out").status == 204
    guard = time.monotonic() + HANG_GUARD_S
    for event in live.events:  # raises unless the server ends it in an orderly way
        assert event["event"] == "point"
        assert time.monotonic() < guard, "the stream of a revoked token goes on"
    other.point()


def test_listeners_are_bounded_and_a_place_is_free_again(make_server):
    server = make_server().start()
    listeners = [Live(server) for _ in range(100)]
    refused = assert_problem(server.http().get("/admin/live", token=ADMIN_TOKEN), 503, "overloaded")
    assert "listening" in refused["detail"]
    for live in listeners:
        live.point()
    listeners.pop().events.close()
    del listeners[50:]
    guard = time.monotonic() + HANG_GUARD_S
    while server.http().stream("/admin/live", token=ADMIN_TOKEN)[0].status == 503:
        assert time.monotonic() < guard, "no place became free"
        listeners[0].point()  # at most a second until the server looks again


@pytest.mark.parametrize("how", ["SIGTERM", "kill"])
def test_a_listener_does_not_hold_up_the_end(make_server, how):
    server = make_server().start()
    live = Live(server)
    live.point()
    if how == "kill":
        server.restart()
        assert Live(server).point()["at"]
        return
    server.terminate()
    for event in live.events:
        assert event["event"] == "point"
    assert server.wait() == 0, server.errors()


# ---- A line -------------------------------------------------------------------------------------------------------

LINE_MEMBERS = {"at", "health", "mode", "maxActive", "waiting", "absent", "ready", "active", "oldestWaitSeconds",
                "entered", "admitted", "gone", "waits"}


def line_path(concert):
    return f"/admin/queues/waitroom/{concert}/live"


def put_line(api, concert, **settings):
    response = api.admin("PUT", f"/admin/queues/waitroom/{concert}", json=settings)
    assert response.status in (200, 201), response
    return response.json()["data"]


def enter_line(api, concert, user):
    response = api.http.post("/api/v1/queue/enter", json={"concertId": concert, "userId": user})
    assert response.status == 200, response
    return response.json()["data"]


def test_a_line_is_shown_second_by_second_to_everybody(make_server):
    server = make_server().start()
    api = Api(server)
    bounds = put_line(api, "CON", maxActive=2)["waitBoundsSeconds"]
    live = Live(server, path=line_path("CON"))
    live.points_until(lambda points: points and points[-1]["entered"] is not None)  # from here on counts are known
    tokens = [enter_line(api, "CON", f"u{i}")["token"] for i in range(5)]
    points = live.points_until(lambda points: total(points, "entered") >= 5)
    assert (points[-1]["waiting"], points[-1]["ready"], points[-1]["active"]) == (3, 2, 0)
    assert points[-1]["health"] == "FULL"
    assert total(points, "admitted") == 2
    assert api.http.request("DELETE", "/api/v1/queue/token", headers={"X-Queue-Token": tokens[0]}).status == 200
    points += live.points_until(lambda points: total(points, "gone") >= 1)
    put_line(api, "CON", maxActive=4, mode="paused")
    points += live.points_until(lambda points: points and points[-1]["health"] == "PAUSED")
    assert (points[-1]["mode"], points[-1]["maxActive"]) == ("paused", 4)
    assert total(points, "entered") == 5 and total(points, "gone") == 1
    assert total(points, "admitted") == 3, "one in place of the one who left, nobody while paused"
    waits = [sum(counts) for counts in zip(*(point["waits"] for point in points))]
    assert len(waits) == len(bounds) + 1
    assert sum(waits) == 3 and waits[0] >= 2, "two came in at once"
    for point in live.history + points:
        assert set(point) == LINE_MEMBERS
    shown = {point["at"]: point for point in Live(server, path=line_path("CON")).history}
    for point in points:
        assert shown[point["at"]] == point, "a fresh page shows what others have seen"


def test_the_busiest_lines_are_kept_and_a_watched_one_stays(make_server):
    places = 16  # limits::kLiveConcerts
    server = make_server().start()
    api = Api(server)
    put_line(api, "WATCHED", maxActive=1)
    watched = Live(server, path=line_path("WATCHED"))
    for i in range(places):
        for j in range(i + 1):
            enter_line(api, f"C{i}", f"u{j}")
    for _ in range(4):  # the server looks once a second for who is busy
        watched.point()
    for i in range(1, places):  # one more concert than there are places: C0 has the fewest people
        assert Live(server, path=line_path(f"C{i}")).history, i
    point = watched.point()
    assert (point["maxActive"], point["ready"]) == (1, 0), "who is watched keeps the place, however few people there are"


def test_whose_line_nobody_may_watch(server, api):
    put_line(api, "CON", maxActive=1)
    assert_problem(api.http.get(line_path("CON")), 401, "unauthenticated")
    assert_problem(api.http.get(line_path("CON"), token=api.login("somebody")), 403, "forbidden")
    assert_problem(api.admin("GET", line_path("nobody-named-it")), 404, "not_found")


def test_the_list_of_lines(make_server):
    api = Api(make_server().start())
    listed = "/admin/queues/waitroom"
    assert api.admin("GET", listed).json()["data"] == {"items": []}
    for i in range(5):
        put_line(api, f"C{i}", maxActive=i)
    found, cursor = [], ""
    while True:
        page = api.admin("GET", f"{listed}?limit=2{cursor}").json()["data"]
        assert len(page["items"]) <= 2
        found += page["items"]
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    shown = [(item["concertId"], item["settings"]["maxActive"]) for item in found]
    assert shown == [(f"C{i}", i) for i in range(4, -1, -1)]
    assert_problem(api.admin("GET", f"{listed}?limit=0"), 400, "invalid_argument", names="limit")
    assert_problem(api.admin("GET", f"{listed}?cursor=x"), 400, "invalid_argument", names="cursor")
