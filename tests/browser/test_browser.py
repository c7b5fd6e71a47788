"""The pages in a real Chromium: node's test runner on each *.test.mjs here, against the program that was built."""

import os
import pathlib
import shutil

import pytest

from bounded import run

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CHROMIUM = os.environ.get("SPILLWAY_CHROMIUM", "/usr/bin/chromium")
FILES = sorted(path.name for path in HERE.glob("*.test.mjs"))
# No assertions: every wait inside has its own bound and says what it waited for. These only end what ignores them.
INSTALL_GUARD_S = 400
TESTS_GUARD_S = 900


@pytest.fixture(scope="session")
def packages():
    """playwright-core and axe-core, as package-lock.json has them."""
    run([ROOT / "tools" / "web.sh", "packages", "tests/browser"], INSTALL_GUARD_S, cwd=ROOT)


@pytest.mark.parametrize("name", FILES)
def test_in_chromium(name, request):
    if "harness.mjs" in (HERE / name).read_text(encoding="utf-8"):
        if not os.access(CHROMIUM, os.X_OK):
            assert os.environ.get("CI") != "true", f"no {CHROMIUM}: apt-get install chromium"
            pytest.skip(f"no {CHROMIUM}: apt-get install chromium")
        request.getfixturevalue("packages")
    node = shutil.which("node")
    assert node, "no node: apt-get install nodejs"
    print(run([node, "--test-reporter=spec", name], TESTS_GUARD_S, cwd=HERE))
