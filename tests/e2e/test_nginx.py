"""The gate in front of a site: real nginx with the files of deploy/nginx as they are shipped, but for their addresses."""

import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time

import pytest

from client import HANG_GUARD_S, Http
from harness import ADMIN_TOKEN, ROOT, Server
from test_waitroom import QUEUE, Line

SHIPPED = ROOT / "deploy/nginx"
CONCERT = "concert-1"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Dest": "document"}
PROGRAM = {"Accept": "application/json"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site(http.server.ThreadingHTTPServer):
    """What is to be protected: says what it was asked, and counts connections."""

    daemon_threads = True

    def __init__(self):
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Visit)

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)


class Visit(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        status = int(self.headers.get("X-Want-Status", "200"))
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Nginx:
    """/etc/nginx in a folder of its own. `lines`: what an operator changes, (as shipped, as it is here)."""

    def __init__(self, folder, lines):
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            missing = "no nginx: the Debian package nginx-light (tools/packages.sh)"
            pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
        self.port, self.errors = free_port(), folder / "error.log"
        lines = [("listen 80;", f"listen 127.0.0.1:{self.port};"), *lines]
        text = (SHIPPED / "spillway-waitroom.conf").read_text()
        for shipped, here in lines:
            assert text.count(shipped) == 1, shipped
            text = text.replace(shipped, here)
        (folder / "conf.d").mkdir(parents=True)
        (folder / "conf.d/spillway-waitroom.conf").write_text(text)
        shutil.copytree(SHIPPED / "spillway", folder / "spillway")
        scratch = " ".join(f"{kind}_temp_path {folder}/{kind};"
                           for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"""daemon off; master_process off; pid {folder}/pid;
events {{ worker_connections 512; }}
http {{ access_log {folder}/access.log; {scratch} include conf.d/*.conf; }}
""")
        self.command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(self.errors)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        guard = time.monotonic() + HANG_GUARD_S
        while True:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            assert self.process.poll() is None and time.monotonic() < guard, self.errors.read_text()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(HANG_GUARD_S)


class Edge:
    """A visitor at the door: nginx, Spillway and the site behind them."""

    def __init__(self, nginx, server, site):
        self.nginx, self.server, self.site = nginx, server, site
        self.http = Http("127.0.0.1", nginx.port)
        self.line = Line(server, CONCERT)

    def visit(self, target="/", cookie=None, headers=BROWSER, **more):
        more_headers = {"Cookie": cookie} if cookie else {}
        return self.http.get(target, headers={**headers, **more_headers}, **more)

    def with_token(self, token, **more):
        return self.visit(cookie=f"theme=dark; queue_token={token}; session=abc", **more)

    def active(self, user):
        token = self.line.enter(user)["token"]
        self.line.activate(token)
        return token


@pytest.fixture
def make_edge(binary, tmp_path):
    with contextlib.ExitStack() as stack:
        def make(*lines):
            site = Site()
            stack.callback(site.server_close)
            threading.Thread(target=site.serve_forever, daemon=True).start()
            stack.callback(site.shutdown)
            server = Server(tmp_path / "data", "--access-log", "--log-format", "json", "--trusted-proxy", "127.0.0.1/32",
                            "--proxy-header", "x-forwarded-for", listen=f"127.0.0.1:{free_port()}", binary=binary)
            stack.enter_context(server)
            nginx = stack.enter_context(Nginx(tmp_path / "nginx", [
                ("server 127.0.0.1:8080;", f"server 127.0.0.1:{server.port};"),
                ("server 127.0.0.1:3000;", f"server 127.0.0.1:{site.server_address[1]};"), *lines]))
            edge = Edge(nginx, server, site)
            edge.line.put(maxActive=2)
            return edge
        yield make


@pytest.fixture
def edge(make_edge):
    return make_edge()


def assert_sent_to_wait(response, returns="%2F"):
    assert response.status == 303, response
    assert response.headers["location"] == f"/wait/{CONCERT}?return={returns}"
    assert response.headers["cache-control"] == "no-store"


def test_nginx_takes_the_files_as_they_are_shipped(tmp_path):
    nginx = Nginx(tmp_path / "nginx", [])
    done = subprocess.run([*nginx.command, "-t"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "warn" not in done.stderr, done.stderr


def test_the_recipe_of_the_readme(make_edge, tmp_path):
    """Line for line as it stands there, but for where nginx and Spillway are here, and without root."""
    recipe = re.search(r"<!-- commands: waitroom -->\n(```sh\n(.*?)```\n)", (ROOT / "README.md").read_text(), re.S)
    assert recipe[1] in (ROOT / "README.ko.md").read_text()
    serve, copy, address, reload, configure = recipe[2].splitlines()
    edge = make_edge()
    folder = edge.nginx.errors.parent
    for flag in re.findall(r"--\S+", serve):
        assert flag in {"--identity", "--data", "--trusted-proxy"} and flag in edge.server.command
    (folder / "conf.d/spillway-waitroom.conf").unlink()
    shutil.rmtree(folder / "spillway")
    here = {"sudo ": "", "/etc/nginx": str(folder), "ADDRESS-OF-YOUR-SITE:PORT": "127.0.0.1:3999",
            "http://127.0.0.1:8080": edge.server.url}
    for line in (copy, address, configure):
        for there, now in here.items():
            line = line.replace(there, now)
        subprocess.run(["bash", "-euc", line], check=True, cwd=ROOT, timeout=60, capture_output=True,
                       env={**os.environ, "SPILLWAY_ADMIN_TOKEN": ADMIN_TOKEN})
    assert "server 127.0.0.1:3999;" in (folder / "conf.d/spillway-waitroom.conf").read_text()
    assert "nginx -t" in reload and subprocess.run([*edge.nginx.command, "-t"], capture_output=True).returncode == 0
    assert edge.line.get()["settings"]["maxActive"] == 500


def test_only_who_is_active_reaches_the_site(edge):
    assert_sent_to_wait(edge.visit())
    inside = edge.active("a")
    seen = edge.with_token(inside)
    assert seen.status == 200 and seen.json()["path"] == "/", seen

    ready, waiting = edge.line.enter("b")["token"], edge.line.enter("c")["token"]
    assert_sent_to_wait(edge.with_token(ready))
    assert_sent_to_wait(edge.with_token(waiting))
    edge.line.leave(inside)
    assert_sent_to_wait(edge.with_token(inside))
    edge.line.activate(ready)
    assert edge.with_token(ready).status == 200

    prefix, payload, mac = ready.split(".")
    for forged in (f"{prefix}.{payload}.{mac[:-2]}AA", f"{prefix}.{payload}.", "x", ""):
        assert_sent_to_wait(edge.with_token(forged))
    other = Line(edge.server, "concert-2")
    foreign = other.enter("a")["token"]
    other.activate(foreign)
    assert_sent_to_wait(edge.with_token(foreign))


def test_a_visitor_waits_on_the_page_and_comes_back(edge):
    """The whole way as a browser goes it, without script, by redirects and cookies alone."""
    kept = {}  # (name, path): value

    def go(method, target, path):
        sent = "; ".join(f"{name}={value}" for (name, root), value in sorted(kept.items(), key=lambda c: -len(c[0][1]))
                         if path.startswith(root))
        body = {"body": b"", "content_type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        response = edge.http.request(method, target, headers={**BROWSER, "Sec-Fetch-Site": "same-origin", "Cookie": sent},
                                     **body)
        for line in response.head.decode().split("\r\n"):
            if line.lower().startswith("set-cookie: "):
                pair, *attributes = line[12:].split("; ")
                root = next(a[5:] for a in attributes if a.startswith("Path="))
                kept[(pair.partition("=")[0], root)] = pair.partition("=")[2]
                assert "HttpOnly" in attributes
        return response

    edge.line.put(maxActive=1)
    before = edge.active("before")
    page = f"/wait/{CONCERT}"
    sent = go("GET", "/seats?row=7", "/seats")
    assert_sent_to_wait(sent, "%2Fseats%3Frow%3D7")
    waits = sent.headers["location"]
    shown = go("GET", waits, page)
    assert shown.status == 200 and shown.headers["cache-control"] == "no-store", shown
    form = re.search(r'<form method="post" action="([^"]*/enter[^"]*)"', shown.body.decode())[1].replace("&amp;", "&")
    assert go("POST", form, page).status == 303
    assert ("queue_token", page) in kept and ("queue_token", "/") not in kept
    assert_sent_to_wait(go("GET", "/seats?row=7", "/seats"), "%2Fseats%3Frow%3D7")
    edge.line.leave(before)
    back = go("POST", form.replace("/enter", "/activate"), page)
    assert back.status == 303 and back.headers["location"] == "/seats?row=7", back
    seen = go("GET", back.headers["location"], "/seats")
    assert seen.status == 200 and seen.json()["path"] == "/seats?row=7"
    assert "queue_token" not in seen.json()["headers"].get("cookie", "")
    for asset in set(re.findall(r'"(/wait/-/[^"]+)"', shown.body.decode())):
        assert edge.visit(asset, headers={"Sec-Fetch-Dest": "style"}).status == 200, asset


def test_who_has_expired_waits_again(edge):
    edge.line.put(maxActive=2, activeSeconds=1)
    token = edge.active("a")
    edge.line.until_gone(token)
    assert_sent_to_wait(edge.with_token(token))


def test_visitors_come_back_to_where_they_wanted(edge):
    assert_sent_to_wait(edge.visit("/seats?row=7&x=a%26b+c"), "%2Fseats%3Frow%3D7%26x%3Da%2526b%2Bc")
    assert_sent_to_wait(edge.visit("/%EA%B3%B5%EC%97%B0"), "%2F%25EA%25B3%25B5%25EC%2597%25B0")
    away = edge.visit("//elsewhere.example/")
    assert away.status == 303 and away.headers["location"] == f"/wait/{CONCERT}"
    seen = edge.with_token(edge.active("a"), target="/seats?row=7&x=a%26b+c")
    assert seen.json()["path"] == "/seats?row=7&x=a%26b+c"


def test_no_path_leads_around_the_gate(edge):
    for target in ("/wait/../secret", "/wait/%2e%2e/secret", "/api/v1/queue/../../../secret", "/_spillway/authorize",
                   "/wait/-/../../secret", "//secret", "/admin/queues/waitroom/concert-1", "/metrics", "/console"):
        response = edge.visit(target)
        assert response.status in (303, 400, 404) and b"headers" not in response.body, (target, response)
    active = edge.active("a")
    # In the query of the site's own address a token counts for nothing: it would be in logs and referrers.
    assert_sent_to_wait(edge.visit(f"/?token={active}"), f"%2F%3Ftoken%3D{active}")


def test_programs_are_told_instead_of_sent(edge):
    waiting = [edge.line.enter(u)["token"] for u in "abc"][2]
    for headers in (PROGRAM, {"Accept": "*/*", "Sec-Fetch-Dest": "empty"}, {"Accept": "image/*", "Sec-Fetch-Dest": "image"}):
        refused = edge.visit(headers=headers)
        assert refused.status == 403 and refused.json()["code"] == "not_admitted", refused
        assert refused.headers["x-queue-reason"] == "NO_VALID_TOKEN" and refused.headers["cache-control"] == "no-store"
        assert refused.headers["content-type"] == "application/problem+json" and int(refused.headers["retry-after"]) > 0
        soon = edge.with_token(waiting, headers=headers)
        assert soon.status == 429 and soon.json()["concertId"] == CONCERT and int(soon.headers["retry-after"]) > 0
        assert soon.headers["x-queue-reason"] == "WAITING"
    assert_sent_to_wait(edge.visit(headers={}))
    active = edge.active("a")
    assert edge.visit(headers={**PROGRAM, "X-Queue-Token": active}).status == 200
    # What the site itself refuses is the site's own answer.
    own = edge.with_token(active, headers={**BROWSER, "X-Want-Status": "403"})
    assert own.status == 403 and own.json()["path"] == "/"


def test_the_site_never_sees_the_token(edge):
    token = edge.active("a")
    for cookies, left in ((f"queue_token={token}", None), (f"queue_token={token}; a=1", "a=1"),
                          (f"a=1; queue_token={token}", "a=1"), (f"a=1; queue_token={token}; b=2", "a=1; b=2"),
                          (f"a=1;queue_token={token};b=2", "a=1;b=2")):
        seen = edge.visit(cookie=cookies)
        assert seen.status == 200 and seen.json()["headers"].get("cookie") == left, seen
    seen = edge.visit(headers={"X-Queue-Token": token, "X-Forwarded-For": "203.0.113.9"})
    assert seen.status == 200 and token not in json.dumps(seen.json())
    assert seen.json()["headers"]["x-forwarded-for"] == "127.0.0.1"
    with Http("127.0.0.1", edge.nginx.port) as own:
        response, _ = own.stream(f"{QUEUE}/stream?token={token}")
        assert response.status == 200
    edge.line.leave(token)  # ends the stream: what is to be logged of it has been, when the next is
    assert_sent_to_wait(edge.visit("/afterwards"), "%2Fafterwards")
    log = logged(edge.nginx, "GET /afterwards")
    assert token not in log


def logged(nginx, line):
    """The access log, once this line is in it: nginx writes it after the visitor has the answer."""
    guard = time.monotonic() + HANG_GUARD_S
    while line not in (log := (nginx.errors.parent / "access.log").read_text()):
        assert time.monotonic() < guard, log
        time.sleep(0.01)
    return log


def test_spillway_is_told_who_asks(edge):
    with contextlib.closing(Http("127.0.0.1", edge.nginx.port)) as http:
        http.connect()
        http._socket.close()
        http._socket = socket.create_connection((http.host, http.port), source_address=("127.0.0.7", 0))
        http.get(f"{QUEUE}/keys", headers={"X-Forwarded-For": "203.0.113.9"})
    lines = [json.loads(line) for line in edge.server.errors().splitlines() if "/queue/keys" in line]
    assert "127.0.0.7" in json.dumps(lines) and "203.0.113.9" not in json.dumps(lines), lines


def test_connections_are_kept(edge):
    token = edge.active("a")
    before = edge.site.connections
    for _ in range(20):
        assert edge.with_token(token).status == 200
    assert edge.site.connections - before <= 1


def test_without_spillway_the_door_is_shut_and_opens_again(edge):
    token = edge.active("a")
    assert edge.with_token(token).status == 200
    edge.server.kill()
    shut = edge.with_token(token)
    assert shut.status == 503 and shut.headers["content-type"] == "text/html; charset=utf-8", shut
    page = shut.body.decode()
    assert '<meta http-equiv="refresh"' in page and "One moment, please" in page and "잠시만 기다려 주세요" in page
    assert shut.headers["cache-control"] == "no-store" and int(shut.headers["retry-after"]) > 0
    assert edge.visit(f"/wait/{CONCERT}").body.decode() == page
    for target in ("/", f"{QUEUE}/status", f"{QUEUE}/stream?token=x"):
        told = edge.visit(target, headers=PROGRAM)
        assert told.status == 503 and told.json()["code"] == "waitroom_unavailable" and told.headers["retry-after"]
    edge.server.start()
    assert edge.with_token(token).json()["path"] == "/"
    assert_sent_to_wait(edge.visit())


def test_who_so_chooses_lets_everybody_in_without_spillway(make_edge):
    edge = make_edge(("{ default closed; }", "{ default open; }"))
    assert_sent_to_wait(edge.visit())
    edge.server.kill()
    assert edge.visit().json()["path"] == "/"
    edge.server.start()
    assert_sent_to_wait(edge.visit())


def test_the_stream_comes_through_event_by_event(edge):
    first, second, third, fourth = (edge.line.enter(user)["token"] for user in "abcd")
    with Http("127.0.0.1", edge.nginx.port) as own:
        response, events = own.stream(f"{QUEUE}/stream", headers={"X-Queue-Token": fourth})
        assert response.status == 200 and response.headers["cache-control"] == "no-store"
        assert json.loads(next(events)["data"])["position"] == 2
        edge.line.leave(first)  # only now: the event before has come while the stream was still open
        assert json.loads(next(events)["data"])["position"] == 1
        edge.line.leave(second)
        assert next(events)["event"] == "READY"
        edge.line.leave(fourth)
        assert next(events)["event"] == "LEFT" and list(events) == []
    assert edge.line.status(third)["status"] == "READY"
