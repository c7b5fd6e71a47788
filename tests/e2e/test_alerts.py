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
FILES = sorted(set(FOLDER.glob("*.yml")) - set(FOLDER.glob("*-test.yml")))


def rules_in(path):
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for path in FILES for rule in rules_in(path) if "alert" in rule}
FILE_OF = {rule["alert"]: path for path in FILES for rule in rules_in(path) if "alert" in rule}
assert len(ALERTS) == sum("alert" in rule for path in FILES for rule in rules_in(path)), "two alerts of one name"


def cases_of(path):
    return path.with_name(f"{path.stem}-test.yml")


def promtool(*args, cwd=FOLDER):
    program = shutil.which("promtool")
    assert program, "no promtool: the Debian package prometheus (tools/packages.sh)"
    return subprocess.run([program, *args], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_rules_are_sound_and_do_what_their_tests_say(path):
    done = promtool("check", "rules", path.name)
    assert done.returncode == 0 and f"{len(rules_in(path))} rules found" in done.stdout, done
    done = promtool("test", "rules", cases_of(path).name)
    assert done.returncode == 0, done.stdout + done.stderr


def fires(case):
    """The alerts that a case of the tests sees firing."""
    return set(re.findall(r'alertname="(\w+)"', str(case.get("promql_expr_test", ""))))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_alert_is_seen_firing_and_all_of_them_silent(path):
    cases = yaml.safe_load(cases_of(path).read_text())["tests"]
    alerts = {name for name in ALERTS if FILE_OF[name] == path}
    assert set().union(*(fires(case) for case in cases)) == alerts
    silent = [case for case in cases if "promql_expr_test" in case and not fires(case)]
    asked = {name for alert in alerts for name, _ in prometheus.selectors(ALERTS[alert]["expr"])}
    given = {series["series"].split("{")[0] for case in silent for series in case["input_series"]}
    assert asked <= given, "the silent case must have every metric, or its silence says nothing"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_never_fires_is_found(alert, tmp_path):
    path = FILE_OF[alert]
    rules = yaml.safe_load(path.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            if rule.get("alert") == alert:
                rule["expr"] = f"({rule['expr']}) and vector(0) > 1"
    (tmp_path / path.name).write_text(yaml.safe_dump(rules))
    tests = yaml.safe_load(cases_of(path).read_text())
    tests["tests"] = [case for case in tests["tests"] if fires(case) == {alert}]
    (tmp_path / cases_of(path).name).write_text(yaml.safe_dump(tests))
    assert promtool("test", "rules", cases_of(path).name, cwd=tmp_path).returncode == 1


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
    """After somebody has taken part, been refused, and got his answer, and somebody is in a line."""
    api = Api(server)
    api.put_event("alerts", 1)
    api.put_event("alerts-closed", 1, closesAt="2020-01-01T00:00:00Z")
    token = api.login("ann")
    api.until_final(api.participate("alerts", token), token)
    assert api.http.post("/events/alerts-closed/participations", token=token).status == 409
    assert api.http.post("/api/v1/queue/enter", json={"concertId": "alerts", "userId": "ann"}).status == 200
    page = api.http.get("/metrics").body.decode()
    api.http.close()
    return prometheus.parse(page)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_asks_for_metrics_that_there_are(alert, metrics):
    names = {sample.name for family in metrics.values() for sample in family.samples}
    found = list(prometheus.selectors(ALERTS[alert]["expr"]))
    assert found
    for name, labels in found:
        if name == "up":  # Prometheus' own
            continue
        assert name in names, f"{name} is not in /metrics"
        samples = [s for family in metrics.values() for s in family.samples if s.name == name]
        for label, value in labels.items():
            assert all(label in sample.labels for sample in samples), f"{name} has no label {label}"
            if label in ("route", "method", "result", "reason"):
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
