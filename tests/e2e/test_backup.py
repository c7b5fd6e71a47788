"""Backup and restore: the documented commands, on a server under load. What was acknowledged before a backup was begun is
in it; what is damaged is refused, by `journal verify` and by a start."""

import shutil
import struct
import subprocess
import threading
import time

import documented
import pytest
from client import HANG_GUARD_S, ConnectionLost
from harness import FINAL, Api, DidNotStart, Server

ARGS = ("--snapshot-every-mib", "1")
BODY = b'{"pad":"' + b"x" * 4000 + b'"}'
THREADS = 4


class Load:
    """People who take part without end, each once and some again."""

    def __init__(self, server, event):
        self.server, self.event = server, event
        self.acks = {}  # user -> (requestId, token)
        self.errors = []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join(HANG_GUARD_S)

    def _run(self, number):
        api = Api(self.server)
        count = 0
        try:
            while not self.ending.is_set():
                user = f"u{number}-{count}"
                token = api.login(user)
                answer = api.http.post(f"/events/{self.event}/participations", token=token, body=BODY)
                assert answer.status == 202, answer
                self.acks[user] = (answer.json()["requestId"], token)
                count += 1
        except (AssertionError, ConnectionLost) as error:
            self.errors.append(error)
        finally:
            api.http.close()

    def until(self, count):
        guard = time.monotonic() + HANG_GUARD_S
        while len(self.acks) < count and not self.errors:
            assert time.monotonic() < guard, f"only {len(self.acks)} of {count}"
            self.ending.wait(0.01)
        assert not self.errors, self.errors


def take_part(api, event, generation, count):
    people = {}
    for n in range(count):
        user = f"old-{generation}-{n}"
        token = api.login(user)
        answer = api.http.post(f"/events/{event}/participations", token=token, body=BODY)
        people[user] = (answer.json()["requestId"], token)
    return people


def with_history(server, event):
    """Several segments and a snapshot: enough was written, and the server was started again."""
    api = Api(server.start())
    api.put_event(event, 700)
    people = {}
    for generation in range(3):
        people |= take_part(api, event, generation, 300)
        assert server.stop() == 0
        server.start()
        api.reconnect()
    guard = time.monotonic() + HANG_GUARD_S
    while not list(server.data.glob("snapshot-*.snap")):
        assert time.monotonic() < guard, "no snapshot was made"
        time.sleep(0.05)
    assert len(list(server.data.glob("journal-*.log"))) >= 2
    return api, people


def verify(binary, directory):
    return subprocess.run([binary, "journal", "verify", str(directory)], capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("round_", range(2))
def test_a_backup_under_load_has_all_that_was_acknowledged_before_it(make_server, binary, event, tmp_path, round_):
    server = make_server(*ARGS)
    api, people = with_history(server, event)
    with Load(server, event) as load:
        load.until(100)
        before = {**people, **dict(load.acks)}
        some = dict(list(before.items())[::17])
        finals = {user: api.until_final(*who) for user, who in some.items()}
        done = documented.run("backup-live", binary, DATA=server.data, BACKUP=tmp_path / "backup")
        assert done.returncode == 0, done
        assert "good: " in done.stdout
        load.until(len(load.acks) + 20)  # it went on all the time
    assert not load.errors, load.errors
    assert not (tmp_path / "backup.partial").exists()
    ever = {item["userId"]: item["requestId"] for item in api.list(event)}
    server.kill()

    done = documented.run("restore", binary, DATA=tmp_path / "restored", BACKUP=tmp_path / "backup")
    assert done.returncode == 0, done
    with Server(tmp_path / "restored", *ARGS, binary=binary) as restored:
        again = Api(restored)
        there = {item["userId"]: item["requestId"] for item in again.list(event)}
        assert {user: there.get(user) for user in before} == {user: who[0] for user, who in before.items()}
        assert there.items() <= ever.items(), "nothing that never was"
        for user, view in finals.items():
            assert again.request(*before[user]) == view, "the old token, and the answer that was given"
        for user, (request_id, token) in list(before.items())[::29]:
            assert again.until_final(request_id, token)["status"] in FINAL
            assert again.participate(event, token) == request_id, "one person, one request"
        winners = [item for item in again.list(event) if item["status"] == "SUCCEEDED"]
        assert len(winners) == min(700, len(there)) and again.event(event)["capacityRemaining"] == 700 - len(winners)
        assert restored.stop() == 0


def test_a_copy_of_a_stopped_server_is_the_same(make_server, binary, event, tmp_path):
    server = make_server(*ARGS)
    api, people = with_history(server, event)
    for user in people.values():
        api.until_final(*user)
    items = api.list(event)
    assert server.stop() == 0
    done = documented.run("backup-stopped", binary, DATA=server.data, BACKUP=tmp_path / "backup")
    assert done.returncode == 0 and "torn tail 0 bytes" in done.stdout, done
    done = documented.run("restore", binary, DATA=tmp_path / "restored", BACKUP=tmp_path / "backup")
    assert done.returncode == 0, done
    with Server(tmp_path / "restored", *ARGS, binary=binary) as restored:
        assert Api(restored).list(event) == items


def watermark(directory):
    """(sequence, first of its segment, offset where its group ends): docs/formats/journal.md."""
    raw = (directory / "watermark").read_bytes()
    slots = [struct.unpack_from("<QQQQ", raw, at + 16) for at in (0, 4096)]
    return max(slots)[1:]


def segment(directory, first):
    return directory / f"journal-{first:020}.log"


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def flip_the_end(directory):
    _, first, offset = watermark(directory)
    flip(segment(directory, first), offset - 4096 + 40)


def cut_the_end(directory):
    _, first, offset = watermark(directory)
    with open(segment(directory, first), "r+b") as file:
        file.truncate(offset - 4096)


def flip_the_middle(directory):
    segments = sorted(directory.glob("journal-*.log"))
    flip(segments[-2], 4096 + 100)  # in its first group: how many follow depends on how busy the machine was


def lose_a_segment(directory):
    sorted(directory.glob("journal-*.log"))[-2].unlink()


def lose_the_watermark(directory):
    (directory / "watermark").unlink()


def older_segments(directory):
    """The newest watermark with the segments of before: as a copy in the wrong order would have it."""
    sorted(directory.glob("journal-*.log"))[-1].unlink()


DAMAGE = [(flip_the_end, "acknowledged up to"), (cut_the_end, "acknowledged up to"), (flip_the_middle, "journal goes on"),
          (lose_a_segment, "journal-"), (lose_the_watermark, "watermark"), (older_segments, "acknowledged up to|missing")]


@pytest.fixture(scope="module")
def good(binary, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("good") / "data", *ARGS, binary=binary)
    with_history(server, "E")
    assert server.stop() == 0
    # Two segments more that no snapshot covers: what is wrong there is in nobody's way but a start's.
    for generation in (3, 4):
        with Server(server.data, "--snapshot-every-mib", "0", binary=binary) as later:
            take_part(Api(later), "E", generation, 20)
            assert later.stop() == 0
    yield server.data
    server.kill()


def test_the_undamaged_one_is_good(good, binary):
    done = verify(binary, good)
    assert done.returncode == 0 and done.stdout.startswith("good: "), done


@pytest.mark.parametrize("harm, says", DAMAGE, ids=[harm.__name__ for harm, _ in DAMAGE])
def test_a_damaged_copy_is_refused(good, binary, tmp_path, harm, says):
    copy = tmp_path / "data"
    shutil.copytree(good, copy)
    harm(copy)
    done = verify(binary, copy)
    assert done.returncode == 1 and "good" not in done.stdout, done
    assert any(each in done.stderr for each in says.split("|")), done
    with pytest.raises(DidNotStart) as refused:
        Server(copy, *ARGS, binary=binary).start()
    assert refused.value.code == 1
    assert any(each in refused.value.errors for each in says.split("|")), refused.value.errors


def test_no_backup_is_made_of_a_damaged_directory(good, binary, tmp_path):
    copy = tmp_path / "data"
    shutil.copytree(good, copy)
    flip_the_middle(copy)
    done = documented.run("backup-live", binary, DATA=copy, BACKUP=tmp_path / "backup")
    assert done.returncode == 1 and "no good copy" in done.stderr, done
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("backup")) == []


def test_a_backup_never_overwrites_one(good, binary, tmp_path):
    (tmp_path / "backup").mkdir()
    done = documented.run("backup-live", binary, DATA=good, BACKUP=tmp_path / "backup")
    assert done.returncode == 1 and "is there already" in done.stderr, done
