"""The commands of docs/operations.md, as they stand there: what is written for the one on call is what is tested."""

import os
import pathlib
import re
import subprocess

from harness import ROOT

OPERATIONS = ROOT / "docs/operations.md"


def commands(name: str) -> str:
    """The code block after `<!-- commands: NAME -->`."""
    found = re.findall(rf"<!-- commands: {re.escape(name)} -->\n```(?:sh|toml)\n(.*?)```", OPERATIONS.read_text(), re.S)
    assert len(found) == 1, f"docs/operations.md has {len(found)} blocks of commands named {name}"
    return found[0]


def run(name: str, binary: str, **variables: os.PathLike) -> subprocess.CompletedProcess:
    """In a shell at the root of the repository, each line must succeed."""
    path = f"{pathlib.Path(binary).parent}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, **{key: str(value) for key, value in variables.items()}}
    return subprocess.run(["bash", "-euc", commands(name)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
