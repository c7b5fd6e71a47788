"""The waiting room: newcomers and polls against nginx and Redis, ten million in line, listeners, a restart."""

import json
import subprocess

from .client import must_be_clean
from .processes import SERVER_CORE, BenchError, Nginx, Redis, Spillway, pinned, resident_bytes
from .redis import RANDOM_PERSON, redis_run, redis_table
from .suites import by_thread, versus_nginx
from .tables import disturbance, median, middle

# One newcomer as Redis would keep a line: known already? may one enter? a number, the line, the ticket, the place.
LUA = """
local ticket = 'TICKET#' .. KEYS[1] .. '#' .. ARGV[1]
if redis.call('EXISTS', ticket) == 1 then return redis.call('ZRANK', 'LINE#' .. KEYS[1], ARGV[1]) end
if redis.call('HGET', 'CONCERT#' .. KEYS[1], 'mode') == 'paused' then return 'PAUSED' end
local number = redis.call('INCR', 'ARRIVALS#' .. KEYS[1])
redis.call('ZADD', 'LINE#' .. KEYS[1], number, ARGV[1])
redis.call('HSET', ticket, 'number', number, 'status', 'WAITING', 'enteredAt', ARGV[2])
return redis.call('ZRANK', 'LINE#' .. KEYS[1], ARGV[1])
"""
ENTER, STATUS = "/api/v1/queue/enter", "/api/v1/queue/status"
ENTER_BOUNDS = {256: 0.85, 1000: 0.85}
STATUS_BOUNDS = {64: 0.95, 256: 0.95, 1000: 0.95}


def a_line(bench, server, **settings):
    """A fresh concert whose slot is taken: whoever comes waits."""
    bench.next_event += 1
    concert = f"bench-{bench.next_event}"
    server.put_concert(concert, **settings)
    server.enter(concert, "who-has-the-slot")
    return concert


def enter_ours(bench, server, connections):
    concert = a_line(bench, server)
    report = bench.client.enter(server, concert, bench.o.persons, connections, **bench.timing())
    must_be_clean(report, "POST to spillway", 200)
    waiting = server.sizes(concert)["waiting"]
    if waiting != report["accepted_total"]:
        raise BenchError(f"{report['accepted_total']} answered 200, {waiting} in line")
    return report


def prepare(bench, names):
    if not {"enter", "status"} & set(names):
        return
    with bench.spillway() as server:
        concert = a_line(bench, server)
        tokens = bench.work / "sample-tickets.txt"
        joined = bench.client.join(server, concert, 100, tokens)
        polled = bench.client.poll(server, tokens, 1, seconds=0.1, warmup=0)
    must_be_clean(polled, "GET status", 200)
    bench.nginx_answers({ENTER: joined, STATUS: polled})


def enter(bench, _):
    redis_runs = {c: [] for c in bench.o.connections}
    with bench.nginx() as nginx, bench.spillway() as server, Redis(bench.work / "redis", durable=False) as redis:
        script = redis.command("SCRIPT", "LOAD", LUA)
        redis.command("HSET", "CONCERT#1", "mode", "fifo")

        def theirs(connections):
            report = bench.client.enter(nginx, "bench", bench.o.persons, connections, **bench.timing())
            must_be_clean(report, "POST to nginx", 200)
            return report

        def ours(connections):
            report = enter_ours(bench, server, connections)
            redis_runs[connections].append(redis_run(bench, redis, connections, script, "1", "1", *RANDOM_PERSON))
            return report

        reports = versus_nginx(bench, f"POST {ENTER}: durable, every one a new person who waits", "enter",
                               ENTER_BOUNDS, theirs, ours)
        if int(redis.command("ZCARD", "LINE#1").lstrip(":")) < 1000:
            raise BenchError("redis kept too few people: the script did not do its work")
    redis_table(bench, "enter", reports, redis_runs, "nothing written to disk")


def status(bench, _):
    with bench.nginx() as nginx, bench.spillway() as server:
        concert = a_line(bench, server)
        tokens = bench.work / "tickets.txt"
        bench.client.join(server, concert, bench.o.polled, tokens)

        def run(target):
            def at(connections):
                report = bench.client.poll(target, tokens, connections, **bench.timing())
                must_be_clean(report, f"GET from {target.name}", 200)
                return report
            return at

        versus_nginx(bench, f"GET {STATUS}: {bench.o.polled:,} in line, each asks in turn", "status", STATUS_BOUNDS,
                     run(nginx), run(server))


CROWD_CONNECTIONS = 256


class Line:
    """A server with so many in line, and the tokens of a part of them."""

    def __init__(self, bench, people):
        self.bench, self.people = bench, people
        self.tokens = bench.work / f"tickets-{people}.txt"
        self.server = Spillway(bench.o.spillway, bench.work / f"line-{people}")

    def fill(self):
        before = resident_bytes(self.server.pid)
        self.concert = a_line(self.bench, self.server)
        self.bench.client.join(self.server, self.concert, self.people, self.tokens,
                               keep_every=max(1, self.people // self.bench.o.polled))
        self.longest_turn_ms = self.server.metric("spillway_engine_longest_turn_seconds") * 1e3
        self.server.await_idle()
        self.bytes_a_person = (resident_bytes(self.server.pid) - before) / self.people

    def poll(self):
        report = self.bench.client.poll(self.server, self.tokens, CROWD_CONNECTIONS, **self.bench.timing())
        must_be_clean(report, f"GET with {self.people:,} in line", 200)
        return report

    def enter(self):
        # Behind those who are there: the first of them are there already, so the names are others.
        report = self.bench.client.load(
            ["enter", "--concert", self.concert, "--count", self.bench.o.persons, "--user-prefix", self.fresh_prefix()],
            self.server, CROWD_CONNECTIONS, **self.bench.timing())
        must_be_clean(report, f"POST with {self.people:,} in line", 200)
        return report

    def fresh_prefix(self):
        self.bench.next_event += 1
        return f"n{self.bench.next_event}-"


def crowd(bench, _):
    """What a request costs with few and with many in line: by the server's CPU time, one server of each."""
    few, many = Line(bench, bench.o.few), Line(bench, bench.o.many)
    runs = {(line, what): [] for line in (few, many) for what in ("enter", "poll")}
    with few.server, many.server:
        few.fill()
        many.fill()
        for _ in range(bench.o.repetitions):
            for line in (few, many):
                runs[line, "poll"].append(line.poll())
            for line in (few, many):
                runs[line, "enter"].append(line.enter())
                line.server.await_idle()
    rows = []
    for what in ("enter", "poll"):
        costs = [[r["server"]["cpu_us_per_request"] for r in runs[line, what]] for line in (few, many)]
        ratio = median([b / a for a, b in zip(*costs)])
        asked, verdict = bench.results.check(
            f"a request to {what} at {many.people:,} in line: of that at {few.people:,}", ratio, at_most=1.3)
        rows.append([what, f"{median(costs[0]):.2f}", f"{median(costs[1]):.2f}",
                     f"{middle(runs[few, what], 'server', 'threads_us_per_request', 'state'):.2f}",
                     f"{middle(runs[many, what], 'server', 'threads_us_per_request', 'state'):.2f}",
                     f"{ratio:.2f}", asked, verdict])
    bench.results.table(
        f"A request with {few.people:,} and with {many.people:,} in line: CPU microseconds of the server",
        ["request", "few", "many", "its state thread, few", "many", "ratio", "asked", "verdict"], rows,
        [f"by thread, to {what} with {line.people:,} in line: {by_thread(runs[line, what])}"
         for what in ("enter", "poll") for line in (few, many)] +
        disturbance([r for reports in runs.values() for r in reports]))
    bench.results.check(f"longest turn on the way to {many.people:,}", many.longest_turn_ms, at_most=10, unit=" ms")


def restart(bench, _):
    line = Line(bench, bench.o.restarted)
    seconds = []
    with line.server:
        line.fill()
        for _ in range(bench.o.repetitions):
            line.server.kill()
            line.server.stop()
            line.server.fresh = False
            line.server.start()
            seconds.append(line.server.start_seconds)
            if line.server.sizes(line.concert)["waiting"] != line.people:
                raise BenchError("not all of them are in line after the restart")
            must_be_clean(bench.client.poll(line.server, line.tokens, 1, seconds=0.1, warmup=0), "GET", 200)
    bench.results.check(f"resident a person, {line.people:,} in line", line.bytes_a_person, at_most=120, unit=" bytes",
                        digits=1)
    bench.results.check(f"ready after kill -9, {line.people:,} in line", median(seconds), at_most=5, unit=" s", digits=2)


def listeners(bench, _):
    """Everybody's position falls all the time, and everybody hears of it, once a second."""
    reports = []
    for _ in range(bench.o.repetitions):
        with bench.spillway() as server:
            concert = a_line(bench, server)
            # Those ahead, who go in while the others listen; short enough for nobody to count as absent.
            bench.client.join(server, concert, bench.o.ahead, bench.work / "ahead.txt", "ahead-")
            tokens = bench.work / "listeners.txt"
            bench.client.join(server, concert, bench.o.listeners, tokens)
            server.put_concert(concert, maxActive=bench.o.ahead, admitPerSecond=bench.o.admitted_per_s)
            report = bench.client.listen(server, tokens, bench.o.listeners, bench.o.listen_seconds, settle=2)
        wrong = {k: report[k] for k in ("refused", "closed", "positions_up") if report[k]}
        if wrong or report["listening"] != bench.o.listeners:
            raise BenchError(f"listening: {report['listening']} of {bench.o.listeners}, {wrong}")
        reports.append(report)
    rate = median([r["rate"] / r["listening"] for r in reports])
    size = middle(reports, "server_bytes_per_listener")
    rows = [[f"{bench.o.listeners:,}", f"{middle(reports, 'rate'):,.0f}", f"{rate:.3f}",
             *(f"{middle(reports, 'gap_us', q) / 1e3:,.0f}" for q in ("p50", "p99", "max")),
             f"{middle(reports, 'starved'):,}", f"{size:,.0f}", f"{middle(reports, 'server_cpu_us_per_event'):.2f}",
             f"{middle(reports, 'server_busy') * 100:.0f}%"]]
    bench.results.check("events a second for each listener", rate, at_least=0.95)
    bench.results.check("resident a listener", size, at_most=12 * 1024, unit=" bytes", digits=0)
    bench.results.table(
        "Listeners (server-sent events) whose position falls all the time",
        ["listeners", "events /s", "each /s", "gap p50 ms", "p99", "max", "told nothing", "bytes each", "server us an event",
         "server's CPU"], rows,
        ["One process; how many depends on the machine's limit of open files (here `ulimit -Hn`)."])


def machine(bench, _):
    """The machine alone (waitroom_machine_bench): no HTTP, no journal, by CPU time."""
    done = subprocess.run([str(bench.o.build / "waitroom_machine_bench"), str(bench.o.many)], capture_output=True,
                          text=True, check=False, timeout=900, preexec_fn=pinned(SERVER_CORE))
    if done.returncode != 0:
        raise BenchError(f"waitroom_machine_bench: exit {done.returncode}: {done.stderr.strip()}")
    rows = []
    for line in done.stdout.splitlines():
        figures = json.loads(line)
        rows += [[f"{figures['people']:,}", name, f"{value:,.2f}"] for name, value in figures.items() if name != "people"]
    bench.results.table("The machine alone", ["in line", "what", "measured"], rows)
