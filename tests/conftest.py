"""What all tests of the whole program share."""

import shutil

import pytest


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.has_passed = outcome.get_result().passed


@pytest.fixture(autouse=True)
def leave_no_data(request):
    """A server's data directory takes 100 MB and more, and there are a thousand tests: only what failed is kept."""
    yield
    folder = request.node.funcargs.get("tmp_path")
    if folder is not None and getattr(request.node, "has_passed", False):
        shutil.rmtree(folder, ignore_errors=True)
