#!/usr/bin/env python3
"""./dev itself: what it counts, what it would install, and that it fails when it should."""

import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SUMMARY = os.path.join(ROOT, "tools/summary.py")

CTEST = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="Linux-c++" tests="4" failures="1" disabled="0" skipped="2">
  <testcase name="base.A" classname="base.A" time="0.1" status="run"></testcase>
  <testcase name="base.B" classname="base.B" time="0.1" status="fail"><failure message=""/></testcase>
  <testcase name="base.C" classname="base.C" time="0" status="notrun">
    <skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>
  <testcase name="base.D" classname="base.D" time="0" status="notrun">
    <skipped message="Unable to find executable"/></testcase>
</testsuite>"""
PYTEST = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4">
  <testcase classname="tests.e2e.test_a" name="test_1" time="0.1"/>
  <testcase classname="tests.e2e.test_a" name="test_2" time="0.1"><failure message="x">x</failure></testcase>
  <testcase classname="tests.e2e.test_a" name="test_3" time="0.1"><error message="x">x</error></testcase>
  <testcase classname="tests.e2e.test_a" name="test_4" time="0"><skipped message="no k6">x</skipped></testcase>
</testsuite></testsuites>"""
GOOD = CTEST.replace('status="fail"><failure message=""/>', 'status="run">').replace("Unable to find executable", "why")


def summary(files, *parts):
    with tempfile.TemporaryDirectory() as root:
        os.makedirs(os.path.join(root, "build/test-results"))
        for name, text in files.items():
            with open(os.path.join(root, "build/test-results", name + ".xml"), "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([sys.executable, SUMMARY, *parts], cwd=root, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout.splitlines()


class Summary(unittest.TestCase):
    def test_adds_up_both_dialects(self):
        code, lines = summary({"ctest": CTEST, "pytest": PYTEST}, "build-dev:0", "ctest:8", "pytest:1")
        self.assertEqual("2 passed, 4 failed, 2 skipped", lines[-1])
        self.assertEqual(1, code)
        self.assertIn("failed: ctest: base.B", lines)
        self.assertIn("skipped: pytest: tests.e2e.test_a::test_4 (no k6)", lines)

    def test_success(self):
        code, lines = summary({"ctest": GOOD}, "build-dev:0", "ctest:0", "bench-smoke:0")
        self.assertEqual("3 passed, 0 failed, 2 skipped", lines[-1])
        self.assertEqual(0, code)

    def test_a_runner_that_crashed_is_a_failure(self):
        code, lines = summary({"ctest": GOOD}, "ctest:139")
        self.assertEqual("2 passed, 1 failed, 2 skipped", lines[-1])
        self.assertEqual(1, code)

    def test_a_build_that_failed_is_a_failure(self):
        code, lines = summary({}, "build-dev:1")
        self.assertEqual("0 passed, 1 failed, 0 skipped", lines[-1])
        self.assertEqual(1, code)

    def test_nothing_run_is_no_success(self):
        code, lines = summary({}, "build-dev:0")
        self.assertEqual("0 passed, 0 failed, 0 skipped", lines[-1])
        self.assertEqual(1, code)


def sourced(script, **environment):
    """Runs `script` with the functions of ./dev; dpkg-query says that `installed` is there."""
    with tempfile.TemporaryDirectory() as binaries:
        fake = os.path.join(binaries, "dpkg-query")
        with open(fake, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\nfor p in $INSTALLED; do echo "$p installed"; done\n'
                       'echo "libxxhash-dev config-files"\nexit 1\n')
        os.chmod(fake, 0o755)
        return subprocess.run(
            ["bash", "-c", f"source {ROOT}/dev; install_packages() {{ echo \"installs: $*\"; }}; {script}"],
            capture_output=True, text=True, check=False, cwd="/",
            env={"PATH": binaries + ":/usr/bin:/bin", "HOME": binaries, **environment})


class Packages(unittest.TestCase):
    def all_of(self, name):
        return sourced(f"packages_of {name}").stdout.split()

    def test_installs_only_what_is_missing(self):
        wanted = self.all_of("build")
        self.assertGreater(len(wanted), 10)
        there = [package for package in wanted if package not in ("cmake", "libxxhash-dev")]
        self.assertEqual("installs: cmake libxxhash-dev\n", sourced("need build", INSTALLED=" ".join(there)).stdout)

    def test_installs_nothing_when_all_is_there(self):
        done = sourced("need build fuzz", INSTALLED=" ".join(self.all_of("build") + self.all_of("fuzz")))
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))


class Usage(unittest.TestCase):
    def run_dev(self, *arguments):
        return subprocess.run([os.path.join(ROOT, "dev"), *arguments], capture_output=True, text=True, check=False)

    def test_help_has_a_line_for_every_command(self):
        text = self.run_dev("help").stdout
        for command in ("setup", "build", "run", "test", "bench", "lint", "fuzz", "soak", "clean", "help"):
            self.assertRegex(text, rf"(?m)^  {command} ")

    def test_wrong_usage_is_refused(self):
        for arguments in (["biuld"], ["test", "--onyl", "x"], ["lint", "--nope"], ["soak", "--nope"]):
            with self.subTest(arguments=arguments):
                done = self.run_dev(*arguments)
                self.assertEqual(2, done.returncode)
                self.assertIn("dev: ", done.stderr)


if __name__ == "__main__":
    unittest.main()
