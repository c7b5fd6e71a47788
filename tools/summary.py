#!/usr/bin/env python3
"""summary.py NAME:STATUS...: counts what the parts of `./dev test` left in build/test-results/NAME.xml (JUnit).

Prints the failed and the skipped by name, a line per part, and last, alone: `N passed, N failed, N skipped`.
A part without a file is one case. A part that ended badly without a failed case counts as one failure: a crash of
the runner must not look like success. Exit status 1 when anything failed, or when nothing ran at all.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree

RESULTS = "build/test-results"


def cases_of(path):
    """Yields (name, outcome, reason) of a JUnit file, of ctest's and of pytest's dialect."""
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        if case.get("classname") == case.get("name"):
            name = case.get("name")
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if bad is not None or case.get("status") == "fail":
            yield name, "failed", ""
        elif skipped is not None or case.get("status") in ("notrun", "disabled"):
            yield name, "skipped", (skipped.get("message") or "") if skipped is not None else ""
        else:
            yield name, "passed", ""


def count(part):
    """(counts, lines) of one NAME:STATUS."""
    name, _, status = part.rpartition(":")
    path = os.path.join(RESULTS, name + ".xml")
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    lines = []
    if os.path.exists(path):
        for case, outcome, reason in cases_of(path):
            # ctest calls a program that is not there "skipped"; that is a failure.
            if outcome == "skipped" and "Unable to find executable" in reason:
                outcome = "failed"
            counts[outcome] += 1
            if outcome != "passed":
                lines.append(f"{outcome}: {name}: {case}" + (f" ({reason})" if reason else ""))
    elif status == "0":
        counts["passed"] = 1
    if status != "0" and counts["failed"] == 0:
        counts["failed"] = 1
        lines.append(f"failed: {name}: ended with status {status}")
    return counts, lines


def main(parts):
    total = {"passed": 0, "failed": 0, "skipped": 0}
    table = []
    print("\n== summary")
    for part in parts:
        counts, lines = count(part)
        for line in lines:
            print(line)
        # What was built is no test, unless it failed.
        if part.startswith("build-") and counts["failed"] == 0:
            continue
        for key in total:
            total[key] += counts[key]
        table.append((part.rpartition(":")[0], counts))
    for name, counts in table:
        print(f"{name:14} {counts['passed']:5} passed {counts['failed']:4} failed {counts['skipped']:4} skipped")
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
    return 1 if total["failed"] or not (total["passed"] or total["skipped"]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
