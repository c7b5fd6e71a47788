"""Bad input of every kind, on every route that reads a body, and below HTTP: refused by name; the server stays up."""

import pytest

from client import ConnectionLost
from harness import ADMIN_TOKEN, assert_problem

# name: (body, what the message must name; None: nothing in particular)
BAD_JSON = {
    "empty": (b"", None),
    "white space": (b"  \r\n\t ", None),
    "not JSON": (b"userId=u1", None),
    "cut": (b'{"userId":"u1"', None),
    "cut in a string": (b'{"userId":"u', None),
    "cut in an escape": (b'{"userId":"\\u12', None),
    "more after it": (b'{"userId":"u1"} x', None),
    "two values": (b'{"userId":"u1"}{"userId":"u2"}', None),
    "trailing comma": (b'{"userId":"u1",}', None),
    "single quotes": (b"{'userId':'u1'}", None),
    "bare name": (b'{userId:"u1"}', None),
    "comment": (b'{"userId":"u1"/* x */}', None),
    "NaN": (b'{"userId":NaN}', None),
    "leading zero": (b'{"userId":"u1","n":01}', None),
    "plus": (b'{"userId":"u1","n":+1}', None),
    "hex": (b'{"userId":"u1","n":0x1}', None),
    "dot": (b'{"userId":"u1","n":1.}', None),
    "True": (b'{"userId":"u1","n":True}', None),
    "byte order mark": (b'\xef\xbb\xbf{"userId":"u1"}', None),
    "UTF-16": ('{"userId":"u1"}'.encode("utf-16"), None),
    "invalid UTF-8": (b'{"userId":"\xff\xfe"}', None),
    "overlong UTF-8": (b'{"userId":"\xc0\xaf"}', None),
    "surrogate in UTF-8": (b'{"userId":"\xed\xa0\x80"}', None),
    "above U+10FFFF": (b'{"userId":"\xf4\x90\x80\x80"}', None),
    "cut UTF-8": (b'{"userId":"\xe2\x82"}', None),
    "lone surrogate": (b'{"userId":"\\ud800"}', None),
    "bad escape": (b'{"userId":"\\x41"}', None),
    "control character": (b'{"userId":"a\nb"}', None),
    "NUL between": (b'{"userId":\x00"u1"}', None),
    "NUL inside": (b'{"userId":"u\x001"}', None),
    "NUL after": (b'{"userId":"u1"}\x00', None),
    "duplicate member": (b'{"userId":"u1","userId":"u2"}', "userId"),
    "duplicate by escape": (b'{"userId":"u1","user\\u0049d":"u2"}', "userId"),
    "duplicate deep inside": (b'{"userId":"u1","x":[{"twice":1,"twice":2}]}', "twice"),
    "17 deep": (b'{"userId":"u1","x":' + b"[" * 16 + b"]" * 16 + b"}", None),
    "10,000 deep": (b'{"userId":"u1","x":' + b"[" * 10_000 + b"]" * 10_000 + b"}", None),
    "deep and never closed": (b'{"a":' * 500, None),
}
# Good JSON that is no object.
NOT_OBJECTS = {"array": b"[]", "string": b'"u1"', "number": b"1", "null": b"null", "true": b"true"}


def too_large(body: bytes, limit: int) -> bool:
    return len(body) > limit


@pytest.mark.parametrize("what", BAD_JSON)
def test_login(api, what):
    body, names = BAD_JSON[what]
    response = api.http.post("/auth/login", body=body)
    if too_large(body, 4096) and response.status == 413:
        assert_problem(response, 413, "payload_too_large")
    else:
        assert_problem(response, 400, "invalid_argument", names=names)


@pytest.mark.parametrize("what", BAD_JSON)
def test_put_event(api, event, what):
    body, names = BAD_JSON[what]
    body = body.replace(b'"userId":"u1"', b'"title":"t","capacityTotal":1,"policy":"FIRST_COME"', 1)
    if what.startswith("duplicate"):
        body = body.replace(b'"userId":"u2"', b'"title":"s"').replace(b'"user\\u0049d":"u2"', b'"\\u0074itle":"s"')
        names = names.replace("userId", "title")
    response = api.admin("PUT", f"/admin/events/{event}", body=body)
    assert_problem(response, 400, "invalid_argument", names=names)
    assert api.admin("GET", f"/admin/events/{event}").status == 404


@pytest.mark.parametrize("what", NOT_OBJECTS)
def test_bodies_that_must_be_objects(api, event, what):
    assert_problem(api.http.post("/auth/login", body=NOT_OBJECTS[what]), 400, "invalid_argument")
    assert_problem(api.admin("PUT", f"/admin/events/{event}", body=NOT_OBJECTS[what]), 400, "invalid_argument")


@pytest.mark.parametrize("what", [name for name in BAD_JSON if name != "empty"])
def test_participation(server, api, event, what):
    body, names = BAD_JSON[what]
    api.put_event(event, 1)
    response = api.http.post(f"/events/{event}/participations", token=api.login("u1"), body=body)
    if too_large(body, 4096):
        assert_problem(response, 413, "payload_too_large")
    else:
        assert_problem(response, 400, "invalid_argument", names=names)
    assert api.list(event) == [], "nothing was made of it"


def test_16_deep_is_good(api, event):
    api.put_event(event, 1)
    body = b'{"x":' + b"[" * 15 + b"]" * 15 + b"}"
    assert api.http.post(f"/events/{event}/participations", token=api.login("u1"), body=body).status == 202


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
def test_a_known_path_with_another_method_is_405_and_says_which_are_allowed(api, method):
    response = api.http.request(method, "/admin/events/x", token=ADMIN_TOKEN)
    assert_problem(response, 405, "method_not_allowed")
    assert {m.strip() for m in response.headers["allow"].split(",")} >= {"GET", "PUT"}


@pytest.mark.parametrize("path", ["/nothing", "/events", "/events//participations", "/requests/", "/admin",
                                  "/events/a/b/participations", "//livez", "/livez/"])
def test_an_unknown_path_is_404_as_a_problem(api, path):
    problem = assert_problem(api.http.get(path, token=ADMIN_TOKEN), 404, "not_found")
    assert problem["instance"].startswith("/")


@pytest.mark.parametrize("path", ["/..", "/../etc/passwd", "/%2e%2e/etc/passwd", "/events/../livez", "/livez/.",
                                  "/livez%00", "/a%2", "/%c0%af"])
def test_a_path_that_leads_elsewhere_is_never_followed(server, path):
    """Not normalised and not guessed at: whatever stands in front of us may have read it in another way."""
    with server.http() as line:
        response = line.get(path, token=ADMIN_TOKEN)
    assert response.status in (400, 404), response
    assert response.headers["content-type"].startswith("application/problem+json")


def test_a_problem_never_shows_our_insides(api):
    for response in (api.http.get("/nothing"), api.http.post("/auth/login", body=b"{"), api.http.get("/requests/x")):
        text = response.body.decode()
        for insides in (".cc", ".h:", "/work", "src/", "std::", "boost", "0x"):
            assert insides not in text, text


# ---- Below HTTP: status (None: just closed is fine too), then the connection is closed ----------------------

HOST = b"Host: a\r\n"
LOGIN = b"POST /auth/login HTTP/1.1\r\n" + HOST
BAD_HTTP = {
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n", 400),
    "old HTTP": (b"GET /livez\r\n\r\n", 400),
    "no host": (b"GET /livez HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET /livez HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "TE and CL": (LOGIN + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                  b"0\r\n\r\n", 400),
    "two lengths": (LOGIN + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400),
    "a bad length": (LOGIN + b"Content-Length: -1\r\n\r\n", 400),
    "a length with a plus": (LOGIN + b"Content-Length: +5\r\n\r\nhello", 400),
    "a huge length": (LOGIN + b"Content-Length: 99999999999999999999\r\n\r\n", (400, 413)),
    "chunked not last": (LOGIN + b"Transfer-Encoding: chunked, gzip\r\n\r\n", (400, 501)),
    "a bad chunk": (LOGIN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    "space before colon": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X-A : 1\r\n\r\n", 400),
    "folded line": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X-A: 1\r\n 2\r\n\r\n", 400),
    "NUL in a field": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X-A: 1\x002\r\n\r\n", 400),
    "NUL in the target": (b"GET /li\x00vez HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "bare CR": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X-A: 1\r2\r\n\r\n", 400),
    "bare LF": (b"GET /livez HTTP/1.1\nHost: a\n\n", 400),
    "a long header": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X-A: " + b"a" * 17_000 + b"\r\n\r\n", 431),
    "many headers": (b"GET /livez HTTP/1.1\r\n" + HOST + b"X-A: b\r\n" * 5_000 + b"\r\n", 431),
    "a long target": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (414, 431)),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505)),
}


@pytest.mark.parametrize("what", BAD_HTTP)
def test_bad_http_is_answered_and_closed(server, api, what):
    raw, expected = BAD_HTTP[what]
    with server.http() as line:
        line.send_raw(raw)
        response = line.receive()
        allowed = expected if isinstance(expected, tuple) else (expected,)
        assert response.status in allowed, response
        assert response.headers["content-type"].startswith("application/problem+json")
        assert response.headers.get("connection", "").lower() == "close"
        assert line.closed_by_server()
    assert api.http.get("/livez").status == 200


def test_a_smuggled_request_is_never_run(server, api, event):
    """What follows a refused request on the same connection must not be taken for a request."""
    api.put_event(event, 1)
    token = api.login("victim")
    inner = f"POST /events/{event}/participations HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n" \
            "Content-Length: 0\r\n\r\n".encode()
    for head in (b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
                 b"Transfer-Encoding: xchunked\r\n\r\n",
                 b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"):
        with server.http() as line:
            line.send_raw(b"POST /auth/login HTTP/1.1\r\n" + HOST + head + inner)
            assert line.receive().status in (400, 501)
            assert line.closed_by_server()
    assert api.list(event) == []


def test_a_client_that_leaves_in_the_middle_harms_nobody(server, api):
    for raw in (b"", b"P", b"POST /auth/login HTTP/1.1\r\n", b"POST /auth/login HTTP/1.1\r\n" + HOST +
                b"Content-Length: 100\r\n\r\n{"):
        for _ in range(10):
            with server.http() as line:
                line.connect()
                line.send_raw(raw)
    assert api.http.get("/livez").status == 200


def test_whoever_sends_without_end_is_cut_off(server, api):
    """A header block that never ends is refused at its limit, not gathered."""
    with server.http() as line:
        line.send_raw(b"GET /livez HTTP/1.1\r\n" + HOST)
        status = None
        try:
            for _ in range(1000):
                line.send_raw(b"X-A: " + b"a" * 1000 + b"\r\n", answers=0)
            status = line.receive().status
        except (ConnectionLost, ConnectionError):
            pass  # closed with what we sent still unread: the reset may overtake the answer
        assert status in (431, None)
    assert api.http.get("/livez").status == 200
