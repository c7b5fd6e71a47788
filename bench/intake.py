#!/usr/bin/env python3
"""The speed of intake beside nginx and Redis, here and now: `./dev bench intake`. See bench/README.md."""

import argparse
import json
import platform
import signal
import subprocess
import sys
from pathlib import Path

from benchlib import overload, suites
from benchlib.client import LoadClient
from benchlib.engine import engine
from benchlib.processes import BenchError, cores
from benchlib.tables import Results, compare_with_baseline, record_baseline

ROOT = Path(__file__).resolve().parent.parent
BASELINE = ROOT / "bench" / "baseline" / "intake.json"

SUITES = {
    "post": suites.post,
    "get": suites.get,
    "workers": suites.workers,
    "open": suites.open_loop,
    "overload": overload.overload,
    "engine": engine,
}
NEEDS_TOKENS = ("post", "get", "workers", "open", "overload")

FULL = {"repetitions": 3, "connections": (64, 256, 1000), "seconds": 2.5, "warmup": 0.4, "persons": 1_500_000,
        "readers": 100_000, "open_rates": (10_000, 50_000), "open_seconds": 5.0,
        "overload_connections": 1000, "overload_crowd": 10_000, "overload_seconds": 6.0,
        "overload_factor": 10, "overload_neighbours": 2, "refusal_in_works": 64, "refusal_rates": (50_000, 80_000),
        "engine_scale": 1.0}
# Only to see that everything runs and answers well: it judges no speed.
QUICK = {"repetitions": 1, "connections": (64,), "seconds": 0.3, "warmup": 0.1, "persons": 60_000,
         "readers": 2_000, "open_rates": (2_000,), "open_seconds": 0.5,
         "overload_connections": 100, "overload_crowd": 500, "overload_seconds": 0.5,
         "overload_factor": 10, "overload_neighbours": 1, "refusal_in_works": 8, "refusal_rates": (5_000,),
         "engine_scale": 0.01}


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit 1 when a ratio is worse than the baseline")
    parser.add_argument("--record", action="store_true", help="write the baseline")
    parser.add_argument("--only", action="append", choices=sorted(SUITES), help="may be given again")
    parser.add_argument("--quick", action="store_true", help="a smoke run: all once, small, no speed judged")
    build = ROOT / "build" / "release"
    parser.add_argument("--spillway", type=Path, default=build / "spillway")
    parser.add_argument("--loadgen", type=Path, default=build / "loadgen")
    parser.add_argument("--engine-bench", type=Path, help="default: engine_bench beside --loadgen")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench-data",
                        help="data directories; on the disk whose fdatasync is to be measured")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / "intake.json")
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--seconds", type=float, help="of one run")
    options = parser.parse_args()
    if options.quick and (options.check or options.record):
        parser.error("--quick judges nothing: not with --check or --record")
    given = {name: getattr(options, name) for name in ("repetitions", "seconds") if getattr(options, name)}
    vars(options).update({**(QUICK if options.quick else FULL), **given})
    options.engine_bench = options.engine_bench or options.loadgen.parent / "engine_bench"
    options.work = options.work.resolve()
    return options


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"cpu": model, "cores": len(cores()), "kernel": platform.release()}


def must_be_on_disk(directory):
    directory.mkdir(parents=True, exist_ok=True)
    kind = subprocess.run(["stat", "-f", "-c", "%T", str(directory)], capture_output=True, text=True,
                          check=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        raise BenchError(f"{directory} is on {kind}: give --work a directory on a disk")
    return kind


def measure(options, results):
    names = [name for name in SUITES if not options.only or name in options.only]
    for name, program in (("--loadgen", options.loadgen), ("--spillway", options.spillway),
                          ("--engine-bench", options.engine_bench)):
        needed = name == "--engine-bench" and "engine" in names or \
            name != "--engine-bench" and any(n in NEEDS_TOKENS for n in names)
        if needed and not program.exists():
            raise BenchError(f"{name}: there is no {program} (./dev build makes it)")
    bench = suites.Bench(options, LoadClient(options.loadgen, options.work), results)
    tokens = bench.prepare() if any(name in NEEDS_TOKENS for name in names) else None
    for name in names:
        SUITES[name](bench, tokens)


def main():
    options = parse()
    # So that the servers are stopped on the way out whichever way that is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
    results = Results(judge=not options.quick)
    about = machine()
    print(f"# intake: {about['cpu']}, {about['cores']} cores, Linux {about['kernel']}")
    try:
        about["disk"] = must_be_on_disk(options.work)
        if about["cores"] < 2:
            print("only one core: server and client share it, and no figure means much")
        measure(options, results)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    results.summary()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": about, **results.as_json()}, indent=2) + "\n")
    print(f"\nwritten to {options.out}")
    if options.record:
        record_baseline(results.ratios, BASELINE, about)
    if options.check:
        if not BASELINE.exists():
            print(f"bench: there is no {BASELINE}; --record writes it", file=sys.stderr)
            return 1
        return 0 if compare_with_baseline(results.ratios, BASELINE, bool(options.only)) else 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
