"""bounded.run: a hang ends, and takes everything with it that it started, also what left its process group."""

import os
import pathlib
import re
import shutil
import time

import pytest

from bounded import run

HERE = pathlib.Path(__file__).resolve().parent
NODE = shutil.which("node")
# A child of its own session, as Chromium is, with a child of its own; both would run for ever.
HANG = """
const { spawn } = require('node:child_process');
const child = spawn('sh', ['-c', 'sleep 600 & echo $!; wait'], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
child.stdout.on('data', (pid) => console.log(`started ${child.pid} ${String(pid).trim()}`));
"""


def gone(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return True
    return state[state.rindex(")") + 2] == "Z"  # dead; only its new parent has not looked yet


def test_a_hang_ends_with_all_that_it_started():
    with pytest.raises(AssertionError, match="still running after 5 s") as caught:
        run([NODE, "-e", HANG], 5, cwd=HERE)
    started = re.search(r"started (\d+) (\d+)", str(caught.value))
    assert started, caught.value
    guard = time.monotonic() + 60
    for pid in map(int, started.groups()):
        while not gone(pid):
            assert time.monotonic() < guard, f"{pid} is still there"
            os.sched_yield()


def test_a_failure_says_what_was_said():
    with pytest.raises(AssertionError, match=r"ended with 3[\s\S]*the reason"):
        run([NODE, "-e", "console.error('the reason'); process.exit(3)"], 60, cwd=HERE)


def test_success_gives_the_output():
    assert run([NODE, "-e", "console.log('well')"], 60, cwd=HERE) == "well\n"
