"""The k6 scripts, run by real k6 in small."""

import json
import os
import re
import subprocess

import pytest

from harness import ROOT, Api, clean_environment, find_k6

SCRIPT = ROOT / "k6" / "g0_spike_participation.js"


@pytest.fixture(scope="module")
def k6():
    try:
        return find_k6()
    except FileNotFoundError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def run_k6(k6, server, event, *more, report_dir=None, vus=10, duration="3s"):
    env = clean_environment({"BASE_URL": server.url, "EVENT_ID": event, "VUS": str(vus), "DURATION": duration})
    for name in ("ACCESS_TOKEN", "REPORT_DIR"):
        env.pop(name, None)
    if report_dir:
        env["REPORT_DIR"] = str(report_dir)
    return subprocess.run([k6, "run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:0", *more, str(SCRIPT)],
                          capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, timeout=300)


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
