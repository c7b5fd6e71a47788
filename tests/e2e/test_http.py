"""HTTP as a whole server speaks it: long pipelines, many connections, bodies in every framing, several threads."""

import gzip
import re
import threading

import pytest

from client import Http, build_request
from harness import Api, assert_problem


def test_a_pipeline_longer_than_any_limit_is_answered_in_order(server, api, event):
    """The server stops reading when it has enough in the works, and goes on when we have read."""
    api.put_event(event, 1)
    count = 3_000
    tokens = [api.login(f"u{i}") for i in range(10)]
    line = server.http()
    line.connect()
    raw = b"".join(build_request("POST", f"/events/{event}/participations", token=tokens[i % 10])
                   for i in range(count))
    line.expect(count)
    sender = threading.Thread(target=line.send_raw, args=(raw,), kwargs={"answers": 0})
    sender.start()
    ids = []
    for _ in range(count):
        response = line.receive()
        assert response.status == 202
        ids.append(response.json()["requestId"])
    sender.join()
    line.close()
    assert ids == (ids[:10] * (count // 10)) and len(set(ids)) == 10


def test_who_does_not_read_does_not_harm_others(server, api):
    raw = build_request("GET", "/metrics") * 500
    lazy = server.http()
    sender = threading.Thread(target=lazy.send_raw, args=(raw,), kwargs={"answers": 0}, daemon=True)
    sender.start()
    for _ in range(50):
        assert api.http.get("/livez").status == 200
    lazy.close()


@pytest.mark.parametrize("target, pipelined", [("/requests/nothing", 64), ("/livez", 64), ("/metrics", 8)])
def test_peers_that_reset_while_their_answers_are_made(server, api, target, pipelined):
    """The answers come back to a connection that is just ending, in every order that there is."""
    token = api.login("u1")
    raw = build_request("GET", target, token=token) * pipelined
    for turn in range(200):
        line = server.http()
        line.send_raw(raw, answers=0)
        if turn % 3 == 0:
            api.http.get("/livez")  # some of them a moment later
        line.reset()
    assert api.http.get("/livez").status == 200


def test_peers_that_reset_while_they_are_told_of_a_change(server, api, event):
    """Held reads and streams of a request that is being decided at the very moment at which they end."""
    api.put_event(event, 1_000_000)
    for turn in range(40):
        token = api.login(f"u{turn}")
        request_id = api.participate(event, token)
        lines = []
        for target in (f"/requests/{request_id}?wait=30s", f"/requests/{request_id}/stream") * 4:
            line = server.http()
            line.send("GET", target, token=token)
            lines.append(line)
        if turn % 2:
            api.until_final(request_id, token)
        for line in lines:
            line.reset()
    assert api.http.get("/livez").status == 200


def test_many_connections_at_once(server, api):
    lines = [server.http() for _ in range(500)]
    for line in lines:
        line.send("GET", "/livez")
    assert {line.receive().status for line in lines} == {200}
    for line in lines:
        line.close()


def test_past_max_connections_it_is_503_and_closed(make_server):
    with make_server("--max-connections", "5") as server:
        lines = [server.http() for _ in range(5)]
        for line in lines:
            assert line.get("/livez").status == 200
        with server.http() as sixth:
            sixth.send("GET", "/livez")
            response = sixth.receive()
            assert_problem_without_path(response, 503, "overloaded")
            assert int(response.headers["retry-after"]) >= 1
            assert sixth.closed_by_server()
        assert lines[0].get("/livez").status == 200
        for line in lines:
            line.close()


def assert_problem_without_path(response, status, code):
    """Refused before anything was read, so there is no path to name."""
    assert response.status == status, response
    assert response.headers["content-type"].startswith("application/problem+json")
    assert response.json()["code"] == code


@pytest.mark.parametrize("threads", ["1", "2", "4"])
def test_any_number_of_http_threads(make_server, event, threads):
    with make_server("--http-threads", threads) as server:
        api = Api(server)
        api.put_event(event, 20)
        people = [(f"u{i}", api.login(f"u{i}")) for i in range(60)]
        lines = [server.http() for _ in range(12)]
        for n, (_, token) in enumerate(people):
            for copy in range(2):  # each of them twice, on two connections
                lines[(n + copy * 5) % 12].send("POST", f"/events/{event}/participations", token=token)
        for line in lines:
            for _ in range(10):
                assert line.receive().status == 202
            line.close()
        items = api.list(event)
        assert len(items) == 60
        finals = [api.until_final(i["requestId"], dict(people)[i["userId"]])["status"] for i in items]
        assert finals == ["SUCCEEDED"] * 20 + ["REJECTED"] * 40
        assert server.stop() == 0


# ---- Framing ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("pieces", [[b'{"userId":"chunked"}'], [b'{"user', b'Id":"chu', b'nked"}'],
                                    [bytes([b]) for b in b'{"userId":"chunked"}']])
def test_a_chunked_body(api, pieces):
    body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    api.http.send_raw(b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" + body)
    assert api.http.receive().status == 200
    assert api.http.get("/livez").status == 200, "and the connection is in step"


def test_a_request_byte_by_byte(server):
    with server.http() as line:
        raw = build_request("POST", "/auth/login", body=b'{"userId":"slow"}')
        for at in range(len(raw)):
            line.send_raw(raw[at:at + 1], answers=1 if at == 0 else 0)
        assert line.receive().status == 200


def test_expect_100_continue(server):
    """RFC 9110, 10.1.1: told to go on, or given the final answer at once; never left waiting."""
    with server.http() as line:
        line.send_raw(b"POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                      b"Content-Length: 14\r\nExpect: 100-continue\r\n\r\n")
        first = line.read_some()
        if first.startswith(b"HTTP/1.1 100"):
            line.send_raw(b'{"userId":"u"}', answers=0)
            assert line.receive().status == 200
        else:
            assert first.startswith((b"HTTP/1.1 417", b"HTTP/1.1 4")), first


def test_connection_close_is_honoured(server):
    with server.http() as line:
        line.send_raw(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        head, _, body = line.read_to_end().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ") and b"connection: close" in head.lower() and body


def test_http_1_0(server):
    with server.http() as line:
        line.send_raw(b"GET /livez HTTP/1.0\r\n\r\n")
        first = line.read_to_end().split(b"\r\n")[0]
        assert b" 200 " in first or b" 505 " in first, first


@pytest.mark.parametrize("target", ["/livez?", "/livez?verbose", "/livez?a=b&a=c&&=&%41", "/%6civez",
                                    "/livez?%F0%9F%98%80"])
def test_targets_that_are_good(api, target):
    assert api.http.get(target).status == 200


def test_the_absolute_form_is_taken(api):
    """RFC 9112, 3.2.2: a server must accept it."""
    api.http.send_raw(b"GET http://spillway.test/livez HTTP/1.1\r\nHost: spillway.test\r\n\r\n")
    assert api.http.receive().status == 200


def test_every_answer_has_what_it_must_have(api):
    login = api.http.post("/auth/login", json={"userId": "u"})
    for response in (api.http.get("/livez"), api.http.get("/nothing"), login):
        assert "date" in response.headers and "content-length" in response.headers
    assert login.headers["cache-control"] == "no-store", "a token is nothing to keep"


@pytest.mark.parametrize("path", ["/", "/console", "/console/"])
def test_pages_are_served_with_their_policies(api, path):
    page = api.http.get(path)
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-cache"
    again = api.http.get(path, headers={"If-None-Match": page.headers["etag"]})
    assert again.status == 304 and again.body == b""


def test_what_the_console_is_made_of_is_kept_and_compressed(api):
    page = api.http.get("/console").body.decode()
    assets = re.findall(r'"(/console/assets/[^"]+)"', page)
    assert {path.rsplit(".", 1)[1] for path in assets} == {"js", "css", "svg"}, page
    for path in assets:
        plain = api.http.get(path)
        assert plain.status == 200 and "content-encoding" not in plain.headers
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["x-content-type-options"] == "nosniff"
        assert api.http.get(path, headers={"If-None-Match": plain.headers["etag"]}).status == 304
        if path.endswith(".svg"):
            continue  # smaller than what compressing it would save
        packed = api.http.get(path, headers={"Accept-Encoding": "br, gzip"})
        assert packed.headers["content-encoding"] == "gzip" and packed.headers["vary"] == "Accept-Encoding"
        assert gzip.decompress(packed.body) == plain.body
    assert_problem(api.http.get("/console/assets/index-00000000.js"), 404, "not_found")


def test_two_hosts_at_once(make_server):
    """[::1] as well, where the machine has it."""
    server = make_server(listen="[::1]:0")
    with server:
        assert server.host == "::1"
        assert Http("::1", server.port).get("/livez").status == 200


def test_bearer_tokens_are_not_taken_from_the_query(api, event):
    api.put_event(event, 1)
    token = api.login("u1")
    assert_problem(api.http.post(f"/events/{event}/participations?access_token={token}"), 401, "unauthenticated")
