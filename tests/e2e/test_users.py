"""Accounts with passwords: who may log in, what ends a token, and that both hold across a crash."""

import asyncio
import base64
import itertools
import pathlib
import urllib.parse

import pytest

from client import Http, HttpFrom, Pool
from harness import ADMIN_TOKEN, Api, assert_problem

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)
_hosts = itertools.count(1)


class People(Api):
    """The routes of this file in short words; those with a name of their own expect success."""

    def put_user(self, user: str, status: int = 200, **what):
        response = self.admin("PUT", "/admin/users/" + urllib.parse.quote(user, safe=""), json=what)
        assert response.status == status, response
        return response.json()

    def new_user(self, role: str = "user") -> str:
        user = f"user-{next(_numbers)}"
        self.put_user(user, 201, password=PASSWORD, role=role)
        return user

    def try_login(self, user: str, password: str = PASSWORD, http: Http | None = None):
        return (http or self.http).post("/auth/login", json={"userId": user, "password": password})

    def login(self, user: str, password: str = PASSWORD) -> str:
        response = self.try_login(user, password)
        assert response.status == 200, response
        return response.json()["accessToken"]

    def me(self, token: str):
        return self.http.get("/auth/me", token=token)

    def counts(self, token: str) -> bool:
        response = self.me(token)
        if response.status != 200:
            assert_problem(response, 401, "unauthenticated")
        return response.status == 200

    def logout(self, token: str) -> None:
        assert self.http.post("/auth/logout", token=token).status == 204

    def sign_out(self, user: str) -> None:
        assert self.admin("POST", f"/admin/users/{user}/sign-out").status == 204

    def users(self, **query) -> list[dict]:
        items, cursor = [], None
        while True:
            more = {**query, **({"cursor": cursor} if cursor else {})}
            response = self.admin("GET", "/admin/users?" + urllib.parse.urlencode(more))
            assert response.status == 200, response
            page = response.json()
            assert len(page["items"]) <= int(query.get("limit", 100))
            items += page["items"]
            cursor = page.get("nextCursor")
            if not cursor:
                return items


@pytest.fixture(scope="module")
def users_server(binary, tmp_path_factory):
    from harness import Server
    with Server(tmp_path_factory.mktemp("users") / "data", binary=binary, identity="users") as started:
        yield started
        assert started.stop() == 0, started.errors()


@pytest.fixture
def people(users_server):
    people = People(users_server)
    # Every test is another host, so that what one guesses wrong does not slow down the next.
    people.http = HttpFrom(users_server, f"127.1.0.{next(_hosts)}")
    yield people
    people.http.close()
    assert users_server.running


# ---- Accounts ---------------------------------------------------------------------------------------------

def test_an_account_is_made_changed_and_listed(people):
    user = f"ann-{next(_numbers)}"
    made = people.put_user(user, 201, password=PASSWORD)
    assert set(made) == {"userId", "role", "disabled", "createdAt"}
    assert (made["userId"], made["role"], made["disabled"]) == (user, "user", False)
    assert people.put_user(user, role="operator")["role"] == "operator"
    assert people.put_user(user, disabled=True)["disabled"] is True
    again = people.put_user(user, disabled=False)
    assert again == {**made, "role": "operator"}
    assert people.users(q=user) == [again]
    people.login(user)
    assert people.users(q=user)[0]["lastLoginAt"] > made["createdAt"]


def test_the_list_has_pages(people):
    prefix = f"page-{next(_numbers)}-"
    for i in range(7):
        people.put_user(f"{prefix}{i}", 201, password=PASSWORD)
    listed = [user["userId"] for user in people.users(q=prefix.upper(), limit=3)]
    assert listed == [f"{prefix}{i}" for i in range(7)]
    for query in ("limit=0", "limit=1001", "limit=x", "cursor=%21"):
        assert_problem(people.admin("GET", "/admin/users?" + query), 400, "invalid_argument", names=query.split("=")[0])


@pytest.mark.parametrize("user", ["사용자 하나", "a/b?c#d", "naïve@example.org", "😀", "x" * 128])
def test_any_user_id_may_have_an_account(people, user):
    assert people.put_user(user, 201, password=PASSWORD)["userId"] == user
    assert people.me(people.login(user)).json()["userId"] == user


@pytest.mark.parametrize("user", ["x" * 129, "a%0Ab", "%FF%FE", "%ED%A0%80", "admin-token"])
def test_what_is_no_user_id_gets_no_account(people, user):
    response = people.admin("PUT", f"/admin/users/{user}", json={"password": PASSWORD})
    assert_problem(response, 400, "invalid_argument", names="userId")


@pytest.mark.parametrize("body, names", [
    ({}, "password"), ({"role": "user"}, "password"), ({"password": "x" * 7}, "password"),
    ({"password": "x" * 257}, "password"), ({"password": 12345678}, "password"),
    ({"password": PASSWORD, "role": "root"}, "role"), ({"password": PASSWORD, "role": 3}, "role"),
    ({"password": PASSWORD, "disabled": "no"}, "disabled")])
def test_a_refused_account_names_the_field(people, body, names):
    user = f"refused-{next(_numbers)}"
    assert_problem(people.admin("PUT", f"/admin/users/{user}", json=body), 400, "invalid_argument", names=names)
    assert people.users(q=user) == []


@pytest.mark.parametrize("password", ["x" * 8, "x" * 256, "pässwörter-한국어-😀", " spaces kept "])
def test_passwords_are_compared_as_they_are(people, password):
    user = f"user-{next(_numbers)}"
    people.put_user(user, 201, password=password)
    people.login(user, password)
    assert_problem(people.try_login(user, password[:-1]), 401, "invalid_credentials")


# ---- Logging in -------------------------------------------------------------------------------------------

def test_login_answers_with_a_token_and_the_role(people):
    user = people.new_user("operator")
    response = people.try_login(user)
    assert response.status == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert set(body) == {"accessToken", "tokenType", "expiresIn", "role"}
    assert (body["tokenType"], body["role"]) == ("Bearer", "operator") and body["expiresIn"] > 0
    me = people.me(body["accessToken"]).json()
    assert set(me) == {"userId", "role", "expiresAt"}
    assert (me["userId"], me["role"]) == (user, "operator")


def test_a_wrong_password_an_unknown_account_and_a_disabled_one_look_the_same(people):
    disabled = people.new_user()
    people.put_user(disabled, disabled=True)
    answers = [people.try_login(people.new_user(), "wrong horse battery"),
               people.try_login(f"nobody-{next(_numbers)}"), people.try_login(disabled)]
    for answer in answers:
        assert_problem(answer, 401, "invalid_credentials")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert len({answer.body for answer in answers}) == 1
    assert len({tuple(sorted(set(answer.headers) - {"date"})) for answer in answers}) == 1


@pytest.mark.parametrize("body", [{"userId": "u"}, {"userId": "u", "password": ""}, {"userId": "u", "password": 1},
                                  {"userId": "u", "password": "x" * 257}])
def test_login_needs_a_password(people, body):
    assert_problem(people.http.post("/auth/login", json=body), 400, "invalid_argument", names="password")


def test_methods_tells_how_people_log_in(people, make_server):
    assert people.http.get("/auth/methods").json() == {"identity": "users"}
    with make_server(identity=None) as server:
        assert server.http().get("/auth/methods").json() == {"identity": "none"}
        assert_problem(server.http().post("/auth/login", json={"userId": "u", "password": PASSWORD}), 404, "not_found")


# ---- Who may what -----------------------------------------------------------------------------------------

OPERATORS, ADMINS = ("operator", "admin", "secret"), ("admin", "secret")


def test_roles_on_the_routes_of_identity(people):
    tokens = {role: people.login(people.new_user(role)) for role in ("user", "operator", "admin")}
    tokens["secret"] = ADMIN_TOKEN
    target = people.new_user()
    table = [("GET", "/auth/me", ("user", "operator", "admin", "secret")), ("GET", "/admin/users", OPERATORS),
             ("PUT", f"/admin/users/{target}", ADMINS), ("POST", f"/admin/users/{target}/sign-out", ADMINS)]
    for method, path, allowed in table:
        more = {"json": {}} if method == "PUT" else {}
        for role, token in tokens.items():
            response = people.http.request(method, path, token=token, **more)
            if role in allowed:
                assert response.status in (200, 204), (method, path, role, response)
            else:
                assert_problem(response, 403, "forbidden")
        assert_problem(people.http.request(method, path, **more), 401, "unauthenticated")
        assert_problem(people.http.request(method, path, token="sp2.x", **more), 401, "unauthenticated")
    assert people.users(q=target)[0]["disabled"] is False


def test_a_token_is_not_for_a_role_that_was_asked_for(people):
    user = people.new_user()
    response = people.http.post("/auth/login", json={"userId": user, "password": PASSWORD, "role": "admin"})
    assert response.json()["role"] == "user"
    head, payload, mac = response.json()["accessToken"].split(".")
    raw = bytearray(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    raw[2] = 3
    raised = base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode()
    assert not people.counts(f"{head}.{raised}.{mac}")


def test_the_last_admin_stays(make_server):
    with make_server(identity="users") as server:
        people = People(server)
        one = people.new_user("admin")
        token = people.login(one)
        for what in ({"role": "user"}, {"disabled": True}):
            response = people.http.request("PUT", f"/admin/users/{one}", token=token, json=what)
            assert_problem(response, 409, "last_admin")
        assert people.counts(token)
        people.new_user("admin")
        assert people.http.request("PUT", f"/admin/users/{one}", token=token, json={"role": "user"}).status == 200
        assert not people.counts(token)


# ---- What ends a token ------------------------------------------------------------------------------------

def test_a_logout_ends_one_token(people):
    user = people.new_user()
    one, two = people.login(user), people.login(user)
    people.logout(one)
    assert not people.counts(one)
    assert people.counts(two)
    assert_problem(people.http.post("/auth/logout", token=one), 401, "unauthenticated")
    assert_problem(people.http.post("/auth/logout"), 401, "unauthenticated")
    assert_problem(people.http.post("/auth/logout", token=ADMIN_TOKEN), 400, "invalid_argument")
    assert people.counts(ADMIN_TOKEN)


@pytest.mark.parametrize("change", [{"disabled": True}, {"role": "operator"}, {"password": "another horse"}])
def test_a_change_of_the_account_ends_its_tokens_and_nobody_else_s(people, change):
    user, other = people.new_user(), people.new_user()
    token, others = people.login(user), people.login(other)
    people.put_user(user, **change)
    assert not people.counts(token)
    assert people.counts(others)
    if "disabled" in change:
        assert_problem(people.try_login(user), 401, "invalid_credentials")
        people.put_user(user, disabled=False)
        assert not people.counts(token), "enabled again, but logged out"
    assert people.counts(people.login(user, change.get("password", PASSWORD)))
    if "password" in change:
        assert_problem(people.try_login(user), 401, "invalid_credentials")


def test_a_sign_out_ends_all_tokens_and_the_next_login_counts_at_once(people):
    user = people.new_user()
    for _ in range(20):
        tokens = [people.login(user)]
        people.sign_out(user)
        assert not any(people.counts(token) for token in tokens)
    assert people.counts(people.login(user))


def test_all_of_it_holds_across_kill_9(make_server):
    with make_server(identity="users") as server:
        people = People(server)
        kept, logged_out, signed_out, disabled = (people.new_user() for _ in range(4))
        good = people.login(kept)
        bad = [people.login(user) for user in (logged_out, signed_out, disabled)]
        people.logout(bad[0])
        people.sign_out(signed_out)
        people.put_user(disabled, disabled=True)
        before = people.users()
        for how in (server.kill, server.stop):
            how()
            server.start()
            people.reconnect()
            assert people.counts(good)
            assert not any(people.counts(token) for token in bad)
            assert people.users() == before
        people.login(logged_out)
        assert_problem(people.try_login(disabled), 401, "invalid_credentials")
        assert server.stop() == 0


def test_open_login_has_logout_and_sign_out_as_well(make_server):
    with make_server() as server:
        api = Api(server)
        one, two, other = api.login("u1"), api.login("u1"), api.login("u2")
        me = api.http.get("/auth/me", token=one).json()
        assert (me["userId"], me["role"]) == ("u1", "user")
        assert api.http.get("/auth/methods").json() == {"identity": "open"}
        assert api.http.post("/auth/logout", token=one).status == 204
        status = lambda token: api.http.get("/auth/me", token=token).status  # noqa: E731
        assert (status(one), status(two)) == (401, 200)
        assert api.admin("POST", "/admin/users/u1/sign-out").status == 204
        again = api.login("u1")
        server.restart()
        api.reconnect()
        assert [status(token) for token in (one, two, other, again)] == [401, 401, 200, 200]


def test_a_token_that_anybody_could_have_had_is_worth_nothing_once_passwords_are_asked_for(make_server):
    with make_server(data="one") as server:
        token = Api(server).login("ann")
        server.stop()
    with make_server(data="one", identity="users") as server:
        assert server.http().get("/auth/me", token=token).status == 401


def test_the_key_can_be_changed_without_logging_everybody_out(make_server):
    server = make_server(identity="users")
    keys = pathlib.Path(server.data) / "keys"
    with server:
        people = People(server)
        user = people.new_user()
        before = people.login(user)
        server.stop()
        (keys / "access-token.key").rename(keys / "access-token.previous.key")
        server.start()
        people.reconnect()
        after = people.login(user)
        assert people.counts(before) and people.counts(after)
        server.stop()
        (keys / "access-token.previous.key").unlink()
        server.start()
        people.reconnect()
        assert not people.counts(before) and people.counts(after)


# ---- Guessing ---------------------------------------------------------------------------------------------

def test_guessing_is_slowed_down_and_the_owner_is_not(people, users_server):
    owner = people.new_user()
    with HttpFrom(users_server, "127.0.1.1") as home, HttpFrom(users_server, "127.0.1.2") as stranger:
        assert people.try_login(owner, http=home).status == 200
        answers = [people.try_login(owner, "wrong horse", stranger) for _ in range(20)]
        refused = [answer for answer in answers if answer.status == 429]
        assert [answer.status for answer in answers[:5]] == [401] * 5 and refused
        for answer in refused:
            assert_problem(answer, 429, "too_many_requests")
            wait = int(answer.headers["retry-after"])
            assert 1 <= wait <= 900
            assert answer.headers["ratelimit"] == f'"login-account";r=0;t={wait}'
            assert answer.headers["ratelimit-policy"] == '"login-account";q=5;w=3600'
        assert people.try_login(owner, http=home).status == 200


def test_one_address_cannot_go_through_the_accounts(people, users_server):
    with HttpFrom(users_server, "127.0.2.1") as stranger, HttpFrom(users_server, "127.0.2.2") as other:
        answers = [people.try_login(f"nobody-{next(_numbers)}", http=stranger) for _ in range(45)]
        refused = [answer for answer in answers if answer.status == 429]
        assert [answer.status for answer in answers[:30]] == [401] * 30 and refused
        assert {answer.headers["ratelimit-policy"] for answer in refused} == {'"login-address";q=30;w=3600'}
        assert people.try_login(f"nobody-{next(_numbers)}", http=other).status == 401


def memory_kib(server, field: str) -> int:
    for line in pathlib.Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise AssertionError(field)


def test_a_storm_of_logins_keeps_its_memory_and_leaves_the_others_alone(make_server):
    threads, storm = 2, 1_000
    with make_server("--password-threads", str(threads), identity="users") as server:
        people = People(server)
        user = people.new_user()
        token = people.login(user)
        before = memory_kib(server, "VmHWM")

        async def run():
            pool = await Pool.open(server.host, server.port, 250)
            logins = [asyncio.ensure_future(pool.request("POST", "/auth/login",
                                                         json={"userId": f"storm-{i}", "password": PASSWORD}))
                      for i in range(storm)]
            with server.http() as http:  # somebody else, meanwhile
                others = [await asyncio.to_thread(http.get, "/auth/me", token=token) for _ in range(100)]
            answers = await asyncio.gather(*logins)
            pool.close()
            return answers, others

        answers, others = asyncio.run(run())
        assert {answer.status for answer in others} == {200}
        counts = {status: sum(1 for a in answers if a.status == status) for status in {a.status for a in answers}}
        assert set(counts) <= {401, 429, 503} and counts.get(401, 0) > 0, counts
        for answer in answers:
            if answer.status != 401:
                assert int(answer.headers["retry-after"]) >= 1
        # Both threads at work at once, and what a thousand connections and requests need besides.
        assert memory_kib(server, "VmHWM") - before < (threads * 19 + 48) * 1024
        assert people.try_login(user, http=HttpFrom(server, "127.0.3.1")).status == 200


# ---- Secrets ----------------------------------------------------------------------------------------------

def test_no_secret_is_in_the_log_or_in_the_clear_on_disk(make_server):
    with make_server("--access-log", "--log-level", "debug", identity="users") as server:
        people = People(server)
        user = people.new_user()
        token = people.login(user)
        people.try_login(user, "a wrong guess at it")
        people.put_user(user, password="the next password")
        people.logout(people.login(user, "the next password"))
        people.http.get(f"/auth/me?access_token={token}")
        assert server.stop() == 0
        log = server.log.read_bytes()
        assert b"/auth/login" in log, "the access log was on"
        for secret in (PASSWORD, "a wrong guess at it", "the next password", token, ADMIN_TOKEN):
            assert secret.encode() not in log, secret
        kept = b"".join(path.read_bytes() for path in server.data.rglob("*") if path.is_file())
        assert b"$argon2id$v=19$m=19456,t=2,p=1$" in kept
        for secret in (PASSWORD, "a wrong guess at it", "the next password", token):
            assert secret.encode() not in kept, secret
