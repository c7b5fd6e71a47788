"""Exactly N over real HTTP, in small: the same rounds as `exactly_n.py --rounds 200`."""

import asyncio
import pathlib
import random
import subprocess
import sys

import pytest

from exactly_n import PLACES, rounds
from harness import Server
from plants import PLANTS

PROGRAM = str(pathlib.Path(__file__).resolve().parent / "exactly_n.py")


def run_rounds(binary, tmp_path, count, seed, **more):
    server = Server(tmp_path / "data", binary=binary)
    try:
        return asyncio.run(rounds(server, count, seed, **more))
    finally:
        server.kill()


def test_exactly_n(binary, tmp_path):
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    verdict, figures = run_rounds(binary, tmp_path, 12, seed)
    assert verdict.good, f"seed {seed}\n{verdict}"
    assert figures["rounds"] == 12 and figures["winners"] > 0 and figures["acknowledged"] >= figures["people"] > 0


def test_exactly_n_with_kills(binary, tmp_path):
    """A kill in every round, so that this is about kills on every run."""
    seed = random.SystemRandom().randrange(10**6)
    verdict, figures = run_rounds(binary, tmp_path, 6, seed, kill_share=1.0)
    assert figures["kills"] == 6
    assert verdict.good, f"seed {seed}\n{verdict}"


@pytest.mark.parametrize("plant", PLANTS)
def test_a_lie_between_the_server_and_the_judge_is_found(binary, tmp_path, plant):
    verdict, figures = run_rounds(binary, tmp_path, len(PLACES), 1, plant=plant, kill_share=0.0)
    assert figures["planted"] >= 1
    assert verdict.count[PLANTS[plant][1]] >= 1, str(verdict)


def test_the_command(binary):
    run = subprocess.run([sys.executable, PROGRAM, "--rounds", "2", "--seed", "5", "--spillway", binary],
                         capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run
    assert "exactly-n: PASS  seed 5" in run.stdout
    planted = subprocess.run([sys.executable, PROGRAM, "--rounds", "2", "--seed", "5", "--spillway", binary, "--plant",
                              "lose-ack"], capture_output=True, text=True, timeout=300)
    assert planted.returncode == 1 and "exactly-n: FAIL" in planted.stdout, planted
