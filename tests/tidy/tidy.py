#!/usr/bin/env python3
"""tidy.py [ROOT]: the rules of the house that no compiler checks. Prints `path:line: what is wrong`, exits 1 if any.

The rules are those of docs/ARCHITECTURE.md ("Who may include whom", "Conventions"). tidy_test.py plants a breach of
each and demands that it is reported, so a rule that stopped working does not look like a tidy house.
"""

import os
import re
import sys

SERVICES = {"intake", "waitroom", "booking", "shop", "chat"}
FOLDERS = {"base", "journal", "clients", "http", "identity", "ops", "load", "cli", "app"} | SERVICES

# Who may include whom, beside itself. The engines and routes of services and of identity may include more: see
# allowed_folders().
EDGES = {
    "base": set(),
    "journal": {"base"},
    "clients": {"base"},
    "http": {"base"},
    "identity": {"base", "http"},
    "ops": {"base", "http", "journal", "identity"},
    "load": {"base"},
    "cli": {"base", "clients"},
    "app": FOLDERS,
    "main.cc": {"app"},
}
# The rooms of a service that know more than the service itself, by the beginning of the file's name.
ROOMS = {
    "embedded": {"journal"},
    "routes": {"http", "identity"},
    "http": {"clients"},
    "aws": {"clients"},
    "redis": {"clients"},
    "postgres": {"clients"},
}
# What the unit tests of a folder need beside what the folder needs: somebody to call.
TESTS = {"clients": {"http"}}

MAX_FILE_LINES = 500
MAX_COLUMNS = {"src": 110, "load": 110, "tests": 120, "bench": 120}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')
# Slow to compile and leaky in names: in .cc files, and in headers that say by their name that they are private.
HEAVY = re.compile(r"^(boost/(asio|beast|json)|openssl/)")
SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep)\s*\(|(?<![\w.>])sleep\s*\(")
TYPE_NAME = re.compile(r"\b(?:class|struct|union|enum(?:\s+class)?|concept)\s+(\w+)")
BAD_SUFFIX = re.compile(r"(Manager|Helper|Util|Utils)$")
INTERFACE_PREFIX = re.compile(r"^I[A-Z][a-z]")
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)(?:#[^)]*)?\)")
LATER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")


def allowed_folders(folder, file_name):
    """The folders that this file may include."""
    allowed = {"base", folder} if folder in SERVICES else EDGES.get(folder, set()) | {folder}
    if file_name.endswith("_test.cc"):
        allowed |= TESTS.get(folder, set())
    if folder not in SERVICES | {"identity"}:
        return allowed
    for room, more in ROOMS.items():
        if re.match(room + r"(_|\.)", file_name):
            allowed |= more
    return allowed


def includes_of(lines):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def check_includes(root, path, lines):
    """Edges between the folders of src/ and load/."""
    parts = path.split("/")
    folder = parts[1] if parts[0] == "src" else parts[0]
    is_test = path.endswith("_test.cc")
    for number, quote, target in includes_of(lines):
        first = target.split("/")[0]
        if quote == "<":
            if first in FOLDERS and os.path.exists(os.path.join(root, "src", target)):
                yield number, f'"{target}" is ours: include it with quotes'
            elif path.endswith(".h") and not path.endswith("_impl.h") and HEAVY.match(target):
                yield number, f"<{target}> is heavy: in .cc files or *_impl.h only"
            continue
        if is_test and first == "tests":
            continue
        base = root if first == "load" else os.path.join(root, "src")  # load/ lies beside src/
        if first not in FOLDERS or not os.path.exists(os.path.join(base, target)):
            yield number, f'"{target}" is not a path from src/'
        elif first not in allowed_folders(folder, parts[-1]):
            yield number, f"forbidden edge: {folder} may not include {first} (docs/ARCHITECTURE.md)"


def check_lines(path, lines):
    top = path.split("/")[0]
    columns = MAX_COLUMNS[top]
    for number, line in enumerate(lines, 1):
        if len(line) > columns:
            yield number, f"{len(line)} columns, at most {columns}"
        if SLEEP.search(line):
            yield number, "sleeps: await the event instead"
        if LATER.search(line):
            yield number, "says that it is not done"
        for name in TYPE_NAME.findall(line):
            if BAD_SUFFIX.search(name):
                yield number, f"{name}: say what it does"
            if INTERFACE_PREFIX.search(name):
                yield number, f"{name}: no prefix for interfaces"
    if top in ("src", "load") and len(lines) > MAX_FILE_LINES:
        yield MAX_FILE_LINES + 1, f"{len(lines)} lines, at most {MAX_FILE_LINES}: look for the second thing in it"
    if path.endswith(".h"):
        code = [line for line in lines if line.strip() and not line.lstrip().startswith("//")]
        if not code or code[0].strip() != "#pragma once":
            yield 1, "a header begins with #pragma once"


def check_rooms(root):
    """A service that exists explains itself."""
    source = os.path.join(root, "src")
    for folder in sorted(SERVICES | {"identity"}):
        path = os.path.join(source, folder)
        if os.path.isdir(path) and not os.path.exists(os.path.join(path, "README.md")):
            yield f"src/{folder}", 1, "a service has a README.md"
    for folder in sorted(os.listdir(source)) if os.path.isdir(source) else []:
        if os.path.isdir(os.path.join(source, folder)) and folder not in FOLDERS:
            yield f"src/{folder}", 1, "not a room of the house (docs/ARCHITECTURE.md)"


def check_links(root):
    """What the documents point to is there."""
    documents = [name for name in sorted(os.listdir(root)) if name.endswith(".md")]
    for top in ("docs", "src", "load", "bench", "k6"):
        for directory, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            documents += [os.path.relpath(os.path.join(directory, name), root)
                          for name in sorted(files) if name.endswith(".md") and name != "template.md"]
    for path in documents:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                for target in LINK.findall(line):
                    if not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                        yield path, number, f"links to {target}, which is not there"


def check_names(root):
    """The files and functions that the descriptions of the code name are there: `http/session.cc`, `Session::received`."""
    code = ""
    for path in sources(root):
        if path.startswith("src/"):
            with open(os.path.join(root, path), encoding="utf-8") as file:
                code += file.read()
    words = set(re.findall(r"\w+", code))
    for path in ("docs/ARCHITECTURE.md", "docs/LIFE_OF_A_REQUEST.md"):
        if not os.path.exists(os.path.join(root, path)):
            continue
        with open(os.path.join(root, path), encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                for name in re.findall(r"`([\w/]+/\w+\.(?:h|cc|py))`", line):
                    if not any(os.path.exists(os.path.join(root, top, name)) for top in ("", "src")):
                        yield path, number, f"names {name}, which is not there"
                for owner, member in re.findall(r"`(\w+)::(\w+)", line):
                    if not {owner, member} <= words:
                        yield path, number, f"names {owner}::{member}, which is not there"


def sources(root):
    for top in MAX_COLUMNS:
        for directory, folders, files in os.walk(os.path.join(root, top)):
            folders.sort()
            for name in sorted(files):
                if name.endswith((".h", ".cc")):
                    yield os.path.relpath(os.path.join(directory, name), root)


def check(root):
    """Every breach under `root`, as (path, line, text)."""
    for path in sources(root):
        with open(os.path.join(root, path), encoding="utf-8") as file:
            lines = file.read().splitlines()
        found = list(check_lines(path, lines))
        if path.startswith(("src/", "load/")):
            found += check_includes(root, path, lines)
        yield from ((path, number, text) for number, text in sorted(found))
    yield from check_rooms(root)
    yield from check_links(root)
    yield from check_names(root)


def main(arguments):
    root = arguments[0] if arguments else "."
    if not os.path.isdir(os.path.join(root, "src")):
        print(f"tidy: no src/ in {root}", file=sys.stderr)
        return 2
    breaches = list(check(root))
    for path, number, text in breaches:
        print(f"{path}:{number}: {text}")
    print(f"tidy: {len(breaches)} breaches" if breaches else f"tidy: {sum(1 for _ in sources(root))} files, all well")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
