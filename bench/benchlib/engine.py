"""The state thread and the journal without HTTP: engine_bench, each measurement in a process of its own."""

import json
import subprocess

from .processes import SERVER_CORE, BenchError, fresh_directory, pinned
from .tables import median


def engine(bench, _tokens):
    scale = bench.o.engine_scale
    million = max(1000, int(1_000_000 * scale))
    crowd = max(5000, int(5_000_000 * scale))
    directory = bench.work / "engine"

    def run(*words, core=SERVER_CORE):
        command = [str(bench.o.build / "engine_bench"), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900,
                              preexec_fn=pinned(core) if core is not None else None)
        if done.returncode != 0:
            raise BenchError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    machine, resident, journal, snapshot = [], [], [], []
    for _ in range(bench.o.repetitions):
        machine.append(run("machine", "--count", million))
        resident.append(run("resident", "--count", million))
    fresh_directory(directory)
    filled = run("engine", "--dir", directory, "--count", million)
    for _ in range(bench.o.repetitions):
        journal.append(run("restart", "--dir", directory, "--count", million))
    fresh_directory(directory)
    run("engine", "--dir", directory, "--count", million, "--snapshot")
    for _ in range(bench.o.repetitions):
        snapshot.append(run("restart", "--dir", directory, "--count", million))
    if any(r["snapshot_sequence"] for r in journal) or not all(r["snapshot_sequence"] for r in snapshot):
        raise BenchError("a restart did not use what it was to use (journal without, then with a snapshot)")
    fresh_directory(directory)
    crowds = []
    for _ in range(bench.o.repetitions):
        # As in production the threads have both cores; snapshots come more often, so that some fall into it.
        crowds.append(run("engine", "--dir", directory, "--count", crowd, "--snapshot-every-mb", 64, core=None))
        fresh_directory(directory)

    report(bench.results, million, crowd, machine, resident, journal, snapshot, filled, crowds)


def report(results, million, crowd, machine, resident, journal, snapshot, filled, crowds):
    def of(reports, name):
        return median([r[name] for r in reports])

    rows = []

    def row(what, measured, bound=None, unit="", digits=2):
        if bound is None:
            rows.append([what, f"{measured:,.{digits}f}{unit}", "", ""])
            return
        asked, verdict = results.check(what, measured, unit=unit, digits=digits, **bound)
        rows.append([what, f"{measured:,.{digits}f}{unit}", asked, verdict])

    row("participations: decide, encode, evolve", of(machine, "participations_per_s"),
        {"at_least": 2_000_000}, " /s", 0)
    row("the same person again", of(machine, "duplicates_per_s"), None, " /s", 0)
    row("reads of one request", of(machine, "reads_per_s"), None, " /s", 0)
    row("deliveries and successes, batches of 256", of(machine, "deliveries_per_s"), None, " /s", 0)
    row("whole life cycles", of(machine, "life_cycles_per_s"), None, " /s", 0)
    row(f"restart, {million:,} requests, from the journal", of(journal, "seconds"), {"at_most": 5}, " s", 3)
    row(f"restart, {million:,} requests, from a snapshot", of(snapshot, "seconds"), {"at_most": 2}, " s", 3)
    row(f"resident a queued request, at {million:,}", of(resident, "bytes_per_request"), {"at_most": 200},
        " bytes", 1)
    row(f"longest turn while {crowd:,} people arrive", of(crowds, "longest_turn_us") / 1e3, {"at_most": 10},
        " ms", 3)
    row(f"longest decision of {million:,}, the machine alone", of(resident, "longest_decision_us") / 1e3,
        None, " ms", 3)
    row("durable participations without HTTP, one core", filled["per_s"], None, " /s", 0)
    row("durable participations without HTTP, both cores", of(crowds, "per_s"), None, " /s", 0)
    threads = ", ".join(f"{name} {us:.2f}" for name, us in sorted(filled["threads_us"].items()))
    results.table(
        "The state thread and the journal, without HTTP", ["what", "measured", "asked", "verdict"], rows,
        [f"The {crowd:,}: {of(crowds, 'segments')} segments at the end, {of(crowds, 'snapshots')} snapshots made, "
         f"{of(crowds, 'groups'):,} commits, {of(crowds, 'bytes_written') / crowd:.0f} bytes written a person. "
         "A turn's time is by the wall clock: what the thread lost to others on its core is in it.",
         "The machine alone is measured in CPU time.",
         f"us of CPU a participation by thread, one core, {filled['count'] / filled['groups']:.0f} in a "
         f"commit: {threads}"])
