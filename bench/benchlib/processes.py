"""The servers under test: each started on its own port, pinned to a core, stopped by its pid."""

import ctypes
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

SERVER_CORE = 0
CLIENT_CORE = 1
PR_SET_PDEATHSIG = 1
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
IDLE_TIMEOUT_S = 180


class BenchError(Exception):
    """Something that makes the measurement worthless; the text says what."""


def cores():
    return sorted(os.sched_getaffinity(0))


def core_or_first(core):
    return core if core in cores() else cores()[0]


def pinned(core):
    """For preexec_fn: runs on one core, and dies with the benchmark even if that is killed."""
    libc = ctypes.CDLL(None, use_errno=True)
    wanted = {core_or_first(core)}

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the benchmark, which stops us then
        os.sched_setaffinity(0, wanted)

    return prepare


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def fresh_directory(path, keep=()):
    path.mkdir(parents=True, exist_ok=True)
    for entry in path.iterdir():
        if entry.name in keep:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def thread_cpu_ns(pid):
    """CPU time of all threads of a process, in nanoseconds."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


def resident_bytes(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


class BusyNeighbours:
    """Processes that do nothing but compute on the server's core, so that it gets a share of it only: then one
    client core can offer many times what the server can do."""

    def __init__(self, count):
        self.count = count
        self.processes = []

    def __enter__(self):
        for _ in range(self.count):
            self.processes.append(subprocess.Popen([sys.executable, "-c", "while True: pass"],
                                                   stdin=subprocess.DEVNULL, preexec_fn=pinned(SERVER_CORE)))
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


class Server:
    """A child process. Use as a context manager."""

    name = "server"

    def __init__(self, directory):
        self.directory = Path(directory)
        self.process = None
        self.port = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def pid(self):
        """Of the process that does the work."""
        return self.process.pid

    def start(self):
        raise NotImplementedError

    def spawn(self, command, **more):
        self.log = open(self.directory / f"{self.name}.log", "ab")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=self.log, preexec_fn=pinned(SERVER_CORE), **more)

    def log_tail(self):
        text = (self.directory / f"{self.name}.log").read_text(errors="replace")
        return text[-2000:].strip()

    def wait_for_port(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)  # the server tells nobody when it listens: knocking is all there is
        raise BenchError(f"{self.name} did not start: {self.log_tail()}")

    def stop(self):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        code = self.process.returncode
        if self.process.stdout:
            self.process.stdout.close()
        self.log.close()
        self.process = None
        return code


class Nginx(Server):
    """Answers at once with what it is told, of the size of our own answers: what HTTP alone costs."""

    name = "nginx"

    def __init__(self, directory, answers):
        """`answers`: what to say (see client.answer_shape), by how the path begins."""
        super().__init__(directory)
        self.answers = answers

    @staticmethod
    def available():
        return shutil.which("nginx") or (Path("/usr/sbin/nginx").exists() and "/usr/sbin/nginx")

    def location(self, prefix, answer):
        fields = "".join(f"add_header {name} '{value}' always; " for name, value in answer["extra"])
        return f"location {prefix} {{ {fields}return {answer['status']} '{answer['body']}'; }}"

    def start(self):
        program = self.available()
        if not program:
            raise BenchError("nginx is not installed (apt-get install nginx-light)")
        fresh_directory(self.directory)
        self.port = free_port()
        scratch = "".join(
            f"{kind}_temp_path {self.directory}/{kind}; "
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        locations = "\n    ".join(self.location(prefix, answer) for prefix, answer in self.answers.items())
        (self.directory / "nginx.conf").write_text(f"""daemon off;
master_process off;  # one process: nothing is left over when we are killed; the work is done by the same code
pid {self.directory}/nginx.pid;
error_log {self.directory}/error.log crit;
events {{ worker_connections 16384; use epoll; multi_accept on; }}
http {{
  access_log off;
  server_tokens off;
  default_type application/json;
  keepalive_requests 1000000000;
  keepalive_timeout 3600s;
  {scratch}
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    {locations}
  }}
}}
""")
        self.spawn([program, "-p", str(self.directory), "-c", "nginx.conf"], stdout=subprocess.DEVNULL)
        self.wait_for_port()


class Redis(Server):
    name = "redis"

    def __init__(self, directory, durable=True):
        """`durable`: every command is on disk before its answer, as with us; else nothing is written at all."""
        super().__init__(directory)
        self.durable = durable

    @staticmethod
    def available():
        return shutil.which("redis-server") and shutil.which("redis-benchmark")

    def start(self):
        if not self.available():
            raise BenchError("redis is not installed (apt-get install redis-server redis-tools)")
        fresh_directory(self.directory)
        self.port = free_port()
        self.spawn(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory),
             "--save", "", "--appendonly", "yes" if self.durable else "no", "--appendfsync", "always",
             "--auto-aof-rewrite-percentage", "0", "--daemonize", "no", "--loglevel", "warning"],
            stdout=subprocess.DEVNULL)
        self.wait_for_port()

    def command(self, *words):
        """One command, one reply line or bulk string."""
        with socket.create_connection(("127.0.0.1", self.port)) as s, s.makefile("rb") as reader:
            encoded = [word.encode() for word in words]
            s.sendall(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in encoded))
            line = reader.readline().rstrip()
            if line.startswith(b"-"):
                raise BenchError(f"redis: {line.decode()}")
            return reader.readline().rstrip().decode() if line.startswith(b"$") else line.decode()


class Spillway(Server):
    """Ours. The data directory is on the real disk: its fdatasync is part of what is measured."""

    name = "spillway"

    def __init__(self, program, directory, paused=True, fresh=True, more=()):
        super().__init__(directory)
        self.program = str(program)
        self.paused = paused
        self.fresh = fresh
        self.more = list(more)
        self.admin_token = secrets.token_urlsafe(36)

    def start(self):
        if self.fresh:
            # The key stays, so that tokens got earlier are good for the next run as well.
            fresh_directory(self.directory, keep=("keys",))
        command = [self.program, "serve", "--listen", "127.0.0.1:0", "--data", str(self.directory),
                   "--identity", "open", "--http-threads", "1", "--log-level", "warn"]
        if self.paused:
            command += ["--workers", "0"]
        command += self.more
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SPILLWAY_")}
        environment["SPILLWAY_ADMIN_TOKEN"] = self.admin_token
        started = time.monotonic()
        self.spawn(command, stdout=subprocess.PIPE, env=environment)
        for line in self.process.stdout:
            text = line.decode(errors="replace").strip()
            if text.startswith("ready http://"):
                self.port = int(text.rsplit(":", 1)[1].strip("/"))
                self.start_seconds = time.monotonic() - started
                return
        raise BenchError(f"{self.program} did not become ready: {self.log_tail()}")

    def call(self, method, path, body=None, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Authorization": f"Bearer {token or self.admin_token}"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def make_event(self, event, capacity=1_000_000_000):
        status, body = self.call("PUT", f"/admin/events/{event}",
                                 {"title": "Benchmark", "capacityTotal": capacity, "policy": "FIRST_COME"})
        if status not in (200, 201):
            raise BenchError(f"PUT /admin/events/{event}: {status} {body[:300]!r}")

    def counts(self, event):
        status, body = self.call("GET", f"/admin/events/{event}/requests?limit=1")
        if status != 200:
            raise BenchError(f"GET /admin/events/{event}/requests: {status} {body[:300]!r}")
        return json.loads(body)["counts"]

    def put_concert(self, concert, **settings):
        """With the defaults that bench needs: one slot, so that all others wait."""
        settings = {"maxActive": 1, "readySeconds": 3600, "activeSeconds": 3600, "idleExtends": False,
                    "mode": "fifo", **settings}
        status, body = self.call("PUT", f"/admin/queues/waitroom/{concert}", settings)
        if status not in (200, 201):
            raise BenchError(f"PUT /admin/queues/waitroom/{concert}: {status} {body[:300]!r}")

    def enter(self, concert, user):
        status, body = self.call("POST", "/api/v1/queue/enter", {"concertId": concert, "userId": user})
        if status != 200:
            raise BenchError(f"POST /api/v1/queue/enter: {status} {body[:300]!r}")

    def sizes(self, concert):
        status, body = self.call("GET", f"/admin/queues/waitroom/{concert}")
        if status != 200:
            raise BenchError(f"GET /admin/queues/waitroom/{concert}: {status} {body[:300]!r}")
        return json.loads(body)["data"]["sizes"]

    def metric(self, name):
        status, body = self.call("GET", "/metrics")
        found = [line.split()[1] for line in body.decode().splitlines() if line.startswith(f"{name} ")]
        if status != 200 or len(found) != 1:
            raise BenchError(f"GET /metrics: {status}, {name} {len(found)} times")
        return float(found[0])

    def await_idle(self):
        """Until it has written what it was to write: one that still does would be measured with that."""
        deadline = time.monotonic() + IDLE_TIMEOUT_S
        while time.monotonic() < deadline:
            before_ns = thread_cpu_ns(self.pid)
            time.sleep(0.5)
            if thread_cpu_ns(self.pid) - before_ns < 0.05 * 0.5e9:
                return
        raise BenchError(f"{self.name} was still at work after {IDLE_TIMEOUT_S} s")

    def kill(self):
        self.process.kill()
        self.process.wait()
