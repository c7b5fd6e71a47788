"""What the programs of the benchmarks share: options, the results' file, the baseline."""

import argparse
import json
import platform
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .client import LoadClient
from .processes import BenchError, cores
from .suites import Bench
from .tables import Results, compare_with_baseline, record_baseline

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Benchmark:
    name: str
    about: str
    suites: dict[str, Callable]  # by name: suite(bench, what prepare answered)
    prepare: Callable            # prepare(bench, names of the suites)
    programs: Callable           # of the suites' names: which built programs they need
    full: dict                   # what the options of a suite are
    quick: dict                  # the same, small: only to see that everything runs; it judges no speed


def parse(benchmark):
    parser = argparse.ArgumentParser(description=benchmark.about)
    parser.add_argument("--check", action="store_true", help="exit 1 when a ratio is worse than the baseline")
    parser.add_argument("--record", action="store_true", help="write the baseline")
    parser.add_argument("--only", action="append", choices=sorted(benchmark.suites), help="may be given again")
    parser.add_argument("--quick", action="store_true", help="a smoke run: all once, small, no speed judged")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release", help="where the programs are")
    parser.add_argument("--spillway", type=Path, help="default: that of --build")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench-data",
                        help="data directories; on the disk whose fdatasync is to be measured")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench" / f"{benchmark.name}.json")
    parser.add_argument("--repetitions", type=int)
    parser.add_argument("--seconds", type=float, help="of one run")
    options = parser.parse_args()
    if options.quick and (options.check or options.record):
        parser.error("--quick judges nothing: not with --check or --record")
    given = {name: getattr(options, name) for name in ("repetitions", "seconds") if getattr(options, name)}
    vars(options).update({**(benchmark.quick if options.quick else benchmark.full), **given})
    options.spillway = options.spillway or options.build / "spillway"
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


def measure(benchmark, options, results):
    names = [name for name in benchmark.suites if not options.only or name in options.only]
    for name in benchmark.programs(names):
        program = options.spillway if name == "spillway" else options.build / name
        if not program.exists():
            raise BenchError(f"there is no {program} (./dev bench makes it)")
    bench = Bench(options, LoadClient(options.build / "loadgen", options.work), results)
    prepared = benchmark.prepare(bench, names)
    for name in names:
        benchmark.suites[name](bench, prepared)


def run(benchmark):
    options = parse(benchmark)
    # So that the servers are stopped on the way out whichever way that is.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job has it ignored
    results = Results(judge=not options.quick)
    about = machine()
    print(f"# {benchmark.name}: {about['cpu']}, {about['cores']} cores, Linux {about['kernel']}")
    try:
        about["disk"] = must_be_on_disk(options.work)
        if about["cores"] < 2:
            print("only one core: server and client share it, and no figure means much")
        measure(benchmark, options, results)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    results.summary()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": about, **results.as_json()}, indent=2) + "\n")
    print(f"\nwritten to {options.out}")
    baseline = ROOT / "bench" / "baseline" / f"{benchmark.name}.json"
    if options.record:
        record_baseline(results.ratios, baseline, about)
    if options.check:
        if not baseline.exists():
            print(f"bench: there is no {baseline}; --record writes it", file=sys.stderr)
            return 1
        return 0 if compare_with_baseline(results.ratios, baseline, bool(options.only)) else 1
    return 0


def main(benchmark):
    try:
        sys.exit(run(benchmark))
    except KeyboardInterrupt:
        sys.exit(130)
