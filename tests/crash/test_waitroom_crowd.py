"""A crowd for one line, in small: the same as `waitroom_crowd.py`, which brings 300,000 people."""

import pathlib
import re
import subprocess
import sys

import pytest

PROGRAM = str(pathlib.Path(__file__).resolve().parent / "waitroom_crowd.py")


def run(binary, *args):
    return subprocess.run([sys.executable, PROGRAM, "--spillway", binary, "--people", "3000", "--kills", "1", *args],
                          capture_output=True, text=True, timeout=600)


def test_a_crowd_and_a_kill(binary):
    done = run(binary, "--cap", "600")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "lost 0, twice 0, positions up 0, inversions 0, cap kept" in done.stdout
    assert " kills 1 " in done.stdout and " left 3000 " in done.stdout


@pytest.mark.parametrize("plant, words", [
    ("cap", "more are in than may be"), ("lost", "404"), ("skip", "inversion"),
    ("up", "position went up|are ahead"), ("twice", "have one arrival number"),
])
def test_a_lie_is_found(binary, plant, words):
    done = run(binary, "--cap", "100", "--plant", plant)  # so few that there is a line at the kill on any machine
    assert done.returncode == 1, f"{done.stdout}\n{done.stderr}"
    assert f"plant {plant}: found" in done.stdout and re.search(words, done.stdout), done.stdout
