#!/usr/bin/env python3
"""The speed of the waiting room beside nginx and Redis: `./dev bench waitroom`. See bench/README.md."""

import resource

from benchlib import program, waitroom

SUITES = {
    "enter": waitroom.enter,
    "status": waitroom.status,
    "crowd": waitroom.crowd,
    "restart": waitroom.restart,
    "listeners": waitroom.listeners,
    "machine": waitroom.machine,
}

# A connection is an open file, of the client's and of the server's; both need a few for other things.
MOST_LISTENERS = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 500

FULL = {"repetitions": 3, "connections": (64, 256, 1000), "seconds": 2.5, "warmup": 0.4, "persons": 5_000_000,
        "polled": 100_000, "few": 10_000, "many": 10_000_000, "restarted": 1_000_000,
        "listeners": min(50_000, MOST_LISTENERS), "ahead": 60_000, "admitted_per_s": 1_000, "listen_seconds": 10.0}
# Only to see that everything runs and answers well: it judges no speed.
QUICK = {"repetitions": 1, "connections": (64,), "seconds": 0.3, "warmup": 0.1, "persons": 100_000,
         "polled": 1_000, "few": 1_000, "many": 20_000, "restarted": 20_000,
         "listeners": 500, "ahead": 10_000, "admitted_per_s": 500, "listen_seconds": 3.0}


def programs(names):
    over_http = ["spillway", "loadgen"] if set(names) != {"machine"} else []
    return over_http + (["waitroom_machine_bench"] if "machine" in names else [])


if __name__ == "__main__":
    program.main(program.Benchmark("waitroom", __doc__, SUITES, waitroom.prepare, programs, FULL, QUICK))
