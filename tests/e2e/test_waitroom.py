"""The waiting room from outside: places that outlive a kill, deadlines, keys, the draw, and who is let in."""

import base64
import datetime
import hashlib
import json
import time
import urllib.parse

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


def test_the_cap_is_hard_and_a_slot_is_given_at_once(line):
    line.put(maxActive=3)
    tickets = [line.enter(f"u{i}") for i in range(10)]
    assert [t["status"] for t in tickets].count("READY") == 3
    for leaving, coming in zip(tickets[:5], tickets[3:8]):
        line.leave(leaving["token"])
        # The answer to the leaving is there: so is the slot.
        assert line.status(coming["token"])["status"] == "READY"
        sizes = line.get()["sizes"]
        assert sizes["ready"] + sizes["active"] == 3, sizes


def test_activation_is_idempotent_and_waits_for_its_turn(line):
    line.put(maxActive=1)
    first, second = line.enter("a"), line.enter("b")
    assert first["status"] == "READY" and first["position"] == 0
    refused = line.call("POST", "activate", second["token"])
    assert_problem(refused, 409, "not_your_turn")
    assert refused.headers["retry-after"] == "1"
    active = line.activate(first["token"])
    assert active["status"] == "ACTIVE" and active["expiresAt"]
    assert line.activate(first["token"])["expiresAt"] == active["expiresAt"]
    line.leave(first["token"])
    line.leave(first["token"])
    assert_problem(line.call("POST", "activate", first["token"]), 410, "ticket_left")
    assert line.call("DELETE", "remove", second["token"]).status == 200


def test_deadlines_are_carried_out_also_after_a_restart(make_server, event):
    server = make_server().start()
    line = Line(server, event)
    line.put(maxActive=2, readySeconds=2, activeSeconds=3)
    idle, active, late = (line.enter(u) for u in ("idle", "active", "late"))
    expires = datetime.datetime.fromisoformat(line.activate(active["token"])["expiresAt"].replace("Z", "+00:00"))
    server.restart()
    line.api.reconnect()
    gone = line.until_gone(idle["token"])
    assert_problem(gone, 410, "ticket_expired", names="not_activated")
    assert_problem(line.call("POST", "activate", idle["token"]), 410, "ticket_expired")
    assert line.until_status(late["token"], "READY")
    gone = line.until_gone(active["token"])
    assert_problem(gone, 410, "ticket_expired", names="idle")
    # The server says when it took place: within 100 ms of what was told, unless the machine stood still.
    at = datetime.datetime.fromisoformat(gone.json()["detail"].rpartition(" ")[2].replace("Z", "+00:00"))
    assert at >= expires


def test_who_is_active_and_asks_stays_where_that_is_so_set(line):
    line.put(maxActive=1, activeSeconds=2, idleExtends=True)
    ticket = line.enter("a")
    first = line.activate(ticket["token"])["expiresAt"]
    until = line.until("status", ticket["token"],
                       lambda r: r.status != 200 or r.json()["data"]["expiresAt"] > first[:19] + ".999999Z")
    assert until.status == 200 and until.json()["data"]["expiresAt"] > first
    line.until("keys", ticket["token"], lambda r: line.get()["sizes"]["active"] == 0)  # nobody asks with the ticket
    assert_problem(line.call("GET", "status", ticket["token"]), 410, "ticket_expired", names="idle")


def test_modes(line):
    line.put(maxActive=1)
    first, second = line.enter("a"), line.enter("b")
    line.put(maxActive=1, mode="paused")
    refused = line.try_enter("c")
    assert_problem(refused, 409, "queue_paused")
    assert int(refused.headers["retry-after"]) > 0
    assert line.enter("b")["token"] == second["token"]
    line.leave(first["token"])
    assert line.status(second["token"])["status"] == "WAITING" and line.get()["health"] == "PAUSED"
    line.put(maxActive=2, mode="open", opensAt=seconds_from_now(3600), admitPerSecond=1)
    assert line.status(second["token"])["status"] == "READY"
    assert line.enter("c")["status"] == "READY" and line.enter("d")["status"] == "WAITING"


def test_nobody_is_let_in_before_the_opening(line):
    opens = seconds_from_now(2)
    line.put(maxActive=2, opensAt=opens)
    tickets = [line.enter(u) for u in "abc"]
    assert [t["position"] for t in tickets] == [1, 2, 3]
    assert all(t["status"] == "WAITING" and t["opensAt"] for t in tickets) and line.get()["health"] == "GATHERING"
    for ticket in tickets[:2]:
        line.until_status(ticket["token"], "READY")
    assert line.status(tickets[2]["token"])["position"] == 1


def test_a_rate_shapes_the_admission(line):
    line.put(maxActive=1000, admitPerSecond=5)
    began = time.monotonic()
    tickets = [line.enter(f"u{i}")["token"] for i in range(8)]
    line.until_status(tickets[-1], "READY")
    assert time.monotonic() - began >= 7 / 5 - 0.05


def recomputed_order(http, concert):
    """The lines of docs/waitroom-lottery.md."""
    lottery = http.get(f"{QUEUE}/lottery/{concert}").json()["data"]
    seed, name = bytes.fromhex(lottery["seed"]), lottery["concertId"].encode()
    assert hashlib.sha256(seed).hexdigest() == lottery["commitment"]
    lots = {n: hashlib.sha256(seed + name + n.to_bytes(8, "big")).digest()[:8] for n in range(1, lottery["gathered"] + 1)}
    return sorted(lots, key=lambda n: (lots[n], n))


def test_anybody_can_recompute_the_draw(make_server, event):
    server = make_server().start()
    line = Line(server, event)
    line.put(maxActive=5, mode="lottery", opensAt=seconds_from_now(3))
    before = line.http.get(f"{QUEUE}/lottery/{event}").json()["data"]
    assert before["state"] == "GATHERING" and "seed" not in before
    tickets = {number: line.enter(f"u{number}") for number in range(1, 41)}
    assert all(t["position"] is None and t["status"] == "WAITING" for t in tickets.values())
    receipt = line.call("GET", "receipt", tickets[7]["token"]).json()["data"]
    assert receipt["arrivalNumber"] == 7
    line.leave(tickets[9]["token"])
    server.restart()
    line.api.reconnect()
    assert line.http.get(f"{QUEUE}/lottery/{event}").json()["data"] == before
    guard = time.monotonic() + HANG_GUARD_S
    while line.get()["sizes"]["ready"] < 5:
        assert time.monotonic() < guard
    late = line.enter("late")
    after = line.http.get(f"{QUEUE}/lottery/{event}").json()["data"]
    assert after["state"] == "DRAWN" and after["commitment"] == before["commitment"] and after["gathered"] == 40
    order = [n for n in recomputed_order(line.http, event) if n != 9]
    assert order != sorted(order)
    for place, number in enumerate(order):
        ticket = line.status(tickets[number]["token"])
        if place < 5:
            assert ticket["status"] == "READY", (place, number, ticket)
        else:
            assert ticket["position"] == place - 4, (place, number, ticket)
    assert late["position"] == len(order) - 5 + 1
    refused = line.api.admin("PUT", f"/admin/queues/waitroom/{event}-2", json={"maxActive": 1, "mode": "lottery"})
    assert_problem(refused, 400, "invalid_argument", names="opensAt")


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def checked(statement, keys):
    """The claims of a JSON Web Token, checked with what GET /keys gave."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    head, claims, signature = statement.split(".")
    header = json.loads(decoded(head))
    assert header["alg"] == "EdDSA"
    key = next(k for k in keys if k["kid"] == header["kid"])
    Ed25519PublicKey.from_public_bytes(decoded(key["x"])).verify(decoded(signature), f"{head}.{claims}".encode())
    return json.loads(decoded(claims))


def test_keys_are_rotated_without_losing_a_token(make_server, event, tmp_path):
    server = make_server().start()
    line = Line(server, event)
    line.put(maxActive=1)
    old = [line.enter(u) for u in "ab"]
    receipt = line.call("GET", "receipt", old[1]["token"]).json()["data"]["receipt"]
    rotated = line.api.admin("POST", "/admin/queues/waitroom-keys/rotate")
    assert [k["kid"] for k in rotated.json()["data"]["keys"]] == ["q1", "q2"]
    new = line.enter("c")
    assert decoded(old[1]["token"].split(".")[1])[2] == 1 and decoded(new["token"].split(".")[1])[2] == 2
    server.restart()
    line.api.reconnect()
    assert line.enter("b")["token"] == old[1]["token"] and line.enter("c")["token"] == new["token"]
    assert line.status(old[1]["token"])["position"] == 1
    keys = line.http.get(f"{QUEUE}/keys").json()["keys"]
    assert line.call("GET", "receipt", old[1]["token"]).json()["data"]["receipt"] == receipt
    claims = checked(receipt, keys)
    assert (claims["concertId"], claims["arrivalNumber"], claims["sub"]) == (event, 2, "b")
    entry = checked(line.activate(old[0]["token"])["entryPass"], keys)
    assert (entry["aud"], entry["sub"]) == (event, "a")
    audit = line.api.admin("GET", "/admin/audit?action=waitroom_keys.rotate").json()["items"]
    assert len(audit) == 1 and audit[0]["after"] == {"key": 2}
    # By the file: a line more, and SIGHUP.
    path = tmp_path / "data/keys/queue.keys"
    secret = base64.urlsafe_b64encode(hashlib.sha256(b"a secret of the operator").digest()).decode().rstrip("=")
    path.write_text(path.read_text() + f"7 {secret} {seconds_from_now(0)}\n")
    import os
    import signal
    os.kill(server.pid, signal.SIGHUP)
    guard = time.monotonic() + HANG_GUARD_S
    for number in range(100_000):
        if decoded(line.enter(f"d{number}")["token"].split(".")[1])[2] == 7:
            break
        assert time.monotonic() < guard
    assert line.status(new["token"])["status"] == "READY" or line.status(new["token"])["position"]


def test_forged_and_foreign_tokens_are_worth_nothing(line, make_server, event):
    line.put(maxActive=1)
    line.enter("a")
    token = line.enter("b")["token"]
    prefix, payload, mac = token.split(".")
    other = make_server(data="other").start()
    foreign = Line(other, event).enter("b")["token"]
    access = line.api.login("b")
    changed = base64.urlsafe_b64encode(decoded(payload)[:-1] + b"a").decode().rstrip("=")
    for forged in (foreign, f"{prefix}.{changed}.{mac}", f"{prefix}.{payload}.{mac[:-2]}AA", f"{prefix}.{payload}.",
                   f"sq2.{payload}.{mac}", access, "x", "x" * 3000):
        for method, what in (("GET", "status"), ("POST", "activate"), ("DELETE", "token"), ("GET", "receipt"),
                             ("GET", "stream")):
            assert_problem(line.call(method, what, forged), 401, "queue_token_invalid")
        assert line.call("GET", "authorize", forged).status == 403
    assert_problem(line.http.get(f"{QUEUE}/status"), 401, "queue_token_invalid")


def test_authorize(line):
    line.put(maxActive=1)
    first, second = line.enter("a")["token"], line.enter("b")["token"]

    def reason(token, query=""):
        response = line.call("GET", f"authorize{query}", token)
        if response.status == 204:
            return None
        assert_problem(response, 403, "not_admitted")
        return response.headers["x-queue-reason"]

    assert (reason(first), reason(second)) == ("READY", "WAITING")
    line.activate(first)
    assert reason(first) is None and reason(first, f"?concertId={line.concert}") is None
    assert reason(first, "?concertId=another") == "ANOTHER_CONCERT"
    by_cookie = line.http.request("GET", f"{QUEUE}/authorize", headers={"Cookie": f"x=1; queue_token={first}"})
    assert by_cookie.status == 204
    assert line.http.get(f"{QUEUE}/authorize?token={first}").status == 204
    line.leave(first)
    assert reason(first) == "LEFT"
    assert line.http.get(f"{QUEUE}/authorize").headers["x-queue-reason"] == "NO_VALID_TOKEN"


def test_a_proxy_is_told_where_to_send_a_visitor(line):
    def wait(query, uri=None):
        refused = line.http.get(f"{QUEUE}/authorize{query}", headers={"X-Forwarded-Uri": uri} if uri is not None else {})
        assert refused.status == 403
        return refused.headers.get("x-queue-wait")

    asked = f"?concertId={line.concert}"
    page = f"/wait/{line.concert}"
    assert wait(asked) == page and wait("") is None and wait("?concertId=a%20b") is None
    for uri in ("/", "/seats?row=7&name=J%C3%BCrgen%26+Co", "/a'b(c)\"<d>"):
        assert wait(asked, uri) == f"{page}?return={urllib.parse.quote(uri, safe='')}"
    for bad in ("/\xfc", "//elsewhere.example", "/\\elsewhere.example", "https://elsewhere.example", "x", "/" + "x" * 2048):
        assert wait(asked, bad) == page
    assert len(wait(asked, "/" + "%" * 2047)) == len(page) + len("?return=") + 3 * 2048


def test_the_stream_tells_positions_and_the_turn(line):
    line.put(maxActive=1)
    first, second, third = (line.enter(u)["token"] for u in "abc")
    with line.api.server.http() as own:
        response, events = own.stream(f"{QUEUE}/stream?token={third}")
        assert response.status == 200
        event = next(events)
        assert event["retry"] == "3000" and event["event"] == "position" and json.loads(event["data"])["position"] == 2 and event["id"] == "WAITING-2"
        line.leave(first)
        event = next(events)
        assert json.loads(event["data"])["position"] == 1
        line.leave(second)
        assert next(events)["event"] == "READY"
        line.activate(third)
        assert next(events)["event"] == "ACTIVE"
        line.leave(third)
        assert next(events)["event"] == "LEFT"
        assert list(events) == []


def test_bad_input_names_the_field(line):
    for body, field in (({}, "concertId"), ({"concertId": "a b", "userId": "u"}, "concertId"),
                        ({"concertId": "c"}, "userId"), ({"concertId": "c", "userId": 7}, "userId"),
                        ({"concertId": "c", "userId": "x" * 129}, "userId")):
        assert_problem(line.http.post(f"{QUEUE}/enter", json=body), 400, "invalid_argument", names=field)
    for body, field in (({}, "maxActive"), ({"maxActive": -1}, "maxActive"), ({"maxActive": 1, "mode": "no"}, "mode"),
                        ({"maxActive": 1, "readySeconds": 0}, "readySeconds"),
                        ({"maxActive": 1, "opensAt": "soon"}, "opensAt"),
                        ({"maxActive": 1, "admitPerSecond": 0}, "admitPerSecond")):
        assert_problem(line.api.admin("PUT", f"/admin/queues/waitroom/{line.concert}", json=body), 400,
                       "invalid_argument", names=field)
    assert_problem(line.api.admin("GET", "/admin/queues/waitroom/nobody-named-it"), 404, "not_found")


def test_concerts_that_nobody_configured(make_server):
    server = make_server().start()
    line = Line(server, "c-0")
    assert line.enter("a")["status"] == "READY"
    assert line.get()["settings"] == {"maxActive": 50000, "readySeconds": 60, "activeSeconds": 300,
                                      "idleExtends": False, "mode": "fifo"}
    for i in range(1, 1000):
        assert line.http.post(f"{QUEUE}/enter", json={"concertId": f"c-{i}", "userId": "a"}).status == 200
    refused = line.http.post(f"{QUEUE}/enter", json={"concertId": "one-more", "userId": "a"})
    assert_problem(refused, 503, "queue_full")
    assert int(refused.headers["retry-after"]) > 0
    Line(server, "one-more").put(maxActive=1)
    assert Line(server, "one-more").enter("a")["status"] == "READY"


def test_the_line_of_people_who_log_in(make_server, event):
    server = make_server(identity="users").start()
    api = Api(server)
    for user in ("ann", "bob"):
        assert api.admin("PUT", f"/admin/users/{user}", json={"password": "correct horse battery"}).status == 201
    token = api.http.post("/auth/login", json={"userId": "ann", "password": "correct horse battery"}).json()["accessToken"]
    enter = {"concertId": event}
    assert api.http.post(f"{QUEUE}/enter", json=enter).status == 401
    first = api.http.post(f"{QUEUE}/enter", json=enter, token=token)
    same = api.http.post(f"{QUEUE}/enter", json={**enter, "userId": "ann"}, token=token)
    assert first.json()["data"]["token"] == same.json()["data"]["token"]
    assert_problem(api.http.post(f"{QUEUE}/enter", json={**enter, "userId": "bob"}, token=token), 403, "forbidden",
                   names="userId")


def test_metrics_and_audit(line):
    line.put(maxActive=1)
    first, second = line.enter("a")["token"], line.enter("b")["token"]
    line.activate(first)
    line.leave(first)
    metrics = line.http.get("/metrics").body.decode()
    for wanted in (f'queue_entry_count_total{{concert_id="{line.concert}"}} 2',
                   f'queue_exit_count_total{{concert_id="{line.concert}",reason="left"}} 1',
                   f'queue_active_size{{concert_id="{line.concert}"}} 1',
                   f'queue_wait_size{{concert_id="{line.concert}"}} 0', "activation_wait_time_seconds_count",
                   "active_usage_time_seconds_count"):
        assert wanted in metrics, wanted
    line.put(maxActive=2)
    items = line.api.admin("GET", f"/admin/audit?target={line.concert}").json()["items"]
    assert [i["action"] for i in items] == ["waitroom.change", "waitroom.create"]
    assert items[0]["before"]["maxActive"] == 1 and items[0]["after"]["maxActive"] == 2
    assert items[0]["actor"] == "admin-token" and ADMIN_TOKEN not in json.dumps(items)
    assert line.status(second)["status"] == "READY"
