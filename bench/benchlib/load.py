"""The load generator: what a request costs it beside wrk and k6, and how many virtual users a machine holds."""

import contextlib
import math
import os
import shutil
import time

from .generators import (BOTTLENECK, GRACE_S, K6, Cores, Ours, Workload, Wrk, find_k6, measure, metric_values,
                         read_summary)
from .processes import BenchError, Spillway, fresh_directory, resident_bytes, thread_cpu_ns
from .tables import disturbance, median, middle

OF_K6, OF_WRK = 20, 0.5


def prepare(bench, names):
    """The generators that are here, by name."""
    found = {"k6": find_k6(), "wrk": shutil.which("wrk")}
    for name in [name for name, program in found.items() if program is None and "speed" in names]:
        print(f"left out: {name} is not installed, and nothing is held against it", flush=True)
    kinds = {"k6": K6, "wrk": Wrk}
    return {"ours": Ours(bench.o.spillway), **{name: kinds[name](found[name]) for name in found if found[name]}}


# ---- Speed -------------------------------------------------------------------------------------------------

def interleaved(bench, generators, workload):
    """Reports by generator: each runs once within a repetition, against one server."""
    reports = {name: [] for name in generators}
    with bench.spillway() as server:
        for _ in range(bench.o.repetitions):
            for name, generator in generators.items():
                bench.next_event += 1
                work = Workload(**vars(workload))
                if work.script == "queue-entry.js":
                    work.concert = f"bench-{bench.next_event}"
                directory = bench.work / f"load-{name}"
                reports[name].append(measure(generator, directory, server, work, bench.o))
    return reports


def times(reports, name, other):
    """How many times as many requests for the same CPU time; None when one of them is not here."""
    if name not in reports or other not in reports:
        return None
    return median([a["per_cpu_s"] / b["per_cpu_s"] for a, b in zip(reports[name], reports[other])])


def speed_table(bench, title, reports, generators, notes):
    rows = []
    for name, runs in reports.items():
        ratios = [times(reports, "ours", name), times(reports, name, "k6")]
        rows.append([generators[name].name, f"{middle(runs, 'per_cpu_s'):,.0f}",
                     f"{middle(runs, 'client', 'cpu_us_per_request'):.2f}", f"{middle(runs, 'load_rate'):,.0f}",
                     f"{middle(runs, 'client', 'busy') * 100:.0f}%",
                     f"{middle(runs, 'server', 'cpu_us_per_request'):.2f}",
                     f"{middle(runs, 'server', 'own_busy') * 100:.0f}%",
                     *("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios)])
    every = [report for runs in reports.values() for report in runs]
    bench.results.table(title, ["generator", "requests a CPU-second", "us", "requests /s", "its core",
                                "server us", "server's core", "ours : it", "it : k6"], rows,
                        [*notes, *disturbance(every)])


def speed_of_get(bench, generators):
    reports = interleaved(bench, generators, Workload("GET /livez", path="/livez", script="get.js"))
    of_k6, of_wrk, wrk_of_k6 = (times(reports, *pair) for pair in (("ours", "k6"), ("ours", "wrk"), ("wrk", "k6")))
    notes = ["us: CPU microseconds a request, of the generator's process over its whole life (user and system, from "
             "wait4) and of the server's."]
    if of_k6 is not None:
        bench.results.ratio("get.k6", of_k6)
        short = bench.results.judge and of_k6 < OF_K6
        notes.append(f"of k6, not judged here but below: {of_k6:.1f} times, "
                     + (f"which MISSES {OF_K6}" if short else f"asked are {OF_K6}")
                     + (f"; wrk is {wrk_of_k6:.1f} times k6: most of a bare request is the kernel's, whoever sends it."
                        if wrk_of_k6 is not None else "."))
    if of_wrk is not None:
        bench.results.ratio("get.wrk", of_wrk)
        bench.results.check("a bare GET, requests a CPU-second: of wrk", of_wrk, at_least=OF_WRK)
    speed_table(bench, f"GET /livez, closed loop, {bench.o.connections} connections: the generators alone on a core",
                reports, generators, notes)


def speed_of_journey(bench, generators):
    able = {name: generator for name, generator in generators.items() if name != "wrk"}
    reports = interleaved(bench, able, Workload("queue-entry", journey="queue-entry", script="queue-entry.js"))
    of_k6 = times(reports, "ours", "k6")
    if of_k6 is not None:
        bench.results.ratio("queue-entry.k6", of_k6)
        bench.results.check("queue-entry, requests a CPU-second: of k6", of_k6, at_least=OF_K6)
    speed_table(bench, f"queue-entry, {bench.o.connections} at once: a new person enters a line, the answer read and "
                "checked", reports, able, [])


def speed(bench, generators):
    speed_of_get(bench, generators)
    speed_of_journey(bench, generators)


# ---- Connections -------------------------------------------------------------------------------------------

LOOKS = 4  # while it holds; each costs a system call for each file
CONCERT = "bench"
# What holds of every answer to people who only wait.
INVARIANTS = ["position-never-up", "no-status-back", "nothing-lost", "active-under-cap"]


def waiting_plan(port, users, ramp_s, hold_s):
    """Everybody enters one line, asks as often as told to, and is still there at the end. They come by a schedule,
    because only then an iteration can be dropped."""
    stages = [{"duration": 0, "target": users}, {"duration": ramp_s, "target": users},
              {"duration": 0, "target": 0}, {"duration": hold_s, "target": 0}]
    return {
        "name": "bench-connections", "base_url": f"http://127.0.0.1:{port}", "invariants": INVARIANTS,
        "settings": {"concert": CONCERT, "max_active": 1, "ready_seconds": 3600, "active_seconds": 3600, "re_enter": 0,
                     "check_receipts": 0, "stay_min": 3000, "stay_max": 3000},
        "scenarios": {"people": {
            "executor": "ramping-arrival-rate", "journey": "queue-circulation", "startRate": users,
            "timeUnit": ramp_s, "stages": stages, "preAllocatedVUs": users, "maxVUs": users, "gracefulStop": 0}},
        "thresholds": {"http_req_failed": ["rate==0"], "dropped_iterations": ["count<=0"]},
    }


def sockets_of(pid):
    """Its open sockets, counted from outside."""
    count = 0
    directory = f"/proc/{pid}/fd"
    for name in os.listdir(directory):
        with contextlib.suppress(FileNotFoundError):  # closed since
            count += os.readlink(f"{directory}/{name}").startswith("socket:")
    return count


class Pair:
    """A server and the generator that fills it."""

    def __init__(self, bench, number, users):
        self.users = users
        self.directory = bench.work / f"pair-{number}"
        self.ours = Ours(bench.o.spillway)
        self.server = Spillway(bench.o.spillway, self.directory / "server",
                               more=["--max-connections", str(users + 500)])

    def begin(self, ramp_s, hold_s):
        self.idle_sockets = sockets_of(self.server.pid)
        self.server_before, self.server_cpu_ns = resident_bytes(self.server.pid), -thread_cpu_ns(self.server.pid)
        directory = self.directory / "load"
        fresh_directory(directory)
        self.most_connections = self.server_bytes = 0
        plan = waiting_plan(self.server.port, self.users, ramp_s, hold_s)
        self.run = self.ours.start_plan(directory, self.server, plan)
        return self.run

    def look(self):
        """Both sides are counted, and the smaller count is the one that is told; without the admin's, who watches."""
        try:
            now = min(self.users, sockets_of(self.run.pid), sockets_of(self.server.pid) - self.idle_sockets)
        except FileNotFoundError as gone:
            raise BenchError(f"a process ended while its connections were counted: {self.run.tail()}") from gone
        self.server_bytes = max(self.server_bytes, (resident_bytes(self.server.pid) - self.server_before) / self.users)
        return now

    def end(self, timeout_s):
        self.run.finish(timeout_s, (0, BOTTLENECK, 99))
        self.summary = read_summary(self.directory / "load" / "report")
        self.told = self.summary["spillway"]
        self.server_cpu_ns += thread_cpu_ns(self.server.pid)
        entered = self.server.sizes(CONCERT)["entered"]
        if entered > self.users:
            raise BenchError(f"{entered} in line, of {self.users} users")

    def row(self, number):
        own = self.told["self"]
        return [number, f"{self.users:,}", f"{self.connections:,}", f"{own['bytes_per_vu']:,}",
                f"{self.server_bytes:,.0f}", f"{own['dropped_iterations']:,}", f"{self.failed():.4%}",
                f"{own['lag_p99_ms']:.1f}", f"{own['lag_max_ms']:.1f}", f"{self.requests():,.0f}",
                self.told["verdict"]]

    def requests(self):
        return metric_values(self.summary, "http_reqs").get("count", 0)

    def failed(self):
        return metric_values(self.summary, "http_req_failed").get("rate", 1)


def fill(bench, pairs):
    """All at once, and what the cores did meanwhile; of each pair the connections in the look that saw the most."""
    with contextlib.ExitStack() as everything:
        for pair in pairs:
            everything.enter_context(pair.server)
        cores = Cores()
        for pair in pairs:
            everything.enter_context(pair.begin(bench.o.ramp, bench.o.hold))
        began, most = time.monotonic(), [0] * len(pairs)
        time.sleep(bench.o.ramp)  # not a wait for an event: it is the time that is measured
        while time.monotonic() < began + bench.o.ramp + bench.o.hold * (1 - 1 / LOOKS):
            most = max(most, [pair.look() for pair in pairs], key=sum)
            time.sleep(bench.o.hold / LOOKS)
        for pair, connections in zip(pairs, most):
            pair.connections = connections
            pair.end(bench.o.ramp + bench.o.hold + GRACE_S)
        return cores.report(sum(pair.requests() for pair in pairs), sum(pair.server_cpu_ns for pair in pairs) / 1e9,
                            sum(pair.run.cpu_s for pair in pairs))


def connections(bench, _):
    count = math.ceil(bench.o.users / bench.o.users_of_a_process)
    users = math.ceil(bench.o.users / count)
    pairs = [Pair(bench, number, users) for number in range(1, count + 1)]
    report = fill(bench, pairs)
    own = [pair.told["self"] for pair in pairs]
    results = bench.results
    total = sum(pair.connections for pair in pairs)
    worst = max(of["bytes_per_vu"] for of in own)
    results.check("virtual users' connections open at once", total, at_least=bench.o.users, digits=0)
    results.check("resident a virtual user", worst, at_most=10 * 1024, unit=" bytes", digits=0)
    results.check("dropped iterations", sum(of["dropped_iterations"] for of in own), at_most=0, digits=0)
    # Past it a generator calls its own run INVALID.
    results.check("how late a generator started what was due, p99", max(of["lag_p99_ms"] for of in own), at_most=50,
                  unit=" ms")
    results.check("failed requests", max(pair.failed() for pair in pairs) * 100, at_most=0, unit=" %", digits=4)
    results.ratio("users.bytes", 10 * 1024 / max(worst, 1))
    notes = [f"{total:,} connections, counted in /proc/PID/fd of both sides in one look. As many users a process as "
             "the limit of open files allows (`ulimit -Hn`); all generators share one core, all servers the other.",
             "bytes: resident, in user space, of the generator for each virtual user and of the server for each "
             "connection; the kernel's buffers are not in them."]
    notes += [f"pair {number}, {pair.told['verdict']}: {pair.told['grounds'][0]}"
              for number, pair in enumerate(pairs, 1) if pair.told["verdict"] != "PASS"]
    ours, theirs = report["client"], report["server"]
    for who, side, busy in (("generators", report["client"], "busy"), ("servers", report["server"], "own_busy")):
        notes.append(f"all {who}: {side[busy] * 100:.0f}% of their core, {side['cpu_us_per_request']:.1f} us a request")
    notes += disturbance([report])
    results.table(f"queue-circulation: {count} x {users:,} virtual users who wait in line, each with a connection",
                  ["pair", "users", "connections", "bytes a user", "server's", "dropped", "failed", "lag p99 ms", "max",
                   "requests", "verdict"], [pair.row(number) for number, pair in enumerate(pairs, 1)], notes)
