"""A command with a bound: whatever happens to it, it ends, and nothing that it started is left over."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time


def children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it ended while we looked
        parent = int(stat[stat.rindex(")") + 2:].split()[1])
        children.setdefault(parent, []).append(int(entry.name))
    return children


def tree(root: int) -> list[int]:
    """The process and all that it started, its own first."""
    children = children_by_parent()
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def end_tree(process: "subprocess.Popen[bytes]") -> None:
    """Chromium leads a session of its own, so no process group holds them all; they are found from parent to child.
    Each is stopped before its children are looked for: then none is started behind our back."""
    stopped: set[int] = set()
    while True:
        fresh = [pid for pid in tree(process.pid) if pid not in stopped]
        if not fresh:
            break
        for pid in fresh:
            send(pid, signal.SIGSTOP)
        stopped.update(fresh)
    for pid in stopped:
        send(pid, signal.SIGKILL)
    process.wait()


def run(command: list[object], limit_s: float, cwd: pathlib.Path) -> str:
    """What it said. AssertionError, with what it said so far, when it fails or takes longer than `limit_s`."""
    words = [str(word) for word in command]
    started = time.monotonic()
    # Into a file: what was said before a hang can be read, and nobody who inherited a pipe keeps us waiting.
    with tempfile.TemporaryFile() as output:
        with subprocess.Popen(words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT) as process:
            try:
                code = process.wait(limit_s)
                ending = f"ended with {code}"
            except subprocess.TimeoutExpired:
                code = None
                ending = f"was still running after {limit_s:.0f} s, and was ended"
            finally:
                if process.poll() is None:
                    end_tree(process)
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    took = time.monotonic() - started
    assert code == 0, f"{' '.join(words)} {ending} ({took:.0f} s). It said:\n{said}"
    return said
