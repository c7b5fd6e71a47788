"""The page of an event, as a browser without script has it: forms, cookies, redirects and nothing else."""

from __future__ import annotations

import html
import http.cookies
import re
import time
import urllib.parse

import pytest

from browser import FORM, FROM_ELSEWHERE, FormBrowser, assert_protected
from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, Api, event_body

PASSWORD = "correct horse battery"


class Browser(FormBrowser):
    COOKIE = ("spillway_session", "/events")

    @property
    def cookie(self):
        return self.cookies[self.COOKIE]

    @property
    def session(self):
        return self.cookies[self.COOKIE].value if self.COOKIE in self.cookies else ""

    @session.setter
    def session(self, token):
        self.cookies.pop(self.COOKIE, None)
        if token:
            made = http.cookies.SimpleCookie()
            made[self.COOKIE[0]] = token
            self.cookies[self.COOKIE] = made[self.COOKIE[0]]

    @property
    def status(self):
        found = re.search(r'data-status="(\w+)"', self.page)
        return found and found[1]

    def until(self, *statuses):
        """As a browser does that refreshes by itself."""
        path, guard = self.path, time.monotonic() + HANG_GUARD_S
        while time.monotonic() < guard:
            self.get(path)
            if self.status in statuses:
                return self.page
            assert self.refreshes
            time.sleep(0.02)
        raise AssertionError(f"still {self.status}")

    def enter(self, event, name, **more):
        self.path = f"/events/{event}"
        return self.post(self.path, userId=name, **more)


@pytest.fixture
def browser(server):
    return Browser(server)


@pytest.fixture(scope="module")
def users(binary, tmp_path_factory):
    """A server with accounts: ann and bob."""
    from harness import Server
    with Server(tmp_path_factory.mktemp("page-users") / "data", binary=binary, identity="users") as server:
        api = Api(server)
        for name in ("ann", "bob"):
            assert api.admin("PUT", f"/admin/users/{name}", json={"password": PASSWORD}).status == 201
        yield server
        assert server.stop() == 0, server.errors()


# ---- The way through it -----------------------------------------------------------------------------------

def test_from_the_form_to_the_answer(api, browser, event):
    api.put_event(event, 1, title="Winter concert")
    page = browser.get(f"/events/{event}")
    assert "Winter concert" in page and browser.headline == "Open now" and not browser.refreshes
    assert '<form id="form" method="post"' in page and 'name="userId"' in page and "password" not in page
    browser.enter(event, "winner")
    assert browser.until("SUCCEEDED") and browser.headline == "You have a place"
    assert not browser.refreshes and 'id="form"' not in browser.page
    (item,) = api.list(event)
    assert item["requestId"] in browser.page and item["userId"] == "winner"
    late = Browser(api.server)
    assert "All places are taken" in late.get(f"/events/{event}")
    late.enter(event, "late")
    assert late.until("REJECTED") and late.headline == "No place this time"


def test_pressing_again_in_other_tabs_and_after_a_reload_is_one_request(api, browser, event):
    api.put_event(event, 5)
    browser.enter(event, "ann")
    for _ in range(3):
        browser.post(f"/events/{event}")
        browser.post(f"/events/{event}", userId="ann")
    other = Browser(api.server)
    other.enter(event, "ann")  # open login: the same name is the same person
    assert len(api.list(event)) == 1
    assert api.list(event)[0]["requestId"] in other.page


def test_the_page_follows_the_line(make_server, event):
    with make_server("--workers", "0") as server:
        api = Api(server)
        api.put_event(event, 3)
        api.participate(event, api.login("first"))
        browser = Browser(server)
        browser.enter(event, "ann")
        assert browser.status == "QUEUED" and browser.headline == "You are in line" and browser.refreshes
        assert re.search(r'class="place">.*<strong class="big">2</strong>', browser.page)
        api.resume()
        assert browser.until("SUCCEEDED")


def test_before_it_opens_and_after_it_closed(api, browser, event):
    api.put_event(event, 5, opensAt="2999-01-01T00:00:00Z")
    browser.get(f"/events/{event}")
    assert browser.headline == "Not open yet" and browser.refreshes and 'data-opens-in="' in browser.page
    browser.enter(event, "ann", intent="sign-in")
    assert "<bdi>ann</bdi>" in browser.page and 'value="take-part" disabled' in browser.page
    browser.post(f"/events/{event}")  # whoever presses all the same sees what is
    assert browser.headline == "Not open yet" and api.list(event) == []
    api.put_event(event, 5)
    assert 'value="take-part">' in browser.get(f"/events/{event}")
    browser.post(f"/events/{event}")
    browser.path = f"/events/{event}"
    assert browser.until("SUCCEEDED")
    api.put_event(event, 5, closesAt="2020-01-01T00:00:00Z")
    assert browser.get(f"/events/{event}") and browser.headline == "You have a place", "the answer stays"
    late = Browser(api.server)
    late.get(f"/events/{event}")
    assert late.headline == "Closed" and 'id="form"' not in late.page
    late.enter(event, "late")
    assert late.headline == "Closed" and len(api.list(event)) == 1


def test_signing_out_ends_the_token(api, browser, event):
    api.put_event(event, 5)
    browser.enter(event, "ann")
    token = browser.session
    assert api.http.get("/auth/me", token=token).json()["userId"] == "ann"
    browser.post(f"/events/{event}/leave")
    assert browser.session == "" and "ann" not in browser.page and browser.headline == "Open now"
    assert api.http.get("/auth/me", token=token).status == 401
    browser.session = token  # a copy that somebody kept
    assert "<bdi>ann</bdi>" not in browser.get(f"/events/{event}")
    browser.post(f"/events/{event}/leave")


def test_with_accounts(users, event):
    api = Api(users)
    api.put_event(event, 1)
    browser = Browser(users)
    page = browser.get(f"/events/{event}")
    assert 'name="password"' in page
    for name, password in (("ann", "wrong password"), ("nobody", PASSWORD), ("ann", ""), ("ann", "x" * 300)):
        page = browser.post(f"/events/{event}", 401, userId=name, password=password)
        assert "The user id or the password is wrong." in page and browser.session == ""
        assert f'value="{name}"' in page or password in ("", "x" * 300)
    assert api.list(event) == []
    browser.enter(event, "ann", password=PASSWORD)
    assert browser.until("SUCCEEDED")
    assert api.list(event)[0]["userId"] == "ann"


def test_too_many_attempts_are_held_back_and_say_for_how_long(users, event):
    api = Api(users)
    api.put_event(event, 1)
    assert api.admin("PUT", "/admin/users/guessed", json={"password": PASSWORD}).status in (200, 201)
    browser = Browser(users)
    for _ in range(30):
        browser.send("POST", f"/events/{event}", content_type=FORM,
                     body=urllib.parse.urlencode({"userId": "guessed", "password": "guess guess"}).encode())
        if browser.answer.status == 429:
            break
        assert browser.answer.status == 401
    assert browser.answer.status == 429 and int(browser.answer.headers["retry-after"]) >= 1
    assert "Too many attempts" in browser.page and browser.session == ""


def test_without_a_way_to_sign_in(make_server, event):
    with make_server(identity=None) as server:
        Api(server).put_event(event, 1)
        browser = Browser(server)
        browser.get(f"/events/{event}")
        assert browser.headline == "Nobody can sign in here" and 'id="form"' not in browser.page
        browser.post(f"/events/{event}", userId="ann")
        assert browser.session == "" and Api(server).list(event) == []


# ---- Languages --------------------------------------------------------------------------------------------

def test_in_the_language_of_the_browser_or_the_one_chosen(api, event):
    api.put_event(event, 1)
    korean = Browser(api.server, "ko-KR,ko;q=0.9,en;q=0.8")
    page = korean.get(f"/events/{event}")
    assert '<html lang="ko">' in page and "참가하기" in page and 'href="?lang=en"' in page
    assert "Take part" in korean.get(f"/events/{event}?lang=en")
    # What was chosen stays, also behind the form.
    assert f'action="/events/{event}?lang=en"' in korean.page
    korean.post(f"/events/{event}?lang=en", follow=False, userId="k")
    assert korean.answer.headers["location"] == f"/events/{event}?lang=en"
    assert '<html lang="en">' in Browser(api.server, "fr").get(f"/events/{event}?lang=xx")
    assert "이벤트가 없습니다" in korean.get("/events/nobody-made-this", 404)


# ---- What must not be -------------------------------------------------------------------------------------

def test_pages_are_protected(api, browser, event):
    api.put_event(event, 1)
    for page in (f"/events/{event}", "/events/nobody-made-this"):
        browser.get(page, 404 if "nobody" in page else 200)
        assert_protected(browser)


def test_the_cookie(api, browser, event):
    api.put_event(event, 1)
    browser.enter(event, "ann")
    cookie = browser.cookie
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/events"
    assert 0 < int(cookie["max-age"]) <= 3600 and not cookie["secure"]
    far = Browser(api.server)
    far.post(f"/events/{event}", userId="bob", headers={"Origin": "https://spillway.test"})
    assert far.cookie["secure"], "behind a proxy that speaks TLS"


@pytest.mark.parametrize("headers", FROM_ELSEWHERE)
@pytest.mark.parametrize("path", ["", "/leave"])
def test_forms_of_other_sites_do_nothing(api, browser, event, headers, path):
    api.put_event(event, 1)
    browser.session = api.login("ann")  # even were the cookie sent along
    page = browser.post(f"/events/{event}{path}", 403, headers=headers)
    assert "another site" in page and "<bdi>ann</bdi>" not in page
    page = browser.post(f"/events/{event}{path}", 403, headers=headers, userId="mallory")
    assert "set-cookie" not in browser.answer.headers
    assert api.list(event) == []
    assert api.http.get("/auth/me", token=browser.session).status == 200, "not signed out"


def test_the_api_takes_no_cookie(api, browser, event):
    api.put_event(event, 1)
    browser.session = api.login("ann")
    for method, path in (("POST", f"/events/{event}/participations"), ("GET", "/auth/me"), ("POST", "/auth/logout"),
                         ("GET", "/admin/events")):
        assert browser.send(method, path).status == 401
    assert api.list(event) == []


def test_nobody_sees_the_answer_of_another(api, event):
    api.put_event(event, 5)
    ann = Browser(api.server)
    ann.enter(event, "ann")
    request_id = api.list(event)[0]["requestId"]
    assert request_id in ann.page
    stranger = Browser(api.server)
    head, payload, mac = ann.session.split(".")
    for session in ("", api.login("bob"), ADMIN_TOKEN, "x" * 3000, f"{head}.{payload}.AAAA", f"{head}.{payload}.{mac}x",
                    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ."):
        stranger.session = session
        page = stranger.get(f"/events/{event}")
        assert request_id not in page and "<bdi>ann</bdi>" not in page, session[:40]
        assert stranger.send("GET", f"/events/{event}/stream").status in (401, 404)


@pytest.mark.parametrize("evil", ["<script>alert(1)</script>", "\"' onmouseover=alert(1) x='", "</title><img src=x onerror=alert(1)>",
                                  "&lt;b&gt;", "{{7*7}}", "{0}{} {:n}", "%s%n", "`${1}`"])
def test_titles_and_names_are_text(api, browser, event, evil):
    api.put_event(event, 1, title=evil)
    browser.get(f"/events/{event}")
    assert f"<bdi>{html.escape(evil).replace('&#x27;', '&#39;')}</bdi></h1>" in browser.page
    browser.enter(event, evil)
    assert f"<bdi>{html.escape(evil).replace('&#x27;', '&#39;')}</bdi></strong>" in browser.page
    if "<" in evil:
        assert evil not in browser.page


@pytest.mark.parametrize("path", ["/events/%3Cscript%3E", "/events/a%20b", "/events/" + "x" * 129, "/events/%ED%95%9C",
                                  "/events/%22onload%3D", "/events/nobody-made-this"])
def test_an_unknown_event_is_a_page_that_says_so(browser, path):
    assert "There is no such event" in browser.get(path, 404)
    assert "script>" not in browser.page.replace("</script>", "").replace("defer>", "")
    assert "There is no such event" in browser.post(path, 404, userId="ann")
    assert browser.send("GET", path + "/stream").status in (401, 404)


@pytest.mark.parametrize("body", [b"", b"userId", b"userId=", b"userId=%", b"userId=%zz", b"userId=%00", b"userId=%0a",
                                  b"userId=%ff%fe", b"userId=" + b"x" * 129, b"&&&===", b"\x00\xff" * 50, b"userId=admin-token"])
def test_garbage_in_the_form(api, browser, event, body):
    api.put_event(event, 1)
    browser.send("POST", f"/events/{event}", body=body, content_type=FORM)
    assert browser.answer.status == 400 and "Please write a name" in browser.page, browser.answer
    assert browser.session == "" and api.list(event) == []


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data; boundary=x", None])
def test_a_body_of_another_type(api, browser, event, content_type):
    api.put_event(event, 1)
    browser.send("POST", f"/events/{event}", body=b"userId=ann", content_type=content_type)
    assert browser.answer.status == 415 and browser.session == "" and api.list(event) == []


def test_a_form_that_is_too_large(api, browser, event):
    api.put_event(event, 1)
    browser.send("POST", f"/events/{event}", body=b"userId=ann&x=" + b"y" * 5000, content_type=FORM)
    assert browser.answer.status == 413 and api.list(event) == []


# ---- With script ------------------------------------------------------------------------------------------

def stream(api, event, session):
    own = api.server.http()
    response, events = own.stream(f"/events/{event}/stream", headers={"Cookie": f"spillway_session={session}",
                                                                      "Accept-Language": "ko"})
    assert response.status == 200 and response.headers["content-type"].startswith("text/event-stream"), response
    return own, events


def test_the_stream_shows_the_page_until_the_answer(make_server, event):
    with make_server("--workers", "0") as server:
        api = Api(server)
        api.put_event(event, 1)
        token = api.login("ann")
        api.participate(event, token)
        own, events = stream(api, event, token)
        first = next(events)
        assert first["event"] == "page" and 'data-status="QUEUED"' in first["data"] and '<html lang="ko">' in first["data"]
        api.resume()
        pages = [each["data"] for each in events]
        assert 'data-status="SUCCEEDED"' in pages[-1], "and then it ends"
        assert "data-follow" not in pages[-1]
        own.close()


def test_the_stream_tells_the_place_in_the_line(make_server, event):
    with make_server("--workers", "0") as server:
        api = Api(server)
        api.put_event(event, 5)
        token = api.login("ann")
        for i in range(3):
            api.participate(event, api.login(f"ahead{i}"))
        api.participate(event, token)
        own, events = stream(api, event, token)
        assert '<strong class="big">4</strong>' in next(events)["data"]
        own.close()


def test_a_stream_ends_when_its_session_does(make_server, event):
    with make_server("--workers", "0") as server:
        api = Api(server)
        api.put_event(event, 1)
        token = api.login("ann")
        api.participate(event, token)
        own, events = stream(api, event, token)
        next(events)
        assert api.http.post("/auth/logout", token=token).status == 204
        assert list(events) == [], "nothing more is told, and it ends"
        assert own.get(f"/events/{event}/stream", headers={"Cookie": f"spillway_session={token}"}).status == 401


def test_a_stream_needs_a_request_of_ones_own(api, browser, event):
    api.put_event(event, 1)
    assert browser.send("GET", f"/events/{event}/stream").status == 401
    browser.session = api.login("ann")
    assert browser.send("GET", f"/events/{event}/stream").status == 404
    assert browser.send("GET", "/events/nobody-made-this/stream").status == 404


def test_what_the_page_loads(api, browser, event):
    api.put_event(event, 1)
    page = browser.get(f"/events/{event}")
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        asset = api.http.get(path)
        assert asset.status == 200 and "etag" in asset.headers, path
        assert asset.headers["content-type"].split(";")[0] in ("text/css", "text/javascript")


def test_the_demonstration_gives_names_to_people_who_just_look(make_server):
    with make_server("--demo", identity=None) as server:
        browser = Browser(server)
        guard = time.monotonic() + HANG_GUARD_S
        while browser.send("GET", "/events/EVT-009").status == 404 and time.monotonic() < guard:
            time.sleep(0.02)
        name = re.search(r'name="userId" type="text" value="(guest-[0-9a-f]{12})"', browser.page)[1]
        assert name not in browser.get("/events/EVT-009"), "another one for everybody"
        browser.enter("EVT-009", name)
        assert browser.until("SUCCEEDED", "REJECTED")
