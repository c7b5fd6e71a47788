"""kill -9 under load, in small: the same loop as `kill_loop.py --kills 200`."""

import pathlib
import random
import subprocess
import sys

import pytest

PROGRAM = str(pathlib.Path(__file__).resolve().parent / "kill_loop.py")


def run(binary, *args):
    return subprocess.run([sys.executable, PROGRAM, "--spillway", binary, *args], capture_output=True, text=True,
                          timeout=600)


def test_ten_kills(binary):
    done = run(binary, "--kills", "10", "--seed", str(random.SystemRandom().randrange(10**6)))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "lost 0, unexpected 0, gone back 0, ids changed 0" in done.stdout
    assert "kills 10 " in done.stdout


def test_kills_with_failing_work_and_a_redrive_running(binary):
    done = run(binary, "--kills", "6", "--failing", "--seed", str(random.SystemRandom().randrange(10**6)))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "lost 0, unexpected 0, gone back 0, ids changed 0" in done.stdout
    assert "forgotten or gone back 0, final states left by none 0" in done.stdout


@pytest.mark.parametrize("plant", ["lose-ack", "unexpected", "change-id", "status-back", "unredriven",
                                   "redriven-by-nobody"])
def test_a_lie_is_found(binary, plant):
    done = run(binary, "--kills", "1", "--seed", "1", "--plant", plant)
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert f"plant {plant}: found" in done.stdout


def test_a_server_that_forgets_is_found(binary):
    """The same from end to end: an older copy of the data directory is put in the place of the newer one."""
    done = run(binary, "--kills", "3", "--seed", "1", "--plant", "roll-back")
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert "plant roll-back: found" in done.stdout


def test_when_the_time_is_up_it_says_so_and_does_not_pass(binary):
    done = run(binary, "--kills", "1000", "--seed", "1", "--max-seconds", "0.01")
    assert done.returncode == 4 and "INCOMPLETE" in done.stdout, done
