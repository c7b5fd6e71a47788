"""--identity oidc against a real issuer: who gets in, who does not, and what happens when the issuer is away."""

import base64
import hmac
import json
import ssl
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import serialization

from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, Api, DidNotStart, assert_problem
from issuer import AUDIENCE, Issuer, Key, b64, make_token

ROLES = ("--oidc-role-claim", "realm_access.roles", "--oidc-operators", "watcher", "--oidc-admins", "boss,owner")


@pytest.fixture
def issuer():
    made = Issuer(Key("rsa-1", "RS256"), Key("ec-1", "ES256"), Key("ed-1", "EdDSA")).start()
    yield made
    made.stop()


@pytest.fixture
def make_oidc(make_server):
    def make(issuer, *args, **more):
        return make_server("--oidc-issuer", issuer.url, "--oidc-audience", AUDIENCE, *ROLES, *args, identity="oidc",
                           **more)
    return make


def until(what, *, is_true):
    guard = time.monotonic() + HANG_GUARD_S
    while time.monotonic() < guard:
        seen = what()
        if is_true(seen):
            return seen
        time.sleep(0.05)
    raise AssertionError(f"still {seen!r}")


def until_ready(api):
    until(lambda: api.http.get("/readyz").status, is_true=lambda status: status == 200)


def me(api, token):
    return api.http.get("/auth/me", token=token)


def roles(*names):
    return {"realm_access": {"roles": list(names)}}


def test_good_tokens_of_every_algorithm_take_part(issuer, make_oidc):
    with make_oidc(issuer) as server:
        api = Api(server)
        until_ready(api)
        api.put_event("EVT", 2)
        for kid, user in (("rsa-1", "ann"), ("ec-1", "ben"), ("ed-1", "cem")):
            token = issuer.token(user, kid)
            request = api.participate("EVT", token)
            assert api.participate("EVT", issuer.token(user, "rsa-1")) == request, "one person, one place"
            view = api.until_final(request, token)
            assert view["status"] == ("REJECTED" if user == "cem" else "SUCCEEDED")
            assert api.detail(request)["userId"] == user
            other = issuer.token("somebody-else", kid)
            assert api.http.get(f"/requests/{request}", token=other).status == 404
        assert server.stop() == 0


def test_roles_come_from_the_claim(issuer, make_oidc):
    with make_oidc(issuer) as server:
        api = Api(server)
        until_ready(api)
        for given, role, reads, changes in (((), "user", 403, 403), (("watcher",), "operator", 200, 403),
                                            (("x", "owner"), "admin", 200, 200), (("admin",), "user", 403, 403)):
            token = issuer.token("ann", "ed-1", **roles(*given))
            answer = me(api, token)
            assert (answer.status, answer.json()["userId"], answer.json()["role"]) == (200, "ann", role), answer
            assert api.http.get("/admin/queues/participations", token=token).status == reads
            assert api.http.post("/admin/queues/participations/resume", token=token).status == changes
        assert me(api, ADMIN_TOKEN).json()["role"] == "admin"
        assert me(api, issuer.token("auth0|5f/7", "ec-1")).json()["userId"] == "auth0~7C5f~2F7"
        # Whoever acted is in the audit log by that name.
        made = api.http.put("/admin/users/ann", token=issuer.token("auth0|5f/7", **roles("boss")),
                            json={"password": "correct horse battery"})
        assert made.status == 201, made
        assert api.admin("GET", "/admin/audit").json()["items"][0]["actor"] == "auth0~7C5f~2F7"


def test_where_to_log_in_is_told(issuer, make_oidc):
    with make_oidc(issuer) as server:
        api = Api(server)
        assert api.http.get("/auth/methods").json() == {"identity": "oidc", "issuer": issuer.url}
        answer = api.http.post("/auth/login", json={"userId": "ann", "password": "correct horse"})
        assert_problem(answer, 404, "not_found", names="issuer")


def forged(issuer):
    """What must never be taken, by what is wrong with it."""
    now = int(time.time())
    other = Issuer(Key("rsa-1", "RS256"), Key("ec-1", "ES256"), Key("ed-1", "EdDSA"))
    other.port = issuer.port
    boss = roles("boss")
    good = issuer.token("ann", "rsa-1", **boss)
    head, payload, signature = good.split(".")
    pem = issuer.keys["rsa-1"].private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    hs256 = f"{b64(json.dumps({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa-1'}).encode())}.{payload}"
    yield "HS256 with the public key", f"{hs256}.{b64(hmac.digest(pem, hs256.encode(), 'sha256'))}"
    none = b64(b'{"alg":"none","typ":"JWT","kid":"rsa-1"}')
    yield "alg none", f"{none}.{payload}."
    yield "alg none with a signature", f"{none}.{payload}.{signature}"
    for kid in issuer.keys:
        yield f"another issuer's {kid}", other.token("ann", kid, **boss)
        for algorithm in ("RS256", "ES256", "EdDSA"):
            if algorithm != issuer.keys[kid].algorithm:
                yield f"{kid} said to be {algorithm}", issuer.token("ann", kid, {"alg": algorithm}, **boss)
    for kid in ("ec-1", "ed-1", "rsa-2", "../rsa-1", "", None, 7, "k" * 300):
        yield f"kid {kid!r:.20}", issuer.token("ann", "rsa-1", {"kid": kid}, **boss)
    for typ in ("logout+jwt", "dpop+jwt", "", 7):
        yield f"typ {typ!r}", issuer.token("ann", "rsa-1", {"typ": typ}, **boss)
    yield "crit", issuer.token("ann", "rsa-1", {"crit": ["exp"]}, **boss)
    for name, value in (("iss", "https://evil.example"), ("iss", issuer.url + "/"), ("iss", None), ("aud", "other"),
                        ("aud", [AUDIENCE + "2"]), ("aud", None), ("exp", now - 30), ("exp", None), ("exp", str(now + 600)),
                        ("nbf", now + 600), ("iat", now + 600), ("iat", None), ("iat", now - 25 * 3600), ("sub", None),
                        ("sub", ""), ("sub", "s" * 256), ("sub", "admin-token"), ("typ", "ID"), ("cnf", {"jkt": "x"})):
        yield f"{name} {value!r:.30}", issuer.token("ann", "rsa-1", **{**boss, name: value})
    yield "twice", make_token(issuer.keys["rsa-1"], {"alg": "RS256", "kid": "rsa-1"},
                              json.dumps(issuer.claims("ann"))[:-1] + ', "sub": "boss"}')
    yield "other claims", f"{head}.{issuer.token('boss', 'rsa-1').split('.')[1]}.{signature}"
    yield "no signature", f"{head}.{payload}."
    yield "two parts", f"{head}.{payload}"
    yield "a dot more", good + "."
    yield "dots", ".."
    yield "padding", good + "=="
    yield "cut short", good[:-4]
    yield "huge", issuer.token("ann", "rsa-1", filling="x" * 9000)
    yield "ours of open login", "sp2.AgEDAaIkAWto.WsoXOB_HF_gVKNrLehjvoQ"


def test_forged_tokens_are_worth_nothing(issuer, make_oidc):
    with make_oidc(issuer, "--log-level", "debug") as server:
        api = Api(server)
        until_ready(api)
        assert me(api, issuer.token("ann", "rsa-1")).status == 200
        accepted = {}
        for why, token in forged(issuer):
            for target in ("/auth/me", "/admin/queues/participations"):
                answer = api.http.get(target, token=token)
                if answer.status != 401:
                    accepted[why, target] = answer
        assert accepted == {}
        assert me(api, issuer.token("ann", "rsa-1")).status == 200
        assert server.stop() == 0
        assert "the signature is wrong" in server.errors(), "at debug an operator learns why"
        assert "eyJ" not in server.errors(), "no token is ever logged"


def test_keys_are_rotated(issuer, make_oidc):
    with make_oidc(issuer) as server:
        api = Api(server)
        until_ready(api)
        old = issuer.token("ann", "rsa-1")
        assert me(api, old).status == 200
        issuer.keys["rsa-2"] = Key("rsa-2", "RS256")
        issuer.published = ["rsa-2", "ec-1"]
        new = issuer.token("ann", "rsa-2", iat=int(time.time()))
        answer = me(api, new)
        if answer.status != 200:  # it asked for the keys
            assert_problem(answer, 503, "identity_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
        until(lambda: me(api, new).status, is_true=lambda status: status == 200)
        assert me(api, old).status == 401, "its key has gone, and what was remembered with it"
        assert me(api, issuer.token("ben", "ec-1")).status == 200


def test_unknown_keys_of_strangers_cause_no_storm(issuer, make_oidc):
    with make_oidc(issuer) as server:
        api = Api(server)
        until_ready(api)
        before, started = issuer.key_fetches, time.monotonic()
        for i in range(300):
            answer = me(api, issuer.token("ann", "ed-1", {"kid": f"k{i}"}, iat=int(time.time())))
            assert_problem(answer, 503, "identity_unavailable")
        gaps = (time.monotonic() - started) / 10
        assert issuer.key_fetches - before <= gaps + 1
        assert me(api, issuer.token("ann", "ed-1")).status == 200


def test_an_issuer_that_is_down_at_the_start(issuer, make_oidc):
    issuer.stop()
    with make_oidc(issuer) as server:
        api = Api(server)
        ready = api.http.get("/readyz?verbose")
        assert ready.status == 503 and "identity" in ready.body.decode(), ready
        token = issuer.token("ann", "rsa-1")
        answer = me(api, token)
        assert_problem(answer, 503, "identity_unavailable", names="issuer")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert_problem(me(api, "nonsense"), 401, "unauthenticated")
        assert me(api, ADMIN_TOKEN).status == 200
        assert api.http.get("/livez").status == 200
        issuer.start()
        until_ready(api)
        assert me(api, token).status == 200
        assert server.stop() == 0


def test_an_issuer_that_goes_down_later(issuer, make_oidc):
    with make_oidc(issuer) as server:
        api = Api(server)
        until_ready(api)
        seen = issuer.token("ann", "rsa-1")
        assert me(api, seen).status == 200
        issuer.stop()
        assert me(api, seen).status == 200
        assert me(api, issuer.token("ben", "ec-1")).status == 200, "never seen before"
        # Somebody makes us ask, in vain.
        young = issuer.token("ann", "ed-1", {"kid": "who"}, iat=int(time.time()))
        assert_problem(me(api, young), 503, "identity_unavailable")
        until(server.errors, is_true=lambda text: "could not be fetched" in text)
        assert me(api, issuer.token("cem", "ed-1")).status == 200
        assert api.http.get("/readyz").status == 200
        metrics = api.http.get("/metrics").body.decode()
        assert 'spillway_oidc_key_fetches_total{result="failed"}' in metrics and "spillway_oidc_keys 3" in metrics
        assert server.stop() == 0


@pytest.mark.parametrize("discovery", [{"issuer": "https://evil.example"}, {"jwks_uri": "http://evil.example/keys"},
                                       {"jwks_uri": None}, {"jwks_uri": "file:///etc/passwd"}])
def test_a_discovery_document_of_somebody_else_is_not_believed(issuer, make_oidc, discovery):
    issuer.discovery = discovery
    with make_oidc(issuer) as server:
        api = Api(server)
        until(server.errors, is_true=lambda text: "the discovery document" in text)
        assert api.http.get("/readyz").status == 503
        assert me(api, issuer.token("ann")).status == 503
        assert issuer.key_fetches == 0


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_logout_and_sign_out_survive_a_restart(issuer, make_oidc, how):
    server = make_oidc(issuer).start()
    api = Api(server)
    until_ready(api)
    lost, kept = issuer.token("ann", "ec-1", jti="1"), issuer.token("ann", "ec-1", jti="2")
    signed_out = issuer.token("ben", "rsa-1")
    assert [me(api, token).status for token in (lost, kept, signed_out)] == [200] * 3
    assert api.http.post("/auth/logout", token=lost).status == 204
    assert api.admin("POST", "/admin/users/ben/sign-out").status == 204
    # The same token with the other of its two good signatures (n - s for s).
    head, payload, signature = lost.split(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = f"{head}.{payload}.{b64(raw[:32] + (order - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"
    expected = [401, 401, 200, 401]
    assert [me(api, token).status for token in (lost, twin, kept, signed_out)] == expected
    for _ in range(2):
        if how == "kill":
            server.kill()
        else:
            assert server.stop() == 0
        server.start()
        api.reconnect()
        until_ready(api)
        assert [me(api, token).status for token in (lost, twin, kept, signed_out)] == expected
    # After our own key was changed as well.
    assert server.stop() == 0
    keys = server.data / "keys"
    (keys / "access-token.key").rename(keys / "access-token.previous.key")
    server.start()
    api.reconnect()
    until_ready(api)
    assert [me(api, token).status for token in (lost, twin, kept, signed_out)] == expected


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate for 127.0.0.1 that is its own authority."""
    directory = tmp_path_factory.mktemp("authority")
    cert, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days",
                    "1", "-subj", "/CN=issuer", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                   capture_output=True)
    return cert, key


def test_an_issuer_with_tls(make_oidc, authority):
    cert, key = authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    issuer = Issuer(Key("ed-1", "EdDSA"), tls=context).start()
    try:
        with make_oidc(issuer, "--oidc-ca-file", str(cert), data="trusting") as server:
            api = Api(server)
            until_ready(api)
            assert me(api, issuer.token("ann")).status == 200
            assert server.stop() == 0
        with make_oidc(issuer, data="wary") as server:
            api = Api(server)
            until(server.errors, is_true=lambda text: "could not be fetched" in text)
            assert "certificate" in server.errors()
            assert api.http.get("/readyz").status == 503
            assert me(api, issuer.token("ann")).status == 503
    finally:
        issuer.stop()


def test_what_does_not_start(issuer, make_server, make_oidc):
    for args, code, word in (
            ((), 2, "oidc-issuer"), (("--oidc-issuer", issuer.url), 2, "oidc-audience"),
            (("--oidc-issuer", "http://login.example.org", "--oidc-audience", "a"), 2, "https"),
            (("--oidc-issuer", issuer.url, "--oidc-audience", "a", "--oidc-ca-file", "/no/such"), 1, "oidc-ca-file")):
        with pytest.raises(DidNotStart) as error:
            make_server(*args, identity="oidc").start()
        assert error.value.code == code and word in error.value.errors, error.value
