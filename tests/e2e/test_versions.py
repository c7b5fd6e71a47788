"""A directory that a newer program has written is refused in clear words, and left as it is: what a rollback meets."""

import hashlib
import struct
import subprocess
import time

import pytest
from client import HANG_GUARD_S
from harness import Api, DidNotStart, Server

BLOCK = 4096


def _table():
    rows = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
        rows.append(n)
    return rows


TABLE = _table()


def crc32c(crc, data):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def put(raw, at, form, value):
    struct.pack_into(form, raw, at, value)


def get(raw, at, form):
    return struct.unpack_from(form, raw, at)[0]


def newer_segments(data):
    for path in data.glob("journal-*.log"):
        raw = bytearray(path.read_bytes())
        put(raw, 8, "<I", 2)
        put(raw, 32, "<I", crc32c(0, raw[:32]))
        path.write_bytes(raw)


def newer_watermark(data):
    path = data / "watermark"
    raw = bytearray(path.read_bytes())
    for at in (0, BLOCK):
        put(raw, at + 8, "<I", 2)
        put(raw, at + 48, "<I", crc32c(0, raw[at:at + 48]))
    path.write_bytes(raw)


def change_last_record(data, service, event, version):
    """Of the newest segment that has more than its first group: what the record says that it is, and its checksum."""
    path = sorted(data.glob("journal-*.log"))[-1]
    raw = bytearray(path.read_bytes())
    seed = crc32c(0, raw[24:32])
    group, at = BLOCK, 0
    while raw[group:group + 4] == b"SGRP":
        at, last = group + 32, get(raw, group + 28, "<I")
        for _ in range(last - 1):
            at += 20 + get(raw, at, "<I")
        group += -(-get(raw, group + 24, "<I") // BLOCK) * BLOCK
    raw[at + 16:at + 19] = bytes([service, event, version])
    put(raw, at + 4, "<I", crc32c(seed, raw[at + 8:at + 20 + get(raw, at, "<I")]))
    path.write_bytes(raw)


def newer_event(data):
    change_last_record(data, 1, 99, 1)


def newer_version_of_an_event(data):
    change_last_record(data, 1, 3, 99)


def another_service(data):
    change_last_record(data, 77, 1, 1)


def newer_service_snapshot(data):
    """The first byte of intake's state is its version; its chunk is the first one."""
    path = sorted(data.glob("snapshot-*.snap"))[-1]
    raw = bytearray(path.read_bytes())
    seed = crc32c(0, raw[32:40])
    chunk = 44
    size = get(raw, chunk, "<I")
    assert raw[chunk + 12] == 1 and raw[chunk + 16 + 4] < 99, "intake's"
    raw[chunk + 16 + 4] = 99
    put(raw, chunk + 4, "<I", crc32c(seed, raw[chunk + 8:chunk + 16 + size]))
    path.write_bytes(raw)


NEWER = [
    (newer_segments, "format version 2 is not known to this program"),
    (newer_watermark, "format version 2 is not known to this program"),
    (newer_event, "event type 99 version 1 is not known to this program"),
    (newer_version_of_an_event, "event type 3 version 99 is not known to this program"),
    (another_service, "service 77, which is not among the services of this program"),
    (newer_service_snapshot, "intake: snapshot version 99 is not known to this program, which knows 1 to "),
]


@pytest.fixture
def data(binary, tmp_path):
    """Some history, a snapshot, a clean stop."""
    server = Server(tmp_path / "data", "--snapshot-every-mib", "1", binary=binary)
    api = Api(server.start())
    api.put_event("E", 5)
    pad = b'"' + b"x" * 4000 + b'"'
    for n in range(300):
        token = api.login(f"u{n}")
        assert api.http.post("/events/E/participations", token=token, body=pad).status == 202
    assert server.stop() == 0
    server.start()
    guard = time.monotonic() + HANG_GUARD_S
    while not list(server.data.glob("snapshot-*.snap")):
        assert time.monotonic() < guard, "no snapshot was made"
        time.sleep(0.05)
    assert server.stop() == 0
    yield server.data
    server.kill()


def digests(data):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in data.iterdir() if path.is_file() and path.name != "LOCK"}


@pytest.mark.parametrize("change, says", NEWER, ids=[change.__name__ for change, _ in NEWER])
def test_what_is_newer_is_refused_in_clear_words_and_not_touched(data, binary, change, says):
    change(data)
    before = digests(data)
    with pytest.raises(DidNotStart) as refused:
        Server(data, binary=binary).start()
    assert refused.value.code == 1 and says in refused.value.errors, refused.value.errors
    assert len(refused.value.errors.strip().splitlines()) <= 2
    done = subprocess.run([binary, "journal", "verify", str(data)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and says in done.stderr, done
    assert digests(data) == before
