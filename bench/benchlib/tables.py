"""Tables, verdicts, and the comparison with the recorded baseline."""

import json
import statistics

# What a later change is held against: medians of ratios; absolute rates belong to one machine.
RELATIVE_SLACK = 0.10
ABSOLUTE_SLACK = 0.03


class Results:
    """Collects what was measured: tables for people, checks against the bounds, ratios for the baseline."""

    def __init__(self, judge):
        self.judge = judge  # a smoke run judges no speed
        self.sections = []
        self.checks = []
        self.ratios = {}

    def table(self, title, columns, rows, notes=()):
        self.sections.append({"title": title, "columns": columns, "rows": rows, "notes": list(notes)})
        print("\n" + render(title, columns, rows, notes), flush=True)

    def check(self, name, measured, at_least=None, at_most=None, unit="", digits=2):
        """A bound of the specification; answers the text for the table's last column."""
        limit = at_least if at_least is not None else at_most
        text = f"{limit:.2f}" if isinstance(limit, float) else f"{limit:,}"
        bound = (">= " if at_least is not None else "<= ") + text
        ok = measured >= at_least if at_least is not None else measured <= at_most
        verdict = ("ok" if ok else "MISS") if self.judge else "-"
        self.checks.append({"name": name, "bound": bound + unit, "measured": round(measured, digits),
                            "unit": unit.strip(), "verdict": verdict})
        return bound + unit, verdict

    def ratio(self, name, value):
        """Higher is better."""
        self.ratios[name] = round(value, 4)

    def missed(self):
        return [check for check in self.checks if check["verdict"] == "MISS"]

    def summary(self):
        rows = [[c["name"], c["bound"], f"{c['measured']:,} {c['unit']}".strip(), c["verdict"]]
                for c in self.checks]
        print("\n" + render("Bounds", ["what", "asked", "measured (median)", "verdict"], rows), flush=True)

    def as_json(self):
        return {"sections": self.sections, "checks": self.checks, "ratios": self.ratios}


def render(title, columns, rows, notes=()):
    cells = [[str(c) for c in columns]] + [[str(c) for c in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(columns))]
    numeric = [i > 0 and all(row[i][:1] in "0123456789-<>." for row in cells[1:])
               for i in range(len(columns))]

    def line(row):
        return "| " + " | ".join(
            text.rjust(w) if n else text.ljust(w) for text, w, n in zip(row, widths, numeric)) + " |"

    rule = "|" + "|".join("-" * (w + 1) + (":" if n else "-") for w, n in zip(widths, numeric)) + "|"
    out = [f"### {title}", "", line(cells[0]), rule, *map(line, cells[1:])]
    if notes:
        out += ["", *notes]
    return "\n".join(out)


def median(values):
    return statistics.median(values)


def middle(reports, *path):
    """The median of one figure of several reports."""
    values = []
    for report in reports:
        for key in path:
            report = report[key]
        values.append(report)
    return median(values)


def who_was_full(report):
    """Which side had nothing left: a rate says something about the server only if the server was it."""
    if report["client"]["bottleneck"]:
        return "client"
    return "server" if report["server"]["core_busy"] >= 0.95 else "neither"


def limited_by(reports):
    seen = [who_was_full(report) for report in reports]
    return max(sorted(set(seen)), key=seen.count)


def disturbance(reports):
    """A sentence when others used the cores meanwhile, else nothing."""
    servers = [(r["server"], r["rate"]) for r in reports]
    foreign = max(s["core_busy"] - s["cpu_us_per_request"] * rate / 1e6 for s, rate in servers)
    client = min(r["client"]["on_cpu"] for r in reports)
    if foreign < 0.10 and client > 0.95:
        return []
    return [f"DISTURBED: at worst others used {max(foreign, 0) * 100:.0f}% of the server's core, and the client "
            f"had {client * 100:.0f}% of its own. Measure again on a quiet machine; rates are worth little."]


def compare_with_baseline(ratios, file, partial=False):
    """True when nothing is worse than the baseline by more than the slack, nor missing unless `partial`."""
    recorded = json.loads(file.read_text())["ratios"]
    rows, good = [], True
    for name, before in sorted(recorded.items()):
        if name not in ratios:
            rows.append([name, before, "-", "-", "not measured"])
            good = good and partial
            continue
        floor = before * (1 - RELATIVE_SLACK) - ABSOLUTE_SLACK
        worse = ratios[name] < floor
        good = good and not worse
        rows.append([name, before, ratios[name], f"{floor:.3f}", "WORSE" if worse else "ok"])
    print("\n" + render("Against the baseline (ratios, higher is better)",
                        ["ratio", "baseline", "now", "floor", "verdict"], rows), flush=True)
    return good


def record_baseline(ratios, file, machine):
    known = json.loads(file.read_text())["ratios"] if file.exists() else {}
    known.update(ratios)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"machine": machine, "ratios": dict(sorted(known.items()))}, indent=2) + "\n")
    print(f"\nrecorded {file}")
