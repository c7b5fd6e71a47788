#!/usr/bin/env python3
"""The targets of the Makefile, by real make, with a k6 that only notes what it was told."""

import os
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FAKE_K6 = """#!/bin/sh
echo "$@" >"$NOTES"
env >>"$NOTES"
exit "${FAKE_EXIT:-0}"
"""


class Make(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.home = directory.name
        self.notes = os.path.join(self.home, "notes")
        self.reports = os.path.join(self.home, "a b", "reports")

    def make(self, *words, k6=True, **environment):
        binaries = os.path.join(self.home, "bin")
        os.makedirs(binaries, exist_ok=True)
        if k6:
            fake = os.path.join(binaries, "k6")
            with open(fake, "w", encoding="utf-8") as file:
                file.write(FAKE_K6)
            os.chmod(fake, 0o755)
        return subprocess.run(
            ["make", "--no-print-directory", "-C", ROOT, *words], capture_output=True, text=True, check=False,
            env={"PATH": binaries + ":/usr/bin:/bin", "HOME": self.home, "NOTES": self.notes, **environment})

    def noted(self):
        """What k6 was called with, and its environment."""
        with open(self.notes, encoding="utf-8") as file:
            words, *lines = file.read().splitlines()
        return words, dict(line.split("=", 1) for line in lines if "=" in line)

    def test_help_is_the_default_and_has_a_line_for_every_target(self):
        done = self.make()
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(self.make("help").stdout, done.stdout)
        for target in ("install-k6", "load-intake", "load-waitroom-entry", "load-waitroom-circulation", "help"):
            self.assertRegex(done.stdout, rf"(?m)^  {target} ")
        for name, default in (("BASE_URL", "http://127.0.0.1:8080"), ("REPORT_DIR", "build/load")):
            self.assertRegex(done.stdout, rf"(?m)^  {name} .* {default}$")

    def test_intake(self):
        done = self.make("load-intake", "BASE_URL=http://127.0.0.1:9", "K6_VUS=7", "K6_DURATION=5s",
                         f"REPORT_DIR={self.reports}", EVENT_ID="EVT-1")
        self.assertEqual(0, done.returncode, done.stderr)
        words, told = self.noted()
        self.assertEqual("run --no-usage-report k6/g0_spike_participation.js", words)
        self.assertEqual(("http://127.0.0.1:9", "7", "5s", "EVT-1"),
                         tuple(told[name] for name in ("BASE_URL", "VUS", "DURATION", "EVENT_ID")))
        self.assertEqual(self.reports, told["REPORT_DIR"])
        self.assertTrue(os.path.isdir(self.reports), "k6 writes into a folder that must be there")
        # Options of k6's own by these names would take the place of the script's scenarios.
        self.assertFalse({"K6_VUS", "K6_DURATION"} & set(told))

    def test_defaults_are_those_that_help_states(self):
        for target, script, vus, duration in (
                ("load-intake", "g0_spike_participation", "300", "60s"),
                ("load-waitroom-entry", "queue-entry-scale-test", None, "60s"),
                ("load-waitroom-circulation", "queue-circulation-test", None, "3m")):
            with self.subTest(target=target):
                done = self.make(target, f"REPORT_DIR={self.reports}", SPILLWAY_ADMIN_TOKEN="secret")
                self.assertEqual(0, done.returncode, done.stderr)
                words, told = self.noted()
                self.assertEqual(f"run --no-usage-report k6/{script}.js", words)
                self.assertEqual(("http://127.0.0.1:8080", vus, duration),
                                 (told["BASE_URL"], told.get("VUS"), told["DURATION"]))

    def test_a_script_s_own_settings_come_from_the_environment(self):
        for target in ("load-intake", "load-waitroom-entry", "load-waitroom-circulation"):
            for words, duration in (((), "7s"), (("K6_DURATION=5s",), "5s")):
                with self.subTest(target=target, words=words):
                    done = self.make(target, *words, f"REPORT_DIR={self.reports}", SPILLWAY_ADMIN_TOKEN="secret",
                                     DURATION="7s")
                    self.assertEqual(0, done.returncode, done.stderr)
                    self.assertEqual(duration, self.noted()[1]["DURATION"])

    def test_the_line_gets_the_secret_and_no_list_of_processes_shows_it(self):
        for target in ("load-waitroom-entry", "load-waitroom-circulation"):
            with self.subTest(target=target):
                done = self.make(target, "K6_VUS=20", f"REPORT_DIR={self.reports}", SPILLWAY_ADMIN_TOKEN="the-secret")
                words, told = self.noted()
                self.assertEqual(("the-secret", "20", "20"), (told["ADMIN_TOKEN"], told["VUS"], told["MAX_VUS"]))
                self.assertNotIn("the-secret", words + done.stdout + done.stderr)

    def test_without_the_secret_the_line_is_not_run(self):
        done = self.make("load-waitroom-entry", f"REPORT_DIR={self.reports}")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("SPILLWAY_ADMIN_TOKEN is not set", done.stderr)
        self.assertFalse(os.path.exists(self.notes))

    def test_a_missed_threshold_fails(self):
        done = self.make("load-intake", f"REPORT_DIR={self.reports}", FAKE_EXIT="99")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("exit code 99", done.stderr)

    def test_without_k6_it_says_so_and_offers_the_generator(self):
        url = "http://127.0.0.1:9"
        for target, given, offered in (
                ("load-intake", [], f"intake --base-url {url} --vus 300 --duration 60s"),
                ("load-intake", ["K6_VUS=7", "K6_DURATION=5s"], f"intake --base-url {url} --vus 7 --duration 5s"),
                ("load-waitroom-entry", [], f"waitroom-entry --base-url {url}"),
                ("load-waitroom-entry", ["K6_VUS=7", "K6_DURATION=5s"],
                 f"waitroom-entry --base-url {url} --vus 7 --set scenarios.crowd.duration=5s"),
                # One virtual user of k6 looks after a hundred people there.
                ("load-waitroom-circulation", ["K6_VUS=7", "K6_DURATION=5s"],
                 f"waitroom-circulation --base-url {url} --vus 700 --set scenarios.people.duration=5s")):
            with self.subTest(target=target, given=given):
                done = self.make(target, f"BASE_URL={url}", *given, "REPORT_DIR=out", k6=False)
                self.assertNotEqual(0, done.returncode, "nothing was run")
                self.assertIn("k6 is not installed", done.stderr)
                self.assertIn(f"  build/release/spillway load run {offered} --report-dir out\n", done.stderr)

    def test_a_number_of_users_that_is_none(self):
        done = self.make("load-intake", "K6_VUS=many")
        self.assertNotEqual(0, done.returncode)
        self.assertIn("K6_VUS=many: must be a number", done.stderr)
        self.assertFalse(os.path.exists(self.notes))

    def test_install_says_where_it_is(self):
        done = self.make("install-k6")
        self.assertEqual((0, os.path.join(self.home, "bin", "k6")), (done.returncode, done.stdout.strip()))

    def test_install_without_go_says_what_is_missing(self):
        done = self.make("install-k6", k6=False)
        self.assertNotEqual(0, done.returncode)
        self.assertRegex(done.stderr, r"no k6: Go [\d.]+ or newer is needed")


if __name__ == "__main__":
    unittest.main()
