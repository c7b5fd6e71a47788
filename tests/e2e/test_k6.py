"""The k6 scripts, run by real k6 in small."""

import http.server
import json
import os
import re
import subprocess
import threading

import pytest

from harness import ADMIN_TOKEN, ROOT, Api, clean_environment, find_k6

SCRIPT = ROOT / "k6" / "g0_spike_participation.js"
ENTRY = ROOT / "k6" / "queue-entry-scale-test.js"
CIRCULATION = ROOT / "k6" / "queue-circulation-test.js"


@pytest.fixture(scope="module")
def k6():
    try:
        return find_k6()
    except FileNotFoundError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def run_script(k6, script, environment, *more, report_dir=None):
    env = clean_environment(environment)
    for name in ("ACCESS_TOKEN", "REPORT_DIR"):
        env.pop(name, None)
    if report_dir:
        env["REPORT_DIR"] = str(report_dir)
    return subprocess.run([k6, "run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:0", *more, str(script)],
                          capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=300)


def run_k6(k6, server, event, *more, report_dir=None, vus=10, duration="3s"):
    env = {"BASE_URL": server.url, "EVENT_ID": event, "VUS": str(vus), "DURATION": duration}
    return run_script(k6, SCRIPT, env, *more, report_dir=report_dir)


def test_the_spike(k6, make_server, tmp_path):
    """What the load test must show, in small: paused the depth rises, resumed it drains, N places make N winners."""
    with make_server("--workers", "0") as server:
        api = Api(server)
        api.put_event("EVT-009", 100)
        run = run_k6(k6, server, "EVT-009", report_dir=tmp_path)
        assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
        api.reconnect()

        (summary_file,) = tmp_path.glob("g0_spike_participation_summary_*.json")
        assert re.fullmatch(r"g0_spike_participation_summary_\d{8}T\d{6}Z\.json", summary_file.name)
        data = json.loads(summary_file.read_text())
        metrics = data["metrics"]
        accepted = metrics["participations_accepted"]["values"]["count"]
        assert accepted > 100
        assert metrics["http_req_failed"]["values"]["rate"] < 0.01
        assert metrics["http_req_failed"]["thresholds"] == {"rate<0.01": {"ok": True}}
        assert metrics["checks"]["values"]["rate"] == 1
        assert metrics["checks"]["thresholds"] == {"rate==1": {"ok": True}}
        assert {c["name"] for c in data["root_group"]["checks"]} == {
            "login: gives an access token", "participate: status is 202", "participate: requestId is present",
            "participate: no status in the body"}

        queue = api.queue()
        waiting = queue["visible"] + queue["inFlight"] + queue["delayed"]
        assert waiting >= accepted, "every 202 is in the queue"
        assert api.event("EVT-009")["capacityRemaining"] == 100, "untouched before"
        items = api.list("EVT-009")
        assert len(items) == waiting == len({item["userId"] for item in items}), "a fresh user per iteration"

        api.resume()
        last = items[-1]
        token = api.login(last["userId"])
        assert api.until_final(last["requestId"], token)["status"] in ("SUCCEEDED", "REJECTED")
        assert api.queue()["visible"] == 0
        statuses = [item["status"] for item in api.list("EVT-009")]
        assert statuses == ["SUCCEEDED"] * 100 + ["REJECTED"] * (len(items) - 100)
        assert api.event("EVT-009")["capacityRemaining"] == 0

        (report,) = tmp_path.glob("g0_spike_participation_summary_*.md")
        text = report.read_text()
        assert text.startswith("# Spike of participations: PASS")
        for heading in ("## Command", "## Environment", "## Key figures", "## Grounds", "## Action items"):
            assert heading in text
        assert "THRESHOLDS" in run.stdout and "✓ checks: rate==1" in run.stdout


def test_with_a_token_all_requests_are_one_persons(k6, server, api, event):
    api.put_event(event, 1)
    token = api.login("the-only-one")
    run = run_k6(k6, server, event, "-e", f"ACCESS_TOKEN={token}", vus=3, duration="1s")
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    assert [item["userId"] for item in api.list(event)] == ["the-only-one"]


def test_a_threshold_that_fails_is_exit_99(k6, server, tmp_path):
    """An event that does not exist: every participation is 404, and the script says so in all its ways."""
    run = run_k6(k6, server, "nobody-made-this", vus=2, duration="1s", report_dir=tmp_path)
    assert run.returncode == 99, f"{run.stdout}\n{run.stderr}"
    assert "✗ http_req_failed: rate<0.01" in run.stdout and "✗ checks: rate==1" in run.stdout
    (report,) = tmp_path.glob("*.md")
    assert report.read_text().startswith("# Spike of participations: FAIL")
    assert "- Find out why `http_req_failed` missed" in report.read_text()


def test_the_scripts_load_without_a_server(k6):
    inspected = subprocess.run([k6, "inspect", str(SCRIPT)], capture_output=True, text=True, timeout=60,
                               env=clean_environment())
    assert inspected.returncode == 0, inspected
    options = json.loads(inspected.stdout)
    assert options["scenarios"]["spike"]["vus"] == 300 and options["scenarios"]["spike"]["duration"] == "1m0s"


ENTRY_IN_SMALL = {"WARM_RATE": "50", "WARM_DURATION": "1s", "RATE": "200", "DURATION": "3s", "VUS": "20",
                  "RE_ENTER": "0.5"}
CIRCULATION_IN_SMALL = {"RATE": "50", "DURATION": "8s", "STAY_MIN": "0.2", "STAY_MAX": "0.6", "WARM": "3",
                        "PEOPLE": "10", "VUS": "20"}


def run_queue(k6, script, url, *small, report_dir=None, **env):
    """Shortened to seconds; the machine that runs the tests may be busy, so what k6 drops says nothing."""
    given = {"BASE_URL": url, "CONCERT": "CON-1", "ADMIN_TOKEN": ADMIN_TOKEN, "MAX_DROPPED": "1000000", **env}
    for part in small:
        given = {**part, **given}
    return run_script(k6, script, given, report_dir=report_dir)


def metrics_of(folder, plan):
    (summary_file,) = folder.glob(f"{plan}_summary_*.json")
    return json.loads(summary_file.read_text())["metrics"]


def line_of(server):
    response = Api(server).admin("GET", "/admin/queues/waitroom/CON-1")
    assert response.status == 200, response
    return response.json()["data"]


def test_everybody_enters(k6, make_server, tmp_path):
    with make_server() as server:
        run = run_queue(k6, ENTRY, server.url, ENTRY_IN_SMALL, MAX_ACTIVE="300", report_dir=tmp_path)
        assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
        line = line_of(server)
        metrics = metrics_of(tmp_path, "queue-entry-scale-test")
        people = metrics["iterations"]["values"]["count"]
        assert 300 < people == line["sizes"]["entered"] < metrics["queue_entry_success"]["values"]["passes"]
        assert line["settings"]["maxActive"] == line["sizes"]["ready"] == 300
        assert line["sizes"]["waiting"] == people - 300
        (report,) = tmp_path.glob("*.md")
        assert report.read_text().startswith("# Everybody enters at once: PASS")


def test_a_line_in_motion(k6, make_server, tmp_path):
    """With fewer slots than people want at once, so that they wait and poll; everybody is out in the end."""
    with make_server() as server:
        run = run_queue(k6, CIRCULATION, server.url, CIRCULATION_IN_SMALL, MAX_ACTIVE="20", report_dir=tmp_path)
        metrics = metrics_of(tmp_path, "queue-circulation-test")
        missed = {name for name, m in metrics.items() if not all(t["ok"] for t in m.get("thresholds", {}).values())}
        # What a slow machine may miss, with so few slots.
        missed -= {"queue_exit_per_entry", "queue_activation_wait"}
        assert {name for name in missed if not name.startswith("http_req_duration")} == set(), run.stdout
        sizes = line_of(server)["sizes"]
        people = metrics["queue_entry_success"]["values"]["passes"]
        assert sizes["entered"] == people == metrics["queue_removal_success"]["values"]["passes"] > 100
        assert sizes["waiting"] == sizes["ready"] == sizes["active"] == 0
        assert metrics["http_req_duration{name:poll}"]["values"]["max"] > 0, "nobody had to wait"
        assert 0 < metrics["queue_active_seen"]["values"]["max"] <= 20
        assert metrics["queue_exit_per_entry"]["values"]["max"] > 0


class Liar(http.server.BaseHTTPRequestHandler):
    """A waiting room that breaks its promises: each answer another token and a higher position, more in than may be."""

    protocol_version = "HTTP/1.1"
    told = 0

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        Liar.told += 1
        status = "READY" if self.path.endswith(("enter", "status")) else "ACTIVE"
        data = {"token": f"t{Liar.told}", "status": status, "position": Liar.told, "pollAfterMs": 100,
                "sizes": {"waiting": 0, "ready": 0, "active": 10 ** 6, "entered": 10 ** 6 + Liar.told}}
        body = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("script, small, found", [
    (ENTRY, ENTRY_IN_SMALL, {"queue_token_changed: count==0", "queue_position_up: count==0"}),
    (CIRCULATION, {**CIRCULATION_IN_SMALL, "DURATION": "6s", "RATE": "20"},
     {"queue_token_changed: count==0", "queue_position_up: count==0", "queue_active_over_cap: count==0"}),
])
def test_broken_promises_fail_the_run(k6, script, small, found):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar) as liar:
        liar.daemon_threads = True
        threading.Thread(target=liar.serve_forever, daemon=True).start()
        run = run_queue(k6, script, f"http://127.0.0.1:{liar.server_address[1]}", small)
        liar.shutdown()
    assert run.returncode == 99, f"{run.stdout}\n{run.stderr}"
    missed = set(re.findall(r"✗ (queue_.*)", run.stdout))
    assert found <= missed, run.stdout


@pytest.mark.parametrize("script, small", [(ENTRY, ENTRY_IN_SMALL), (CIRCULATION, CIRCULATION_IN_SMALL)])
def test_people_who_are_refused_fail_the_run(k6, make_server, script, small):
    """Nobody may enter under `--identity users` without an access token."""
    with make_server(identity="users") as server:
        run = run_queue(k6, script, server.url, {**small, "DURATION": "2s"})
    assert run.returncode == 99 and "✗ queue_entry_success: rate>0.999" in run.stdout, f"{run.stdout}\n{run.stderr}"


def test_iterations_that_are_dropped_fail_the_run(k6, server):
    run = run_queue(k6, ENTRY, server.url, {**ENTRY_IN_SMALL, "RATE": "5000", "VUS": "1", "MAX_VUS": "1"},
                    MAX_DROPPED="0")
    assert run.returncode == 99 and "✗ dropped_iterations: count<=0" in run.stdout, f"{run.stdout}\n{run.stderr}"


@pytest.mark.parametrize("script", [ENTRY, CIRCULATION])
def test_the_line_must_be_configured_first(k6, server, script):
    run = run_queue(k6, script, server.url, ADMIN_TOKEN="")
    assert run.returncode == 107 and "ADMIN_TOKEN is missing" in run.stderr, run
    run = run_queue(k6, script, server.url, ADMIN_TOKEN="x" * 40)
    assert run.returncode == 107 and "cannot configure the line CON-1: 401" in run.stderr, run


def test_unshortened_it_is_the_crowd_of_the_specification(k6):
    def inspect(script):
        done = subprocess.run([k6, "inspect", str(script)], capture_output=True, text=True, timeout=60,
                              env=clean_environment())
        assert done.returncode == 0, done
        return json.loads(done.stdout)

    options = inspect(ENTRY)
    rates = [(s["startTime"], s["rate"], s["timeUnit"], s["duration"]) for s in options["scenarios"].values()]
    assert sorted(rates) == [("0s", 1000, "1s", "10s"), ("10s", 5000, "1s", "1m0s")]
    assert options["thresholds"]["http_req_duration{name:enter}"] == ["p(95)<200", "p(99)<500"]
    assert options["thresholds"]["queue_entry_success"] == ["rate>0.999"]
    options = inspect(CIRCULATION)
    people = options["scenarios"]["people"]
    assert (people["rate"], people["timeUnit"], people["duration"]) == (2000, "1m40s", "3m0s"), "100 in each iteration"
    wanted = {"http_req_duration{name:enter}": "p(95)<200", "http_req_duration{name:poll}": "p(95)<100",
              "http_req_duration{name:remove}": "p(95)<100", "queue_activation_wait": "p(95)<30000",
              "queue_removal_success": "rate>0.99", "queue_exit_per_entry": "value>=0.95"}
    assert {name: options["thresholds"][name] for name in wanted} == {k: [v] for k, v in wanted.items()}
