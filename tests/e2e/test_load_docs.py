"""The commands of the documents that begin with `spillway load run`: their plans and options are there, and the program
takes them."""

from __future__ import annotations

import re
import shlex
import subprocess

import pytest

from client import HANG_GUARD_S
from harness import ADMIN_TOKEN, ROOT, clean_environment

DOCUMENTS = ["README.md", "README.ko.md", "load/README.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.S | re.M)
# Of a run that shall end before it begins: where it goes is nowhere, and nothing is written or started.
LEFT_OUT = {"--base-url", "--report-dir", "--points", "--server-command", "--agents", "--ca-file"}
NOBODY = "http://127.0.0.1:1"
NO_RUN = 107  # load/command/load_command.h: the plan was taken, and there was no server


def commands(text: str) -> list[list[str]]:
    """The words of each, without the program's name; a line may go on after a backslash."""
    lines = [line.strip() for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").split("\n")]
    return [shlex.split(line, comments=True)[3:] for line in lines
            if re.match(r"(\S*/)?spillway load run ", line)]


def documented() -> list[tuple[str, list[str]]]:
    return [(name, words) for name in DOCUMENTS for words in commands((ROOT / name).read_text())]


def run(binary: str, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([binary, "load", *words], cwd=ROOT, capture_output=True, text=True, timeout=HANG_GUARD_S,
                          env=clean_environment({"SPILLWAY_ADMIN_TOKEN": ADMIN_TOKEN}), check=False)


def wrong_with(binary: str, words: list[str]) -> str:
    """What is wrong with a documented command; empty: nothing."""
    plans = set(re.findall(r"^  ([\w-]+) ", run(binary, "list").stdout.split("Journeys")[0], re.M))
    options = set(re.findall(r"--[\w-]+", run(binary, "run", "--help").stdout))
    plan, rest = words[0], words[1:]
    if plan not in plans and not (ROOT / plan).is_file():
        return f"there is no plan {plan}"
    unknown = [word for word in rest if word.startswith("--") and word not in options]
    if unknown:
        return f"there is no option {unknown[0]}"
    kept, skip = [], False
    for word in rest:
        if not skip and word not in LEFT_OUT:
            kept.append(word)
        skip = word in LEFT_OUT
    done = run(binary, "run", plan, *kept, "--base-url", NOBODY)
    return "" if done.returncode == NO_RUN else f"exit code {done.returncode}: {done.stderr}"


def test_there_are_such_commands():
    assert {"README.md", "README.ko.md", "docs/load-testing.md"} <= {name for name, _ in documented()}


@pytest.mark.parametrize("name, words", documented(), ids=lambda value: value if isinstance(value, str) else value[0])
def test_a_documented_run_is_one_that_the_program_takes(binary, name, words):
    assert wrong_with(binary, words) == "", f"{name}: spillway load run {shlex.join(words)}"


@pytest.mark.parametrize("line, what", [
    ("spillway load run stage-9-intake", "no plan stage-9-intake"),
    ("spillway load run stage-0-intake --speed 3", "no option --speed"),
    ("build/release/spillway load run stage-0-intake \\\n  --scale-time fast", "--scale-time"),
    ("spillway load run stage-0-intake --set scenarios.nobody.vus=5", "scenarios.nobody"),
    ("spillway load run stage-0-waitroom --set settings.capacity=5", "settings.capacity"),
])
def test_a_slip_would_be_found(binary, line, what):
    [words] = commands(f"```sh\n{line}\n```\n")
    assert what in wrong_with(binary, words)
