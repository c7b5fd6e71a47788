"""Real work: the http worker and a backend that answers in every way (docs/http-worker.md)."""

import os
import random
import subprocess
import sys
import threading
import time

import pytest

from client import HANG_GUARD_S
from harness import ROOT, Api, DidNotStart, assert_problem
from work_backend import SECRET, SUCCEEDED, WorkBackend

ENV = {"SPILLWAY_WORK_SECRET": SECRET}


@pytest.fixture
def make_backend():
    made = []

    def make(*answer):
        made.append(WorkBackend(*answer))
        return made[-1]

    yield make
    for backend in made:
        backend.close()


@pytest.fixture
def make_api(make_server):
    made = []

    def make(backend, *args, start=True, **more):
        server = make_server(*backend.arguments(*args), env=ENV, **more).start()
        made.append(Api(server))
        return made[-1]

    yield make
    for api in made:
        api.http.close()


def until(condition, what):
    guard = time.monotonic() + HANG_GUARD_S
    while not (value := condition()):
        assert time.monotonic() < guard, what
    return value


def metric(api, name):
    for line in api.http.get("/metrics").body.decode().splitlines():
        if line.rpartition(" ")[0] == name:
            return float(line.rpartition(" ")[2])
    raise AssertionError(f"no {name}")


def test_a_call_is_signed_and_says_what_it_is_about(make_backend, make_api):
    backend = make_backend()
    api = make_api(backend, "--log-level", "debug")
    assert api.put_event("E", 5, work="http")["work"] == "http"
    token = api.login("ann")
    response = api.http.post("/events/E/participations", token=token, json={"seat": "A 1"})
    request = response.json()["requestId"]
    assert api.until_final(request, token)["status"] == "SUCCEEDED"
    (call,) = backend.until(1)
    assert call.body == {"requestId": request, "eventId": "E", "userId": "ann", "attempt": 1, "body": {"seat": "A 1"}}
    assert call.headers["idempotency-key"] == request
    assert call.headers["content-type"] == "application/json"
    version, trace, parent, flags = call.headers["traceparent"].split("-")
    assert (version, len(trace), len(parent), flags) == ("00", 32, 16, "01")
    assert call.is_signed() and not call.is_signed("another secret")
    assert api.event("E")["capacityRemaining"] == 4
    assert SECRET not in api.server.errors() and call.headers["spillway-signature"] not in api.server.errors()
    assert metric(api, 'spillway_intake_work_calls_total{result="succeeded"}') == 1
    assert metric(api, "spillway_intake_work_duration_seconds_count") == 1


@pytest.mark.parametrize("answer, status, code, reason", [
    ((201, {"result": "SUCCEEDED", "resultCode": "SUCCESS"}), "SUCCEEDED", "SUCCESS", ""),
    ((200, {"result": "REJECTED"}), "REJECTED", "REJECTED_BY_WORK", "REJECTED_BY_WORK"),
    ((200, {"result": "REJECTED", "resultCode": "REJECTED_CAPACITY"}), "REJECTED", "REJECTED_CAPACITY", None),
    ((200, {"result": "REJECTED", "resultCode": "TOO_YOUNG", "reason": "15 years"}), "REJECTED", "REJECTED_BY_WORK",
     "TOO_YOUNG: 15 years"),
    ((422, b"no"), "FAILED_FINAL", "FAILED_INVALID_MESSAGE", "HTTP 422"),
    ((404, {}), "FAILED_FINAL", "FAILED_INVALID_MESSAGE", "HTTP 404"),
])
def test_what_decides_at_once(make_backend, make_api, answer, status, code, reason):
    backend = make_backend(lambda call: answer)
    api = make_api(backend)
    api.put_event("E", 5, work="http")
    token = api.login("ann")
    request = api.participate("E", token)
    view = api.until_final(request, token)
    assert (view["status"], view["resultCode"]) == (status, code)
    detail = api.detail(request)
    assert detail["receiveCount"] == 1 and len(backend.calls) == 1
    if status != "SUCCEEDED":
        assert detail["failureClass"] == "NON_RETRYABLE"
    if reason is not None:
        assert detail["statusLog"][-1].get("reason", "") == reason
    assert api.event("E")["capacityRemaining"] == (4 if status == "SUCCEEDED" else 5)


@pytest.mark.parametrize("answer, reason", [
    ((500, b""), "HTTP 500"),
    ((503, {"result": "SUCCEEDED"}), "HTTP 503"),
    ((429, {}), "HTTP 429"),
    ((302, b"", {"Location": "/elsewhere"}), "HTTP 302"),
    ((200, b"<html>"), "HTTP 200, but"),
    ((200, {"result": "MAYBE"}), "HTTP 200, but result must be SUCCEEDED or REJECTED"),
    ((204, b""), "HTTP 204, but"),
    ((200, b'{"result":"SUCCEEDED","pad":"' + b"x" * 20_000 + b'"}'), "call failed (too_large)"),
    (None, "call failed (broken)"),
])
def test_what_is_tried_again(make_backend, make_api, answer, reason):
    backend = make_backend(lambda call: answer if len(backend.calls) < 3 else SUCCEEDED)
    api = make_api(backend)
    api.put_event("E", 1, work="http")
    token = api.login("ann")
    request = api.participate("E", token)
    assert api.until_final(request, token)["status"] == "SUCCEEDED"
    calls = backend.until(3)
    assert [call.body["attempt"] for call in calls] == [1, 2, 3]
    assert {call.headers["idempotency-key"] for call in calls} == {request}
    assert len({call.headers["traceparent"][:35] for call in calls}) == 1
    attempts = api.detail(request)["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert all(attempt["reason"].startswith(reason) for attempt in attempts[:2]), attempts
    assert api.event("E")["capacityRemaining"] == 0


def test_a_call_that_takes_too_long_is_tried_again_and_ends_as_a_dead_letter(make_backend, make_api):
    backend = make_backend(lambda call: backend.hang(call))
    api = make_api(backend, "--work-timeout-ms", "50", "--max-receive-count", "3")
    api.put_event("E", 1, work="http")
    token = api.login("ann")
    request = api.participate("E", token)
    view = api.until_final(request, token)
    assert (view["status"], view["resultCode"]) == ("FAILED_FINAL", "FAILED_RETRIES_EXHAUSTED")
    assert "timeout" in api.detail(request)["statusLog"][-1]["reason"]
    assert api.event("E")["capacityRemaining"] == 1
    letters = api.admin("GET", "/admin/queues/participations/dead-letters").json()
    assert letters["total"] == 1 and len(backend.calls) == 3


def test_a_place_that_is_given_back_goes_to_the_next_in_line(make_backend, make_api):
    refused = {"u0", "u2"}
    backend = make_backend(lambda call: (200, {"result": "REJECTED"}) if call.user in refused else SUCCEEDED)
    api = make_api(backend)
    api.put_event("E", 2, work="http")
    api.pause()
    tokens = [api.login(f"u{i}") for i in range(6)]
    requests = [api.participate("E", token) for token in tokens]
    api.resume()
    views = [api.until_final(request, token) for request, token in zip(requests, tokens)]
    assert [view["status"] for view in views] == ["REJECTED", "SUCCEEDED", "REJECTED", "SUCCEEDED", "REJECTED", "REJECTED"]
    assert [view["resultCode"] for view in views][4:] == ["REJECTED_CAPACITY"] * 2
    assert {call.user for call in backend.calls} == {"u0", "u1", "u2", "u3"}, "nobody is called about without a place"
    assert api.event("E")["capacityRemaining"] == 0


def test_who_stands_behind_kept_places_waits_and_is_not_refused(make_backend, make_api):
    backend = make_backend(lambda call: backend.hang(call))
    api = make_api(backend)
    api.put_event("E", 1, work="http")
    first, second = api.login("first"), api.login("second")
    one = api.participate("E", first)
    backend.until(1)
    two = api.participate("E", second)
    behind = api.http.get(f"/requests/{two}?wait=1s", token=second).json()
    assert (behind["status"], behind["position"]) == ("QUEUED", 1)
    assert api.request(one, first)["status"] == "PROCESSING"
    assert api.event("E")["capacityRemaining"] == 1, "kept is not yet taken"
    backend.release()
    assert api.until_final(one, first)["status"] == "SUCCEEDED"
    assert api.until_final(two, second)["resultCode"] == "REJECTED_CAPACITY"
    assert len(backend.calls) == 1


def test_kill_in_the_middle_of_a_call_repeats_it_with_the_same_key(make_backend, make_api):
    backend = make_backend(lambda call: backend.hang(call) if len(backend.calls) == 1 else SUCCEEDED)
    api = make_api(backend)
    api.put_event("E", 1, work="http")
    first, second = api.login("first"), api.login("second")
    one, two = api.participate("E", first), api.participate("E", second)
    backend.until(1)
    api.server.restart()
    api.reconnect()
    assert api.until_final(one, first)["status"] == "SUCCEEDED"
    assert api.until_final(two, second)["resultCode"] == "REJECTED_CAPACITY", "the place was kept across the crash"
    assert [call.headers["idempotency-key"] for call in backend.until(2)] == [one, one]
    assert [a["outcome"] for a in api.detail(one)["attempts"]] == ["WORKER_STOPPED", "SUCCEEDED"]
    assert api.event("E")["capacityRemaining"] == 0
    assert len(backend.calls) == 2


def test_a_stop_in_the_middle_of_a_call_ends_in_time_and_repeats_it(make_backend, make_api):
    backend = make_backend(lambda call: backend.hang(call) if len(backend.calls) == 1 else SUCCEEDED)
    api = make_api(backend)
    api.put_event("E", 1, work="http")
    token = api.login("ann")
    request = api.participate("E", token)
    backend.until(1)
    assert api.server.stop() == 0
    api.server.start()
    api.reconnect()
    assert api.until_final(request, token)["status"] == "SUCCEEDED"
    assert len(backend.calls) == 2


def test_no_more_calls_at_once_than_allowed(make_backend, make_api):
    gate, running, most = threading.Condition(), [0], [0]

    def answer(call):
        with gate:
            running[0] += 1
            most[0] = max(most[0], running[0])
            gate.notify_all()
            gate.wait_for(lambda: most[0] >= 3, HANG_GUARD_S)
        with gate:
            running[0] -= 1
        return SUCCEEDED

    backend = make_backend(answer)
    api = make_api(backend, "--work-concurrency", "3")
    api.put_event("E", 30, work="http")
    tokens = [api.login(f"u{i}") for i in range(30)]
    requests = [api.participate("E", token) for token in tokens]
    for request, token in zip(requests, tokens):
        assert api.until_final(request, token)["status"] == "SUCCEEDED"
    assert most[0] == 3 and len(backend.calls) == 30


def test_slow_work_holds_up_no_other_event(make_backend, make_api):
    backend = make_backend(lambda call: backend.hang(call))
    api = make_api(backend, "--work-concurrency", "1", "--workers", "1")
    api.put_event("SLOW", 10, work="http")
    api.put_event("QUICK", 10)
    token = api.login("ann")
    slow = api.participate("SLOW", token)
    backend.until(1)
    assert api.until_final(api.participate("QUICK", token), token)["status"] == "SUCCEEDED"
    assert api.request(slow, token)["status"] == "PROCESSING"
    backend.release()
    assert api.until_final(slow, token)["status"] == "SUCCEEDED"


def test_an_open_circuit_calls_nothing_and_uses_up_no_tries(make_backend, make_api):
    good = threading.Event()
    backend = make_backend(lambda call: SUCCEEDED if good.is_set() else (500, b""))
    api = make_api(backend, "--work-concurrency", "1", "--work-breaker-failures", "2", "--work-breaker-open-ms", "1500")
    api.put_event("E", 10, work="http")
    tokens = [api.login(f"u{i}") for i in range(6)]
    requests = [api.participate("E", token) for token in tokens]
    until(lambda: metric(api, "spillway_intake_work_circuit_state") == 1, "the circuit does not open")
    good.set()
    for request, token in zip(requests, tokens):
        assert api.until_final(request, token)["status"] == "SUCCEEDED"
    until(lambda: metric(api, "spillway_intake_work_circuit_state") == 0, "the circuit does not close")
    # Every delivery that was a try was a call, and the other way round.
    tries = sum(a["outcome"] != "RETURNED" for request in requests for a in api.detail(request)["attempts"])
    assert tries == len(backend.calls)


def test_work_is_asked_for_by_name_and_kept(make_backend, make_api, make_server):
    api = make_api(make_backend())
    assert api.put_event("E", 1)["work"] == "capacity"
    assert api.put_event("E", 2, work="http")["work"] == "http"
    assert api.put_event("E", 3)["work"] == "http", "absent: as it is"
    for wrong in ("", "HTTP", "sql", 1):
        body = {"title": "t", "capacityTotal": 1, "work": wrong}
        if wrong != "":
            assert_problem(api.admin("PUT", "/admin/events/E", json=body), 400, "invalid_argument", names="work")
    api.server.restart()
    api.reconnect()
    assert api.event("E")["work"] == "http"
    assert api.put_event("E", 3, work="capacity")["work"] == "capacity"
    audited = api.admin("GET", "/admin/audit?limit=1").json()["items"][0]
    assert audited["before"]["work"] == "http" and "work" not in audited["after"], "capacity goes without saying"


def test_without_a_backend_no_event_may_ask_for_it(make_server):
    api = Api(make_server().start())
    body = {"title": "t", "capacityTotal": 1, "work": "http"}
    assert_problem(api.admin("PUT", "/admin/events/E", json=body), 400, "invalid_argument", names="--work-url")
    api.http.close()


@pytest.mark.parametrize("arguments, env, code, names", [
    (["--work-url", "http://127.0.0.1:9/"], ENV, 1, "127.0.0.1:9"),
    (["--work-url", "http://127.0.0.1:9/", "--work-allow", "127.0.0.1:8"], ENV, 1, "127.0.0.1:9"),
    (["--work-url", "http://127.0.0.1:9/", "--work-allow", "127.0.0.1"], {}, 2, "work-secret"),
    (["--work-url", "http://127.0.0.1:9/", "--work-allow", "127.0.0.1"], {"SPILLWAY_WORK_SECRET": "short"}, 1, "32"),
    (["--work-url", "ftp://127.0.0.1/", "--work-allow", "127.0.0.1"], ENV, 1, "http"),
    (["--work-allow", "http://x"], ENV, 2, "work-allow"),
    (["--work-url", "http://127.0.0.1:9/", "--work-allow", "127.0.0.1", "--work-secret-file", "/no/such"], {}, 1, "/no/such"),
    (["--work-secret-file", "/no/such"], ENV, 2, "exclude"),
    (["--work-concurrency", "0"], {}, 2, "work-concurrency"),
])
def test_bad_options_are_told(make_server, arguments, env, code, names):
    with pytest.raises(DidNotStart) as ended:
        make_server(*arguments, env=env).start()
    assert ended.value.code == code and names in ended.value.errors


def test_a_name_that_leads_inside_is_not_called(make_backend, make_server):
    backend = make_backend()
    port = backend.address.rpartition(":")[2]
    url = f"http://localhost:{port}/work"
    api = Api(make_server("--work-url", url, "--work-allow", "localhost", "--max-receive-count", "3", env=ENV).start())
    api.put_event("E", 1, work="http")
    token = api.login("ann")
    request = api.participate("E", token)
    assert api.until_final(request, token)["resultCode"] == "FAILED_RETRIES_EXHAUSTED"
    assert "not a public address" in api.detail(request)["statusLog"][-1]["reason"]
    assert not backend.calls
    api.http.close()
    allowed = Api(make_server("--work-url", url, "--work-allow-private", f"other.example,localhost:{port}",
                              data="allowed", env=ENV).start())
    allowed.put_event("E", 1, work="http")
    token = allowed.login("ann")
    assert allowed.until_final(allowed.participate("E", token), token)["status"] == "SUCCEEDED"
    allowed.http.close()


def test_the_example_backend_does_as_its_recipe_says(make_server, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    example = subprocess.Popen(
        [sys.executable, str(ROOT / "examples/http_worker_backend.py"), "--listen", "127.0.0.1:0", "--reject", "mallory"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env={**os.environ, **ENV})
    try:
        assert example.stdout is not None
        url = example.stdout.readline().split()[1]
        api = Api(make_server("--work-url", url + "/badges", "--work-allow", url.removeprefix("http://"),
                              "--work-secret-file", str(secret)).start())
        api.put_event("E", 2, work="http")
        users = ["ann", "mallory", "bob", "carol"]
        api.pause()
        tokens = {user: api.login(user) for user in users}
        requests = {user: api.participate("E", tokens[user]) for user in users}
        api.resume()
        views = {user: api.until_final(requests[user], tokens[user]) for user in users}
        assert {user: view["resultCode"] for user, view in views.items()} == {
            "ann": "SUCCESS", "mallory": "REJECTED_BY_WORK", "bob": "SUCCESS", "carol": "REJECTED_CAPACITY"}
        assert api.detail(requests["mallory"])["statusLog"][-1]["reason"] == "NOT_ELIGIBLE: not on our list"
        api.http.close()
        # Whoever does not know the secret decides nothing.
        liar = Api(make_server("--work-url", url, "--work-allow", url.removeprefix("http://"), data="liar",
                               env={"SPILLWAY_WORK_SECRET": "another secret, and not the right one at all"}).start())
        liar.put_event("E", 2, work="http")
        token = liar.login("ann")
        request = liar.participate("E", token)
        assert liar.until_final(request, token)["resultCode"] == "FAILED_INVALID_MESSAGE"
        assert liar.detail(request)["statusLog"][-1]["reason"] == "HTTP 401"
        liar.http.close()
    finally:
        example.kill()
        example.wait()


def test_kills_over_and_over_leave_exactly_n_winners_in_order(make_backend, make_api):
    """People, a moody backend that keeps its answers by key, and kill -9 again and again."""
    places, people, kills, calls_between = 25, 60, 6, 4  # fewer calls than there is work, so that each kill hits some
    moods = random.Random(11)
    ledger, lock, permits, worked = {}, threading.Lock(), threading.Semaphore(0), threading.Semaphore(0)

    def answer(call):
        key = call.headers["idempotency-key"]
        assert permits.acquire(timeout=HANG_GUARD_S)
        with lock:
            worked.release()
            if moods.random() < 0.15:
                return moods.choice([(500, b""), (200, b"?"), None])
            kind = "REJECTED" if moods.random() < 0.2 else "SUCCEEDED"
            return 200, {"result": ledger.setdefault(key, kind)}

    backend = make_backend(answer)
    api = make_api(backend, "--work-concurrency", "4", "--work-breaker-failures", "1000")
    api.put_event("E", places, work="http")
    api.pause()
    tokens = [api.login(f"u{i}") for i in range(people)]
    requests = [api.participate("E", token) for token in tokens]
    api.resume()
    for kill in range(kills):
        permits.release(calls_between)
        for _ in range(calls_between):
            assert worked.acquire(timeout=HANG_GUARD_S)
        api.server.restart()
        api.reconnect()
    permits.release(10_000)
    views = [api.until_final(request, token) for request, token in zip(requests, tokens)]
    winners = [r for r, view in zip(requests, views) if view["status"] == "SUCCEEDED"]
    assert len(winners) == places and api.event("E")["capacityRemaining"] == 0
    assert all(ledger[winner] == "SUCCEEDED" for winner in winners)
    refused = [i for i, view in enumerate(views) if view["resultCode"] == "REJECTED_CAPACITY"]
    last_called = max(i for i, request in enumerate(requests) if any(c.body["requestId"] == request for c in backend.calls))
    assert refused and min(refused) > last_called, "nobody is turned away before somebody who gets a place"
    for request, view in zip(requests, views):
        if view["resultCode"] == "REJECTED_BY_WORK":
            assert ledger[request] == "REJECTED"
