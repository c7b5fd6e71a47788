"""--identity oidc against a real issuer: who gets in, who does not, and what happens when the issuer is away."""

import time

import pytest

from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, Api, assert_problem
from issuer import AUDIENCE, Issuer, Key

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
