"""What Prometheus sees of the waiting room, and what the Grafana dashboard and the recording rules make of it: with a
real Prometheus that scrapes a real server with people in line."""

import contextlib
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import prometheus
import pytest
import yaml

from client import HANG_GUARD_S
from harness import ROOT, Api

DASHBOARD = json.loads((ROOT / "deploy/grafana/waitroom.json").read_text())
RULES = ROOT / "deploy/prometheus/spillway-waitroom.yml"
TARGETS = {f"{panel['title']} {target['refId']}": target["expr"]
           for panel in DASHBOARD["panels"] for target in panel["targets"]}
RECORDED = {rule["record"]: rule["expr"]
            for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"] if "record" in rule}
POLL_S = 0.1


def put(api, concert, **settings):
    response = api.admin("PUT", f"/admin/queues/waitroom/{concert}", json=settings)
    assert response.status in (200, 201), response


def enter(api, concert, user):
    response = api.http.post("/api/v1/queue/enter", json={"concertId": concert, "userId": user})
    assert response.status == 200, response
    return response.json()["data"]


def of_ticket(api, method, what, token):
    return api.http.request(method, f"/api/v1/queue/{what}", headers={"X-Queue-Token": token})


def families(api):
    return prometheus.parse(api.http.get("/metrics").body.decode())


def test_the_names_and_labels_that_dashboards_use(make_server):
    api = Api(make_server().start())
    put(api, "CON", maxActive=2)
    tokens = [enter(api, "CON", f"u{i}")["token"] for i in range(5)]
    assert of_ticket(api, "POST", "activate", tokens[0]).status == 200
    assert of_ticket(api, "DELETE", "token", tokens[0]).status == 200
    found = families(api)
    con = {"concert_id": "CON"}
    for name, kind, value in (("queue_entry_count_total", "counter", 5), ("queue_wait_size", "gauge", 2),
                              ("queue_active_size", "gauge", 2), ("spillway_waitroom_max_active", "gauge", 2),
                              ("spillway_waitroom_present_size", "gauge", 2), ("spillway_waitroom_paused", "gauge", 0),
                              ("spillway_waitroom_admitted_total", "counter", 3),
                              ("spillway_waitroom_admitting", "gauge", 1)):
        assert (found[name].kind, found[name].value(**con)) == (kind, value), name
    exits = found["queue_exit_count_total"]
    assert exits.value(reason="left", **con) == 1
    assert {s.labels["reason"] for s in exits.samples} == {"left", "not_activated", "idle", "too_old"}
    for name in ("activation_wait_time_seconds", "active_usage_time_seconds"):
        assert found[name].kind == "histogram" and found[name].count() == 1, name
    put(api, "CON", maxActive=2, mode="paused")
    found = families(api)
    assert found["spillway_waitroom_paused"].value(**con) == 1 and found["spillway_waitroom_admitting"].value(**con) == 0
    put(api, "LATER", maxActive=2, opensAt="2090-01-01T00:00:00Z")
    enter(api, "LATER", "early")
    assert families(api)["spillway_waitroom_admitting"].value(concert_id="LATER") == 0


def test_at_most_a_thousand_concerts_have_a_label_and_nobody_is_lost(make_server):
    labels, more = 1_000, 30  # limits::kMaxConcertLabels
    api = Api(make_server().start())
    for i in range(labels + more):
        put(api, f"C{i}", maxActive=i % 2)  # in every other one people wait
        enter(api, f"C{i}", "ann")
    found = families(api)
    for name in ("queue_entry_count_total", "queue_wait_size", "queue_active_size"):
        names = {s.labels["concert_id"] for s in found[name].samples}
        assert len(names - {"other"}) == labels and "other" in names, name
    assert found["queue_entry_count_total"].value(concert_id="other") == more
    assert sum(s.value for s in found["queue_entry_count_total"].samples) == labels + more
    assert sum(s.value for s in found["queue_wait_size"].samples) == (labels + more) / 2
    assert sum(s.value for s in found["queue_active_size"].samples) == (labels + more) / 2
    exits = {(s.labels["concert_id"], s.labels["reason"]) for s in found["queue_exit_count_total"].samples}
    assert len(exits) == (labels + 1) * 4
    for name in ("spillway_waitroom_max_active", "spillway_waitroom_present_size", "spillway_waitroom_admitted_total",
                 "spillway_waitroom_paused", "spillway_waitroom_admitting"):
        assert len(found[name].samples) == labels, f"{name} of many concerts together would mean nothing"


class Crowd:
    """People who enter, come in, stay for a moment and leave, until it is stopped; some more wait for good."""

    def __init__(self, server):
        self.api, self.over, self.fault = Api(server), threading.Event(), None
        put(self.api, "CON", maxActive=4)
        for i in range(4 + 6):
            token = enter(self.api, "CON", f"stays-{i}")["token"]
            if i < 2:
                assert of_ticket(self.api, "POST", "activate", token).status == 200
        put(self.api, "FLOW", maxActive=50)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            for i in range(1_000_000):
                if self.over.wait(0.01):
                    return
                token = enter(self.api, "FLOW", f"u{i}")["token"]
                for method, what in (("POST", "activate"), ("DELETE", "token")):
                    assert of_ticket(self.api, method, what, token).status == 200
        except Exception as error:  # told by stop(): a thread's own traceback fails no test
            self.fault = error

    def stop(self):
        self.over.set()
        self.thread.join()
        assert self.fault is None, self.fault


class Prometheus:
    """A real one, that looks at `server` all the time."""

    def __init__(self, server, folder):
        program = shutil.which("prometheus")
        assert program, "no prometheus: the Debian package of that name (tools/packages.sh)"
        with contextlib.closing(socket.socket()) as one:
            one.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{one.getsockname()[1]}"
        self.url = f"http://{address}/api/v1/query"
        (folder / RULES.name).write_text(RULES.read_text())
        config = {"global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"},
                  "rule_files": [RULES.name],
                  "scrape_configs": [{"job_name": "spillway", "static_configs": [{"targets": [f"127.0.0.1:{server.port}"]}]}]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            [program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}",
             f"--web.listen-address={address}"], stdout=self.log, stderr=self.log)

    def query(self, expr):
        """The samples as they are now; None while it cannot be asked yet. A wrong expression is an error."""
        assert self.process.poll() is None, self.said()
        asked = f"{self.url}?{urllib.parse.urlencode({'query': expr})}"
        try:
            with urllib.request.urlopen(asked, timeout=HANG_GUARD_S) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            assert error.code == 503, (expr, error.read())  # it is still reading its own files
        except urllib.error.URLError as error:
            assert isinstance(error.reason, ConnectionRefusedError), error
        return None

    def until_data(self, expr):
        guard = time.monotonic() + HANG_GUARD_S
        while True:
            found = [s for s in self.query(expr) or () if s["value"][1] != "NaN"]
            if found:
                return found
            assert time.monotonic() < guard, f"no data for {expr}\n{self.said()}"
            time.sleep(POLL_S)

    def said(self):
        self.log.seek(0)
        return self.log.read()[-2_000:]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=HANG_GUARD_S)
        self.log.close()


@pytest.fixture(scope="module")
def scraped(binary, tmp_path_factory):
    from harness import Server
    with Server(tmp_path_factory.mktemp("scraped") / "data", binary=binary) as server:
        crowd = Crowd(server)
        watching = Prometheus(server, tmp_path_factory.mktemp("prometheus"))
        try:
            yield watching, crowd.api
        finally:
            watching.stop()
            crowd.stop()
        assert server.stop() == 0, server.errors()


def filled_in(expr):
    """As Grafana does it with all servers and concerts chosen."""
    for name, value in (("$concert", ".*"), ("$instance", ".*"), ("$__rate_interval", "5s")):
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


@pytest.mark.parametrize("which", TARGETS)
def test_every_panel_shows_something(scraped, which):
    found = scraped[0].until_data(filled_in(TARGETS[which]))
    assert all(float(sample["value"][1]) >= 0 for sample in found)


@pytest.mark.parametrize("name", RECORDED)
def test_every_recording_rule_records(scraped, name):
    assert scraped[0].until_data(name)


def test_figures_that_are_known(scraped):
    watching, _ = scraped
    for title, concert, value in (("Active size and the cap A", "CON", 4), ("Active size and the cap B", "CON", 4),
                                  ("Wait size A", "CON", 6), ("Share of the cap A", "CON", 1)):
        found = watching.until_data(filled_in(TARGETS[title].replace("$concert", concert)))
        assert [(s["metric"]["concert_id"], float(s["value"][1])) for s in found] == [(concert, value)], title
    assert float(watching.until_data('concert_id:queue_active_size:ratio{concert_id="CON"}')[0]["value"][1]) == 1


def test_the_dashboard_asks_only_for_what_there_is(scraped):
    names = {sample.name for family in families(Api(scraped[1].server)).values() for sample in family.samples}
    queries = list(TARGETS.values()) + [v["definition"] for v in DASHBOARD["templating"]["list"] if v["type"] == "query"]
    for expr in queries + list(RECORDED.values()):
        asked = [name for name, _ in prometheus.selectors(expr)]
        assert asked and set(asked) <= names, expr


def test_the_dashboard_is_one_that_grafana_imports():
    assert DASHBOARD["uid"] and DASHBOARD["title"] and DASHBOARD["schemaVersion"] >= 36
    assert "id" not in DASHBOARD and "__inputs" not in DASHBOARD, "an import gives it its own"
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    assert variables["concert"]["multi"] and variables["concert"]["includeAll"]
    ids, taken = set(), set()
    for panel in DASHBOARD["panels"]:
        assert panel["id"] not in ids and panel["description"].strip() and panel["targets"], panel["title"]
        ids.add(panel["id"])
        for source in (panel, *panel["targets"]):
            assert source["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
        for variable in re.findall(r"\$\{?(\w+)", " ".join(t["expr"] for t in panel["targets"])):
            assert variable in variables or variable == "__rate_interval", variable
    red = [step["value"] for p in DASHBOARD["panels"] if p["title"] == "Share of the cap"
           for step in p["fieldConfig"]["defaults"]["thresholds"]["steps"] if step["color"] == "red"]
    assert red and 1 <= red[0] < 1.01, "red past the cap, and not at it"
