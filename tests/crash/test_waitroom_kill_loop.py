"""kill -9 under load, in small: the same loop as `waitroom_kill_loop.py --kills 200`."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = str(pathlib.Path(__file__).resolve().parent / "waitroom_kill_loop.py")


def run(binary, *args):
    return subprocess.run([sys.executable, PROGRAM, "--spillway", binary, *args], capture_output=True, text=True,
                          timeout=600)


def test_ten_kills(binary):
    done = run(binary, "--kills", "10")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "lost 0, twice 0, positions up 0, inversions 0, cap kept" in done.stdout
    assert "kills 10 " in done.stdout


@pytest.mark.parametrize("plant", ["lose-token", "swap", "position-up", "cap"])
def test_a_lie_is_found(binary, plant):
    done = run(binary, "--kills", "3", "--seed", "1", "--plant", plant)
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert f"plant {plant}: found" in done.stdout
