import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from harness import find_binary  # noqa: E402


@pytest.fixture(scope="session")
def binary():
    return find_binary()
