"""Secrets never in logs: one run of everything with the log at its most talkative, then every secret that was used is
looked for in all that the server wrote or showed: its log, its stdout, the bodies and heads of its refusals, /metrics, and
the audit log. The same search must find what is planted in each of these, or it proves nothing."""

import base64
import dataclasses
import json
import pathlib
import secrets
import time
import urllib.parse

import pytest

from client import HANG_GUARD_S, ConnectionLost, Http, build_request
from harness import Server, event_body
from webhook_receiver import TAKEN, WebhookReceiver
from work_backend import WorkBackend, fail_by_name

LETTERS = "/admin/queues/participations/dead-letters"
PEOPLE = 30  # of whom some fail: work_backend.py
MIN_PIECE = 16  # of a token: its parts are secrets too when they are this long


def variants(secret: bytes) -> dict[str, bytes]:
    """How it could have been written."""
    text = secret.decode("latin-1")
    return {
        "as it is": secret,
        "as JSON": json.dumps(text)[1:-1].encode(),
        "in a URL": urllib.parse.quote(text, safe="").encode(),
        "as hex": secret.hex().encode(),
        "as HEX": secret.hex().upper().encode(),
        "as base64": base64.b64encode(secret).rstrip(b"="),
        "as base64url": base64.urlsafe_b64encode(secret).rstrip(b"="),
    }


@dataclasses.dataclass
class Run:
    """What was secret, and everywhere it could have gone."""
    secrets: dict[str, bytes] = dataclasses.field(default_factory=dict)
    places: dict[str, bytearray] = dataclasses.field(default_factory=dict)

    def secret(self, name: str, value: str | bytes) -> str | bytes:
        self.secrets[name] = value if isinstance(value, bytes) else value.encode()
        return value

    def token(self, name: str, token: str) -> str:
        """All of it, and its parts: whoever has the signed part has nothing, whoever has both has everything."""
        self.secret(name, token)
        for part in token.split("."):
            if len(part) >= MIN_PIECE:
                self.secret(f"{name}, a part", part)
        return token

    def wrote(self, place: str, what: bytes | str) -> None:
        self.places.setdefault(place, bytearray()).extend(what if isinstance(what, bytes) else what.encode())

    def leaks(self) -> list[str]:
        return [f"{name}, {how}, in {place}" for name, secret in self.secrets.items()
                for how, written in variants(secret).items() for place, text in self.places.items() if written in text]


class Watched:
    """A connection that keeps every refusal."""

    def __init__(self, run: Run, server: Server):
        self.run, self.server = run, server
        self.http = server.http()

    def __call__(self, method: str, target: str, *, status: int | None = None, **more):
        response = self.http.request(method, target, **more)
        if status is not None:
            assert response.status == status, response
        if response.status >= 400:
            self.run.wrote("refusals", response.head + b"\n" + response.body + b"\n")
        return response

    def raw(self, text: bytes) -> None:
        """Garbage, on a connection of its own."""
        with Http(self.server.host, self.server.port) as line:
            try:
                line.send_raw(text)
                response = line.receive()
            except ConnectionLost:
                return  # closed without an answer is an answer too
            self.run.wrote("refusals", response.head + b"\n" + response.body + b"\n")


def fresh(kind: str) -> str:
    return f"{kind}-{secrets.token_urlsafe(24)}"


def start(run: Run, binary: str, backend: WorkBackend, folder: pathlib.Path, form: str) -> Server:
    admin = run.secret("the admin secret", fresh("admin-secret"))
    hook = run.secret("the secret of webhooks", fresh("webhooks"))
    named = folder / "webhook-secrets"
    named.write_text(f"shop={run.secret('a named secret of webhooks', fresh('shop'))}\n")
    server = Server(folder / "data", "--log-level", "debug", "--log-format", form, "--access-log",
                    *backend.arguments_to_fail_with(), "--work-allow", "127.0.0.1", "--webhook-secrets-file", str(named),
                    "--webhook-backoff-ms", "10", identity="users", binary=binary,
                    env={"SPILLWAY_ADMIN_TOKEN": admin, "SPILLWAY_WEBHOOK_SECRET": hook,
                         "SPILLWAY_WORK_SECRET": run.secret("the secret of the work", fresh("work"))})
    server.start()
    run.secret("the key file", (server.data / "keys/access-token.key").read_bytes())
    key = (server.data / "keys/access-token.key").read_bytes()
    run.secret("the key file, its last 16 bytes", key[-16:])
    return server


def admin_of(run: Run) -> str:
    return run.secrets["the admin secret"].decode()


def accounts(run: Run, ask: Watched) -> dict[str, str]:
    """Accounts, logins good and bad. The tokens by user."""
    tokens = {}
    admin = admin_of(run)
    for n in range(PEOPLE):
        user, password = f"person-{n}", run.secret(f"password {n}", fresh("pass word"))
        role = "admin" if n == 0 else "operator" if n == 1 else "user"
        ask("PUT", f"/admin/users/{user}", token=admin, json={"password": password, "role": role}, status=201)
        answer = ask("POST", "/auth/login", json={"userId": user, "password": password}, status=200)
        tokens[user] = run.token(f"token {n}", answer.json()["accessToken"])
    for user in ("person-2", "nobody-of-this-name"):
        wrong = run.secret(f"a wrong password of {user}", fresh("wrong"))
        ask("POST", "/auth/login", json={"userId": user, "password": wrong}, status=401)
    short, long = run.secret("too short", "sh0rt!x"), run.secret("too long", fresh("long") * 20)
    for password in (short, long):
        ask("PUT", "/admin/users/person-3", token=admin, json={"password": password}, status=400)
    for where, body in {
        "a broken body": b'{"userId":"person-4","password":"%s"',
        "a password of another type": b'{"userId":"person-4","password":{"is":"%s"}}',
        "a duplicate": b'{"userId":"person-4","password":"a","password":"%s"}',
        "a role that is none": b'{"userId":"person-4","role":"%s","password":7}',
        "a userId with a password in it": b'{"userId":"person-4\\u0000%s","password":"x"}',
    }.items():
        inside = run.secret(where, fresh("inside"))
        ask("POST", "/auth/login", body=body % inside.encode(), content_type="application/json")
        ask("PUT", "/admin/users/person-4", token=admin, body=body % inside.encode(), content_type="application/json")
    new = run.secret("a new password", fresh("new"))
    ask("PUT", "/admin/users/person-5", token=admin, json={"password": new}, status=200)
    ask("GET", "/auth/me", token=tokens["person-5"], status=401)
    ask("POST", "/auth/logout", token=tokens["person-6"], status=204)
    ask("GET", "/auth/me", token=tokens["person-6"], status=401)
    return tokens


def strangers(run: Run, ask: Watched, token: str) -> None:
    """Wrong tokens, tokens in wrong places, and what is no HTTP at all."""
    admin = admin_of(run)
    near = run.secret("nearly the admin secret", admin[:-1] + ("x" if admin[-1] != "x" else "y"))
    forged = run.secret("a forged token", token[:-4] + secrets.token_urlsafe(3))
    for wrong in (near, forged, run.secret("no token at all", fresh("token"))):
        for method, target in (("GET", "/admin/audit"), ("GET", "/auth/me"), ("POST", "/events/E/participations"),
                               ("PUT", "/admin/events/X"), ("POST", LETTERS + "/redrive")):
            ask(method, target, token=wrong, status=401)
    basic = base64.b64encode(run.secret("basic", fresh("basic")).encode()).decode()
    ask("GET", "/auth/me", headers={"Authorization": f"Basic {run.secret('basic, encoded', basic)}"}, status=401)
    ask("GET", "/auth/me", headers={"Cookie": f"session={run.secret('a cookie', fresh('cookie'))}"}, status=401)
    inside = run.secret("in a query", fresh("query"))
    ask("GET", f"/requests/none?access_token={inside}&wait={inside}", token=token)
    ask("GET", f"/admin/audit?limit={inside}", token=admin, status=400)
    ask("GET", f"/admin/events/E/requests?status={inside}", token=admin, status=400)
    for n, garbage in enumerate((
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer %s\r\n\r\n",
        b"%s\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: a\r\nAuthorization: Bearer %s\r\n\r\n",
        b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: x%s\r\n\r\n",
        b"POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
        b"GET /a HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
    )):
        ask.raw(garbage % run.secret(f"in garbage {n}", fresh("garbage")).encode())
    # Cut off in the middle of a secret.
    line = Http(ask.server.host, ask.server.port)
    line.connect()
    cut = run.secret("cut off", fresh("cut")).encode()
    line.send_raw(build_request("GET", "/auth/me", token=cut.decode())[:-10])
    line.reset()


def crowd(run: Run, ask: Watched, tokens: dict[str, str]) -> None:
    """People take part with bodies, some die, are redriven and discarded."""
    admin = admin_of(run)
    ask("PUT", "/admin/events/E", token=admin, json=event_body(PEOPLE, work="http"), status=201)
    for n, (user, token) in enumerate(tokens.items()):
        if user in ("person-5", "person-6"):
            continue  # their tokens are over
        body = {"card": run.secret(f"body {n}", fresh("body"))}
        request = ask("POST", "/events/E/participations", token=token, json=body, status=202).json()["requestId"]
        ask("GET", f"/requests/{request}", token=token, status=200)
        ask("GET", f"/requests/{request}", token=tokens["person-1"])  # somebody else's
    broken = run.secret("a broken participation", fresh("broken"))
    ask("POST", "/events/E/participations", token=tokens["person-7"], body=f'{{"card":{broken}'.encode(),
        content_type="application/json", status=400)


def until(ask: Watched, run: Run, done) -> dict:
    guard = time.monotonic() + HANG_GUARD_S
    while True:
        queue = ask("GET", "/admin/queues/participations", token=admin_of(run), status=200).json()
        if done(queue):
            return queue
        assert time.monotonic() < guard, queue
        time.sleep(0.05)


def dead_letters(run: Run, ask: Watched) -> None:
    admin = admin_of(run)
    queue = until(ask, run, lambda q: q["visible"] == q["inFlight"] == q["delayed"] == 0)
    assert queue["deadLetters"] > 0, "the work fails for some"
    for item in ask("GET", LETTERS, token=admin, status=200).json()["items"]:
        ask("GET", f"{LETTERS}/{item['requestId']}", token=admin, status=200)
    ask("POST", LETTERS + "/redrive", token=admin, json={"ratePerSecond": 1000}, status=202)
    until(ask, run, lambda q: q["redrive"] is None or q["redrive"]["redriven"] == q["redrive"]["matching"])
    ask("POST", LETTERS + "/redrive/stop", token=admin, status=200)
    inside = run.secret("in a redrive that is refused", fresh("filter"))
    ask("POST", LETTERS + "/redrive", token=admin, json={"filter": {"failureClass": inside}}, status=400)
    ask("POST", LETTERS + "/discard", token=admin, json={"filter": {}, "reason": "nobody wants them"})


def webhooks(run: Run, ask: Watched, tokens: dict[str, str]) -> None:
    """Some are taken, some fail, one names a secret that is a secret of ours: refused, and not repeated to others."""
    admin = admin_of(run)
    receiver = WebhookReceiver(lambda call: TAKEN if len(call.user) % 2 else (500, run.secrets["an answer"]))
    run.secret("an answer", fresh("answer"))
    names = {"W1": {"url": receiver.url}, "W2": {"url": receiver.url, "secretName": "shop"}}
    for name, webhook in names.items():
        ask("PUT", f"/admin/events/{name}", token=admin, json=event_body(PEOPLE, webhook=webhook), status=201)
        for user in ("person-8", "person-10", "person-11"):
            ask("POST", f"/events/{name}/participations", token=tokens[user], status=202)
    receiver.until(8)
    for n, call in enumerate(receiver.calls):
        run.secret(f"signature {n}", call.headers["spillway-signature"])
    url = f"http://user:{run.secret('a password in a URL', fresh('url'))}@127.0.0.1/"
    for wrong in ({"url": url}, {"url": receiver.url, "secretName": run.secret("a name that is a secret", fresh("a b"))}):
        ask("PUT", "/admin/events/W3", token=admin, json=event_body(1, webhook=wrong), status=400)
    for where in ("/admin/webhooks", "/admin/events", "/admin/events/W2"):
        run.wrote("webhooks", ask("GET", where, token=admin, status=200).body)
    kept = b"".join(file.read_bytes() for file in ask.server.data.glob("journal-*"))
    for name in ("the secret of webhooks", "a named secret of webhooks"):
        assert run.secrets[name] not in kept, f"{name} is in the journal"
    receiver.close()


def audit(run: Run, ask: Watched) -> None:
    cursor = ""
    while True:
        page = ask("GET", f"/admin/audit?limit=50{cursor}", token=admin_of(run), status=200)
        run.wrote("audit", page.body)
        if "nextCursor" not in page.json():
            return
        cursor = f"&cursor={page.json()['nextCursor']}"


def full_run(binary: str, folder: pathlib.Path, form: str, plant=lambda run, ask: None) -> Run:
    run = Run()
    backend = WorkBackend(fail_by_name)
    server = start(run, binary, backend, folder, form)
    try:
        ask = Watched(run, server)
        tokens = accounts(run, ask)
        strangers(run, ask, tokens["person-8"])
        crowd(run, ask, tokens)
        server.restart()  # kill -9: what recovery says counts as well
        ask = Watched(run, server)
        run.wrote("stdout", "\n".join(server.output))
        dead_letters(run, ask)
        webhooks(run, ask, tokens)
        plant(run, ask)
        audit(run, ask)
        run.wrote("metrics", ask("GET", "/metrics", status=200).body)
        run.wrote("readiness", ask("GET", "/readyz?verbose", status=200).body)
        assert server.stop() == 0
        run.wrote("stdout", "\n".join(server.output))
        run.wrote("log", server.log.read_bytes())
        for n, call in enumerate(backend.calls):
            run.secret(f"signature of the work {n}", call.headers["spillway-signature"])
    finally:
        server.kill()
        backend.close()
    return run


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_of_a_full_run_is_written_anywhere(binary, tmp_path, form):
    run = full_run(binary, tmp_path, form)
    assert len(run.secrets) > 100
    for place in ("log", "stdout", "refusals", "metrics", "audit", "readiness"):
        assert run.places[place], f"nothing was looked at in {place}"
    log = run.places["log"]
    assert log.count(b"/auth/login") > PEOPLE and b"batch started" in log and log.count(b"recovered") == 2, "it talked"
    assert len(run.places["refusals"]) > 5_000 and run.places["audit"].count(b"user.add") == PEOPLE
    assert run.leaks() == []


def plant_in_the_path(run: Run, ask: Watched) -> None:
    """A path is in the access log, and in the `instance` of a refusal."""
    ask("GET", f"/admin/events/{run.secret('planted', fresh('path'))}", token=admin_of(run), status=404)


def plant_in_the_audit(run: Run, ask: Watched) -> None:
    """The name of an event is in the audit log and in a label of a metric."""
    name = run.secret("planted", fresh("event"))
    ask("PUT", f"/admin/events/{name}", token=admin_of(run), json=event_body(1), status=201)


@pytest.mark.parametrize("plant, places", [(plant_in_the_path, {"log", "refusals"}),
                                           (plant_in_the_audit, {"log", "audit", "metrics"})])
def test_what_is_planted_is_found(binary, tmp_path, plant, places):
    run = full_run(binary, tmp_path, "text", plant)
    assert set(run.leaks()) >= {f"planted, as it is, in {place}" for place in places}
    assert all(leak.startswith("planted") for leak in run.leaks())


@pytest.mark.parametrize("how", variants(b""))
def test_a_secret_is_found_however_it_is_written(how):
    run = Run()
    secret = run.secret("s", b'a"secret/\xff with all that wants escaping\n')
    for place in ("log", "metrics"):
        run.wrote(place, b"before " + variants(secret)[how] + b" after")
    run.wrote("refusals", b"nothing of it")
    assert {f"s, {how}, in log", f"s, {how}, in metrics"} <= set(run.leaks())
    assert not any("refusals" in leak for leak in run.leaks())
