"""Health, metrics, stopping, TLS."""

import json
import os
import re
import ssl
import subprocess
import threading

import pytest

import prometheus
from client import ConnectionLost, Http
from harness import ADMIN_TOKEN, Api, DidNotStart, assert_problem


# ---- Health and metrics -----------------------------------------------------------------------------------

@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health(api, path):
    assert api.http.get(path).status == 200
    verbose = api.http.get(f"{path}?verbose")
    assert verbose.status == 200
    assert len(verbose.body.decode().strip().splitlines()) >= 1, "one line a check"


def test_head_and_options(api):
    head = api.http.request("HEAD", "/livez")
    assert head.status == 200 and head.body == b""
    assert api.http.get("/livez").status == 200, "and the connection is still in step"
    options = api.http.request("OPTIONS", "/requests/x")
    assert options.status in (200, 204) and "GET" in options.headers["allow"]


INTAKE_METRICS = {
    "spillway_intake_requests_total": ("counter", {"result"}),
    "spillway_intake_finished_total": ("counter", {"status", "result_code"}),
    "spillway_intake_queue_visible": ("gauge", set()),
    "spillway_intake_queue_in_flight": ("gauge", set()),
    "spillway_intake_queue_oldest_age_seconds": ("gauge", set()),
    "spillway_intake_dead_letters": ("gauge", set()),
    "spillway_intake_decision_latency_seconds": ("histogram", set()),
    "spillway_intake_capacity_remaining": ("gauge", {"event_id"}),
    "http_server_request_duration_seconds": ("histogram", {"method", "route", "status"}),
}


def metrics(api):
    response = api.http.get("/metrics")
    assert response.status == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return prometheus.parse(response.body.decode())


def test_metrics_are_there_and_are_prometheus_text(api, event):
    api.put_event(event, 1)
    people = [api.login("metric-a"), api.login("metric-b")]
    before = metrics(api)
    for token in people:
        api.until_final(api.participate(event, token), token)
    api.participate(event, people[0])
    assert api.http.post("/events/unknown/participations", token=people[0]).status == 404
    after = metrics(api)
    for name, (kind, labels) in INTAKE_METRICS.items():
        family = after[name]
        assert family.kind == kind, name
        assert family.samples, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels, sample

    def grown(name, **labels):
        return after[name].value(**labels) - before[name].value(**labels)

    assert grown("spillway_intake_requests_total", result="accepted") == 2
    assert grown("spillway_intake_requests_total", result="duplicate") == 1
    assert grown("spillway_intake_requests_total", result="refused") == 1
    assert grown("spillway_intake_finished_total", status="SUCCEEDED", result_code="SUCCESS") == 1
    assert grown("spillway_intake_finished_total", status="REJECTED", result_code="REJECTED_CAPACITY") == 1
    assert after["spillway_intake_capacity_remaining"].value(event_id=event) == 0
    latency = "spillway_intake_decision_latency_seconds"
    assert after[latency].count() - before[latency].count() == 2
    duration = after["http_server_request_duration_seconds"]
    bounds = {s.labels["le"] for s in duration.samples if s.name.endswith("_bucket")}
    assert {float(b) for b in bounds} == {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
                                          float("inf")}
    assert duration.count(method="POST", route="/events/{eventId}/participations", status="202") >= 3


def test_no_ids_in_labels(api, event):
    """One series per person or request would grow without bound."""
    api.put_event(event, 1)
    token = api.login("labelled-person")
    request_id = api.participate(event, token)
    api.until_final(request_id, token)
    assert api.http.get(f"/nothing/{request_id}").status == 404
    text = api.http.get("/metrics").body.decode()
    assert "labelled-person" not in text and request_id not in text


def test_depth_in_the_metrics(make_server, event):
    with make_server("--workers", "0") as server:
        api = Api(server)
        api.put_event(event, 1)
        for i in range(5):
            api.participate(event, api.login(f"u{i}"))
        assert metrics(api)["spillway_intake_queue_visible"].value() == 5
        assert metrics(api)["spillway_intake_queue_in_flight"].value() == 0


def test_traceparent_is_passed_through(api):
    """And made when it is missing or bad: that one is for the log, and shows in test_access_log."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    given = api.http.get("/livez", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert given.headers["traceparent"].split("-")[1] == trace
    for bad in (f"00-{'0' * 32}-00f067aa0ba902b7-01", f"00-{trace.upper()}-00f067aa0ba902b7-01", f"00-{trace}", "x"):
        told = api.http.get("/livez", headers={"traceparent": bad}).headers.get("traceparent", "")
        assert trace not in told and "0" * 32 not in told


def test_access_log(make_server):
    """Off by default. On: a line a request, with the trace id given or a made one, and no secrets."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with make_server("--access-log", "--log-format", "json") as server:
        line = server.http()
        token = Api(server).login("logged")
        line.get("/requests/nothing?wait=1s", token=token, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        line.get("/livez")
        line.get("/livez")
        assert server.stop() == 0
        entries = [json.loads(text) for text in server.errors().splitlines()]
        requests = [entry for entry in entries if "traceId" in entry]
        assert [(entry["path"], entry["status"]) for entry in requests][-3:] == [
            ("/requests/nothing", 404), ("/livez", 200), ("/livez", 200)]
        given, made, other = (entry["traceId"] for entry in requests[-3:])
        assert given == trace and len({given, made, other}) == 3
        assert all(re.fullmatch("[0-9a-f]{32}", i) for i in (made, other))
        assert token not in server.errors() and ADMIN_TOKEN not in server.errors()
    with make_server() as silent:
        silent.http().get("/livez")
        assert silent.stop() == 0
        assert "/livez" not in silent.errors()


# ---- Stopping ---------------------------------------------------------------------------------------------

def test_sigterm_answers_what_is_in_the_works_and_exits_0(make_server, event):
    server = make_server("--workers", "0").start()
    api = Api(server)
    api.put_event(event, 100)
    token = api.login("u0")
    request_id = api.participate(event, token)
    held = [server.http() for _ in range(10)]
    streams = []
    for line in held:
        line.get("/livez")
        line.send("GET", f"/requests/{request_id}?wait=30s", token=token)
    for _ in range(3):
        _, events = server.http().stream(f"/requests/{request_id}/stream", token=token)
        next(events)
        streams.append(events)
    for _ in range(20):
        assert api.request(request_id, token)["status"] == "QUEUED"
    assert not any(line.answered() for line in held)
    server.terminate()
    for line in held:
        response = line.receive()
        assert response.status == 200 and response.json()["status"] == "QUEUED", response
    for events in streams:
        assert list(events) == [], "ended, not cut, and nothing was made up"
    assert server.wait() == 0, server.errors()


def test_sigterm_under_load_loses_nothing_that_was_acknowledged(make_server, event):
    server = make_server("--workers", "0").start()
    api = Api(server)
    api.put_event(event, 1_000_000)
    tokens = [api.login(f"u{i}") for i in range(200)]
    acknowledged, started = [], threading.Semaphore(0)

    def push(mine):
        with server.http() as line:
            try:
                for token in mine:
                    response = line.post(f"/events/{event}/participations", token=token)
                    started.release()
                    if response.status == 202:
                        acknowledged.append(response.json()["requestId"])
                    else:
                        assert_problem(response, 503, "draining")
                        return
            except (ConnectionLost, ConnectionError, OSError):
                started.release()  # stopped between two requests

    threads = [threading.Thread(target=push, args=(tokens[i::4],)) for i in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(20):
        started.acquire()
    server.terminate()
    assert server.wait() == 0, server.errors()
    for thread in threads:
        thread.join()
    server.start()
    api.reconnect()
    found = {item["requestId"] for item in api.list(event)}
    assert len(acknowledged) >= 20 and set(acknowledged) <= found


def test_sigint_stops_too(make_server):
    server = make_server().start()
    os.kill(server.pid, 2)
    assert server.wait() == 0


def test_an_idle_connection_does_not_keep_it_from_stopping(make_server):
    server = make_server().start()
    idle = server.http()
    idle.get("/livez")
    assert server.stop() == 0
    assert idle.closed_by_server()


# ---- TLS --------------------------------------------------------------------------------------------------

def test_tls(make_server, certificate, event):
    cert, key = certificate
    with make_server("--tls-cert", cert, "--tls-key", key) as server:
        assert server.scheme == "https"
        trusting = ssl.create_default_context(cafile=cert)
        with Http(server.host, server.port, tls=trusting) as line:
            token = line.post("/auth/login", json={"userId": "u"}).json()["accessToken"]
            assert line.put(f"/admin/events/{event}", token=ADMIN_TOKEN,
                            json={"title": "t", "capacityTotal": 1, "policy": "FIRST_COME"}).status == 201
            for _ in range(50):
                line.send("POST", f"/events/{event}/participations", token=token)
            assert len({line.receive().json()["requestId"] for _ in range(50)}) == 1
            assert "strict-transport-security" in line.get("/livez").headers
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(cert)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Http(server.host, server.port, tls=old).get("/livez")
        # Plain HTTP to a TLS port, and a client that leaves in the handshake: the next one is served.
        with server.http() as plain:
            plain.send_raw(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            with pytest.raises((ConnectionLost, ValueError)):
                plain.receive()
        assert Http(server.host, server.port, tls=trusting).get("/livez").status == 200
        assert server.stop() == 0


@pytest.mark.parametrize("swap", ["missing", "mismatch", "garbage"])
def test_a_bad_certificate_is_exit_1(make_server, certificate, tmp_path, swap):
    cert, key = certificate
    if swap == "missing":
        cert = str(tmp_path / "none.pem")
    elif swap == "garbage":
        (tmp_path / "garbage.pem").write_text("not a certificate")
        cert = str(tmp_path / "garbage.pem")
    else:
        key = str(tmp_path / "other.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key],
                       check=True, capture_output=True)
    with pytest.raises(DidNotStart) as error:
        make_server("--tls-cert", cert, "--tls-key", key).start()
    assert error.value.code == 1 and error.value.errors.strip()
