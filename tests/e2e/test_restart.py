"""What was acknowledged is there after a restart, after a kill as well."""

import shutil

import pytest

from harness import Api, DidNotStart


def look(api, event, people):
    return {
        "event": api.event(event),
        "list": api.list(event),
        "details": [api.detail(i) for i, _ in people],
        "views": [api.request(i, token) for i, token in people],
    }


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_everything_is_as_it_was(make_server, event, how):
    server = make_server().start()
    api = Api(server)
    api.put_event(event, 3, title="그대로", closesAt="2099-01-01T00:00:00Z")
    people = []
    for i in range(8):
        token = api.login(f"u{i}")
        more = {"json": {"n": i}} if i % 2 else {}
        response = api.http.post(f"/events/{event}/participations", token=token, **more)
        people.append((response.json()["requestId"], token))
    for person in people:
        api.until_final(*person)
    before = look(api, event, people)
    for _ in range(3):
        if how == "stop":
            assert server.stop() == 0
        else:
            server.kill()
        server.start()
        api.reconnect()
        assert look(api, event, people) == before
        assert [api.participate(event, token) for _, token in people] == [i for i, _ in people], "the same ids"
    assert api.queue()["visible"] == 0
    late = api.login("late")
    assert api.until_final(api.participate(event, late), late)["resultCode"] == "REJECTED_CAPACITY"


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_was_queued_is_decided_after_the_restart_in_the_old_order(make_server, event, how):
    server = make_server("--workers", "0").start()
    api = Api(server)
    api.put_event(event, 5)
    people = [(api.participate(event, token), token) for token in (api.login(f"u{i}") for i in range(12))]
    server.stop() if how == "stop" else server.kill()
    server.start()
    api.reconnect()
    views = [api.request(*person) for person in people]
    assert [(v["status"], v["position"]) for v in views] == [("QUEUED", n) for n in range(1, 13)]
    late = api.login("late")
    people.append((api.participate(event, late), late))
    api.resume()
    finals = [api.until_final(*person)["status"] for person in people]
    assert finals == ["SUCCEEDED"] * 5 + ["REJECTED"] * 8
    assert [item["requestId"] for item in api.list(event)] == [i for i, _ in people]


def test_a_token_is_good_for_another_process_on_the_same_data_and_no_other(make_server, event):
    server = make_server().start()
    api = Api(server)
    api.put_event(event, 1)
    token = api.login("u1")
    request_id = api.participate(event, token)
    server.restart()
    api.reconnect()
    assert api.request(request_id, token)["requestId"] == request_id
    with make_server(data="elsewhere") as other:
        assert other.http().get(f"/requests/{request_id}", token=token).status == 401


def test_request_ids_are_never_used_again(make_server, event):
    server = make_server("--workers", "0").start()
    api = Api(server)
    api.put_event(event, 1)
    ids = []
    for turn in range(4):
        ids += [api.participate(event, api.login(f"u{turn}-{i}")) for i in range(5)]
        server.restart()
        api.reconnect()
    assert len(set(ids)) == len(ids) == 20
    assert [item["requestId"] for item in api.list(event)] == ids


def test_a_copy_of_the_data_directory_is_a_backup(make_server, event, tmp_path):
    """Taken when stopped, started elsewhere: the same answers."""
    server = make_server().start()
    api = Api(server)
    api.put_event(event, 1)
    token = api.login("u1")
    request_id = api.participate(event, token)
    view = api.until_final(request_id, token)
    assert server.stop() == 0
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    with make_server(data="copy") as other:
        assert Api(other).request(request_id, token) == view


def test_a_damaged_journal_is_refused_and_said_so(make_server, event, tmp_path):
    """Exit 1 with the file's name; never a quiet start with half of it."""
    server = make_server("--workers", "0").start()
    api = Api(server)
    api.put_event(event, 1)
    ids = [api.participate(event, api.login(f"u{i}")) for i in range(200)]
    assert server.stop() == 0
    segments = sorted((p for p in (tmp_path / "data").rglob("*") if p.is_file() and p.stat().st_size > 4096
                       and "key" not in p.name), key=lambda p: p.stat().st_size)
    assert segments
    journal = segments[-1]
    data = bytearray(journal.read_bytes())
    used = len(data.rstrip(b"\0"))
    at = used // 2
    data[at] ^= 0x40
    journal.write_bytes(bytes(data))
    server.launch()
    try:
        server.wait_ready()
    except DidNotStart as error:
        assert error.code == 1 and journal.name in error.errors, error
        return
    # A flip in padding is harmless: then nothing may be missing.
    api.reconnect()
    assert [item["requestId"] for item in api.list(event)] == ids
