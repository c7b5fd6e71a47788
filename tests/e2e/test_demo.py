"""`serve --demo`: what a stranger sees first."""

import re
import time

from client import HANG_GUARD_S
from harness import Api


def test_the_demonstration_shows_its_evidence_and_stays_up(make_server):
    server = make_server("--demo", identity=None, env={"SPILLWAY_ADMIN_TOKEN": ""})
    with server:
        guard = time.monotonic() + HANG_GUARD_S
        while "stays up at" not in server.errors():
            assert server.running and time.monotonic() < guard, server.errors()
            time.sleep(0.05)  # what it tells goes to a file: there is nothing to wait on
        said = server.errors()
        assert "✗" not in said and said.count("✓") >= 5, said
        assert "exactly 100 winners of 100 places" in said
        page = re.search(r"Take part yourself: (http://\S+)", said)[1]
        assert page == f"{server.url}/events/EVT-009"
        assert "<form" in server.http().get("/events/EVT-009").body.decode()
        admin = re.search(r"admin token: (\S{32,})", said)[1]
        line = server.http()
        event = line.get("/admin/events/EVT-009", token=admin)
        assert event.status == 200
        assert (event.json()["capacityTotal"], event.json()["capacityRemaining"]) == (100, 100)
        queue = line.get("/admin/queues/participations", token=admin).json()
        assert queue["visible"] == 0 and queue["workers"]["running"] >= 1
        api = Api(server)
        token = api.login("a-visitor")
        assert api.until_final(api.participate("EVT-009", token), token)["status"] == "SUCCEEDED"
        assert server.stop() == 0


def test_with_an_admin_token_given_none_is_made(make_server):
    with make_server("--demo", identity=None) as server:
        assert Api(server).admin("GET", "/admin/queues/participations").status == 200
        assert server.stop() == 0
        assert "admin token:" not in server.errors()


def test_the_demonstration_is_refused_where_others_can_reach_it(make_server):
    """It opens the login, so the rule of open login holds."""
    server = make_server("--demo", listen="0.0.0.0:0", identity=None)
    server.launch()
    assert server.wait() == 2
    assert "--i-know-login-is-open" in server.errors()
