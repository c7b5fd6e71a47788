"""Who may do what: open login, access tokens good and bad, the admin role."""

import base64
import hashlib
import secrets
import struct
import time

import pytest

from harness import ADMIN_TOKEN, Api, DidNotStart, assert_problem, is_paused

USER, ADMIN = 1, 3


def make_token(server, user: str, *, expires: float, role: int = USER, kind: int = 1, version: int = 2,
               secret: bytes | None = None, realm: str = "open") -> str:
    """An access token as identity/token.h writes it down, from the server's own key unless another is given."""
    key = (server.data / "keys" / "access-token.key").read_bytes()
    purpose = f"spillway access token v3 {realm}".encode()
    purpose_key = hashlib.blake2b(purpose, key=secret or key[1:], digest_size=32).digest()
    issued_at, token_id = int(time.time() * 1e6), secrets.randbits(64) | 1
    payload = struct.pack("<BBBBIqQ", version, kind, role, key[0], int(expires), issued_at, token_id) + user.encode()
    text = b"sp2." + base64.urlsafe_b64encode(payload).rstrip(b"=")
    mac = hashlib.blake2b(purpose_key + text, digest_size=16).digest()
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def test_login_gives_a_bearer_token(api, event):
    response = api.http.post("/auth/login", json={"userId": "u1"})
    assert response.status == 200
    assert response.headers["content-type"].split(";")[0] == "application/json"
    body = response.json()
    assert set(body) == {"accessToken", "tokenType", "expiresIn", "role"}
    assert body["tokenType"] == "Bearer" and body["expiresIn"] > 0 and body["role"] == "user"
    api.put_event(event, 1)
    assert api.http.post(f"/events/{event}/participations", token=body["accessToken"]).status == 202


@pytest.mark.parametrize("user", ["u", "x" * 128, "사용자 하나", "a/b?c#d", "naïve@example.org", "😀",
                                  "\" \\ '"])
def test_any_user_id_may_log_in_and_is_kept_exactly(api, event, user):
    api.put_event(event, 1)
    request_id = api.participate(event, api.login(user))
    assert api.detail(request_id)["userId"] == user


@pytest.mark.parametrize("user", [None, 1, "", "x" * 129, "a\x00b", "line\nbreak", "\x7f", [], {}, True, "é" * 65])
def test_login_refuses_what_is_no_user_id_and_names_the_field(api, user):
    assert_problem(api.http.post("/auth/login", json={"userId": user}), 400, "invalid_argument", names="userId")


def test_login_without_user_id_names_the_field(api):
    assert_problem(api.http.post("/auth/login", json={"user": "u1"}), 400, "invalid_argument", names="userId")


def test_unknown_members_are_ignored(api):
    assert api.http.post("/auth/login", json={"userId": "u1", "role": "admin", "password": "x"}).status == 200


def test_no_open_login_without_identity_open(make_server):
    """Nobody logs in without a password then; the admin secret still works."""
    with make_server(identity=None) as server:
        api = Api(server)
        assert api.http.post("/auth/login", json={"userId": "u1"}).status != 200
        assert api.admin("GET", "/admin/queues/participations").status == 200


PEOPLES_ROUTES = [("POST", "/events/{event}/participations"), ("GET", "/requests/{request}"),
                  ("GET", "/requests/{request}/stream")]
ADMIN_ROUTES = [("PUT", "/admin/events/{event}"), ("GET", "/admin/events/{event}"),
                ("GET", "/admin/requests/{request}"), ("GET", "/admin/events/{event}/requests"),
                ("GET", "/admin/queues/participations"), ("POST", "/admin/queues/participations/pause"),
                ("POST", "/admin/queues/participations/resume")]


@pytest.fixture(scope="module")
def bad_tokens(server):
    in_an_hour = time.time() + 3600
    good = make_token(server, "u1", expires=in_an_hour)
    head, payload, mac = good.split(".")
    flipped = mac[:5] + ("A" if mac[5] != "A" else "B") + mac[6:]
    return {
        "none": None,
        "empty": "",
        "garbage": "garbage",
        "only dots": "..",
        "another MAC": f"{head}.{payload}.{flipped}",
        "a MAC cut short": good[:-1],
        "a MAC with more": good + "A",
        "payload of another token": f"{head}.{make_token(server, 'u2', expires=in_an_hour).split('.')[1]}.{mac}",
        "expired": make_token(server, "u1", expires=time.time() - 60),
        "expired long ago": make_token(server, "u1", expires=1),
        "another key": make_token(server, "u1", expires=in_an_hour, secret=b"k" * 32),
        "another kind": make_token(server, "u1", expires=in_an_hour, kind=2),
        "another version": make_token(server, "u1", expires=in_an_hour, version=1),
        "another way to log in": make_token(server, "u1", expires=in_an_hour, realm="users"),
        "no algorithm": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSIsImV4cCI6NDEwMjQ0NDgwMH0.",
        "admin secret cut short": ADMIN_TOKEN[:-1],
        "admin secret with more": ADMIN_TOKEN + "x",
        "very long": "x" * 8000,
    }


@pytest.fixture(scope="module")
def paths(server):
    api = Api(server)
    api.put_event("roles", 10)
    return {"event": "roles", "request": api.participate("roles", api.login("u1"))}


def test_the_tokens_of_this_table_are_bad_for_the_reason_given(server, api, paths):
    """The same maker makes a good one: so it is not the format that is refused above."""
    good = make_token(server, "u1", expires=time.time() + 3600)
    assert api.http.get(f"/requests/{paths['request']}", token=good).status == 200


@pytest.mark.parametrize("method, path", PEOPLES_ROUTES + ADMIN_ROUTES)
def test_a_bad_token_is_401_everywhere(api, bad_tokens, paths, method, path):
    for why, token in bad_tokens.items():
        response = api.http.request(method, path.format(**paths), token=token)
        problem = assert_problem(response, 401, "unauthenticated")
        assert response.headers["www-authenticate"].startswith("Bearer"), why  # RFC 9110, 15.5.2
        assert token is None or len(token) < 3 or token not in str(problem), why


@pytest.mark.parametrize("value", ["Basic dTE6cA==", "Bearer", "Bearer  ", "bearer: x", "{token}", "Token {token}"])
def test_only_the_bearer_scheme_counts(api, paths, value):
    token = api.login("u1")
    response = api.http.get(f"/requests/{paths['request']}", headers={"Authorization": value.format(token=token)})
    assert_problem(response, 401, "unauthenticated")


def test_the_scheme_is_not_case_sensitive(api, paths):
    """RFC 9110, 11.1."""
    token = api.login("u1")
    assert api.http.get(f"/requests/{paths['request']}", headers={"Authorization": f"bearer {token}"}).status == 200


@pytest.mark.parametrize("method, path", ADMIN_ROUTES)
def test_a_persons_token_is_403_on_admin_routes(api, paths, method, path):
    token = api.login("u1")
    body = {"title": "x", "capacityTotal": 99, "policy": "FIRST_COME"}
    more = {"json": body} if method == "PUT" else {}
    assert_problem(api.http.request(method, path.format(**paths), token=token, **more), 403, "forbidden")
    assert api.event("roles")["capacityTotal"] == 10
    assert not is_paused(api.queue())


def test_a_token_with_the_admin_role_counts(server, api):
    token = make_token(server, "boss", expires=time.time() + 3600, role=ADMIN)
    assert api.http.get("/admin/queues/participations", token=token).status == 200


def test_a_user_named_admin_is_not_one(api):
    assert_problem(api.http.get("/admin/queues/participations", token=api.login("admin")), 403, "forbidden")


def test_a_short_admin_secret_never_counts(make_server):
    """Refused at the start, or not taken: but never good for anything."""
    short = "x" * 31
    server = make_server(env={"SPILLWAY_ADMIN_TOKEN": short})
    server.launch()
    try:
        server.wait_ready()
    except DidNotStart as refused:
        assert "SPILLWAY_ADMIN_TOKEN" in str(refused) or "admin" in str(refused)
        return
    assert server.http().get("/admin/queues/participations", token=short).status == 401
