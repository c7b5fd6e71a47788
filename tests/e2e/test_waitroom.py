"""The waiting room from outside: places that outlive a kill, deadlines, keys, the draw, and who is let in."""

import base64
import datetime
import hashlib
import json
import time

import pytest

from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, Api, assert_problem

QUEUE = "/api/v1/queue"


class Line:
    """One concert of a server."""

    def __init__(self, server, concert):
        self.api, self.concert = Api(server), concert

    @property
    def http(self):
        return self.api.http

    def put(self, **settings):
        response = self.api.admin("PUT", f"/admin/queues/waitroom/{self.concert}", json=settings)
        assert response.status in (200, 201), response
        return response.json()["data"]

    def get(self):
        response = self.api.admin("GET", f"/admin/queues/waitroom/{self.concert}")
        assert response.status == 200, response
        return response.json()["data"]

    def try_enter(self, user):
        return self.http.post(f"{QUEUE}/enter", json={"concertId": self.concert, "userId": user})

    def enter(self, user):
        response = self.try_enter(user)
        assert response.status == 200, response
        return response.json()["data"]

    def call(self, method, what, token, **more):
        return self.http.request(method, f"{QUEUE}/{what}", headers={"X-Queue-Token": token}, **more)

    def status(self, token):
        response = self.call("GET", "status", token)
        assert response.status == 200, response
        return response.json()["data"]

    def activate(self, token):
        response = self.call("POST", "activate", token)
        assert response.status == 200, response
        return response.json()["data"]

    def leave(self, token):
        assert self.call("DELETE", "token", token).status == 200

    def until(self, what, token, answer):
        """Asks until `answer(response)`."""
        guard = time.monotonic() + HANG_GUARD_S
        while time.monotonic() < guard:
            response = self.call("GET", what, token)
            if answer(response):
                return response
        raise AssertionError(f"still {response}")

    def until_status(self, token, status):
        return self.until("status", token, lambda r: r.status == 200 and r.json()["data"]["status"] == status
                          ).json()["data"]

    def until_gone(self, token):
        return self.until("status", token, lambda r: r.status == 410)


@pytest.fixture
def line(server, event):
    made = Line(server, event)
    yield made
    made.http.close()


def seconds_from_now(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.isoformat().replace("+00:00", "Z")


def test_a_place_outlives_a_kill(make_server, event):
    server = make_server().start()
    line = Line(server, event)
    line.put(maxActive=2)
    before = [line.enter(f"u{i}") for i in range(6)]
    assert [t["status"] for t in before] == ["READY"] * 2 + ["WAITING"] * 4
    assert [t["position"] for t in before[2:]] == [1, 2, 3, 4]
    line.leave(before[3]["token"])
    server.restart()
    line.api.reconnect()
    after = [line.enter(f"u{i}") for i in (0, 1, 2, 4, 5)]
    assert [t["token"] for t in after] == [before[i]["token"] for i in (0, 1, 2, 4, 5)]
    assert [t["status"] for t in after] == ["READY"] * 2 + ["WAITING"] * 3
    assert [t["position"] for t in after[2:]] == [1, 2, 3]
    assert line.status(before[5]["token"])["ahead"] == 2
    assert_problem(line.call("GET", "status", before[3]["token"]), 410, "ticket_left")
    again = line.enter("u3")
    assert again["token"] != before[3]["token"] and again["position"] == 4
