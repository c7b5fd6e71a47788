"""Rate limits: who is told to wait and who is not, changed while the server runs, and who may say where a request is from."""

import asyncio
import os
import re
import signal
import time

import pytest

from client import HANG_GUARD_S, HttpFrom, Pool
from harness import ADMIN_TOKEN, Api, assert_problem


@pytest.fixture
def limited(make_server, tmp_path):
    """limited("read.account=3/1h", ...): an Api on a server with these limits, from a file that SIGHUP reads."""
    made = []

    def make(*limits: str, args: tuple[str, ...] = ()) -> Api:
        server = make_server("--workers", "0", "--config", str(tmp_path / "spillway.toml"), *args)
        configure(tmp_path, *limits)
        made.append(Api(server.start()))
        return made[-1]

    yield make
    for api in made:
        api.http.close()


def configure(directory, *limits: str) -> None:
    """Replaced whole: the server must never read half of it."""
    quoted = ", ".join(f'"{limit}"' for limit in limits)
    (directory / "new.toml").write_text(f"limit = [{quoted}]\n")
    (directory / "new.toml").replace(directory / "spillway.toml")


def reload(server, expected: str) -> str:
    """SIGHUP, until the log has another line with `expected`; that line."""
    before = server.errors().count(expected)
    os.kill(server.pid, signal.SIGHUP)
    guard = time.monotonic() + HANG_GUARD_S
    while time.monotonic() < guard:
        lines = [line for line in server.errors().splitlines() if expected in line]
        if len(lines) > before:
            return lines[-1]
        time.sleep(0.01)  # the log is a file: there is nothing to wait on
    raise AssertionError(f"no {expected!r} in {server.errors()}")


def reloads(api) -> list[dict]:
    return api.admin("GET", "/admin/audit?action=limits.reload").json()["items"]


def assert_limited(response, policy: str) -> int:
    """The seconds to wait."""
    assert_problem(response, 429, "rate_limited")
    headers = response.headers
    wait = int(headers["retry-after"])
    name, quota, window = re.fullmatch(r'"([a-z-]+)";q=(\d+);w=(\d+)', headers["ratelimit-policy"]).groups()
    assert name == policy
    assert headers["ratelimit"] == f'"{name}";r=0;t={wait}'
    assert 1 <= wait <= int(window) * 9 / 8 + 1
    assert int(quota) >= 1
    return wait


def test_an_account_past_its_limit_is_told_to_wait_and_others_are_not(limited):
    api = limited("read.account=3/1h")
    ada, ada_too, bob = api.login("ada"), api.login("ada"), api.login("bob")
    for token in (ada, ada_too, ada):
        assert api.http.get("/auth/me", token=token).status == 200
    for token in (ada, ada_too):
        assert_limited(api.http.get("/auth/me", token=token), "read-account")
    assert_limited(HttpFrom(api.server, "127.0.0.2").get("/auth/me", token=ada), "read-account")
    ok = api.http.get("/auth/me", token=bob)
    assert ok.status == 200 and "ratelimit" not in ok.headers
    metrics = api.http.get("/metrics").body.decode()
    assert 'spillway_rate_limited_requests_total{class="read",by="account"} 3\n' in metrics


def test_the_wait_that_is_told_is_enough(limited):
    api = limited("read.account=2/1s")
    ada = api.login("ada")
    for _ in range(3):
        while (response := api.http.get("/auth/me", token=ada)).status == 200:
            pass
        time.sleep(assert_limited(response, "read-account"))
        assert api.http.get("/auth/me", token=ada).status == 200


def test_a_repeated_participation_is_answered_however_often(limited):
    api = limited("participate.account=2/1h")
    for event in ("one", "two", "three"):
        api.put_event(event, 5)
    ada = api.login("ada")
    first = api.participate("one", ada)
    for _ in range(20):
        assert api.participate("one", ada) == first
    assert_limited(api.http.post("/events/two/participations", token=ada), "participate-account")
    assert_limited(api.http.post("/events/nowhere/participations", token=ada), "participate-account")
    assert api.participate("one", ada) == first
    assert api.queue()["visible"] == 1, "what was refused was not taken"
    api.participate("two", api.login("bob"))


def test_an_address_past_its_limit_leaves_other_addresses_and_probes_alone(limited):
    api = limited("login.address=2/1h", "admin.address=2/1h")
    api.login("a")
    api.login("b")
    assert_limited(api.http.post("/auth/login", json={"userId": "c"}), "login-address")
    other = HttpFrom(api.server, "127.0.0.2")
    assert other.post("/auth/login", json={"userId": "c"}).status == 200
    for _ in range(2):
        assert api.admin("GET", "/admin/events").status == 200
    assert_limited(api.admin("GET", "/admin/events"), "admin-address")
    assert_limited(api.http.get("/admin/events"), "admin-address")  # before anybody asks for a token
    for _ in range(10):
        for path in ("/livez", "/readyz", "/metrics"):
            assert api.http.get(path).status == 200
        assert api.http.request("OPTIONS", "/admin/events").status == 204


def test_sighup_raises_lowers_and_removes_limits(limited, tmp_path):
    api = limited("read.account=2/1h", "admin.account=1000/1h")
    ada = api.login("ada")
    for status in (200, 200, 429):
        assert api.http.get("/auth/me", token=ada).status == status
    configure(tmp_path, "read.account=4/1h", "admin.account=1000/1h")
    reload(api.server, "limits reloaded")
    for status in (200, 200, 429):
        assert api.http.get("/auth/me", token=ada).status == status
    configure(tmp_path, "read.account=1/1h", "admin.account=1000/1h")
    reload(api.server, "limits reloaded")
    refused = api.http.get("/auth/me", token=ada)
    assert_limited(refused, "read-account")
    assert ";q=1;" in refused.headers["ratelimit-policy"]
    configure(tmp_path, "admin.account=1000/1h")
    reload(api.server, "limits reloaded")
    for _ in range(10):
        assert api.http.get("/auth/me", token=ada).status == 200
    told = [(i["actor"], i["target"], i["before"].get("read.account"), i["after"].get("read.account"))
            for i in reversed(reloads(api))]
    assert told == [("sighup", "limits", "2/3600s", "4/3600s"), ("sighup", "limits", "4/3600s", "1/3600s"),
                    ("sighup", "limits", "1/3600s", None)]
    reload(api.server, "nothing changed")
    assert len(reloads(api)) == 3, "what changes nothing is not told"


@pytest.mark.parametrize("file, names", [
    ('limit = ["read.account=100/1h", "admin.account=many"]', "limit must give admin.account as"),
    ('limit = ["chat.account=1/1h"]', "limit has no limit chat.account"),
    ('limit = ["read.account=100/1h"]\nworkers = "many"', "workers must be"),
    ('limit = ["read.account=100/1h"]\nworkres = 1', "workres"),
    ("limit = [", "spillway.toml"),
    (None, "spillway.toml"),
], ids=["bad figures", "no such limit", "another option is bad", "no such option", "broken", "gone"])
def test_a_bad_file_is_refused_as_a_whole(limited, tmp_path, file, names):
    api = limited("read.account=2/1h")
    ada = api.login("ada")
    if file is None:
        (tmp_path / "spillway.toml").unlink()
    else:
        (tmp_path / "spillway.toml").write_text(file + "\n")
    line = reload(api.server, "limits not reloaded")
    assert names in line and " error " in line, line
    for status in (200, 200, 429):
        assert api.http.get("/auth/me", token=ada).status == status
    assert reloads(api) == []


def test_sighup_without_a_file_changes_nothing(make_server):
    server = make_server("--limit", "read.account=2/1h").start()
    api = Api(server)
    ada = api.login("ada")
    assert "no --config file" in reload(server, "limits not reloaded")
    for status in (200, 200, 429):
        assert api.http.get("/auth/me", token=ada).status == status
    api.http.close()
    assert server.stop() == 0


def test_a_reload_is_there_after_a_crash(limited, tmp_path):
    api = limited("read.account=2/1h")
    configure(tmp_path, "read.account=3/1h")
    reload(api.server, "limits reloaded")
    api.server.restart()
    api.reconnect()
    assert len(reloads(api)) == 1


def test_nothing_is_lost_while_limits_are_reloaded_under_load(limited, tmp_path):
    people, reload_count = 4_000, 20
    api = limited("participate.account=50/10s", args=("--http-threads", "2"))
    api.put_event("EVT", people)

    async def load() -> list[str]:
        pool = await Pool.open(api.server.host, api.server.port, 16)
        under_way = asyncio.Event()

        async def one(number: int) -> str:
            login = await pool.request("POST", "/auth/login", json={"userId": f"p{number}"})
            if number == 100:
                under_way.set()
            answer = await pool.request("POST", "/events/EVT/participations", token=login.json()["accessToken"])
            assert answer.status == 202, answer
            return answer.json()["requestId"]

        async def hang_up() -> None:
            await under_way.wait()
            for number in range(reload_count):
                window = 10 + number % 2  # another window and another quota in turn
                configure(tmp_path, f"participate.account={50 + number}/{window}s", "read.address=100000/1s")
                await asyncio.to_thread(reload, api.server, "limits reloaded")

        *ids, _ = await asyncio.gather(*(one(number) for number in range(people)), hang_up())
        pool.close()
        return ids

    ids = asyncio.run(load())
    assert len(set(ids)) == people
    assert api.queue()["visible"] == people
    assert len(reloads(api)) == reload_count


PROXY, STRANGER = "127.0.0.9", "127.0.0.8"


def last_address(api) -> str:
    return api.admin("GET", "/admin/audit?limit=1").json()["items"][0]["address"]


def act(api, source: str, capacity: int, **headers: str):
    """Something that the audit log tells of, from `source`."""
    with HttpFrom(api.server, source) as http:
        return http.request("PUT", "/admin/events/EVT", token=ADMIN_TOKEN, headers=headers,
                            json={"title": "A", "capacityTotal": capacity})


def test_only_a_trusted_proxy_says_where_a_request_is_from(limited):
    api = limited(args=("--trusted-proxy", f"{PROXY}/32", "--trusted-proxy", "10.0.0.0/8"))
    rows = [
        (STRANGER, {}, STRANGER),
        (STRANGER, {"X-Forwarded-For": "198.51.100.7"}, STRANGER),
        (STRANGER, {"X-Forwarded-For": PROXY}, STRANGER),
        (PROXY, {}, PROXY),
        (PROXY, {"X-Forwarded-For": "198.51.100.7"}, "198.51.100.7"),
        (PROXY, {"X-Forwarded-For": "203.0.113.1, 198.51.100.7, 10.1.2.3"}, "198.51.100.7"),
        (PROXY, {"X-Forwarded-For": f"203.0.113.1, {STRANGER}"}, STRANGER),
        (PROXY, {"X-Forwarded-For": "2001:db8::7"}, "2001:db8::7"),
        (PROXY, {"X-Forwarded-For": "203.0.113.1, nonsense"}, PROXY),
        (PROXY, {"Forwarded": "for=203.0.113.1"}, PROXY),
    ]
    for capacity, (source, headers, expected) in enumerate(rows, 1):
        assert act(api, source, capacity, **headers).status in (200, 201)
        assert last_address(api) == expected, (source, headers)


def test_forwarded_when_it_is_the_header_of_the_proxies(limited):
    api = limited(args=("--trusted-proxy", PROXY, "--proxy-header", "forwarded"))
    assert act(api, PROXY, 1, Forwarded='for="[2001:db8::7]:4711";proto=https').status == 201
    assert last_address(api) == "2001:db8::7"
    assert act(api, PROXY, 2, **{"X-Forwarded-For": "203.0.113.1"}).status == 200
    assert last_address(api) == PROXY


def test_limits_count_the_client_and_not_the_proxy(limited):
    api = limited("login.address=2/1h", args=("--trusted-proxy", PROXY))

    def login(source: str, forwarded: str):
        with HttpFrom(api.server, source) as http:
            return http.post("/auth/login", json={"userId": "u"}, headers={"X-Forwarded-For": forwarded})

    for forwarded in ("198.51.100.1", "9.9.9.9, 198.51.100.1"):
        assert login(PROXY, forwarded).status == 200
    assert_limited(login(PROXY, "8.8.8.8, 198.51.100.1"), "login-address")
    assert login(PROXY, "198.51.100.2").status == 200
    for suffix in ("1", "2"):
        assert login(PROXY, f"2001:db8::{suffix}").status == 200
    assert_limited(login(PROXY, "2001:db8::dead:beef"), "login-address")
    assert login(PROXY, "2001:db8:0:1::1").status == 200
    for _ in range(2):
        assert login(STRANGER, "198.51.100.99").status == 200
    assert_limited(login(STRANGER, "198.51.100.98"), "login-address")
