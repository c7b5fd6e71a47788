"""`spillway load run` against real servers: what it counts, what it writes, what it says of a wrong plan."""

import json
import math
import re

import pytest

from harness import ADMIN_TOKEN, Api
from load_lab import (ABORTED, BAD_PLAN, INVALID, NO_ADMIN, NO_RUN, PLACES, THRESHOLDS, Counted, Run, arrivals, entries,
                      free_port, plan_of, until)

TRENDS = ("avg", "min", "med", "max", "p(90)", "p(95)")
VALUES = {"counter": {"count", "rate"}, "gauge": {"value", "min", "max"}, "rate": {"rate", "passes", "fails"}}


def line_of(server, concert):
    response = Api(server).admin("GET", f"/admin/queues/waitroom/{concert}")
    assert response.status == 200, response
    return response.json()["data"]


def assert_k6_shape(data):
    """What tools read that were written for k6's handleSummary."""
    assert {"root_group", "options", "state", "metrics"} <= data.keys()
    assert {"name", "path", "id", "groups", "checks"} == data["root_group"].keys()
    for check in data["root_group"]["checks"]:
        assert {"name", "path", "id", "passes", "fails"} == check.keys() and check["path"] == f"::{check['name']}"
    assert {"summaryTrendStats", "summaryTimeUnit", "noColor"} == data["options"].keys()
    assert {"isStdOutTTY", "isStdErrTTY", "testRunDurationMs"} == data["state"].keys()
    for name in ("http_reqs", "http_req_failed", "http_req_duration", "http_req_blocked", "http_req_connecting",
                 "http_req_tls_handshaking", "http_req_sending", "http_req_waiting", "http_req_receiving", "iterations",
                 "iteration_duration", "vus", "vus_max", "data_sent", "data_received"):
        assert name in data["metrics"], name
    for name, metric in data["metrics"].items():
        assert metric["contains"] in ("default", "time", "data"), name
        if metric["type"] == "trend":
            assert set(TRENDS) | set(data["options"]["summaryTrendStats"]) == metric["values"].keys(), name
        else:
            assert VALUES[metric["type"]] == metric["values"].keys(), name
        assert all(isinstance(value, (int, float)) for value in metric["values"].values()), name
        for threshold in metric.get("thresholds", {}).values():
            assert threshold.keys() == {"ok"}


def assert_all_written(run):
    for what, ending in (("summary", "json"), ("summary", "md"), ("summary", "html"), ("console", "log")):
        assert re.fullmatch(rf"{run.name}_{what}_\d{{8}}T\d{{6}}Z\.{ending}", run.file(what, ending).name)
    verdict = run.ours["verdict"]
    for what, ending in (("summary", "md"), ("summary", "html"), ("console", "log")):
        assert verdict in run.file(what, ending).read_text(), ending
    assert f"VERDICT: {verdict}" in run.stdout
    for folder in (run.file("summary", "md"), run.file("summary", "html"), run.file("console", "log")):
        assert ADMIN_TOKEN not in folder.read_text()
    assert ADMIN_TOKEN not in json.dumps(run.data)


# ---- The journeys -----------------------------------------------------------------------------------------------


def test_participation(server, api, event, tmp_path):
    plan = plan_of("participation", arrivals(40, "2s"), {"event": event, "capacity": 30, "participation_repeat": 1},
                   thresholds={"http_req_failed": ["rate==0"], "checks": ["rate==1"],
                               "participations_accepted": ["count==160"]})
    run = Run(tmp_path, plan, url=server.url).passed()
    assert_all_written(run)
    assert_k6_shape(run.data)
    assert set(run.invariants) == {"exactly-n-winners", "one-id-per-person", "nothing-lost", "every-request-final",
                                   "no-status-back", "first-come-first-served"}
    assert (run.count("iterations"), run.count("dropped_iterations")) == (80, 0)
    items = api.list(event)
    assert len(items) == 80 and [i["status"] for i in items].count("SUCCEEDED") == 30
    assert api.event(event)["title"].startswith("Load ")
    steps = {step["name"]: step["count"] for step in run.ours["steps"]}
    assert steps["login"] == 80 and steps["participate"] == 160 and steps["poll"] >= 80
    assert steps["all requests"] == sum(steps.values()) - steps["all requests"] == run.count("http_reqs")
    assert run.values("participation_final_wait")["max"] > 0


def test_queue_entry(server, tmp_path):
    plan = plan_of("queue-entry", arrivals(50, "2s"), {**PLACES, "concert": "entered-once", "max_active": 30},
                   thresholds={"queue_entry_success": ["rate==1"], "dropped_iterations": ["count==0"]})
    run = Run(tmp_path, plan, url=server.url)
    run.expect(0)
    assert_all_written(run)
    assert_k6_shape(run.data)
    line = line_of(server, "entered-once")
    assert line["sizes"]["entered"] == run.count("iterations") == 100
    assert line["sizes"]["waiting"] == 70 and line["settings"]["maxActive"] == 30
    run.passed()


def test_queue_circulation(server, tmp_path):
    """With fewer slots than people, so that they wait; everybody is out in the end."""
    plan = plan_of("queue-circulation", arrivals(20, "1s", 30),
                   {**PLACES, "concert": "round-and-round", "max_active": 6, "stay_min": "400ms", "stay_max": "600ms"},
                   thresholds={"queue_removal_success": ["rate==1"], "http_req_failed": ["rate==0"]})
    run = Run(tmp_path, plan, url=server.url).passed()
    assert_all_written(run)
    assert_k6_shape(run.data)
    assert set(run.invariants) == {"nothing-lost", "active-under-cap", "position-never-up", "no-status-back",
                                   "one-id-per-person", "first-come-first-served"}
    sizes = line_of(server, "round-and-round")["sizes"]
    assert sizes["entered"] == run.count("iterations") == run.values("queue_removal_success")["passes"] == 20
    assert sizes["waiting"] == sizes["ready"] == sizes["active"] == 0
    steps = {step["name"]: step["count"] for step in run.ours["steps"]}
    assert steps["poll"] > 0, "nobody had to wait"
    assert steps["enter"] == 40 and steps["activate"] == steps["remove"] == steps["receipt"] == 20
    gauges = [point["gauges"] for point in run.ours["timeline"] if "queue_active_size" in point["gauges"]]
    assert gauges and max(g["queue_active_size"] for g in gauges) <= 6


# ---- Executors --------------------------------------------------------------------------------------------------

SHORT_STAY = {"stay_min": "20ms", "stay_max": "50ms", "re_enter": 0, "check_receipts": 0, "max_active": 1000}


@pytest.mark.parametrize("threads", ["1", "2"])
def test_every_executor(server, tmp_path, threads):
    """Where an executor says how many iterations it makes it is exactly so many, however many threads share them."""
    scenarios = {
        "shared": {"executor": "shared-iterations", "vus": 3, "iterations": 10},
        "each": {"executor": "per-vu-iterations", "vus": 3, "iterations": 4},
        "constant": {"executor": "constant-vus", "vus": 2, "duration": "1s"},
        "ramping": {"executor": "ramping-vus", "startVUs": 1, "stages": [{"duration": "1s", "target": 4},
                                                                          {"duration": "500ms", "target": 0}]},
        "arriving": arrivals(40, "1500ms", startTime="500ms"),
        "rising": {"executor": "ramping-arrival-rate", "preAllocatedVUs": 20,
                   "stages": [{"duration": "1s", "target": 20}, {"duration": "1s", "target": 20}]}}
    wanted = {"shared": "count==10", "each": "count==12", "constant": "count>10", "ramping": "count>10",
              "arriving": "count==60", "rising": "count==30"}
    concert = f"executors-{threads}"
    plan = plan_of("queue-circulation", {}, {**SHORT_STAY, "concert": concert},
                   thresholds={f"iterations{{scenario:{name}}}": [count] for name, count in wanted.items()})
    plan["scenarios"] = {name: {"journey": "queue-circulation", **one} for name, one in scenarios.items()}
    run = Run(tmp_path, plan, "--threads", threads, url=server.url)
    counts = {name: run.count(f"iterations{{scenario:{name}}}") for name in wanted} if run.code == 0 else run
    assert run.code == 0, run
    assert sum(counts.values()) == run.count("iterations") == line_of(server, concert)["sizes"]["entered"]
    assert run.count("dropped_iterations") == 0
    run.passed()


def test_iterations_without_a_virtual_user_are_dropped_and_counted(server, tmp_path):
    """Each stays for longer than the run lasts, so that three virtual users make three iterations."""
    plan = plan_of("queue-circulation", arrivals(20, "1s", 3, gracefulStop="0s"),
                   {**SHORT_STAY, "stay_min": "60s", "stay_max": "60s"}, invariants=["nothing-lost"])
    run = Run(tmp_path, plan, url=server.url).expect(INVALID)
    assert run.count("dropped_iterations") == 17 and run.count("iterations") == 0
    assert run.values("vus_max")["max"] == 3
    assert run.ours["verdict"] == "INVALID" and "dropped" in " ".join(run.ours["grounds"])


def test_a_generator_that_was_stopped_says_so_and_loses_nothing(tmp_path):
    """Stopped until after the end of the plan: what was due until then is made late or counted as dropped, and the
    run is INVALID, since what was slow was not the server."""
    with Counted() as server:
        run = Run(tmp_path, entries(100, "2s"), *NO_ADMIN, url=server.url)
        until(lambda: server.requests > 20, "some requests")
        run.process.send_signal(19)
        try:
            run.process.wait(2.5)  # nothing tells that time has passed
        except Exception as still_there:
            assert "timed out" in str(still_there)
        run.process.send_signal(18)
        run.expect(INVALID)
    assert run.count("iterations") + run.count("dropped_iterations") == 200
    assert run.ours["verdict"] == "INVALID"
    assert any("the generator was the bottleneck" in ground and "late" in ground for ground in run.ours["grounds"])


# ---- What the command line changes ------------------------------------------------------------------------------


@pytest.mark.parametrize("changes, iterations", [
    (["--scale-time", "0.25"], 20),
    (["--duration", "1s"], 20),
    (["--duration", "500ms", "--set", "scenarios.people.rate=90"], 45),
    (["--scale-time", "0.5", "--duration", "1s", "--set", "scenarios.people.timeUnit=500ms"], 20),
])
def test_changes(tmp_path, changes, iterations):
    with Counted() as server:
        run = Run(tmp_path, entries(20, "4s"), *NO_ADMIN, *changes, url=server.url).expect(0)
    assert run.count("iterations") == iterations
    for option in changes[::2]:
        assert option in run.ours["command"], "what repeats it"


def test_vus(tmp_path):
    with Counted() as server:
        plan = plan_of("queue-entry", {"executor": "per-vu-iterations", "vus": 2, "iterations": 3},
                       {"re_enter": 0, "check_receipts": 0})
        run = Run(tmp_path, plan, "--vus", "7", *NO_ADMIN, url=server.url).expect(0)
    assert run.count("iterations") == 21 and run.values("vus_max")["max"] == 7


def test_a_shipped_plan_as_a_rehearsal(server, api, event, tmp_path):
    api.put_event(event, 3)
    run = Run(tmp_path / "intake", "intake", "--scale-time", "0.02", "--vus", "2", "--set", f"settings.event={event}",
              "--set", "settings.participation_repeat=1", "--set", "settings.poll=50ms", url=server.url).passed()
    assert [item["status"] for item in api.list(event)].count("SUCCEEDED") == 3
    assert_all_written(run)
    run = Run(tmp_path / "entry", "waitroom-entry", "--scale-time", "0.03", "--set", "scenarios.warm.rate=50", "--set",
              "scenarios.crowd.rate=100", "--set", "settings.re_enter=1", "--set", "settings.check_receipts=1",
              url=server.url).passed()
    assert run.count("iterations") == 15 + 180


# ---- What is wrong with a plan, or with its surroundings ----------------------------------------------------------


@pytest.mark.parametrize("changes, named", [
    ("scenarios.people.journey=walk", "scenarios.people.journey"),
    ("scenarios.people.executor=constant-vu", "scenarios.people.executor"),
    ("scenarios.people.rat=5", "scenarios.people.rat"),
    ("scenarios.peple.rate=5", "scenarios.peple"),
    ("scenarios.people.rate=-1", "scenarios.people.rate"),
    ("scenarios.people.duration=soon", "scenarios.people.duration"),
    ("settings.max_actve=5", "settings.max_actve"),
    ("scenarios.people.settings.max_actve=5", "scenarios.people.settings.max_actve"),
    ("settings.max_active=many", "max_active"),
    ('thresholds.http_req_durations=["p(95)<1"]', "http_req_durations"),
    ('thresholds.http_req_duration=["p(95)<<1"]', "http_req_duration"),
    ('thresholds.http_req_duration=["rate<1"]', "http_req_duration"),
    ('invariants=["nothing-is-lost"]', "nothing-is-lost"),
    ('faults=[{kind="kick",at="0s",for="1s"}]', "faults[0].kind"),
    ("base_url=ftp://127.0.0.1", "base_url"),
])
def test_a_wrong_plan(tmp_path, changes, named):
    run = Run(tmp_path, entries(), "--set", changes).expect(BAD_PLAN)
    assert named in run.stderr, run
    assert not run.reports.exists()


def test_a_fault_without_its_server(tmp_path):
    run = Run(tmp_path, entries(), "--set", 'faults=[{kind="kill",at="0s",for="100ms"}]').expect(NO_RUN)
    assert "faults[0].kind" in run.stderr and "--server-command" in run.stderr, run


def test_no_such_plan(tmp_path):
    run = Run(tmp_path, "intaek").expect(BAD_PLAN)
    assert "intaek" in run.stderr and "intake" in run.stderr, run
    (tmp_path / "broken.toml").write_text("name = \n")
    run = Run(tmp_path, str(tmp_path / "broken.toml"), report=False).expect(BAD_PLAN)
    assert "broken.toml" in run.stderr and "line 1" in run.stderr, run


def test_without_the_admin_token(server, tmp_path):
    run = Run(tmp_path, entries(), url=server.url, admin=None).expect(NO_RUN)
    assert "SPILLWAY_ADMIN_TOKEN" in run.stderr and "--set invariants=[]" in run.stderr, run
    run = Run(tmp_path, entries(), "--set", "invariants=[]", url=server.url, admin=None).expect(NO_RUN)
    assert "401" in run.stderr and "SPILLWAY_ADMIN_TOKEN" in run.stderr, "the line cannot be configured"
    run = Run(tmp_path, entries(), url=server.url, admin="x" * 40).expect(NO_RUN)
    assert "401" in run.stderr, run


def test_nobody_there(tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    run = Run(tmp_path, entries(), url=url).expect(NO_RUN)
    assert url.removeprefix("http://") in run.stderr and "nobody takes connections" in run.stderr, run
    run = Run(tmp_path, entries(), url="http://nobody.invalid:80").expect(NO_RUN)
    assert "nobody.invalid" in run.stderr, run


# ---- The end of a run -------------------------------------------------------------------------------------------


def test_ctrl_c(server, tmp_path):
    plan = plan_of("queue-entry", arrivals(50, "60s"), {**PLACES, "concert": "interrupted"})
    run = Run(tmp_path, plan, url=server.url)
    admin = Api(server)

    def entered():
        response = admin.admin("GET", "/admin/queues/waitroom/interrupted")
        return response.status == 200 and response.json()["data"]["sizes"]["entered"] > 60

    until(entered, "people who entered")
    run.interrupt()
    run.expect(ABORTED)
    assert_all_written(run)
    assert run.ours["verdict"] == "INVALID" and run.ours["aborted"]
    assert run.broken == set() and set(run.invariants), "what was seen is judged all the same"
    assert 60 < run.count("iterations") == line_of(server, "interrupted")["sizes"]["entered"] < 3000


def test_thresholds_missed(tmp_path):
    with Counted() as server:
        one = Run(tmp_path / "one", entries(thresholds={"http_reqs": ["count>1000"], "http_req_failed": ["rate==0"]}),
                  *NO_ADMIN, url=server.url).expect(THRESHOLDS)
        core = Run(tmp_path / "core", entries(thresholds={"http_req_duration{name:enter}": ["p(95)<0", "max>0"]}),
                   *NO_ADMIN, url=server.url).expect(THRESHOLDS)
    assert one.ours["verdict"] == "WARN" and core.ours["verdict"] == "FAIL"
    assert one.data["metrics"]["http_reqs"]["thresholds"] == {"count>1000": {"ok": False}}
    assert one.data["metrics"]["http_req_failed"]["thresholds"] == {"rate==0": {"ok": True}}
    duration = core.data["metrics"]["http_req_duration{name:enter}"]
    assert duration["thresholds"] == {"p(95)<0": {"ok": False}, "max>0": {"ok": True}}
    assert_all_written(core)


def test_abort_on_fail(tmp_path):
    plan = entries(50, "60s", thresholds={"http_reqs": [{"threshold": "count<40", "abortOnFail": True}]})
    with Counted() as server:
        run = Run(tmp_path, plan, *NO_ADMIN, url=server.url).expect(THRESHOLDS)
    assert run.ours["aborted"] and 40 <= run.count("iterations") < 3000
    assert "count<40" in run.stderr, "it says why it stops"
    assert_all_written(run)


# ---- --points ---------------------------------------------------------------------------------------------------


def test_points(tmp_path):
    """As k6 --out json; and the summary's figures are those of the points."""
    points = tmp_path / "points.jsonl"
    with Counted() as server:
        run = Run(tmp_path, entries(200, "1s"), "--points", str(points), *NO_ADMIN, url=server.url).expect(0)
    known, values = {}, {}
    for line in points.read_text().splitlines():
        one = json.loads(line)
        assert one.keys() == {"metric", "type", "data"}
        if one["type"] == "Metric":
            assert one["metric"] not in known and one["data"]["name"] == one["metric"]
            assert {"name", "type", "contains", "thresholds", "submetrics"} <= one["data"].keys()
            known[one["metric"]] = one["data"]["type"]
            continue
        assert one["type"] == "Point" and one["metric"] in known, "a metric is told before its first point"
        assert one["data"].keys() == {"time", "value", "tags"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(Z|[+-]\d\d:\d\d)", one["data"]["time"])
        assert all(isinstance(text, str) for text in one["data"]["tags"].values())
        values.setdefault(one["metric"], []).append(one["data"]["value"])
    assert known["http_reqs"] == "counter" and known["http_req_failed"] == "rate"
    assert known["http_req_duration"] == "trend"
    assert sum(values["http_reqs"]) == len(values["http_req_duration"]) == run.count("http_reqs") == 200
    assert sum(values["iterations"]) == 200 and set(values["http_req_failed"]) == {0}
    for name in ("http_req_duration", "http_req_response_time", "iteration_duration"):
        told, all_values = run.values(name), sorted(values[name])
        assert told["min"] == pytest.approx(all_values[0], rel=1e-6)
        assert told["max"] == pytest.approx(all_values[-1], rel=1e-6)
        assert told["avg"] == pytest.approx(math.fsum(all_values) / 200, rel=1e-6)
        for quantile in (0.5, 0.9, 0.95, 0.99):
            exact = all_values[math.ceil(quantile * 200) - 1]
            name_of = {0.5: "med"}.get(quantile, f"p({quantile * 100:.0f})")
            assert told[name_of] == pytest.approx(exact, rel=0.01, abs=0.001), (name, quantile)
