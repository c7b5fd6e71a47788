"""The alert rules: they hold water by themselves (promtool), each is proven to fire, and each asks for metrics that this
program really has and points to a place in the manual that is there."""

import re
import shutil
import subprocess

import prometheus
import pytest
import yaml
from documented import OPERATIONS
from harness import ROOT, Api

FOLDER = ROOT / "deploy/prometheus"
RULES = FOLDER / "spillway-alerts.yml"
TESTS = FOLDER / "spillway-alerts-test.yml"
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


def promtool(*args, cwd=FOLDER):
    program = shutil.which("promtool")
    assert program, "no promtool: the Debian package prometheus (tools/packages.sh)"
    return subprocess.run([program, *args], cwd=cwd, capture_output=True, text=True, timeout=120)


def test_the_rules_are_sound_and_do_what_their_tests_say():
    done = promtool("check", "rules", RULES.name)
    assert done.returncode == 0 and f"{len(ALERTS)} rules found" in done.stdout, done
    done = promtool("test", "rules", TESTS.name)
    assert done.returncode == 0, done.stdout + done.stderr


def fires(case):
    """The alerts that a case of the tests sees firing."""
    return set(re.findall(r'alertname="(\w+)"', str(case.get("promql_expr_test", ""))))


def test_every_alert_is_seen_firing_and_all_of_them_silent():
    cases = yaml.safe_load(TESTS.read_text())["tests"]
    assert set().union(*(fires(case) for case in cases)) == set(ALERTS)
    silent = [case for case in cases if "promql_expr_test" in case and not fires(case)]
    asked = set(re.findall(r"\b(?:up|spillway_\w+|http_server_\w+)\b", " ".join(r["expr"] for r in ALERTS.values())))
    given = {series["series"].split("{")[0] for case in silent for series in case["input_series"]}
    assert asked <= given, "the silent case must have every metric, or its silence says nothing"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_never_fires_is_found(alert, tmp_path):
    rules = yaml.safe_load(RULES.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            if rule["alert"] == alert:
                rule["expr"] = f"({rule['expr']}) and vector(0) > 1"
    (tmp_path / RULES.name).write_text(yaml.safe_dump(rules))
    tests = yaml.safe_load(TESTS.read_text())
    tests["tests"] = [case for case in tests["tests"] if fires(case) == {alert}]
    (tmp_path / TESTS.name).write_text(yaml.safe_dump(tests))
    assert promtool("test", "rules", TESTS.name, cwd=tmp_path).returncode == 1


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_it_is_and_where_to_read_on(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    for member in ("summary", "description"):
        assert rule["annotations"][member].strip()
    page, anchor = rule["annotations"]["runbook_url"].split("#")
    assert page == str(OPERATIONS.relative_to(ROOT)) and anchor == alert.lower()
    headings = re.findall(r"^#+ (.+)$", OPERATIONS.read_text(), re.M)
    assert alert in headings


def test_the_manual_has_no_alert_that_is_not_there_and_no_dead_link():
    text = OPERATIONS.read_text()
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    assert {h for h in headings if h.startswith("Spillway")} == set(ALERTS)
    anchors = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


@pytest.fixture(scope="module")
def metrics(server):
    """After somebody has taken part, been refused, and got his answer."""
    api = Api(server)
    api.put_event("alerts", 1)
    api.put_event("alerts-closed", 1, closesAt="2020-01-01T00:00:00Z")
    token = api.login("ann")
    api.until_final(api.participate("alerts", token), token)
    assert api.http.post("/events/alerts-closed/participations", token=token).status == 409
    page = api.http.get("/metrics").body.decode()
    api.http.close()
    return prometheus.parse(page)


def selectors(expr):
    """(metric, labels) of each selector of an expression."""
    for name, inside in re.findall(r"\b(up|spillway_\w+|http_server_\w+)(?:\{((?:[^}\"]|\"[^\"]*\")*)\})?", expr):
        yield name, dict(re.findall(r'(\w+)\s*=~?\s*"([^"]*)"', inside))


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_asks_for_metrics_that_there_are(alert, metrics):
    names = {sample.name for family in metrics.values() for sample in family.samples}
    found = list(selectors(ALERTS[alert]["expr"]))
    assert found
    for name, labels in found:
        if name == "up":  # Prometheus' own
            continue
        assert name in names, f"{name} is not in /metrics"
        samples = [s for family in metrics.values() for s in family.samples if s.name == name]
        for label, value in labels.items():
            assert all(label in sample.labels for sample in samples), f"{name} has no label {label}"
            if label in ("route", "method", "result"):
                assert any(re.fullmatch(re.escape(value), sample.labels[label]) for sample in samples), (name, label, value)


def test_the_new_metrics_say_what_is(server, metrics):
    assert metrics["spillway_ready"].value() == 1 and metrics["spillway_journal_failed"].value() == 0
    disk = shutil.disk_usage(server.data)
    assert metrics["spillway_data_size_bytes"].value() == disk.total
    assert 0 < metrics["spillway_data_free_bytes"].value() <= disk.total


def test_a_pause_shows(make_server):
    api = Api(make_server("--workers", "0").start())
    api.put_event("E", 1)
    assert prometheus.parse(api.http.get("/metrics").body.decode())["spillway_intake_queue_paused"].value() == 1
    api.resume()
    assert prometheus.parse(api.http.get("/metrics").body.decode())["spillway_intake_queue_paused"].value() == 0
    api.http.close()
