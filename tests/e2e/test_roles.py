"""Every route times every role, with one's own ids and with other people's: nothing leaks."""

import itertools
import re
import subprocess
import time

import pytest

from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, Api, Server, event_body
from issuer import AUDIENCE, Issuer, Key

PASSWORD = "correct horse battery"
NOBODY, OTHER, OWNER, OPERATOR, ADMIN, SECRET = "nobody", "other", "owner", "operator", "admin", "secret"
EVERYBODY = (NOBODY, OTHER, OWNER, OPERATOR, ADMIN, SECRET)
KNOWN = EVERYBODY[1:]  # with a good token
READERS = (OPERATOR, ADMIN, SECRET)
ADMINS = (ADMIN, SECRET)

# route: (who may, the status of those who have a good token but may not). The request is the owner's.
ROUTES = {
    "POST /auth/login": (EVERYBODY, None),
    "POST /auth/logout": (KNOWN, None),
    "GET /auth/me": (KNOWN, None),
    "GET /auth/methods": (EVERYBODY, None),
    "POST /events/{eventId}/participations": (KNOWN, None),
    # Somebody else's request is not found, for an administrator too: /admin/requests is for them.
    "GET /requests/{requestId}": ((OWNER,), 404),
    "GET /requests/{requestId}/stream": ((OWNER,), 404),
    "PUT /admin/events/{eventId}": (ADMINS, 403),
    "GET /admin/events": (READERS, 403),
    "GET /admin/events/{eventId}": (READERS, 403),
    "GET /admin/events/{eventId}/requests": (READERS, 403),
    "GET /admin/requests": (READERS, 403),
    "GET /admin/requests/{requestId}": (READERS, 403),
    "GET /admin/queues/participations": (READERS, 403),
    "POST /admin/queues/participations/pause": (ADMINS, 403),
    "POST /admin/queues/participations/resume": (ADMINS, 403),
    "GET /admin/queues/participations/dead-letters": (READERS, 403),
    "GET /admin/queues/participations/dead-letters/{requestId}": (READERS, 403),
    "GET /admin/queues/participations/dead-letters/redrive": (READERS, 403),
    "POST /admin/queues/participations/dead-letters/redrive": (ADMINS, 403),
    "POST /admin/queues/participations/dead-letters/redrive/stop": (ADMINS, 403),
    "POST /admin/queues/participations/dead-letters/discard": (ADMINS, 403),
    "GET /admin/webhooks": (READERS, 403),
    "POST /admin/webhooks/redeliver": (ADMINS, 403),
    "GET /admin/users": (READERS, 403),
    "PUT /admin/users/{userId}": (ADMINS, 403),
    "POST /admin/users/{userId}/sign-out": (ADMINS, 403),
    "GET /admin/audit": (READERS, 403),
    "GET /admin/live": (READERS, 403),
    "POST /api/v1/queue/enter": (KNOWN, None),
    # A place belongs to whoever has its token.
    "GET /api/v1/queue/status": (EVERYBODY, None),
    "GET /api/v1/queue/stream": (EVERYBODY, None),
    "POST /api/v1/queue/activate": (EVERYBODY, None),
    "DELETE /api/v1/queue/token": (EVERYBODY, None),
    "DELETE /api/v1/queue/remove": (EVERYBODY, None),
    "GET /api/v1/queue/authorize": (EVERYBODY, None),
    "GET /api/v1/queue/receipt": (EVERYBODY, None),
    "GET /api/v1/queue/lottery/{concertId}": (EVERYBODY, None),
    "GET /api/v1/queue/keys": (EVERYBODY, None),
    "GET /admin/queues/waitroom": (READERS, 403),
    "GET /admin/queues/waitroom/{concertId}/live": (READERS, 403),
    "PUT /admin/queues/waitroom/{concertId}": (ADMINS, 403),
    "GET /admin/queues/waitroom/{concertId}": (READERS, 403),
    "GET /admin/queues/waitroom-keys": (READERS, 403),
    "POST /admin/queues/waitroom-keys/rotate": (ADMINS, 403),
    "GET /livez": (EVERYBODY, None),
    "GET /readyz": (EVERYBODY, None),
    "GET /metrics": (EVERYBODY, None),
    # The page knows people by its cookie alone; its forms, and other people's, are in test_event_page.py.
    "GET /events/{eventId}": (EVERYBODY, None),
    "POST /events/{eventId}": (EVERYBODY, None),
    "POST /events/{eventId}/leave": (EVERYBODY, None),
    "GET /events/{eventId}/stream": ((), 401),
    "GET /event-page.css": (EVERYBODY, None),
    "GET /event-page.js": (EVERYBODY, None),
    # As well; test_wait_page.py.
    "GET /wait/{concertId}": (EVERYBODY, None),
    "POST /wait/{concertId}/enter": (EVERYBODY, None),
    "POST /wait/{concertId}/sign-in": (EVERYBODY, None),
    "POST /wait/{concertId}/activate": (EVERYBODY, None),
    "POST /wait/{concertId}/leave": (EVERYBODY, None),
    "GET /wait/{concertId}/status": ((), 401),
    "GET /wait/{concertId}/stream": ((), 401),
    "GET /wait/-/page.css": (EVERYBODY, None),
    "GET /wait/-/page.js": (EVERYBODY, None),
    "GET /": (EVERYBODY, None),
    "GET /home.css": (EVERYBODY, None),
    # The page is for everybody; what it shows comes from the routes above, with the token of who looks.
    "GET /console": (EVERYBODY, None),
    "GET /console/": (EVERYBODY, None),
    "GET /console/assets/{file}": (EVERYBODY, None),
}
BODIES = {
    "POST /auth/login": {"userId": "owner-1", "password": PASSWORD},
    "PUT /admin/events/{eventId}": event_body(1_000),
    "PUT /admin/users/{userId}": {},
    "POST /api/v1/queue/enter": {"concertId": "CON"},
    "PUT /admin/queues/waitroom/{concertId}": {"maxActive": 1_000, "mode": "lottery", "opensAt": "2090-01-01T00:00:00Z"},
    "POST /admin/queues/participations/dead-letters/redrive": {"dryRun": True},
    "POST /admin/queues/participations/dead-letters/discard": {"requestIds": ["nobody"], "reason": "not wanted"},
    "POST /admin/webhooks/redeliver": {"eventId": "EVT"},
}
QUERIES = {"GET /admin/requests": "?userId=owner-1"}
STREAMS = ("GET /admin/live", "GET /admin/queues/waitroom/{concertId}/live",
           "GET /api/v1/queue/stream")  # have no end
ABSENT = ("GET /admin/queues/participations/dead-letters/{requestId}",
          "GET /admin/queues/participations/dead-letters/redrive",
          "POST /admin/queues/participations/dead-letters/redrive/stop")  # whoever may learns that there is none


@pytest.fixture(scope="module", params=["users", "oidc"])
def world(request, binary, tmp_path_factory):
    """The same people with passwords of ours, and with tokens of an OpenID issuer."""
    from harness import Server
    data, issuer = tmp_path_factory.mktemp("roles") / "data", None
    args: tuple[str, ...] = ()
    if request.param == "oidc":
        issuer = Issuer(Key("k", "ES256")).start()
        args = ("--oidc-issuer", issuer.url, "--oidc-audience", AUDIENCE, "--oidc-operators", "operator",
                "--oidc-admins", "admin")
    with Server(data, *args, binary=binary, identity=request.param) as server:
        api = Api(server)
        until_ready(api)
        tokens, logins = {SECRET: ADMIN_TOKEN}, itertools.count(1)
        roles = {OTHER: "user", OWNER: "user", OPERATOR: "operator", ADMIN: "admin"}
        for name, role in roles.items():
            made = api.admin("PUT", f"/admin/users/{name}-1", json={"password": PASSWORD, "role": role})
            assert made.status == 201, made
        api.admin("PUT", "/admin/users/victim", json={"password": PASSWORD})

        def login(name: str) -> str:
            if issuer:
                return issuer.token(f"{name}-1", roles=[roles[name]], jti=str(next(logins)))
            return api.http.post("/auth/login", json={"userId": f"{name}-1", "password": PASSWORD}).json()["accessToken"]

        for name in roles:
            tokens[name] = login(name)
        api.put_event("EVT", 1_000)
        lottery = api.admin("PUT", "/admin/queues/waitroom/LOT", json=BODIES["PUT /admin/queues/waitroom/{concertId}"])
        assert lottery.status == 201, lottery
        made = api.participate("EVT", tokens[OWNER])
        api.until_final(made, tokens[OWNER])
        yield api, tokens, made, login
        api.http.close()
        assert server.stop() == 0, server.errors()
    if issuer:
        issuer.stop()


def until_ready(api):
    guard = time.monotonic() + HANG_GUARD_S
    while api.http.get("/readyz").status != 200:
        assert time.monotonic() < guard, api.http.get("/readyz?verbose")
        time.sleep(0.05)


def asset(api: Api) -> str:
    """The name of a file that the console needs; it changes with its content."""
    found = re.search(r'src="/console/assets/([^"]+)"', api.http.get("/console").body.decode())
    assert found, "the console has no script"
    return found[1]


def place(api: Api, token: str) -> str:
    """An ACTIVE one of the owner."""
    entered = api.http.post("/api/v1/queue/enter", token=token, json={"concertId": "CON"})
    assert entered.status == 200, entered
    queue_token = entered.json()["data"]["token"]
    active = api.http.post("/api/v1/queue/activate", headers={"X-Queue-Token": queue_token})
    assert active.status == 200, active
    return queue_token


def routes(binary) -> list[str]:
    return subprocess.run([binary, "routes"], capture_output=True, text=True, check=True).stdout.split("\n")[:-1]


def test_the_table_has_every_route(binary):
    assert sorted(routes(binary)) == sorted(ROUTES)


@pytest.mark.parametrize("route", ROUTES)
def test_who_may(world, route):
    api, tokens, request, login = world
    method, pattern = route.split()
    path = pattern.format(eventId="EVT", requestId=request, userId="victim", concertId="LOT", file=asset(api))
    path += QUERIES.get(route, "")
    allowed, refusal = ROUTES[route]
    for role in EVERYBODY:
        token = tokens.get(role)
        if route == "POST /auth/logout" and role in (OTHER, OWNER, OPERATOR, ADMIN):
            token = login(role)  # one that may be lost
        more = {"json": BODIES[route]} if route in BODIES else {}
        if "/api/v1/queue/" in route:
            more["headers"] = {"X-Queue-Token": place(api, tokens[OWNER])}
        if route in STREAMS and role in allowed:
            with api.server.http() as own:
                response, _ = own.stream(path, token=token, **more)
        else:
            response = api.http.request(method, path, token=token, **more)
        text = f"{route} as {role}: {response}"
        if role in allowed:
            logout_of_the_secret = route == "POST /auth/logout" and role == SECRET
            outside = api.http.get("/auth/methods").json()["identity"] == "oidc"
            no_login = outside and route == "POST /auth/login"
            no_name = not outside and route in ("POST /events/{eventId}", "POST /wait/{concertId}/sign-in")
            good = (400,) if logout_of_the_secret or no_name else \
                (404,) if no_login or route in ABSENT else (200, 201, 202, 204, 303)
            assert response.status in good, text
            continue
        assert response.status == (401 if role == NOBODY else refusal), text
        # A refusal tells nothing that was not in the question.
        for secret in ("SUCCEEDED", "owner-1", "capacityTotal", "A test", "visible"):
            assert secret not in response.body.decode(), text


@pytest.mark.parametrize("route", [r for r in ROUTES if NOBODY not in ROUTES[r][0]])
def test_forged_tokens_are_worth_nothing(world, route):
    api, tokens, request, _ = world
    method, pattern = route.split()
    path = pattern.format(eventId="EVT", requestId=request, userId="victim", concertId="LOT", file=asset(api))
    head, payload, mac = tokens[ADMIN].split(".")
    other = mac[:-2] + ("BA" if mac.endswith("AA") else "AA")  # one in 256 ends so by itself
    none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJzdWIiOiJhZG1pbi0xIiwicm9sZSI6ImFkbWluIn0."
    for forged in (f"{head}.{payload}.", f"{head}.{payload}", f"{head}.{payload}.{other}", f"sp1.{payload}.{mac}",
                   f"{head}.{tokens[OWNER].split('.')[1]}.{mac}", none, ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x", "x" * 4000):
        more = {"json": BODIES[route]} if route in BODIES else {}
        response = api.http.request(method, path, token=forged, **more)
        assert response.status == 401, (route, forged[:60], response)
