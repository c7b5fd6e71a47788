"""Webhooks out: final states are told, signed, at least once (docs/webhooks.md)."""

import os
import random
import subprocess
import sys
import threading

import pytest

from client import HANG_GUARD_S
from harness import ROOT, Api, DidNotStart, assert_problem
from test_http_work import metric, until
from webhook_receiver import OTHER_SECRET, SECRET, TAKEN, WebhookReceiver

ENV = {"SPILLWAY_WEBHOOK_SECRET": SECRET}
QUICK = {"--webhook-backoff-ms": "20", "--webhook-timeout-ms": "5000"}


@pytest.fixture
def make_receiver():
    made = []

    def make(*answer):
        made.append(WebhookReceiver(*answer))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def make_api(make_server):
    made = []

    def make(*args, env=ENV, **more):
        quick = [word for flag, value in QUICK.items() if flag not in args for word in (flag, value)]
        server = make_server("--work-allow", "127.0.0.1", *quick, *args, env=env, **more).start()
        made.append(Api(server))
        return made[-1]

    yield make
    for api in made:
        api.http.close()


def webhook(api, request):
    return api.detail(request)["webhook"]


def ended(api, request):
    """The webhook of a request once it is no longer pending."""
    def look():
        story = api.detail(request).get("webhook")
        return story if story and story["state"] != "PENDING" else None
    return until(look, f"{request} is not told")


def test_a_final_state_is_told_and_signed(make_receiver, make_api):
    receiver = make_receiver()
    api = make_api("--log-level", "debug")
    assert api.put_event("E", 1, webhook={"url": receiver.url})["webhook"] == {"url": receiver.url}
    ann, bob = api.login("ann"), api.login("bob")
    first, second = api.participate("E", ann), api.participate("E", bob)
    views = {request: api.until_final(request, token) for request, token in ((first, ann), (second, bob))}
    receiver.until(2)
    for request, user, status, code in ((first, "ann", "SUCCEEDED", "SUCCESS"),
                                        (second, "bob", "REJECTED", "REJECTED_CAPACITY")):
        (call,) = receiver.told()[request]
        times = {name: views[request][name] for name in ("queuedAt", "startedAt", "finishedAt") if name in views[request]}
        assert call.body == {"deliveryId": call.headers["idempotency-key"], "requestId": request, "eventId": "E",
                             "userId": user, "status": status, "resultCode": code, **times, "attempt": 1}
        assert call.headers["content-type"] == "application/json"
        assert call.headers["traceparent"].startswith("00-") and len(call.headers["traceparent"]) == 55
        assert call.is_signed(SECRET) and not call.is_signed(OTHER_SECRET)
        assert call.headers["spillway-signature"] not in api.server.errors()
        story = ended(api, request)
        assert (story["state"], story["attempts"], story["lastStatus"]) == ("DELIVERED", 1, 204)
        assert story["deliveryId"] == call.headers["idempotency-key"] and "endedAt" in story
    assert SECRET not in api.server.errors()
    assert metric(api, "spillway_intake_webhooks_delivered_total") == 2
    assert metric(api, "spillway_intake_webhooks_pending") == 0
    assert len(receiver.calls) == 2


def test_an_event_without_a_webhook_tells_nobody(make_receiver, make_api):
    receiver = make_receiver()
    api = make_api()
    api.put_event("PLAIN", 5)
    api.put_event("TOLD", 5, webhook={"url": receiver.url})
    token = api.login("ann")
    plain = api.participate("PLAIN", token)
    assert api.until_final(plain, token)["status"] == "SUCCEEDED"
    api.until_final(api.participate("TOLD", token), token)
    receiver.until(1)
    assert "webhook" not in api.detail(plain) and "webhook" not in api.event("PLAIN")
    assert [call.body["eventId"] for call in receiver.calls] == ["TOLD"]


def test_kill_between_the_final_state_and_its_telling_loses_none(make_receiver, make_api):
    """The server dies with all of them final and none of them told: one round with calls that hang, then again."""
    people = 40
    receiver = make_receiver(lambda call: receiver.hang(call))
    api = make_api("--webhook-timeout-ms", "60000")
    api.put_event("E", 10, webhook={"url": receiver.url})
    tokens = [api.login(f"u{i}") for i in range(people)]
    requests = [api.participate("E", token) for token in tokens]
    views = [api.until_final(request, token) for request, token in zip(requests, tokens)]
    receiver.until(1)
    for _ in range(2):
        api.server.restart()
        api.reconnect()
        assert metric(api, "spillway_intake_webhooks_pending") == people
    receiver.answer = lambda call: TAKEN
    receiver.release()
    for request in requests:
        assert ended(api, request)["state"] == "DELIVERED"
    told = receiver.told()
    assert set(told) == set(requests), "every one was told"
    for request, view in zip(requests, views):
        assert {call.body["status"] for call in told[request]} == {view["status"]}
        assert len({call.headers["idempotency-key"] for call in told[request]}) == 1, "the same key each time"
        assert all(call.is_signed(SECRET) for call in told[request])


def test_kills_over_and_over_lose_none_and_take_back_nothing(make_receiver, make_api):
    """The server is killed between any two calls, while people come and the receiver takes, refuses and hangs up."""
    people, kills, calls_between = 60, 6, 12
    moods, lock, asked, permits = random.Random(7), threading.Lock(), threading.Semaphore(0), threading.Semaphore(0)
    taken: dict[str, list[dict]] = {}

    def answer(call):
        assert permits.acquire(timeout=HANG_GUARD_S)
        with lock:
            asked.release()
            if moods.random() < 0.4:
                return moods.choice([(500, b""), (302, b""), None])
            taken.setdefault(call.headers["idempotency-key"], []).append(call.body)
            return TAKEN

    receiver = make_receiver(answer)
    api = make_api("--webhook-attempts", "1000")
    api.put_event("E", 20, webhook={"url": receiver.url})
    tokens = [api.login(f"u{i}") for i in range(people)]
    requests = [api.participate("E", token) for token in tokens]
    for _ in range(kills):
        permits.release(calls_between)
        for _ in range(calls_between):
            assert asked.acquire(timeout=HANG_GUARD_S)
        api.server.restart()
        api.reconnect()
    permits.release(100_000)
    views = {request: api.until_final(request, token) for request, token in zip(requests, tokens)}
    for request in requests:
        story = ended(api, request)
        assert story["state"] == "DELIVERED" and story["deliveryId"] in taken
    assert {told["requestId"] for bodies in taken.values() for told in bodies} == set(requests)
    for bodies in taken.values():
        for told in bodies:
            view = views[told["requestId"]]
            assert (told["status"], told["resultCode"], told["finishedAt"]) == (
                view["status"], view["resultCode"], view["finishedAt"])


@pytest.mark.parametrize("answer", [(500, b"no"), (404, b""), (302, b"", {"Location": "/elsewhere"}), (429, b""), None])
def test_what_fails_is_tried_again_with_the_same_key(make_receiver, make_api, answer):
    receiver = make_receiver(lambda call: answer if len(receiver.calls) < 3 else TAKEN)
    api = make_api()
    api.put_event("E", 1, webhook={"url": receiver.url})
    token = api.login("ann")
    request = api.participate("E", token)
    story = ended(api, request)
    assert (story["state"], story["attempts"]) == ("DELIVERED", 3)
    assert [call.body["attempt"] for call in receiver.calls] == [1, 2, 3]
    assert len({call.headers["idempotency-key"] for call in receiver.calls}) == 1
    assert len({call.headers["traceparent"][:35] for call in receiver.calls}) == 1
    assert len({call.headers["traceparent"] for call in receiver.calls}) == 3
    assert metric(api, "spillway_intake_webhooks_failed_total") == 2


def test_after_the_last_try_it_is_given_up_and_can_be_told_again(make_receiver, make_api):
    receiver = make_receiver(lambda call: (500, b""))
    api = make_api("--webhook-attempts", "3")
    api.put_event("E", 1, webhook={"url": receiver.url})
    token = api.login("ann")
    request = api.participate("E", token)
    story = ended(api, request)
    assert (story["state"], story["attempts"], story["lastStatus"], story["lastReason"]) == ("GIVEN_UP", 3, 500, "HTTP 500")
    assert metric(api, "spillway_intake_webhooks_given_up_total") == 1
    (item,) = api.admin("GET", "/admin/webhooks?state=GIVEN_UP&eventId=E").json()["items"]
    assert item["requestId"] == request and item["deliveryId"] == story["deliveryId"] and item["userId"] == "ann"
    assert api.admin("GET", "/admin/webhooks?state=PENDING").json()["items"] == []
    receiver.answer = lambda call: TAKEN
    again = api.admin("POST", "/admin/webhooks/redeliver", json={"eventId": "E"})
    assert again.json() == {"redelivered": 1, "left": 0}
    story = ended(api, request)
    assert (story["state"], story["attempts"]) == ("DELIVERED", 4)
    assert receiver.calls[-1].headers["idempotency-key"] == story["deliveryId"]
    assert api.admin("POST", "/admin/webhooks/redeliver", json={"eventId": "E"}).json()["redelivered"] == 0
    audited = [e for e in api.admin("GET", "/admin/audit").json()["items"] if e["action"] == "webhooks.redeliver"]
    assert [(e["target"], e["after"]) for e in audited] == [("E", {"redelivered": 1})]


def test_gone_is_given_up_at_once(make_receiver, make_api):
    receiver = make_receiver(lambda call: (410, b""))
    api = make_api()
    api.put_event("E", 1, webhook={"url": receiver.url})
    token = api.login("ann")
    story = ended(api, api.participate("E", token))
    assert (story["state"], story["attempts"], story["lastReason"]) == ("GIVEN_UP", 1, "HTTP 410")


def test_retry_after_is_respected(make_receiver, make_api):
    receiver = make_receiver(lambda call: (503, b"", {"Retry-After": "2"}) if len(receiver.calls) == 1 else TAKEN)
    api = make_api()
    api.put_event("E", 1, webhook={"url": receiver.url})
    token = api.login("ann")
    assert ended(api, api.participate("E", token))["state"] == "DELIVERED"
    first, second = receiver.calls
    assert second.at - first.at >= 2


def test_what_is_too_old_is_given_up(make_receiver, make_api):
    receiver = make_receiver(lambda call: (500, b""))
    api = make_api("--webhook-max-age-seconds", "1", "--webhook-backoff-ms", "300")
    api.put_event("E", 1, webhook={"url": receiver.url})
    token = api.login("ann")
    story = ended(api, api.participate("E", token))
    assert (story["state"], story["lastReason"]) == ("GIVEN_UP", "could not be told in time")


def test_a_dead_receiver_holds_up_nobody_else(make_receiver, make_api):
    """10,000 pending of one that takes calls and never answers; those of the others go on at once."""
    events, people = 100, 100
    over, count, running, most = threading.Event(), threading.Lock(), [0], [0]

    def hang(call):
        with count:
            running[0] += 1
            most[0] = max(most[0], running[0])
        over.wait(10 * HANG_GUARD_S)
        with count:
            running[0] -= 1
        return TAKEN

    dead, well = make_receiver(hang), make_receiver()
    api = make_api("--webhook-timeout-ms", "300000", "--limit", "participate.account=off")
    api.pause()
    tokens = [api.login(f"u{i}") for i in range(people)]
    # One person can be at one event once: many events, one receiver.
    for name in (f"DEAD-{n}" for n in range(events)):
        api.put_event(name, people, webhook={"url": dead.url})
        for token in tokens:
            api.http.send("POST", f"/events/{name}/participations", token=token)
        assert {api.http.receive().status for _ in tokens} == {202}
    api.put_event("WELL", people, webhook={"url": well.url})
    api.resume()
    dead.until(8)
    until(lambda: metric(api, "spillway_intake_webhooks_pending") == events * people, "not all are final")
    for request in [api.participate("WELL", token) for token in tokens]:
        assert ended(api, request)["state"] == "DELIVERED"
    assert metric(api, "spillway_intake_webhooks_pending") == events * people
    assert most[0] == 8, "no more at once than its share"
    over.set()


def test_a_receiver_that_fails_is_left_alone_and_its_tries_are_kept(make_receiver, make_api):
    good = threading.Event()
    receiver = make_receiver(lambda call: TAKEN if good.is_set() else (500, b""))
    api = make_api("--webhook-attempts", "100")
    api.put_event("E", 100, webhook={"url": receiver.url})
    tokens = [api.login(f"u{i}") for i in range(60)]
    api.pause()
    requests = [api.participate("E", token) for token in tokens]
    api.resume()
    for request, token in zip(requests, tokens):
        api.until_final(request, token)
    receiver.until(10)  # then it is left alone
    untouched = until(lambda: [r for r in requests if webhook(api, r)["attempts"] == 0], "all were tried")
    good.set()
    for request in requests:
        assert ended(api, request)["state"] == "DELIVERED"
    assert all(webhook(api, request)["attempts"] == 1 for request in untouched)


def test_a_redriven_request_tells_its_new_end(make_receiver, make_api, make_server):
    from test_http_work import SUCCEEDED, WorkBackend
    from work_backend import SECRET as WORK_SECRET
    bad = WorkBackend(lambda call: (500, b""))
    receiver = make_receiver()
    api = make_api(*bad.arguments("--max-receive-count", "3", "--work-breaker-failures", "1000"),
                   env={**ENV, "SPILLWAY_WORK_SECRET": WORK_SECRET})
    api.put_event("E", 1, work="http", webhook={"url": receiver.url})
    token = api.login("ann")
    request = api.participate("E", token)
    assert api.until_final(request, token)["status"] == "FAILED_FINAL"
    first = ended(api, request)
    bad.answer = lambda call: SUCCEEDED
    redrive = api.admin("POST", "/admin/queues/participations/dead-letters/redrive", json={"filter": {}})
    assert redrive.status == 202, redrive
    receiver.until(2)
    assert api.until_final(request, token)["status"] == "SUCCEEDED"
    second = ended(api, request)
    assert second["deliveryId"] != first["deliveryId"]
    assert [call.body["status"] for call in receiver.calls] == ["FAILED_FINAL", "SUCCEEDED"]
    items = api.admin("GET", "/admin/webhooks?eventId=E").json()["items"]
    assert [item["status"] for item in items] == ["SUCCEEDED", "FAILED_FINAL"], "newest first, both in the log"
    bad.close()


def test_a_webhook_is_asked_for_kept_changed_and_removed(make_receiver, make_api):
    receiver, other = make_receiver(), make_receiver()
    api = make_api()
    assert "webhook" not in api.put_event("E", 1)
    assert api.put_event("E", 2, webhook={"url": receiver.url})["webhook"] == {"url": receiver.url}
    assert api.put_event("E", 3)["webhook"] == {"url": receiver.url}, "absent: as it is"
    api.server.restart()
    api.reconnect()
    assert api.event("E")["webhook"] == {"url": receiver.url}
    assert api.put_event("E", 3, webhook={"url": other.url, "secretName": "default"})["webhook"] == {
        "url": other.url, "secretName": "default"}
    audited = api.admin("GET", "/admin/audit?limit=1").json()["items"][0]
    assert audited["before"]["webhook"] == {"url": receiver.url}
    assert "webhook" not in api.put_event("E", 3, webhook=None)
    assert "webhook" not in api.event("E")


def test_what_is_pending_follows_the_event(make_receiver, make_api):
    """To its new address; and when it has none any more, what is pending is given up and not kept for ever."""
    bad, good = make_receiver(lambda call: (500, b"")), make_receiver()
    api = make_api()
    api.put_event("E", 5, webhook={"url": bad.url})
    token, other = api.login("ann"), api.login("bob")
    request = api.participate("E", token)
    bad.until(1)
    api.put_event("E", 5, webhook={"url": good.url})
    assert ended(api, request)["state"] == "DELIVERED"
    good.answer = lambda call: (500, b"")
    second = api.participate("E", other)
    good.until(2)
    api.put_event("E", 5, webhook=None)
    story = ended(api, second)
    assert (story["state"], story["lastReason"]) == ("GIVEN_UP", "the event has no webhook any more")
    assert_problem(api.admin("POST", "/admin/webhooks/redeliver", json={"eventId": "E"}), 400, "invalid_argument",
                   names="webhook")


@pytest.mark.parametrize("webhook, names", [
    ({}, "webhook.url"),
    ({"url": ""}, "webhook.url"),
    ({"url": 5}, "webhook.url"),
    ("http://127.0.0.1/", "webhook"),
    ({"url": "ftp://127.0.0.1/"}, "webhook.url"),
    ({"url": "no url at all"}, "webhook.url"),
    ({"url": "http://user:pw@127.0.0.1/"}, "webhook.url"),
    ({"url": "https://elsewhere.example/"}, "webhook.url"),
    ({"url": "http://public.example/"}, "webhook.url"),
    ({"url": "http://127.0.0.1/" + "x" * 3000}, "webhook.url"),
    ({"url": "http://127.0.0.1/", "secretName": "nobody"}, "webhook.secretName"),
    ({"url": "http://127.0.0.1/", "secretName": "a b"}, "webhook.secretName"),
])
def test_bad_webhooks_are_refused_by_name(make_api, webhook, names):
    api = make_api("--work-allow", "public.example")
    body = {"title": "t", "capacityTotal": 1, "webhook": webhook}
    problem = assert_problem(api.admin("PUT", "/admin/events/E", json=body), 400, "invalid_argument", names=names)
    assert SECRET not in str(problem)
    assert api.admin("GET", "/admin/events/E").status == 404


def test_https_is_wanted_of_names_outside_and_not_of_those_inside(make_api):
    api = make_api("--work-allow", "public.example", "--work-allow-private", "inside.example")
    assert api.put_event("A", 1, webhook={"url": "https://public.example/x"})
    assert api.put_event("B", 1, webhook={"url": "http://inside.example/x"})
    body = {"title": "t", "capacityTotal": 1, "webhook": {"url": "http://public.example/x"}}
    assert_problem(api.admin("PUT", "/admin/events/C", json=body), 400, "invalid_argument", names="https")


def test_secrets_have_names(make_receiver, make_api, tmp_path):
    file = tmp_path / "secrets"
    file.write_text(f"# of the shop\nshop={OTHER_SECRET}\n\n")
    receiver = make_receiver()
    api = make_api("--webhook-secrets-file", str(file))
    api.put_event("SHOP", 1, webhook={"url": receiver.url, "secretName": "shop"})
    api.put_event("REST", 1, webhook={"url": receiver.url})
    token = api.login("ann")
    for name in ("SHOP", "REST"):
        assert ended(api, api.participate(name, token))["state"] == "DELIVERED"
    signed = {call.body["eventId"]: (call.is_signed(SECRET), call.is_signed(OTHER_SECRET)) for call in receiver.calls}
    assert signed == {"SHOP": (False, True), "REST": (True, False)}
    # The secret is taken away: what wants it fails and says so, and nobody is called unsigned.
    api.server.kill()
    file.write_text(f"other={OTHER_SECRET}\n")
    api.server.start()
    api.reconnect()
    request = api.participate("SHOP", api.login("bob"))
    until(lambda: "shop" in (api.detail(request).get("webhook") or {}).get("lastReason", ""), "it does not say why")
    assert len(receiver.calls) == 2


def test_without_a_secret_no_event_may_have_one(make_server):
    api = Api(make_server("--work-allow", "127.0.0.1").start())
    body = {"title": "t", "capacityTotal": 1, "webhook": {"url": "http://127.0.0.1:9/"}}
    assert_problem(api.admin("PUT", "/admin/events/E", json=body), 400, "invalid_argument", names="--webhook-secret")
    assert api.admin("PUT", "/admin/events/E", json={**body, "webhook": None}).status == 201
    api.http.close()


@pytest.mark.parametrize("arguments, text, env, code, names", [
    ([], None, {"SPILLWAY_WEBHOOK_SECRET": "short"}, 1, "32"),
    (["--webhook-secrets-file", "/no/such"], None, {}, 1, "/no/such"),
    (["--webhook-secrets-file", "FILE"], "just words", {}, 1, "line 1"),
    (["--webhook-secrets-file", "FILE"], "# nothing\nshop=short", {}, 1, "line 2"),
    (["--webhook-secrets-file", "FILE"], f"a={SECRET}\na={SECRET}", {}, 1, "twice"),
    (["--webhook-secrets-file", "FILE"], f"default={SECRET}", ENV, 1, "webhook-secret"),
    (["--webhook-attempts", "0"], None, {}, 2, "webhook-attempts"),
    (["--work-allow", "http://x"], None, ENV, 2, "work-allow"),
])
def test_bad_options_are_told(make_server, tmp_path, arguments, text, env, code, names):
    file = tmp_path / "secrets"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DidNotStart) as refused:
        make_server(*[str(file) if argument == "FILE" else argument for argument in arguments], env=env).start()
    assert refused.value.code == code and names in refused.value.errors
    assert SECRET not in refused.value.errors


def test_the_list_goes_page_by_page(make_receiver, make_api):
    receiver = make_receiver()
    api = make_api()
    for name in ("A", "B"):
        api.put_event(name, 5, webhook={"url": receiver.url})
    requests = {}
    for i in range(7):
        token = api.login(f"u{i}")
        requests.update({api.participate(name, token): name for name in ("A", "B")})
    receiver.until(14)
    until(lambda: metric(api, "spillway_intake_webhooks_pending") == 0, "not all are told")
    seen, cursor = [], ""
    while True:
        page = api.admin("GET", f"/admin/webhooks?limit=3&state=DELIVERED{cursor}").json()
        seen += page["items"]
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert {item["requestId"] for item in seen} == set(requests) and len(seen) == 14
    assert [item["createdAt"] for item in seen] == sorted((item["createdAt"] for item in seen), reverse=True)
    of_b = api.admin("GET", "/admin/webhooks?eventId=B").json()["items"]
    assert {item["requestId"] for item in of_b} == {request for request, name in requests.items() if name == "B"}
    for query, names in (("state=NO", "state"), ("limit=0", "limit"), ("cursor=x", "cursor")):
        assert_problem(api.admin("GET", f"/admin/webhooks?{query}"), 400, "invalid_argument", names=names)
    assert_problem(api.admin("GET", "/admin/webhooks?eventId=NONE"), 404, "not_found")
    for body, names in (({}, "eventId"), ({"eventId": 5}, "eventId")):
        assert_problem(api.admin("POST", "/admin/webhooks/redeliver", json=body), 400, "invalid_argument", names=names)
    assert_problem(api.admin("POST", "/admin/webhooks/redeliver", json={"eventId": "NONE"}), 404, "not_found")


@pytest.fixture
def example():
    """The receiver that docs/webhooks.md shows."""
    process = subprocess.Popen([sys.executable, str(ROOT / "examples/webhook_receiver.py"), "--listen", "127.0.0.1:0"],
                               env={**os.environ, "SPILLWAY_WEBHOOK_SECRET": SECRET}, stdout=subprocess.PIPE, text=True)
    ready = process.stdout.readline()
    assert ready.startswith("ready http://"), ready
    yield process, ready.split()[1]
    process.kill()
    process.wait()


def test_the_example_believes_us_and_takes_each_delivery_once(example, make_api):
    process, url = example
    api = make_api("--webhook-attempts", "2")
    api.put_event("E", 1, webhook={"url": f"{url}/hook"})
    token = api.login("ann")
    request = api.participate("E", token)
    assert ended(api, request)["state"] == "DELIVERED"
    assert process.stdout.readline().split() == [request, "ann", "SUCCEEDED", "SUCCESS"]


def test_the_example_refuses_what_another_secret_has_signed(example, make_api, tmp_path):
    _, url = example
    file = tmp_path / "secrets"
    file.write_text(f"wrong={OTHER_SECRET}")
    api = make_api("--webhook-attempts", "2", "--webhook-secrets-file", str(file))
    api.put_event("E", 1, webhook={"url": f"{url}/hook", "secretName": "wrong"})
    token = api.login("ann")
    story = ended(api, api.participate("E", token))
    assert (story["state"], story["attempts"], story["lastStatus"]) == ("GIVEN_UP", 2, 401)
