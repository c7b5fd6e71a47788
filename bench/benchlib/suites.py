"""What is measured over HTTP: rates against nginx and Redis, latencies from a schedule."""

import os

from .client import answer_shape, must_be_clean
from .processes import BenchError, Nginx, Redis, Spillway
from .redis import RANDOM_PERSON, redis_run, redis_table
from .tables import disturbance, limited_by, median, middle

RESPONSE = ("accepted", "response_us")

# What intake does for one participation, as Redis would: lock, event, order, request, queue, expiry.
LUA = """
local id = 'REQ#' .. ARGV[1] .. '#' .. ARGV[2]
local lock = 'IDEMP#' .. KEYS[1] .. '#' .. ARGV[1]
if not redis.call('SET', lock, id, 'NX') then return redis.call('GET', lock) end
if redis.call('HGET', 'EVENT#' .. KEYS[1], 'open') ~= '1' then return 'CLOSED' end
local seq = redis.call('INCR', 'SEQ#' .. KEYS[1])
redis.call('HSET', id, 'event', KEYS[1], 'user', ARGV[1], 'status', 'QUEUED', 'queuedAt', seq)
redis.call('LPUSH', 'QUEUE#' .. KEYS[1], id)
redis.call('EXPIRE', lock, 86400)
return id
"""


class Bench:
    """What the suites share."""

    def __init__(self, options, client, results):
        self.o = options
        self.client = client
        self.results = results
        self.work = options.work
        self.next_event = 0
        self.answers = {}

    def spillway(self, **more):
        return Spillway(self.o.spillway, self.work / "spillway", **more)

    def events(self, server, count=2, capacity=1_000_000_000):
        """Fresh ones: everybody is a new person there."""
        names = []
        for _ in range(count):
            self.next_event += 1
            names.append(f"bench-{os.getpid()}-{self.next_event}")
            server.make_event(names[-1], capacity)
        return names

    def timing(self, seconds=None):
        return {"seconds": seconds or self.o.seconds, "warmup": self.o.warmup}

    def nginx(self):
        return Nginx(self.work / "nginx", self.answers)

    def nginx_answers(self, samples):
        """Tells nginx to send as much as we do: by the path's begin, a report whose sample is our answer."""
        self.answers = {path: answer_shape(report) for path, report in samples.items()}
        sizes = ", ".join(f"{path} {answer['bytes']} bytes" for path, answer in self.answers.items())
        print(f"our answers: {sizes}; nginx is told to send as much", flush=True)

    # ---- Runs ---------------------------------------------------------------------------------------------

    def post_ours(self, server, tokens, connections, capacity=1_000_000_000, **more):
        events = self.events(server, 2, capacity)
        report = self.client.post(server, events, tokens, connections, **(more or self.timing()))
        must_be_clean(report, "POST to spillway", 202)
        # Each was a new person, and each is there: what the answers said is what the machine holds.
        kept = sum(sum(server.counts(event).values()) for event in events)
        if kept != report["accepted_total"]:
            raise BenchError(f"{report['accepted_total']} answered 202, {kept} requests kept")
        return report

    def post_nginx(self, nginx, tokens, connections, **more):
        events = ["bench-0", "bench-1"]
        report = self.client.post(nginx, events, tokens, connections, **(more or self.timing()))
        must_be_clean(report, "POST to nginx", 202)
        return report


def prepare(bench):
    """Learns what our answers look like, so that nginx sends as much; gets the tokens."""
    with bench.spillway() as server:
        tokens = bench.client.tokens(server, bench.o.persons)
        [event] = bench.events(server, 1)
        ids = bench.work / "sample-ids.txt"
        filled = bench.client.fill(server, event, tokens, 100, ids)
        read = bench.client.get(server, ids, tokens, 1, seconds=0.1, warmup=0)
    must_be_clean(read, "GET /requests/{id}", 200)
    bench.nginx_answers({"/events/": filled, "/requests/": read})
    return tokens


def rate_row(results, key, connections, theirs, ours, bound):
    """One row against nginx: the median of the ratios of runs made one right after the other."""
    ratio = median([b["rate"] / a["rate"] for a, b in zip(theirs, ours)])
    cpu_ratio = median([a["server"]["cpu_us_per_request"] / b["server"]["cpu_us_per_request"]
                        for a, b in zip(theirs, ours)])
    results.ratio(f"{key}.{connections}", ratio)
    asked, verdict = ("", "")
    if bound is not None:
        asked, verdict = results.check(f"{key}, {connections} connections: of nginx", ratio, at_least=bound)
    return [connections,
            f"{middle(theirs, 'rate'):,.0f}", f"{middle(theirs, 'server', 'cpu_us_per_request'):.2f}",
            f"{middle(theirs, 'client', 'cpu_us_per_request'):.2f}", limited_by(theirs),
            f"{middle(ours, 'rate'):,.0f}", f"{middle(ours, 'server', 'cpu_us_per_request'):.2f}",
            f"{middle(ours, 'client', 'cpu_us_per_request'):.2f}", limited_by(ours),
            f"{middle(ours, *RESPONSE, 'p50') / 1e3:.2f}", f"{middle(ours, *RESPONSE, 'p99') / 1e3:.2f}",
            f"{cpu_ratio:.2f}", f"{ratio:.2f}", asked, verdict]


RATE_COLUMNS = ["connections", "nginx /s", "its us", "client us", "full", "ours /s", "our us", "client us",
                "full", "p50 ms", "p99 ms", "CPU ratio", "ratio", "asked", "verdict"]
RATE_NOTES = ["us: CPU microseconds a request, of the server's process (all threads) and of the client. "
              "full: which side had nothing left; with `client` the ratio says little and the CPU ratio "
              "(theirs / ours) more."]


def by_thread(reports):
    """Medians of CPU microseconds a request, of the threads that had any."""
    used = {name: middle(reports, "server", "threads_us_per_request", name)
            for name in reports[-1]["server"]["threads_us_per_request"]}
    return ", ".join(f"{name} {us:.2f}" for name, us in sorted(used.items()) if us >= 0.005)


def threads_note(reports):
    return f"our us by thread at the last count of connections: {by_thread(reports)}"


def measured(run, connections):
    """A run in which something was answered: on a machine that is busy with something else a short one may have none."""
    for _ in range(3):
        report = run(connections)
        if report["rate"]:
            return report
    raise BenchError("nothing was answered in three runs: is the machine busy with something else?")


def versus_nginx(bench, title, key, bounds, run_theirs, run_ours):
    """Runs both, one right after the other, at each number of connections, several times; one table."""
    theirs = {c: [] for c in bench.o.connections}
    ours = {c: [] for c in bench.o.connections}
    for _ in range(bench.o.repetitions):
        for connections in bench.o.connections:
            theirs[connections].append(measured(run_theirs, connections))
            ours[connections].append(measured(run_ours, connections))
    rows = [rate_row(bench.results, key, c, theirs[c], ours[c], bounds.get(c)) for c in bench.o.connections]
    every = [report for runs in (theirs, ours) for reports in runs.values() for report in reports]
    bench.results.table(title, RATE_COLUMNS, rows, [
        *RATE_NOTES, threads_note(ours[bench.o.connections[-1]]), *disturbance(every)])
    return ours


POST_BOUNDS = {64: 0.60, 256: 0.85, 1000: 0.85}


def post(bench, tokens):
    """Participations with the workers paused, as the prototype was measured, and Redis in between."""
    redis_runs = {c: [] for c in bench.o.connections}
    with bench.nginx() as nginx, bench.spillway(paused=True) as server, Redis(bench.work / "redis") as redis:
        script = redis.command("SCRIPT", "LOAD", LUA)
        redis.command("HSET", "EVENT#1", "open", "1")

        def ours(connections):
            report = bench.post_ours(server, tokens, connections)
            redis_runs[connections].append(redis_run(bench, redis, connections, script, "1", "1", *RANDOM_PERSON))
            return report

        reports = versus_nginx(
            bench, "POST /events/{id}/participations: authenticated, durable, new persons; workers paused",
            "post", POST_BOUNDS, lambda c: bench.post_nginx(nginx, tokens, c), ours)
        if int(redis.command("LLEN", "QUEUE#1").lstrip(":")) < 1000:
            raise BenchError("redis kept too few requests: the script did not do its work")
    redis_table(bench, "post", reports, redis_runs, "appendfsync always")


def workers(bench, tokens):
    """The same with the workers running: they decide on the same core while the crowd arrives."""
    with bench.nginx() as nginx, bench.spillway(paused=False) as server:
        for capacity, what in ((100, "100 places"), (1_000_000_000, "a place for everybody")):
            versus_nginx(
                bench, f"POST with the workers running on the same core: {what}", f"workers.{capacity}", {},
                lambda c: bench.post_nginx(nginx, tokens, c),
                lambda c: bench.post_ours(server, tokens, c, capacity=capacity))  # noqa: B023


def get(bench, tokens):
    """Reads through the state thread, of requests that wait in the queue."""
    bounds = {c: 0.95 for c in (64, 256, 1000)}
    with bench.nginx() as nginx, bench.spillway(paused=True) as server:
        ids = bench.work / "ids.txt"
        [event] = bench.events(server, 1)
        filled = bench.client.fill(server, event, tokens, bench.o.readers, ids)
        if filled["accepted_total"] != bench.o.readers:
            raise BenchError(f"filling: {filled['status']}")

        def run(target):
            def at(connections):
                report = bench.client.get(target, ids, tokens, connections, **bench.timing())
                must_be_clean(report, f"GET from {target.name}", 200)
                return report
            return at

        title = f"GET /requests/{{id}}: each by its owner, {bench.o.readers:,} requests in the queue"
        versus_nginx(bench, title, "get", bounds, run(nginx), run(server))


OPEN_CONNECTIONS = 256


def open_loop(bench, tokens):
    """A fixed rate, sent when due whether or not earlier answers came; latencies from the schedule."""
    rows, every = [], []
    with bench.nginx() as nginx, bench.spillway(paused=True) as server:
        for rate in bench.o.open_rates:
            theirs, ours = [], []
            for _ in range(bench.o.repetitions):
                timing = {**bench.timing(bench.o.open_seconds), "rate": rate}
                theirs.append(bench.post_nginx(nginx, tokens, OPEN_CONNECTIONS, **timing))
                ours.append(bench.post_ours(server, tokens, OPEN_CONNECTIONS, **timing))
            for name, reports in (("nginx", theirs), ("ours", ours)):
                every += reports
                verdicts = []
                if name == "ours":
                    for quantile, most_ms in (("p50", 0.5), ("p99", 5)):
                        _, verdict = bench.results.check(
                            f"open loop {rate:,}/s: {quantile}", middle(reports, *RESPONSE, quantile) / 1e3,
                            at_most=most_ms, unit=" ms", digits=3)
                        verdicts.append(f"{quantile} {verdict}")
                rows.append([f"{rate:,}", name, f"{middle(reports, 'rate'):,.0f}",
                             *(f"{middle(reports, *RESPONSE, q) / 1e3:.3f}" for q in
                               ("p50", "p90", "p99", "p999", "max")),
                             f"{middle(reports, 'server', 'cpu_us_per_request'):.2f}",
                             f"{middle(reports, 'client', 'busy') * 100:.0f}%",
                             f"{middle(reports, 'schedule_lag_us', 'p99') / 1e3:.3f}", ", ".join(verdicts)])
    notes = ["Milliseconds from the time a request was due to its answer. lag: how late the client itself "
             "sent, p99; it is part of the figures. Asked of ours at both rates: p50 < 0.5 ms, p99 < 5 ms."]
    bench.results.table(f"POST, open loop, {OPEN_CONNECTIONS} connections",
                        ["rate /s", "server", "done /s", "p50", "p90", "p99", "p99.9", "max", "server us",
                         "client busy", "lag p99", "verdict"], rows, notes + disturbance(every))
