"""`spillway admin`: every command against a real server, as the people who run it use it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
import unicodedata

import pytest

from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, Api, Server, clean_environment

PASSWORD = "correct horse battery"
GOOD, REFUSED, USAGE, NOT_REACHABLE, NOT_ALLOWED = range(5)


class Admin:
    """Runs `spillway admin ...` with an environment of its own."""

    def __init__(self, binary, server, home, token: str | None = ADMIN_TOKEN):
        self.binary, self.server, self.home = binary, server, home
        self.env = clean_environment({"XDG_CONFIG_HOME": str(home), "TZ": "KST-9", "LC_ALL": "C"})
        if server is not None:
            self.env["SPILLWAY_SERVER"] = server.url
        if token:
            self.env["SPILLWAY_TOKEN"] = token

    def run(self, *args: str, code: int = GOOD, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess:
        done = subprocess.run([self.binary, "admin", *args], input=stdin if stdin is not None else "", text=True,
                              capture_output=True, env={**self.env, **env}, timeout=HANG_GUARD_S, encoding="utf-8")
        assert done.returncode == code, (args, done)
        if code != GOOD:
            assert done.stderr.strip(), (args, "says why")
        return done

    def out(self, *args: str, **more) -> str:
        return self.run(*args, **more).stdout

    def json(self, *args: str, **more):
        return json.loads(self.out("--json", *args, **more))

    def fields(self, *args: str) -> dict[str, str]:
        """A thing as `name  value` lines."""
        lines = self.out(*args).split("\n\n")[0].splitlines()
        return {key: value for key, value in (re.split(r"  +", line, maxsplit=1) for line in lines)}


def columns(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def cut(line: str, begin: int) -> str:
    """What stands from a terminal's column on."""
    for i in range(len(line) + 1):
        if columns(line[:i]) == begin:
            return line[i:]
    raise AssertionError(f"no character begins at column {begin}: {line!r}")


def table(text: str) -> list[dict[str, str]]:
    """Rows by title. Every cell of a left column must begin where its title does, by the columns of a terminal."""
    head, *rows = [line for line in text.split("\n\n")[0].splitlines() if line]
    titles = [(m.start(), m.group()) for m in re.finditer(r"\S+( \S+)*", head)]
    found = []
    for row in rows:
        cells = [cell for cell in re.split(r"  +", row) if cell]
        assert len(cells) == len(titles), (titles, row)
        found.append(dict(zip([title for _, title in titles], cells)))
    return found


@pytest.fixture
def admin(binary, server, tmp_path):
    return Admin(binary, server, tmp_path / "config")


@pytest.fixture
def own(binary, make_server, tmp_path):
    """An admin of a server of the test's own, whose workers are paused."""
    return Admin(binary, make_server("--workers", "0").start(), tmp_path / "config")


# ---- Events -----------------------------------------------------------------------------------------------

def test_events(admin, event):
    shown = admin.fields("events", "create", event, "--title", "겨울 콘서트", "--capacity", "3",
                         "--opens-at", "2026-01-01 18:00", "--closes-at", "2099-01-01T00:00:00Z")
    assert shown["event"] == event and shown["title"] == "겨울 콘서트" and shown["capacity"] == "3"
    assert shown["opens"] == "2026-01-01 18:00:00 +09:00" and shown["closes"] == "2099-01-01 09:00:00 +09:00"
    assert admin.fields("events", "show", event) == shown
    assert admin.fields("--utc", "events", "show", event)["opens"] == "2026-01-01 09:00:00Z"

    again = admin.run("events", "create", event, "--title", "Another", "--capacity", "1", code=REFUSED)
    assert event in again.stderr and "events change" in again.stderr
    changed = admin.fields("events", "change", event, "--capacity", "5", "--closes-at", "none")
    assert changed["capacity"] == "5" and "closes" not in changed
    assert changed["title"] == "겨울 콘서트" and changed["opens"] == shown["opens"]
    assert admin.fields("events", "change", event, "--title", "Winter")["capacity"] == "5"


def test_refusals_name_the_code_and_the_field(admin, event):
    refused = admin.run("events", "show", "no-such-event", code=REFUSED)
    assert "(not_found, 404)" in refused.stderr and refused.stdout == ""
    refused = admin.run("events", "create", "bad id", "--title", "T", "--capacity", "3", code=REFUSED)
    assert "eventId" in refused.stderr or "not_found" in refused.stderr
    refused = admin.run("events", "create", event, "--title", "x" * 257, "--capacity", "3", code=REFUSED)
    assert "title" in refused.stderr and "(invalid_argument, 400)" in refused.stderr
    usage = admin.run("events", "create", event, "--title", "T", "--capacity", "3", "--opens-at", "soon", code=USAGE)
    assert "--opens-at" in usage.stderr
    for args in (["events"], ["events", "list", "--limit", "0"], ["users", "role", "a", "root"], ["fly"], []):
        admin.run(*args, code=USAGE)


def test_korean_and_hostile_titles_keep_the_table_straight(own):
    titles = {"e-ko": "겨울 콘서트", "e-en": "Winter concert", "e-mixed": "한글 and 漢字"}
    for name, title in titles.items():
        own.run("events", "create", name, "--title", title, "--capacity", "7")
    lines = own.out("events", "list").splitlines()
    at = lines[0].index("TITLE")
    assert [cut(line, at).split("  ")[0] for line in lines[1:]] == list(titles.values())
    end = lines[0].index("CAPACITY") + len("CAPACITY")
    assert [cut(line, end - 1)[:3] for line in lines[1:]] == ["7  "] * 3, lines


def test_titles_cannot_write_on_the_terminal(own):
    api = Api(own.server)
    for index, title in enumerate(["\u202egnp.exe", "a\u2066b", "tab\u200fless"]):
        response = api.admin("PUT", f"/admin/events/e{index}", json={"title": title, "capacityTotal": 1})
        assert response.status == 201, response
    text = own.out("events", "list")
    assert "\\u202egnp.exe" in text and "a\\u2066b" in text
    assert not any(unicodedata.category(c) in ("Cc", "Cf") for c in text.replace("\n", ""))
    assert own.json("events", "list")["items"][0]["title"] == "\u202egnp.exe", "JSON is for programs"


def test_json_is_the_server_s_own_to_the_byte(own):
    api = Api(own.server)
    for i in range(5):
        own.run("events", "create", f"e{i}", "--title", "한", "--capacity", "1")
    whole = api.admin("GET", "/admin/events").body.decode()
    assert own.out("events", "list", "--json") == whole + "\n"
    assert own.out("--json", "queue", "show") == api.admin("GET", "/admin/queues/participations").body.decode() + "\n"
    assert own.json("events", "show", "e1") == api.event("e1")
    first = own.json("events", "list", "--limit", "2")
    assert [e["eventId"] for e in first["items"]] == ["e0", "e1"]
    rest = own.json("events", "list", "--cursor", first["nextCursor"])
    assert [e["eventId"] for e in rest["items"]] == ["e2", "e3", "e4"] and "nextCursor" not in rest
    assert "--cursor" in own.run("events", "list", "--limit", "2").stderr


# ---- Requests, the queue ----------------------------------------------------------------------------------

def test_requests_and_the_queue(own):
    api = Api(own.server)
    own.run("events", "create", "EVT", "--title", "T", "--capacity", "1")
    tokens = {user: api.login(user) for user in ("ann", "bob", "한")}
    ids = {user: api.participate("EVT", token) for user, token in tokens.items()}
    assert own.fields("queue", "show")["waiting"] == "3"
    assert "paused" in own.fields("queue", "show")["workers"]
    rows = table(own.out("requests", "list", "EVT"))
    assert [(row["REQUEST"], row["USER"], row["STATUS"]) for row in rows] == [
        (ids[user], user, "QUEUED") for user in tokens]
    assert "3 QUEUED" in own.out("requests", "list", "EVT")
    assert [row["REQUEST"] for row in table(own.out("requests", "search", "--user", "한"))] == [ids["한"]]
    assert own.json("requests", "search", "--request", ids["bob"])["items"][0]["userId"] == "bob"
    assert own.json("requests", "search", "--event", "EVT", "--status", "SUCCEEDED")["items"] == []

    assert "running" in own.fields("queue", "resume")["workers"]
    final = {user: api.until_final(ids[user], token) for user, token in tokens.items()}
    assert final["ann"]["status"] == "SUCCEEDED"
    rows = table(own.out("requests", "list", "EVT", "--status", "REJECTED"))
    assert [row["USER"] for row in rows] == ["bob", "한"]
    shown = own.out("requests", "show", ids["ann"])
    assert "SUCCEEDED" in shown and "PROCESSING" in shown and "ATTEMPT" in shown
    assert own.json("requests", "show", ids["ann"]) == api.detail(ids["ann"])
    assert "paused" in own.fields("queue", "pause")["workers"]
    own.run("requests", "list", "nobody", code=REFUSED)


def test_waiting_rooms(own):
    api = Api(own.server)
    assert "--max-active" in own.run("waitroom", "set", "CON", "--mode", "fifo", code=USAGE).stderr
    made = own.fields("waitroom", "set", "CON", "--max-active", "1", "--admit-per-second", "500", "--idle-extends", "yes")
    assert (made["max active"], made["admit per second"], made["idle extends"]) == ("1", "500", "yes")

    def enter(user):
        return api.http.post("/api/v1/queue/enter", json={"concertId": "CON", "userId": user})

    assert [enter(user).status for user in ("ann", "bob", "cid")] == [200] * 3
    shown = own.fields("waitroom", "show", "CON")
    assert (shown["state"], shown["waiting"], shown["ready"]) == ("FULL", "2", "1")
    assert own.fields("waitroom", "pause", "CON")["state"] == "PAUSED"
    assert enter("dan").status == 409
    changed = own.fields("waitroom", "set", "CON", "--max-active", "2", "--admit-per-second", "0", "--ready-seconds", "90")
    assert (changed["mode"], changed["max active"], changed["ready for"]) == ("paused", "2", "90 s"), "the rest stays"
    assert changed["admit per second"] == "as places come free" and changed["idle extends"] == "yes"
    assert own.fields("waitroom", "show", "CON")["ready"] == "1"
    assert own.fields("waitroom", "resume", "CON")["mode"] == "fifo"
    until = time.monotonic() + HANG_GUARD_S
    while own.fields("waitroom", "show", "CON")["ready"] != "2":
        assert time.monotonic() < until
    assert own.fields("waitroom", "open", "CON")["mode"] == "open"
    assert "opens" in own.fields("waitroom", "set", "CON", "--opens-at", "2090-01-01T00:00:00Z")
    assert "opens" not in own.fields("waitroom", "set", "CON", "--opens-at", "none")
    refused = own.run("waitroom", "set", "CON", "--mode", "lottery", code=REFUSED)
    assert "opensAt" in refused.stderr and "(invalid_argument, 400)" in refused.stderr
    own.run("waitroom", "pause", "nobody-named-it", code=REFUSED)

    for i in range(3):
        own.run("waitroom", "set", f"C{i}", "--max-active", str(i))
    rows = table(own.out("waitroom", "list"))
    assert [(row["CONCERT"], row["MAX"]) for row in rows] == [("C2", "2"), ("C1", "1"), ("C0", "0"), ("CON", "2")]
    first = own.json("waitroom", "list", "--limit", "3")["data"]
    rest = own.json("waitroom", "list", "--cursor", first["nextCursor"])["data"]
    assert [item["concertId"] for item in first["items"] + rest["items"]] == ["C2", "C1", "C0", "CON"]
    assert own.out("waitroom", "show", "C1", "--json") == api.admin("GET", "/admin/queues/waitroom/C1").body.decode() + "\n"

    assert "--yes" in own.run("waitroom", "rotate-keys", code=USAGE).stderr
    keys = table(own.out("waitroom", "keys"))
    assert [key["SIGNS"] for key in keys] == ["yes"]
    assert [key["SIGNS"] for key in table(own.out("waitroom", "rotate-keys", "--yes"))] == ["no", "yes"]


def test_pages_are_followed(own):
    api = Api(own.server)
    own.run("events", "create", "EVT", "--title", "T", "--capacity", "1")
    ids = [api.participate("EVT", api.login(f"u{i}")) for i in range(1_101)]
    listing = own.json("requests", "list", "EVT", "--limit", "5000")
    assert [item["requestId"] for item in listing["items"]] == ids and "nextCursor" not in listing
    assert listing["counts"]["QUEUED"] == len(ids)
    listing = own.json("requests", "list", "EVT", "--limit", "1050")
    assert len(listing["items"]) == 1_050 and listing["nextCursor"]


def test_watch_has_a_line_a_second(own):
    own.run("queue", "pause")
    lines = own.out("queue", "watch", "--count", "2").splitlines()
    assert len(lines) == 3 and lines[0].split()[:2] == ["AT", "ACCEPTED"]
    assert all(line.endswith("paused") for line in lines[1:])
    points = [json.loads(line) for line in own.out("queue", "watch", "--count", "2", "--json").splitlines()]
    assert len(points) == 2 and points[0]["at"] < points[1]["at"] and points[0]["paused"] is True


def test_watch_ends_with_the_server(own):
    with subprocess.Popen([own.binary, "admin", "queue", "watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=own.env) as watch:
        assert watch.stdout.readline().startswith("AT")
        assert own.server.stop() == 0
        _, errors = watch.communicate(timeout=HANG_GUARD_S)
        assert watch.returncode == NOT_REACHABLE and "stream" in errors


# ---- Dead letters -----------------------------------------------------------------------------------------

def test_dead_letters(own):
    own.run("events", "create", "EVT", "--title", "T", "--capacity", "1")
    assert "in all: 0" in own.out("dead-letters", "list", "--reason", "x", "--failure-class", "RETRYABLE")
    own.run("dead-letters", "show", "nobody", code=REFUSED)
    own.run("dead-letters", "status", code=REFUSED)
    own.run("dead-letters", "stop", code=REFUSED)
    assert own.out("dead-letters", "redrive", "--dry-run") == "would put back: 0\n"
    assert own.json("dead-letters", "redrive", "--dry-run", "--event", "EVT") == {"matching": 0, "sample": []}
    assert "event" in own.run("dead-letters", "redrive", "--dry-run", "--event", "x", code=REFUSED).stderr
    assert "--yes" in own.run("dead-letters", "redrive", code=USAGE).stderr
    own.run("dead-letters", "status", code=REFUSED)
    done = own.fields("dead-letters", "redrive", "--yes", "--wait", "--rate", "5", "--stop-after", "2")
    assert (done["state"], done["put back"], done["rate"]) == ("DONE", "0", "5 a second")
    assert own.fields("dead-letters", "status") == done
    assert own.fields("dead-letters", "redrive", "r1", "--reason", "boom")["matching"] == "0"
    own.run("dead-letters", "discard", "--because", "x", "--yes", code=USAGE)
    assert "--yes" in own.run("dead-letters", "discard", "r1", "--because", "x", code=USAGE).stderr
    assert own.out("dead-letters", "discard", "r1", "r2", "--because", "a test", "--yes") == "discarded: 0\n"
    assert own.json("dead-letters", "discard", "--all", "--because", "a test", "--yes") == {"discarded": 0}


# ---- Accounts, roles --------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def users_server(binary, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("cli-users") / "data", "--workers", "0", binary=binary,
                identity="users") as started:
        yield started
        assert started.stop() == 0, started.errors()


@pytest.fixture
def users(binary, users_server, tmp_path):
    return Admin(binary, users_server, tmp_path / "config")


def person(users, user: str, role: str, tmp_path) -> Admin:
    """Somebody with an account who has logged in by the command line."""
    users.run("users", "add", user, "--role", role, "--password-stdin", stdin=PASSWORD + "\n")
    someone = Admin(users.binary, users.server, tmp_path / user, token=None)
    someone.run("login", user, "--password-stdin", stdin=PASSWORD + "\n")
    return someone


def test_accounts(users, tmp_path):
    ann = person(users, "ann", "operator", tmp_path)
    assert "ann" in users.run("users", "add", "ann", "--password-stdin", stdin="another one\n", code=REFUSED).stderr
    ann.run("users", "list")
    rows = [row for row in table(users.out("users", "list", "--search", "AN")) if row["USER"] == "ann"]
    assert (rows[0]["ROLE"], rows[0]["DISABLED"]) == ("operator", "no")

    assert users.fields("users", "role", "ann", "admin")["role"] == "admin"
    assert "any more" in ann.run("users", "list", code=NOT_ALLOWED).stderr
    ann.run("login", "ann", "--password-stdin", stdin=PASSWORD + "\n")
    users.run("users", "sign-out", "ann")
    ann.run("users", "list", code=NOT_ALLOWED)
    users.run("users", "password", "ann", "--password-stdin", stdin="the next password\r\n")
    ann.run("login", "ann", "--password-stdin", stdin=PASSWORD + "\n", code=NOT_ALLOWED)
    ann.run("login", "ann", "--password-stdin", stdin="the next password\n")

    assert "--yes" in users.run("users", "disable", "ann", code=USAGE).stderr
    ann.run("users", "list")
    assert users.fields("users", "disable", "ann", "--yes")["disabled"] == "yes"
    ann.run("users", "list", code=NOT_ALLOWED)
    assert users.fields("users", "enable", "ann")["disabled"] == "no"
    for verb in (["role", "nobody", "user"], ["enable", "nobody"], ["disable", "nobody", "--yes"]):
        assert "nobody" in users.run("users", *verb, code=REFUSED).stderr
    users.run("users", "password", "nobody", "--password-stdin", stdin=PASSWORD, code=REFUSED)
    assert users.json("users", "list", "--search", "nobody") == {"items": []}
    refused = users.run("users", "add", "shorty", "--password-stdin", stdin="short\n", code=REFUSED)
    assert "password" in refused.stderr
    users.run("users", "add", "empty", "--password-stdin", stdin="\n", code=USAGE)


READS = [["events", "list"], ["queue", "show"], ["queue", "watch", "--count", "1"], ["dead-letters", "list"],
         ["users", "list"], ["audit", "list"], ["events", "show", "ROLES"], ["requests", "list", "ROLES"],
         ["requests", "search", "--event", "ROLES"], ["webhooks", "list"], ["waitroom", "list"],
         ["waitroom", "show", "ROLES"], ["waitroom", "keys"]]
CHANGES = [["events", "change", "ROLES", "--capacity", "4"], ["queue", "pause"], ["queue", "resume"],
           ["dead-letters", "redrive", "--yes", "--wait"], ["dead-letters", "stop"],
           ["dead-letters", "discard", "r1", "--because", "x", "--yes"], ["users", "role", "roles-target", "user"],
           ["users", "disable", "roles-target", "--yes"], ["users", "enable", "roles-target"],
           ["users", "sign-out", "roles-target"], ["webhooks", "redeliver", "ROLES"],
           ["waitroom", "set", "ROLES", "--max-active", "4"], ["waitroom", "pause", "ROLES"],
           ["waitroom", "resume", "ROLES"], ["waitroom", "open", "ROLES"], ["waitroom", "rotate-keys", "--yes"]]


def test_roles(users, tmp_path):
    users.run("events", "create", "ROLES", "--title", "T", "--capacity", "3")
    users.run("waitroom", "set", "ROLES", "--max-active", "3")
    users.run("users", "add", "roles-target", "--password-stdin", stdin=PASSWORD)
    for role in ("user", "operator", "admin"):
        someone = person(users, f"roles-{role}", role, tmp_path)
        for command in READS:
            someone.run(*command, code=NOT_ALLOWED if role == "user" else GOOD)
        for command in CHANGES:
            someone.run(*command, code=GOOD if role == "admin" else NOT_ALLOWED)
    nobody = Admin(users.binary, users.server, tmp_path / "nobody", token=None)
    wrong = Admin(users.binary, users.server, tmp_path / "nobody", token="x" * 40)
    for command in READS + CHANGES:
        assert "login" in nobody.run(*command, code=NOT_ALLOWED).stderr
        wrong.run(*command, code=NOT_ALLOWED)


def test_audit_tells_who(users, tmp_path):
    boss = person(users, "boss", "admin", tmp_path)
    boss.run("events", "create", "AUDITED", "--title", "감사", "--capacity", "3")
    boss.run("events", "change", "AUDITED", "--capacity", "4")
    rows = table(users.out("audit", "list", "--actor", "boss"))
    assert [(row["ACTION"], row["TARGET"]) for row in rows] == [("event.change", "AUDITED"),
                                                               ("event.create", "AUDITED")]
    assert json.loads(rows[0]["AFTER"])["capacityTotal"] == 4
    items = users.json("audit", "list", "--action", "event.create", "--target", "AUDITED")["items"]
    assert [item["actor"] for item in items] == ["boss"]


# ---- Tokens -----------------------------------------------------------------------------------------------

def test_login_keeps_the_token_to_itself_and_logout_ends_it(users, tmp_path):
    eve = person(users, "eve", "operator", tmp_path)
    path = tmp_path / "eve" / "spillway" / "token"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    token = json.loads(path.read_text())["token"]
    assert PASSWORD not in path.read_text()
    eve.run("events", "list")
    # It is for this server and goes to no other.
    elsewhere = {"SPILLWAY_SERVER": users.server.url.replace("127.0.0.1", "localhost")}
    assert "no token was given" in eve.run("events", "list", code=NOT_ALLOWED, **elsewhere).stderr
    # What is in the environment counts before it, which the person should know.
    note = eve.run("login", "eve", "--password-stdin", stdin=PASSWORD, SPILLWAY_ADMIN_TOKEN=ADMIN_TOKEN).stderr
    assert "SPILLWAY_ADMIN_TOKEN" in note
    assert "SPILLWAY" not in eve.run("login", "eve", "--password-stdin", stdin=PASSWORD).stderr
    token = json.loads(path.read_text())["token"]
    path.chmod(0o644)
    assert "chmod" in eve.run("events", "list", code=USAGE).stderr
    path.chmod(0o600)
    eve.run("logout")
    assert not path.exists()
    eve.run("logout")
    assert "login" in eve.run("events", "list", code=NOT_ALLOWED).stderr
    eve.run("events", "list", code=NOT_ALLOWED, SPILLWAY_TOKEN=token)


def test_where_the_token_comes_from(users, tmp_path):
    nobody = Admin(users.binary, users.server, tmp_path, token=None)
    secret = tmp_path / "secret"
    secret.write_text(ADMIN_TOKEN + "\n")
    nobody.run("events", "list", "--token-file", str(secret))
    nobody.run("events", "list", SPILLWAY_ADMIN_TOKEN=ADMIN_TOKEN)
    nobody.run("events", "list", "--token-file", str(secret), SPILLWAY_TOKEN="x" * 40)
    nobody.run("events", "list", SPILLWAY_TOKEN="x" * 40, SPILLWAY_ADMIN_TOKEN=ADMIN_TOKEN, code=NOT_ALLOWED)
    assert "no-such-file" in nobody.run("events", "list", "--token-file", "no-such-file", code=USAGE).stderr
    secret.write_text("two words\n")
    refused = nobody.run("events", "list", "--token-file", str(secret), code=USAGE)
    assert str(secret) in refused.stderr and "two words" not in refused.stderr


def test_no_option_takes_a_secret(binary):
    """Others on the machine read the command line in `ps`."""
    texts = [subprocess.run([binary, "admin", *path, "--help"], capture_output=True, text=True, check=True).stdout
             for path in ([], ["login"], ["users", "add"], ["users", "password"])]
    for text in texts:
        assert not re.search(r"--(token|password|secret) ", text), text
    assert all("--password-stdin" in text for text in texts[1:])


def test_login_where_there_is_none(binary, make_server, server, tmp_path):
    with make_server(identity=None) as closed:
        refused = Admin(binary, closed, tmp_path, token=None).run("login", "ann", "--password-stdin", stdin="x" * 9,
                                                                  code=REFUSED)
        assert "SPILLWAY_ADMIN_TOKEN" in refused.stderr
    Admin(binary, server, tmp_path, token=None).run("login", "ann")  # open: no password


# ---- At a terminal ----------------------------------------------------------------------------------------

class AtTerminal:
    """A program whose controlling terminal is ours: what it shows, and whether it shows what is typed."""

    def __init__(self, command: list[str], env: dict[str, str]):
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, env)
        self.shown = ""

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def until(self, done) -> None:
        guard = time.monotonic() + HANG_GUARD_S
        while not done():
            assert time.monotonic() < guard, self.shown
            if not select.select([self.master], [], [], 0.02)[0]:
                continue
            try:
                self.shown += os.read(self.master, 4096).decode("utf-8", "replace")
            except OSError:  # the other side is closed
                assert done(), self.shown
                return

    def ask(self, prompt: str) -> None:
        """Until it asks for a password and has turned the echo off."""
        self.until(lambda: prompt in self.shown and not self.echoes())

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def ended(self) -> int:
        status = []

        def gone() -> bool:
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                status.append(code)
            return bool(pid)

        guard = time.monotonic() + HANG_GUARD_S
        while not gone():
            assert time.monotonic() < guard, self.shown
            if select.select([self.master], [], [], 0.02)[0]:
                try:
                    self.shown += os.read(self.master, 4096).decode("utf-8", "replace")
                except OSError:
                    pass
        while select.select([self.master], [], [], 0)[0]:
            try:
                self.shown += os.read(self.master, 4096).decode("utf-8", "replace")
            except OSError:
                break
        os.close(self.master)
        return os.waitstatus_to_exitcode(status[0])


def test_a_password_is_typed_without_being_shown(users, tmp_path):
    screen = AtTerminal([users.binary, "admin", "users", "add", "typist", "--role", "operator"], users.env)
    screen.ask("New password of typist: ")
    screen.type(PASSWORD + "\n")
    screen.ask("again: ")
    screen.type(PASSWORD + "\n")
    assert screen.ended() == GOOD, screen.shown
    assert PASSWORD not in screen.shown and "operator" in screen.shown

    someone = Admin(users.binary, users.server, tmp_path / "typist", token=None)
    screen = AtTerminal([users.binary, "admin", "login", "typist"], someone.env)
    screen.ask("Password of typist: ")
    screen.type(PASSWORD + "\n")
    assert screen.ended() == GOOD, screen.shown
    assert PASSWORD not in screen.shown
    someone.run("events", "list")


def test_two_different_passwords_make_no_account(users):
    screen = AtTerminal([users.binary, "admin", "users", "add", "clumsy"], users.env)
    screen.ask("New password of clumsy: ")
    screen.type(PASSWORD + "\n")
    screen.ask("again: ")
    screen.type(PASSWORD + "x\n")
    assert screen.ended() == USAGE, screen.shown
    assert users.json("users", "list", "--search", "clumsy") == {"items": []}


def test_an_interrupt_turns_the_echo_on_again(users):
    screen = AtTerminal([users.binary, "admin", "login", "ann"], users.env)
    screen.ask("Password of ann: ")
    os.kill(screen.pid, signal.SIGINT)
    screen.until(screen.echoes)
    assert screen.ended() != GOOD


def test_a_confirmation_is_asked_for_at_a_terminal(users):
    users.run("users", "add", "doomed", "--password-stdin", stdin=PASSWORD)
    for answer, code, disabled in (("n", USAGE, "no"), ("", USAGE, "no"), ("y", GOOD, "yes")):
        screen = AtTerminal([users.binary, "admin", "users", "disable", "doomed"], users.env)
        screen.until(lambda: "[y/N]" in screen.shown)
        screen.type(answer + "\n")
        assert screen.ended() == code, screen.shown
        rows = table(users.out("users", "list", "--search", "doomed"))
        assert rows[0]["DISABLED"] == disabled


# ---- Reaching it ------------------------------------------------------------------------------------------

def test_not_reachable(binary, tmp_path, make_server):
    server = make_server().start()
    admin = Admin(binary, server, tmp_path)
    server.stop()
    assert admin.server.url in admin.run("events", "list", code=NOT_REACHABLE).stderr
    assert "nowhere.invalid" in admin.run("--server", "http://nowhere.invalid", "events", "list",
                                          code=NOT_REACHABLE).stderr
    for bad in ("ftp://127.0.0.1", "http://", "http://u:p@127.0.0.1", "http://127.0.0.1/?a=b", "nonsense"):
        assert "--server" in admin.run("--server", bad, "events", "list", code=USAGE).stderr


def test_tls(binary, make_server, certificate, tmp_path):
    cert, key = certificate
    admin = Admin(binary, make_server("--tls-cert", cert, "--tls-key", key).start(), tmp_path)
    assert admin.server.url.startswith("https://")
    assert "certificate" in admin.run("events", "list", code=NOT_REACHABLE).stderr
    admin.run("events", "list", "--ca-file", cert)
    assert "--ca-file" in admin.run("events", "list", "--ca-file", "/nowhere.pem", code=USAGE).stderr


def test_the_output_must_arrive(admin):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run([admin.binary, "admin", "events", "list"], stdout=full, stderr=subprocess.PIPE,
                              text=True, env=admin.env, timeout=HANG_GUARD_S)
    assert done.returncode == REFUSED and "output" in done.stderr
