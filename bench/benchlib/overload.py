"""Ten times too much: what still gets done, how soon the rest is refused, and what it costs in memory."""

from .processes import BenchError, BusyNeighbours, resident_bytes
from .tables import disturbance, median, who_was_full

MAX_RESIDENT_GROWTH_MB = 512  # beyond what the accepted requests themselves take
BYTES_PER_REQUEST = 200       # that they may take (the bound of the state's own benchmark)
GOOD = ("202", "429", "503")


def must_answer_well(report, what):
    wrong = {k: v for k, v in report["status"].items() if k not in GOOD}
    if wrong or report["malformed"] or report["body"]["wrong"]:
        raise BenchError(f"{what}: answers {wrong}, malformed {report['malformed']}, bodies {report['body']}")
    if report["ran_dry"]:
        raise BenchError(f"{what}: the client had no more persons")


def row(name, report, saturated, peak):
    refused = report["refused"]["service_us"]
    accepted = report["accepted"]["service_us"]
    return [name, f"{report['sent_rate']:,}", f"{report['sent_rate'] / saturated:.1f}x",
            f"{report['accepted_rate']:,}", f"{report['accepted_rate'] / peak:.2f}",
            f"{accepted['p50'] / 1e3:.1f}", f"{accepted['p99'] / 1e3:.1f}",
            f"{report['refused_rate']:,}", f"{refused['p50'] / 1e3:.1f}" if refused["count"] else "",
            f"{refused['p99'] / 1e3:.1f}" if refused["count"] else "",
            f"{report['not_sent']:,}", f"{report['unanswered']:,}",
            f"{report['client']['busy'] * 100:.0f}%", who_was_full(report)]


class Load:
    """Sends participations at a rate; everybody is new at each event."""

    def __init__(self, bench, tokens):
        self.bench, self.tokens = bench, tokens
        self.runs = []  # (name, report)

    def __call__(self, server, name, seconds, rate=None, connections=None, max_unanswered=None):
        o = self.bench.o
        # As many events as it takes for nobody to come twice.
        crowd = (rate or 1_000_000) * (seconds + o.warmup)
        events = self.bench.events(server, int(crowd / o.persons) + 2)
        report = self.bench.client.post(server, events, self.tokens, connections or o.overload_connections,
                                        seconds=seconds, warmup=o.warmup, rate=rate, max_unanswered=max_unanswered)
        must_answer_well(report, name)
        self.runs.append((name, report))
        return report


def find_peak(load, server, o, closed):
    """The rate of the best goodput; None: the closed loop's."""
    best, peak, factor, in_vain = closed["accepted_rate"], None, 1.0, 0
    # Pipelined requests cost less than one at a time, so the peak lies above the closed loop's rate. A
    # full client is no reason to stop: the later it is, the more it sends at once.
    while in_vain < 2 and factor < o.overload_factor:
        rate = int(closed["rate"] * factor)
        goodput = load(server, f"open loop, {factor:.1f} x saturated", o.overload_seconds, rate)["accepted_rate"]
        in_vain = 0 if goodput > best * 1.03 else in_vain + 1
        if goodput > best:
            best, peak = goodput, rate
        factor *= 1.5
    return peak


def must_be_ready(server):
    status, _ = server.call("GET", "/readyz")
    if status != 200:
        raise BenchError(f"after the overload /readyz answers {status}")


def overload(bench, tokens):
    o, notes, peaks, floods = bench.o, [], [], []
    load = Load(bench, tokens)
    # One client core cannot offer ten times what a server with a core of its own can do.
    with BusyNeighbours(o.overload_neighbours):
        with bench.spillway(paused=True) as server:
            closed = load(server, "closed loop: saturated", o.seconds)
            saturated = closed["rate"]
            peak = find_peak(load, server, o, closed)
        # The peak's rate and the flood in turn, each with a server that nobody has been to: with some million people
        # in memory both are slower.
        for last in [False] * (o.overload_repetitions - 1) + [True]:
            with bench.spillway(paused=True) as server:
                peaks.append(load(server, "empty, the rate of the peak", o.overload_seconds, peak))
            with bench.spillway(paused=True) as server:
                before = resident_bytes(server.pid)
                floods.append(load(server, f"empty, {o.overload_factor} x saturated", o.overload_seconds,
                                   int(saturated * o.overload_factor)))
                after = resident_bytes(server.pid)
                must_be_ready(server)
                if not last:
                    continue
                # A crowd as it comes: many connections, and nobody asks again before the answer.
                load(server, f"the same, {o.overload_crowd:,} connections, 1 request each", o.seconds,
                     int(saturated * o.overload_factor), o.overload_crowd, max_unanswered=1)
                again = load(server, "closed loop again", o.seconds)
                must_be_ready(server)

    best = median([report["accepted_rate"] for report in peaks])
    goodput = median([flood["accepted_rate"] / beside["accepted_rate"] for beside, flood in zip(peaks, floods)])
    flood = floods[-1]
    rows = [row(name, report, saturated, best) for name, report in load.runs]
    grown_mb = (after - before - BYTES_PER_REQUEST * flood["accepted_total"]) / 1e6
    results = bench.results
    results.check("overload: goodput of the peak", goodput, at_least=0.90)
    offered = median([report["sent_rate"] for report in floods]) / saturated
    results.check("overload: offered, times the saturated rate", offered,
                  at_least=float(o.overload_factor) * 0.95)
    results.check("overload: resident memory grown beyond the requests kept", grown_mb,
                  at_most=MAX_RESIDENT_GROWTH_MB, unit=" MB", digits=0)
    results.ratio("overload.goodput", goodput)
    results.ratio("overload.after", again["rate"] / saturated)
    if offered < o.overload_factor * 0.95:
        notes.append(f"{o.overload_factor} x saturated was asked for; what one client core put into the "
                     f"sockets was {offered:.1f} x.")
    notes.append("not sent: due while the connection could take no more (the server did not read, or, with 1 "
                 "request each, had not answered): dropped by the client, and not part of what was sent.")
    notes.append(f"server: {before / 1e6:,.0f} MB resident before the flood, {after / 1e6:,.0f} MB after it; "
                 f"it left {flood['accepted_total']:,} requests in it.")
    notes.append("ms from the moment a request was handed to its socket; answers of one connection come in "
                 "order, so a refusal waits for what was accepted before it on the same connection. Retry-After: "
                 f"{flood['retry_after']['checked']:,} looked at, {flood['retry_after']['missing']} without.")
    results.table(f"Overload, {o.overload_connections} connections, the server's core shared with "
                  f"{o.overload_neighbours} busy neighbours",
                  ["load", "sent /s", "of saturated", "goodput /s", "of peak", "202 p50 ms", "p99",
                   "refused /s", "p50 ms", "p99", "not sent", "unanswered", "client busy", "full"], rows,
                  notes + disturbance([report for _, report in load.runs]))
    refusals(bench, tokens)


def refusals(bench, tokens):
    """TCP holds an overload back before anything is refused; a small bound on what is in the works shows how
    soon a refusal comes when there is one."""
    o, results, rows = bench.o, bench.results, []
    reports = []
    with bench.spillway(paused=True, more=["--max-in-works", str(o.refusal_in_works)]) as server:
        for rate in o.refusal_rates:
            events = bench.events(server, int(rate * (o.seconds + o.warmup) / o.persons) + 2)
            report = bench.client.post(server, events, tokens, o.overload_connections, seconds=o.seconds,
                                       warmup=o.warmup, rate=rate)
            must_answer_well(report, "refusals")
            rows.append([f"{rate:,}/s", f"{report['sent_rate']:,}", f"{report['accepted_rate']:,}",
                         f"{report['refused_rate']:,}",
                         *(f"{report[kind]['service_us'][at] / 1e3:.1f}" if report[kind]["service_us"]["count"]
                           else "" for kind in ("accepted", "refused") for at in ("p50", "p99"))])
            reports.append(report)
    refused = [report for report in reports if report["refused"]["service_us"]["count"]]
    if not refused and results.judge:
        raise BenchError("refusals: nothing was refused, so nothing is shown")
    if refused:
        results.check("overload: refused, p99", max(r["refused"]["service_us"]["p99"] for r in refused) / 1e3,
                      at_most=50, unit=" ms")
        results.check("overload: refused without Retry-After", sum(r["retry_after"]["missing"] for r in refused),
                      at_most=0)
    results.table(f"Refusals with --max-in-works {o.refusal_in_works}, {o.overload_connections} connections",
                  ["offered", "sent /s", "goodput /s", "refused /s", "202 p50 ms", "p99", "503 p50 ms", "p99"], rows,
                  disturbance(reports))
