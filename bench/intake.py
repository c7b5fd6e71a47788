#!/usr/bin/env python3
"""The speed of intake beside nginx and Redis, here and now: `./dev bench intake`. See bench/README.md."""

from benchlib import overload, program, suites
from benchlib.engine import engine

SUITES = {
    "post": suites.post,
    "get": suites.get,
    "workers": suites.workers,
    "open": suites.open_loop,
    "overload": overload.overload,
    "engine": engine,
}

FULL = {"repetitions": 3, "connections": (64, 256, 1000), "seconds": 2.5, "warmup": 0.4, "persons": 1_500_000,
        "readers": 100_000, "open_rates": (10_000, 50_000), "open_seconds": 5.0,
        "overload_connections": 1000, "overload_crowd": 10_000, "overload_seconds": 6.0,
        "overload_factor": 10, "overload_repetitions": 3, "overload_neighbours": 2, "refusal_in_works": 64, "refusal_rates": (50_000, 80_000),
        "engine_scale": 1.0}
# Only to see that everything runs and answers well: it judges no speed.
QUICK = {"repetitions": 1, "connections": (64,), "seconds": 0.3, "warmup": 0.1, "persons": 60_000,
         "readers": 2_000, "open_rates": (2_000,), "open_seconds": 0.5,
         "overload_connections": 100, "overload_crowd": 500, "overload_seconds": 0.5,
         "overload_factor": 10, "overload_repetitions": 1, "overload_neighbours": 1, "refusal_in_works": 8, "refusal_rates": (5_000,),
         "engine_scale": 0.01}


def over_http(names):
    return any(name != "engine" for name in names)


def programs(names):
    return (["spillway", "loadgen"] if over_http(names) else []) + (["engine_bench"] if "engine" in names else [])


def prepare(bench, names):
    return suites.prepare(bench) if over_http(names) else None


if __name__ == "__main__":
    program.main(program.Benchmark("intake", __doc__, SUITES, prepare, programs, FULL, QUICK))
