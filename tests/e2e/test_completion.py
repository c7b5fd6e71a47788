"""`spillway completion`: the shells really run what it prints."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time

import pytest

from client import HANG_GUARD_S
from harness import clean_environment


def script(binary: str, shell: str) -> str:
    return subprocess.run([binary, "completion", shell], capture_output=True, text=True, check=True).stdout


def run(shell: list[str], text: str) -> list[str]:
    done = subprocess.run([*shell, text], capture_output=True, text=True, timeout=HANG_GUARD_S, stdin=subprocess.DEVNULL,
                          env=clean_environment({"HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}))
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout.split("\n")[:-1]


def need(shell: str) -> str:
    found = shutil.which(shell)
    if not found:
        assert os.environ.get("CI") != "true", f"no {shell}: apt-get install {shell}"
        pytest.skip(f"there is no {shell} on this machine")
    return found


def quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


# ---- Each shell, asked for what it would offer ------------------------------------------------------------

def in_bash(binary: str, line: str) -> list[str]:
    """As readline does it: words end at blanks, and at = and :, which are words themselves."""
    words = [part for word in line.split(" ")[:-1] for part in re.findall(r"[=:]+|[^=:]+", word)]
    words += re.findall(r"[=:]+|[^=:]+", line.split(" ")[-1]) or [""]
    if words[-1] in ("=", ":"):
        words.append("")
    text = f"""source <({quoted(binary)} completion bash)
COMP_WORDS=({" ".join(quoted(word) for word in words)}) COMP_CWORD={len(words) - 1}
_spillway spillway; ((${{#COMPREPLY[@]}} == 0)) || printf '%s\\n' "${{COMPREPLY[@]}}" """
    return run(["bash", "--norc", "-c"], text)


def in_zsh(binary: str, line: str) -> list[str]:
    """Its completion system needs a terminal; here what it is told is printed instead."""
    words = " ".join(quoted(word) for word in line.split(" "))
    text = f"""compdef() {{ : }}
_describe() {{ local name=${{@[-1]}}; local -a all=(${{(P)name}}); print -l -- ${{all%%:*}} }}
compadd() {{ print -l -- ${{(P)2}} }}
compset() {{ : }}; _files() {{ print -- @file }}; _message() {{ : }}
source <({quoted(binary)} completion zsh)
words=({words}); CURRENT=${{#words}}; _spillway"""
    return run([need("zsh"), "-f", "-c"], text)


def in_fish(binary: str, line: str) -> list[str]:
    text = f"{quoted(binary)} completion fish | source; complete -C {quoted(line)}"
    return [found.split("\t")[0] for found in run([need("fish"), "--no-config", "-c"], text)]


SHELLS = {"bash": in_bash, "zsh": in_zsh, "fish": in_fish}


@pytest.fixture(params=SHELLS)
def offers(request, binary):
    """What the shell offers at the end of a line that begins with `spillway`, of the words that fit it."""
    def offered(line: str) -> set[str]:
        fit = line.split(" ")[-1].split("=")[-1]
        words = SHELLS[request.param](binary, line)
        if request.param == "fish":  # repeats what is before the =
            words = [word.split("=")[-1] for word in words]
        return {word for word in words if word.startswith(fit)}
    return offered


def test_the_script_is_sound(binary):
    for shell in SHELLS:
        if shutil.which(shell):
            done = subprocess.run([shell, "-n"], input=script(binary, shell), text=True, capture_output=True)
            assert done.returncode == 0 and done.stderr == "", (shell, done)
    assert subprocess.run([binary, "completion", "tcsh"], capture_output=True).returncode == 2


def test_nouns_verbs_and_options(offers):
    assert offers("spillway ad") == {"admin"}
    assert {"events", "requests", "queue", "waitroom", "dead-letters", "webhooks", "users", "audit", "login", "logout"} <= offers(
        "spillway admin ")
    assert offers("spillway admin dead-letters re") == {"redrive"}
    assert offers("spillway admin webhooks ") >= {"list", "redeliver"}
    assert offers("spillway admin webhooks list --state ") == {"PENDING", "DELIVERED", "GIVEN_UP"}
    assert offers("spillway admin queue ") == {"show", "pause", "resume", "watch"}
    assert offers("spillway admin waitroom ") == {"list", "show", "set", "pause", "resume", "open", "keys", "rotate-keys"}
    assert offers("spillway admin waitroom set CON --mode ") == {"fifo", "lottery", "paused", "open"}
    assert offers("spillway admin queue watch --c") == {"--count", "--ca-file"}
    assert {"--json", "--utc", "--server", "--limit", "--cursor"} <= offers("spillway admin events list --")
    assert offers("spillway journal ") == {"inspect", "verify"}
    assert "--workers" in offers("spillway serve --")
    assert "--workers" not in offers("spillway admin --")


def test_values(offers):
    assert offers("spillway admin users add ann --role ") == {"user", "operator", "admin"}
    assert offers("spillway admin users add ann --role=op") == {"operator"}
    assert offers("spillway admin users role ann ") == {"user", "operator", "admin"}
    assert offers("spillway admin users role ann a") == {"admin"}
    assert offers("spillway completion ") == {"bash", "zsh", "fish"}
    assert offers("spillway admin requests list EVT --status S") == {"SUCCEEDED"}
    assert offers("spillway admin users add ann --role operator --r") == {"--role"}


def test_values_are_no_commands(offers):
    assert offers("spillway admin --server events ev") == {"events"}
    assert offers("spillway admin --server http://127.0.0.1:8080 events sh") == {"show"}
    assert offers("spillway admin --server=http://127.0.0.1:8080 events sh") == {"show"}
    assert offers("spillway admin events list --limit ") & {"list", "show"} == set()


def words_of(text: str, heading: str) -> set[str]:
    """The first word of each line of a part of --help, options with all their names."""
    found: set[str] = set()
    part = text.split(f"\n{heading}:\n", 1)
    for line in part[1].split("\n\n")[0].splitlines() if len(part) == 2 else []:
        if re.match(r"  \S", line):
            found.update(line.split()[0].split(","))
    return found


def test_it_offers_what_the_help_tells_everywhere(binary):
    def check(path: list[str], inherited: set[str]) -> int:
        text = subprocess.run([binary, *path, "--help"], capture_output=True, text=True, check=True).stdout
        commands, options = words_of(text, "Subcommands"), words_of(text, "Options")
        at = " ".join(["spillway", *path])
        if commands:
            assert set(in_bash(binary, f"{at} ")) == commands
        assert set(in_bash(binary, f"{at} -")) == options | inherited, at
        below = options | inherited if path[:1] == ["admin"] else set()
        return 1 + sum(check([*path, command], below) for command in sorted(commands))

    assert check([], set()) > 30


# ---- At a terminal ----------------------------------------------------------------------------------------

def test_the_tabulator_works_at_a_real_prompt(binary, tmp_path):
    (tmp_path / "spillway").symlink_to(binary)
    env = clean_environment({"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "PS1": "prompt> ",
                             "TERM": "dumb", "INPUTRC": "/dev/null"})
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))  # the whole line in one row
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        guard = time.monotonic() + HANG_GUARD_S
        while text not in shown:
            assert time.monotonic() < guard, shown
            if select.select([master], [], [], 0.1)[0]:
                shown += os.read(master, 4096).decode("utf-8", "replace")
        shown = shown[shown.index(text) + len(text):]

    until("prompt> ")
    os.write(master, b"source <(spillway completion bash); echo sour''ced\n")
    until("sourced")
    until("prompt> ")
    os.write(master, b"spillway admin dead-l\tredr\t--stop-a\t3 --failure-class=RE\t")
    until("dead-letters redrive --stop-after 3 --failure-class=RETRYABLE")
    os.write(master, b"\x15exit\n")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(master)
