import itertools
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from harness import Api, Server, find_binary  # noqa: E402

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def binary():
    return find_binary()


@pytest.fixture(scope="session")
def server(binary, tmp_path_factory):
    """One server with running workers for all tests that leave it as they found it."""
    # The tests act as one person at hundreds of events in a few seconds.
    with Server(tmp_path_factory.mktemp("shared") / "data", "--limit", "participate.account=off",
                binary=binary) as started:
        yield started
        assert started.stop() == 0, started.errors()


@pytest.fixture
def api(server):
    api = Api(server)
    yield api
    api.http.close()
    if not server.running:
        code, errors = server.wait(), server.errors()
        server.start()  # for the tests after this one: they are not what is broken
        pytest.fail(f"this test brought the server down, with {code}:\n{errors[-2000:]}")


@pytest.fixture
def make_server(binary, tmp_path):
    """make_server("--workers", "0", data=..., env=...): a server of the test's own, not yet started."""
    made = []

    def make(*args, data="data", **more):
        server = Server(tmp_path / data, *args, binary=binary, **more)
        made.append(server)
        return server

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def event():
    """A name for a participation event that no other test uses."""
    return f"event-{next(_numbers)}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that it signs itself, and its key: files."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
                    "-out", cert], check=True, capture_output=True)
    return cert, key
