"""The waiting page, as a browser without script has it: forms, cookies, redirects and nothing else."""

import re
import time
import urllib.parse

import pytest

from browser import FORM, FROM_ELSEWHERE, FormBrowser, assert_protected
from client import HANG_GUARD_S
from harness import Api
from test_waitroom import Line, seconds_from_now

PASSWORD = "correct horse battery"
ENTRY = ("queue_token", "/")


class Waiting(FormBrowser):
    """A person at one line."""

    def __init__(self, line, language="en", back=None):
        super().__init__(line.api.server, language)
        self.path = f"/wait/{line.concert}"
        self.query = "" if back is None else "?return=" + urllib.parse.quote(back, safe="")

    def come(self, status=200):
        return self.get(self.path + self.query, status)

    def press(self, what, status=303, **more):
        return self.post(f"{self.path}/{what}{self.query}", status, **more)

    def line_up(self):
        self.come()
        return self.press("enter")

    @property
    def scene(self):
        return re.search(r'data-scene="(\w+)"', self.page)[1]

    @property
    def place(self):
        found = re.search(r'id="place">([\d,]+)<', self.page)
        return found and int(found[1].replace(",", ""))

    @property
    def own(self):
        """The token of the place."""
        return self.cookies[("queue_token", self.path)].value

    def until(self, scene):
        """As a browser does that refreshes by itself."""
        guard = time.monotonic() + HANG_GUARD_S
        while time.monotonic() < guard:
            self.come()
            if self.scene == scene:
                return self.page
            assert self.refreshes, self.page
            time.sleep(0.02)
        raise AssertionError(f"still {self.scene}")

    def may_enter_site(self):
        """What nginx asks for this browser."""
        concert = self.path.removeprefix("/wait/")
        return self.send("GET", f"/api/v1/queue/authorize?concertId={concert}").status == 204


@pytest.fixture
def line(server, event):
    made = Line(server, event)
    yield made
    made.http.close()


@pytest.fixture(scope="module")
def users(binary, tmp_path_factory):
    """A server with accounts: ann and bob."""
    from harness import Server
    with Server(tmp_path_factory.mktemp("wait-users") / "data", binary=binary, identity="users") as server:
        api = Api(server)
        for name in ("ann", "bob"):
            assert api.admin("PUT", f"/admin/users/{name}", json={"password": PASSWORD}).status == 201
        yield server
        assert server.stop() == 0, server.errors()


# ---- The way through it -----------------------------------------------------------------------------------

def test_from_the_line_to_the_site_and_out(line):
    line.put(maxActive=1)
    first, second = Waiting(line, back="/shop?a=1&b=2"), Waiting(line)
    first.come()
    assert first.scene == "enter" and not first.refreshes
    first.press("enter")
    assert first.scene == "ready" and first.headline == "It is your turn"
    second.line_up()
    assert second.scene == "waiting" and second.place == 1 and second.refreshes
    assert not first.may_enter_site(), "READY is not in yet"
    first.press("activate", follow=False)
    assert first.answer.headers["location"] == "/shop?a=1&b=2"
    assert first.may_enter_site() and not second.may_enter_site()
    first.come()
    assert first.scene == "active" and 'action="/wait/' in first.page
    first.press("leave")
    assert first.headline == "You have left the line" and not first.may_enter_site() and ENTRY not in first.cookies
    second.until("ready")
    second.press("activate")
    assert second.scene == "active" and second.may_enter_site()
    second.post(f"{second.path}/activate?return=%2F", follow=False)  # "Go to the site"
    assert second.answer.headers["location"] == "/"
    first.press("enter")
    assert first.scene == "waiting"


def test_pressing_again_in_other_tabs_and_after_a_reload_is_one_place(line):
    line.put(maxActive=0)
    person = Waiting(line)
    person.line_up()
    token = person.own
    for _ in range(3):
        person.press("enter")
        assert person.own == token and person.place == 1
    del person.cookies[("queue_token", person.path)]  # the browser has lost it, and is still the same browser
    person.line_up()
    assert person.own == token and line.get()["sizes"]["waiting"] == 1


def test_the_place_falls_and_outlives_a_kill(make_server, event):
    with make_server() as server:
        line = Line(server, event)
        line.put(maxActive=0)
        ahead = [line.enter(f"u{i}")["token"] for i in range(1_500)]
        person = Waiting(line)
        person.line_up()
        assert person.place == 1_501 and "1,501" in person.page and "<title>(1,501) You are in line" in person.page
        for token in ahead[:500]:
            line.leave(token)
        person.come()
        assert person.place == 1_001
        server.kill()
        server.start()
        again = Waiting(Line(server, event))
        again.cookies = person.cookies
        again.come()
        assert again.place == 1_001


def test_who_does_not_come_in_time_is_told_why_and_may_line_up_again(line):
    line.put(maxActive=1, readySeconds=1, activeSeconds=1)
    person = Waiting(line)
    person.line_up()
    assert person.scene == "ready" and person.refreshes
    person.until("gone")
    assert person.headline == "Your turn has passed" and not person.refreshes
    person.press("enter")
    person.press("activate")
    assert person.scene == "active"
    person.until("gone")
    assert person.headline == "Your time is over"
    assert person.press("activate", 410) and person.headline == "Your time is over"


def test_entering_before_it_is_ones_turn_is_refused(line):
    line.put(maxActive=0)
    person = Waiting(line)
    person.line_up()
    assert person.press("activate", 409) and person.scene == "waiting" and not person.may_enter_site()


def test_before_it_opens(line):
    line.put(maxActive=5, opensAt=seconds_from_now(3600))
    person = Waiting(line)
    assert "It opens on" in person.come()
    person.press("enter")
    assert person.scene == "soon" and person.place == 1 and "You have your place already" in person.page
    line.put(maxActive=5)
    person.until("ready")


def test_a_lottery_says_so_and_links_its_commitment(line):
    line.put(maxActive=0, mode="lottery", opensAt=seconds_from_now(3600))
    person = Waiting(line)
    person.line_up()
    assert person.scene == "soon" and person.place is None and "drawn by lot" in person.page
    link = re.search(r'href="(/api/v1/queue/lottery/[^"]+)"', person.page)[1]
    assert line.http.get(link).json()["data"]["state"] == "GATHERING"
    line.put(maxActive=0, mode="lottery", opensAt=seconds_from_now(0.2))
    person.until("waiting")
    assert person.place == 1


def test_paused(line):
    line.put(maxActive=0)
    inside, outside = Waiting(line), Waiting(line)
    inside.line_up()
    line.put(maxActive=0, mode="paused")
    inside.come()
    assert inside.scene == "halted" and inside.place == 1 and line.status(inside.own)["paused"] is True
    assert "The line is paused" in outside.come() and outside.refreshes
    assert outside.press("enter", 409) and outside.headline == "The line is paused"
    assert int(outside.answer.headers["retry-after"]) > 0
    line.put(maxActive=0)
    inside.come()
    assert inside.scene == "waiting" and "paused" not in line.status(inside.own)
    outside.come()
    outside.press("enter")
    assert outside.place == 2


def test_one_browser_in_two_lines(server, event):
    lines = [Line(server, f"{event}-{n}") for n in "ab"]
    for one in lines:
        one.put(maxActive=1)
    a, b = Waiting(lines[0]), Waiting(lines[1])
    b.cookies = a.cookies
    a.line_up()
    a.press("activate")
    b.line_up()
    assert b.scene == "ready" and a.may_enter_site(), "lining up elsewhere puts nobody out"
    a.come()
    assert a.scene == "active"
    b.press("leave")
    assert a.may_enter_site()


def test_with_accounts(users, event):
    line = Line(users, event)
    line.put(maxActive=0)
    ann = Waiting(line)
    page = ann.come()
    assert 'name="password"' in page and "data-enter-in" not in page
    ann.press("sign-in", 401, userId="ann", password="wrong horse battery")
    assert "The user id or the password is wrong." in ann.page
    ann.press("sign-in", userId="ann", password=PASSWORD)
    assert ann.scene == "waiting" and ann.place == 1
    elsewhere = Waiting(line)
    elsewhere.press("sign-in", userId="ann", password=PASSWORD)
    assert elsewhere.own == ann.own, "the same place from another browser"
    # Somebody else signs in here.
    ann.press("sign-in", userId="bob", password=PASSWORD)
    assert ann.place == 2
    stranger = Waiting(line)
    stranger.press("enter")
    assert stranger.scene == "enter" and line.get()["sizes"]["waiting"] == 2


def test_without_a_way_to_sign_in(make_server, event):
    with make_server(identity="none") as server:
        person = Waiting(Line(server, event))
        person.come()
        assert person.scene == "elsewhere" and "<form" not in person.page
        person.press("enter")
        assert person.scene == "elsewhere"


def test_in_the_language_of_the_browser_or_the_one_chosen(line):
    line.put(maxActive=0)
    korean = Waiting(line, "ko-KR,ko;q=0.9", back="/shop")
    assert '<html lang="ko">' in korean.come()
    assert f'href="{korean.path}?lang=en&amp;return=%2Fshop"' in korean.page
    korean.query = "?lang=en&return=%2Fshop"
    korean.press("enter", follow=False)  # what was chosen stays, also behind the form
    assert korean.answer.headers["location"] == f"{korean.path}?lang=en&return=%2Fshop"
    korean.come()
    assert korean.headline == "You are in line"


# ---- What must not be -------------------------------------------------------------------------------------

def test_pages_are_protected(line):
    line.put(maxActive=1)
    person = Waiting(line)
    person.come()
    assert_protected(person)
    person.press("enter")
    assert_protected(person)
    person.get("/wait/no%20such%20line", 404)
    assert_protected(person)


def test_the_cookies(line):
    line.put(maxActive=1)
    person = Waiting(line)
    person.line_up()
    person.press("activate")
    assert sorted(person.cookies) == [("queue_token", "/"), ("queue_token", person.path), ("spillway_visitor", "/wait")]
    for cookie in person.cookies.values():
        assert cookie["httponly"] and cookie["samesite"] == "Lax" and not cookie["secure"] and int(cookie["max-age"]) > 0
    assert len(person.cookies[("spillway_visitor", "/wait")].value) == 32
    far = Waiting(line)
    far.come()
    far.press("enter", headers={"Origin": "https://spillway.test", "Sec-Fetch-Site": "same-origin"})
    assert far.cookies[("queue_token", far.path)]["secure"], "behind a proxy that speaks TLS"
    assert far.own not in far.page, "no script needs it"


@pytest.mark.parametrize("headers", FROM_ELSEWHERE)
@pytest.mark.parametrize("what", ["enter", "activate", "leave", "sign-in"])
def test_forms_of_other_sites_do_nothing(line, headers, what):
    line.put(maxActive=1)
    person = Waiting(line)
    person.line_up()
    page = person.press(what, 403, headers=headers)
    assert "another site" in page and "set-cookie" not in person.answer.headers
    assert line.status(person.own)["status"] == "READY", "even were the cookies sent along"
    assert line.get()["sizes"]["ready"] == 1


@pytest.mark.parametrize("back", ["//evil.example", "/\\evil.example", "https://evil.example/", "evil", "", "/a\nb", "/\t/evil.example",
                                  "/ä", "javascript:alert(1)", "/" + "x" * 2_048, "\\\\evil.example"])
def test_nobody_is_sent_to_another_site(line, back):
    line.put(maxActive=1)
    person = Waiting(line, back=back)
    person.line_up()
    person.press("activate", follow=False)
    assert person.answer.headers["location"] == person.path
    person.come()
    assert "evil" not in person.page


@pytest.mark.parametrize("back", ["/", "/shop?seat=A1&x=%2F%2Fy#top", '/"><script>alert(1)</script>'])
def test_where_people_go_on(line, back):
    line.put(maxActive=1)
    person = Waiting(line, back=back)
    person.line_up()
    assert "<script>" not in person.page
    person.press("activate", follow=False)
    assert person.answer.headers["location"] == back


def test_a_place_of_another_line_or_of_nobody_is_none_here(server, line, event):
    line.put(maxActive=0)
    other = Line(server, f"{event}-other")
    other.put(maxActive=0)
    person = Waiting(line)
    person.line_up()
    good = person.own
    for token in (other.enter("x")["token"], good[:-2] + "xx", "x" * 3_000, "sq1.."):
        person.cookies[("queue_token", person.path)].set("queue_token", token, token)
        person.come()
        assert person.scene == "enter"
        for path in ("status", "stream"):
            assert person.send("GET", f"{person.path}/{path}").status in (401, 404)
        for what in ("activate", "leave"):
            person.press(what)
            assert person.scene == "enter"
    assert line.get()["sizes"]["waiting"] == 1 and other.get()["sizes"]["waiting"] == 1


def test_a_browser_that_keeps_no_cookies_is_told_so(line):
    line.put(maxActive=0)
    person = Waiting(line)
    assert person.press("enter", 400) and person.headline == "We could not keep your place"
    assert "data-enter-in" not in person.page, "its script does not try for ever"
    assert line.get()["sizes"]["waiting"] == 0
    person.press("enter")  # it keeps them now
    assert person.scene == "waiting"


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_a_body_of_another_type(line, content_type):
    person = Waiting(line)
    person.come()
    answer = person.send("POST", f"{person.path}/enter", body=b"{}", content_type=content_type)
    assert answer.status == 415 and "data-enter-in" not in person.page


def test_a_form_that_is_too_large(line):
    person = Waiting(line)
    assert person.send("POST", f"{person.path}/enter", body=b"a=" + b"x" * 5_000, content_type=FORM).status == 413


def test_what_the_page_loads(line):
    page = Waiting(line).come()
    paths = re.findall(r'(?:src|href)="(/wait/-/[^"]+)"', page)
    assert len(paths) == 2
    for path in paths:
        asset = line.http.get(path)
        assert asset.status == 200 and "etag" in asset.headers, path


# ---- For the script ---------------------------------------------------------------------------------------

def test_status_and_stream_are_those_of_the_place(line):
    line.put(maxActive=0)
    first = line.enter("first")["token"]
    person = Waiting(line)
    person.line_up()
    data = person.send("GET", f"{person.path}/status").json()["data"]
    assert data["position"] == 2 and "token" not in data
    with line.api.server.http() as own:
        head, events = own.stream(f"{person.path}/stream", headers={"Cookie": person.cookie_header(person.path)})
        assert head.status == 200
        assert '"position":2' in next(events)["data"]
        line.leave(first)
        assert '"position":1' in next(events)["data"]
        line.put(maxActive=0, mode="paused")
        assert '"paused":true' in next(events)["data"]
        line.put(maxActive=1)
        assert any(one["event"] == "READY" for one in events)
    person.press("leave")
    for path in ("status", "stream"):
        assert person.send("GET", f"{person.path}/{path}").status == 410
