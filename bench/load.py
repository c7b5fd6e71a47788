#!/usr/bin/env python3
"""What load costs the load generator, beside wrk and k6: `./dev bench load`. See bench/README.md."""

import resource

from benchlib import load, program

SUITES = {"speed": load.speed, "connections": load.connections}

# A virtual user is an open file, of the generator's and of the server's; both need a few for other things.
MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
USERS_OF_A_PROCESS = 100_000 if MOST_FILES == resource.RLIM_INFINITY else min(100_000, max(100, MOST_FILES - 1_000))

FULL = {"repetitions": 3, "seconds": 6.0, "connections": 64, "users": 100_000, "ramp": 30, "hold": 30,
        "users_of_a_process": USERS_OF_A_PROCESS}
# Only to see that everything runs and answers well: it judges no speed.
QUICK = {"repetitions": 1, "seconds": 1.0, "connections": 16, "users": 300, "ramp": 1, "hold": 3,
         "users_of_a_process": 300}

if __name__ == "__main__":
    # The servers and generators get ours.
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
    program.main(program.Benchmark("load", __doc__, SUITES, load.prepare, lambda _: ["spillway"], FULL, QUICK))
