"""Starting: exit codes, who may reach open login, workers, where the configuration comes from."""

import json
import socket
import subprocess

import documented
import pytest

from client import Http
from harness import Api, DidNotStart, is_paused


# ---- Exit codes -------------------------------------------------------------------------------------------

def refused(server, code, *words):
    with pytest.raises(DidNotStart) as error:
        server.start()
    assert error.value.code == code, error.value
    assert server.output == [], "nothing that looks like ready"
    said = error.value.errors.strip()
    assert said, "it must say why"
    for word in words:
        assert word in said, said
    return said


def test_exit_1_when_the_port_is_taken(make_server):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused(make_server(listen=f"127.0.0.1:{port}"), 1, str(port))


def test_exit_1_when_the_data_directory_cannot_be_made(make_server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused(make_server(data="file/data", log=tmp_path / "server.log"), 1, str(tmp_path / "file"))


def test_exit_1_when_another_server_has_the_data_directory(make_server):
    with make_server():
        refused(make_server(), 1, "data")


def test_two_servers_never_share_a_port(make_server):
    """SO_REUSEPORT is for our own threads, not for a second server."""
    with make_server(data="one") as first:
        refused(make_server(data="two", listen=f"127.0.0.1:{first.port}"), 1, str(first.port))


@pytest.mark.parametrize("args", [
    ["--no-such-flag"], ["--workers", "many"], ["--workers", "-1"], ["--listen", "nonsense"],
    ["--listen", "127.0.0.1:99999"], ["--listen", "127.0.0.1:-1"], ["--identity", "bogus"], ["--services", "bogus"],
    ["--http-threads", "0x"], ["--http-threads", "100000"], ["--log-level", "loud"], ["--config", "/no/such/file"],
    ["--data"], ["stray"], ["--tls-cert", "/tmp/only-one.pem"],
])
def test_exit_2_on_wrong_usage(make_server, args):
    listen = None if args[0] == "--listen" else "127.0.0.1:0"
    identity = None if args[0] == "--identity" else "open"
    server = make_server(*args, listen=listen, identity=identity)
    if args[0] == "--data":
        server.command = server.command[:-3] + ["--data"]
    refused(server, 2)


@pytest.mark.parametrize("args", [[], ["bogus"], ["--bogus"]])
def test_exit_2_without_a_command_that_it_knows(binary, args):
    run = subprocess.run([binary, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert run.returncode == 2, run
    assert run.stderr.strip() or run.stdout.strip()


@pytest.mark.parametrize("args", [["--help"], ["serve", "--help"], ["--version"]])
def test_help_and_version(binary, args):
    run = subprocess.run([binary, *args], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    assert run.returncode == 0, run
    wanted = {"--help": "serve", "serve": "--listen", "--version": "0."}[args[0]]
    assert wanted in run.stdout


# ---- Open login and who may reach it ------------------------------------------------------------------------

@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_open_login_is_refused_where_others_can_reach_it(make_server, listen):
    server = make_server(listen=listen)
    with pytest.raises(DidNotStart) as error:
        server.start()
    assert error.value.code in (1, 2)
    assert "--i-know-login-is-open" in error.value.errors


def test_open_login_is_allowed_for_whoever_insists(make_server):
    with make_server("--i-know-login-is-open", listen="0.0.0.0:0") as server:
        assert Http("127.0.0.1", server.port).post("/auth/login", json={"userId": "u"}).status == 200


def test_other_addresses_of_loopback_are_loopback(make_server):
    with make_server(listen="127.0.0.9:0") as server:
        assert server.host == "127.0.0.9"
        assert server.http().get("/livez").status == 200


# ---- Workers ----------------------------------------------------------------------------------------------

def test_workers_0_starts_paused_and_can_be_resumed(make_server, event):
    with make_server("--workers", "0") as server:
        api = Api(server)
        assert is_paused(api.queue())
        api.put_event(event, 1)
        token = api.login("u1")
        request_id = api.participate(event, token)
        api.resume()
        assert api.until_final(request_id, token)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("workers", [1, 3])
def test_as_many_workers_as_asked_for(make_server, workers):
    with make_server("--workers", str(workers)) as server:
        assert Api(server).queue()["workers"] == {"running": workers, "paused": 0}


# ---- Configuration: flag over environment over file -----------------------------------------------------------

def write_config(tmp_path, **options):
    path = tmp_path / "spillway.conf"
    path.write_text("".join(f"{name} = \"{value}\"\n" for name, value in options.items()))
    return str(path)


def test_a_file_configures(make_server, tmp_path):
    config = write_config(tmp_path, listen="127.0.0.3:0", workers="0", identity="open")
    with make_server("--config", config, listen=None, identity=None) as server:
        assert server.host == "127.0.0.3"
        assert is_paused(Api(server).queue())
        assert server.http().post("/auth/login", json={"userId": "u"}).status == 200


def test_the_environment_configures(make_server):
    env = {"SPILLWAY_LISTEN": "127.0.0.2:0", "SPILLWAY_WORKERS": "0", "SPILLWAY_IDENTITY": "open"}
    with make_server(listen=None, identity=None, env=env) as server:
        assert server.host == "127.0.0.2"
        assert is_paused(Api(server).queue())
        assert server.http().post("/auth/login", json={"userId": "u"}).status == 200


def test_the_environment_wins_over_the_file(make_server, tmp_path):
    config = write_config(tmp_path, listen="127.0.0.3:0", workers="0")
    env = {"SPILLWAY_LISTEN": "127.0.0.2:0"}
    with make_server("--config", config, listen=None, env=env) as server:
        assert server.host == "127.0.0.2"
        assert is_paused(Api(server).queue()), "what the environment does not say, the file does"


def test_a_flag_wins_over_both(make_server, tmp_path):
    config = write_config(tmp_path, listen="127.0.0.3:0", workers="0")
    env = {"SPILLWAY_LISTEN": "127.0.0.2:0", "SPILLWAY_WORKERS": "0"}
    with make_server("--config", config, "--workers", "2", listen="127.0.0.4:0", env=env) as server:
        assert server.host == "127.0.0.4"
        assert Api(server).queue()["workers"] == {"running": 2, "paused": 0}


def test_a_key_that_does_not_exist_is_wrong_usage(make_server, tmp_path):
    refused(make_server("--config", write_config(tmp_path, wrokers="0")), 2, "wrokers")


def test_a_bad_value_in_the_environment_names_the_variable(make_server):
    refused(make_server(env={"SPILLWAY_WORKERS": "many"}), 2, "SPILLWAY_WORKERS")


def test_the_documented_configuration_file_is_one(make_server, tmp_path):
    text = documented.commands("configuration")
    assert 'listen = "127.0.0.1:8080"\ndata = "/var/lib/spillway"\n' in text
    file = tmp_path / "spillway.toml"
    file.write_text(text.replace(":8080", ":0").replace("/var/lib/spillway", str(tmp_path / "data")))
    with make_server("--config", str(file), listen=None, identity=None) as server:
        assert server.http().get("/auth/methods").json()["identity"] == "users"
        assert server.stop() == 0
        assert json.loads(server.errors().splitlines()[0]), "JSON, as the file says"
    file.write_text(text + "workerz = 3\n")
    refused(make_server("--config", str(file), listen=None, identity=None, data="other"), 2, "workerz")
