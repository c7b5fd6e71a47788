"""The load generators that are compared: each runs as a process of its own, and what it cost is what wait4 says."""

import json
import os
import re
import select
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .processes import CLIENT_CORE, SERVER_CORE, BenchError, fresh_directory, pinned, thread_cpu_ns

ROOT = Path(__file__).resolve().parent.parent.parent
K6_SCRIPTS = ROOT / "bench" / "k6"
BOTTLENECK = 98  # ours: INVALID, because it had no core left; here it is to have none left
GRACE_S = 90     # beside the time of load: start, end, reports


@dataclass
class Workload:
    """One kind of request, or of people, that every generator can make."""
    name: str
    path: str = ""        # of the page, where it is a GET of one
    journey: str = "get"  # ours
    script: str = ""      # k6's, in bench/k6
    concert: str = ""     # a line of its own for each run


@dataclass
class Did:
    """What a generator says that it did."""
    requests: int
    seconds: float


def environment(more):
    """Ours without what would change a generator's options behind our back."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SPILLWAY_", "K6_"))}
    return {**kept, **{name: str(value) for name, value in more.items()}}


class Run:
    """A process on the client's core; what it prints goes to a file."""

    def __init__(self, command, directory, **more_environment):
        self.command = [str(word) for word in command]
        self.output = directory / "output.txt"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output, cwd=directory,
                                            stderr=subprocess.STDOUT, env=environment(more_environment),
                                            preexec_fn=pinned(CLIENT_CORE))

    @property
    def pid(self):
        return self.process.pid

    def finish(self, timeout_s, good=(0,)):
        """Waits for its end. Afterwards there is `cpu_s`, of its whole life."""
        end = os.pidfd_open(self.pid)
        try:
            if not select.select([end], [], [], timeout_s)[0]:
                raise BenchError(f"{' '.join(self.command)} did not end in {timeout_s:.0f} s: {self.tail()}")
        finally:
            os.close(end)
        _, status, used = os.wait4(self.pid, 0)
        self.cpu_s = used.ru_utime + used.ru_stime
        self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.process.returncode not in good:
            raise BenchError(f"{' '.join(self.command)}: exit {self.process.returncode}: {self.tail()}")

    def stop(self):
        """On the way out, when it is still there."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def tail(self):
        return self.output.read_text(errors="replace")[-1500:].strip()


def metric_values(summary, name):
    return summary["metrics"].get(name, {}).get("values", {})


def did_of_summary(summary, workload):
    """Of k6's JSON, which is ours as well. A figure counts only when every answer was the wanted one."""
    if workload.concert:
        entered = metric_values(summary, "queue_entry_success")
        requests, wrong = entered.get("passes", 0), entered.get("fails", 0)
    else:
        requests, wrong = metric_values(summary, "http_reqs").get("count", 0), 0
    failed = metric_values(summary, "http_req_failed").get("rate", 1)
    if failed or wrong or not requests:
        raise BenchError(f"{workload.name}: {requests} requests, {failed * 100:.3f}% failed, {wrong} answers wrong")
    return Did(int(requests), summary["state"]["testRunDurationMs"] / 1e3)


def read_summary(directory):
    files = list(directory.glob("*_summary_*.json"))
    if len(files) != 1:
        raise BenchError(f"{len(files)} summaries in {directory}")
    return json.loads(files[0].read_text())


class Ours:
    name = "spillway load"

    def __init__(self, program):
        self.program = program

    def start(self, directory, server, workload, options):
        settings = {"concert": workload.concert, "max_active": 1, "re_enter": 0, "check_receipts": 0} \
            if workload.concert else {"path": workload.path}
        plan = {"name": "bench", "base_url": f"http://127.0.0.1:{server.port}", "invariants": [], "settings": settings,
                "scenarios": {"all": {"executor": "constant-vus", "journey": workload.journey,
                                      "vus": options.connections, "duration": options.seconds}}}
        return self.start_plan(directory, server, plan)

    def start_plan(self, directory, server, plan):
        (directory / "plan.toml").write_text(toml(plan))
        return Run([self.program, "load", "run", "plan.toml", "--threads", 1, "--report-dir", "report"], directory,
                   SPILLWAY_ADMIN_TOKEN=server.admin_token)

    @staticmethod
    def good():
        return (0, BOTTLENECK)

    @staticmethod
    def did(run, workload):
        return did_of_summary(read_summary(run.output.parent / "report"), workload)


class K6:
    name = "k6"

    def __init__(self, program):
        self.program = program

    def start(self, directory, server, workload, options):
        return Run([self.program, "run", "--quiet", "--no-usage-report", "--address", "", K6_SCRIPTS / workload.script],
                   directory, GOGC=400, BASE_URL=f"http://127.0.0.1:{server.port}", TARGET_PATH=workload.path,
                   CONNECTIONS=options.connections, SECONDS=options.seconds, SUMMARY=directory / "k6_summary_.json",
                   ADMIN_TOKEN=server.admin_token, CONCERT=workload.concert, MAX_ACTIVE=1, RE_ENTER=0)

    @staticmethod
    def good():
        return (0,)

    @staticmethod
    def did(run, workload):
        return did_of_summary(read_summary(run.output.parent), workload)


class Wrk:
    name = "wrk"

    def __init__(self, program):
        self.program = program

    def start(self, directory, server, workload, options):
        return Run([self.program, "-t1", f"-c{options.connections}", f"-d{max(1, round(options.seconds))}s",
                    f"http://127.0.0.1:{server.port}{workload.path}"], directory)

    @staticmethod
    def good():
        return (0,)

    @staticmethod
    def did(run, workload):
        return did_of_wrk(run.output.read_text(), workload.name)


WRK_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def did_of_wrk(text, name):
    found = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m|h),", text)
    if not found or not int(found[1]) or "Socket errors" in text or "Non-2xx" in text:
        raise BenchError(f"{name}: wrk says {text[-600:].strip()}")
    return Did(int(found[1]), float(found[2]) * WRK_UNITS[found[3]])


def find_k6():
    """SPILLWAY_K6, which ./dev sets; else what it installed earlier, else the one on PATH. None: there is none."""
    given = os.environ.get("SPILLWAY_K6")
    cached = sorted(Path.home().glob(".cache/spillway/k6-*/k6"))
    found = given or (str(cached[-1]) if cached else shutil.which("k6"))
    return found if found and Path(found).is_file() and os.access(found, os.X_OK) else None


# ---- What one run cost -------------------------------------------------------------------------------------

def core_busy_s(core):
    """Seconds that a core computed for anybody, since the machine started."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, irq, softirq = map(int, ticks[:7])
            return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
    raise BenchError(f"no core {core} in /proc/stat")


class Cores:
    """Who used the two cores since it was made."""

    def __init__(self):
        self.started = time.monotonic()
        self.before = [core_busy_s(core) for core in (SERVER_CORE, CLIENT_CORE)]

    def report(self, requests, server_s, client_s):
        """A report like those of the load client, from the CPU time of all servers and all generators."""
        wall_s = time.monotonic() - self.started
        busy = [core_busy_s(core) - before for core, before in zip((SERVER_CORE, CLIENT_CORE), self.before)]
        return {
            "rate": requests / wall_s,
            "server": {"core_busy": busy[0] / wall_s, "cpu_us_per_request": server_s * 1e6 / requests,
                       "own_busy": server_s / wall_s},
            "client": {"cpu_us_per_request": client_s * 1e6 / requests, "busy": client_s / wall_s,
                       "on_cpu": 1 - max(0, busy[1] - client_s) / wall_s},
        }


def measure(generator, directory, server, workload, options):
    """One run of one generator: what it did for its CPU time."""
    fresh_directory(directory)
    before_ns = thread_cpu_ns(server.pid)
    cores = Cores()
    with generator.start(directory, server, workload, options) as run:
        run.finish(options.seconds + GRACE_S, generator.good())
    did = generator.did(run, workload)
    report = cores.report(did.requests, (thread_cpu_ns(server.pid) - before_ns) / 1e9, run.cpu_s)
    if workload.concert and server.sizes(workload.concert)["entered"] != did.requests:
        raise BenchError(f"{generator.name}: {did.requests} answered, {server.sizes(workload.concert)} in line")
    return {**report, "load_rate": did.requests / did.seconds, "per_cpu_s": did.requests / run.cpu_s}


# ---- Plans -------------------------------------------------------------------------------------------------

def toml(plan):
    """A plan of plain values, lists of tables of them, and tables: JSON's texts and numbers are TOML's as well."""
    lines = []

    def value(of):
        if isinstance(of, list):
            return "[" + ", ".join(value(one) for one in of) + "]"
        if isinstance(of, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {value(v)}" for k, v in of.items()) + "}"
        return json.dumps(of)

    def table(path, of):
        lines.extend(f"{json.dumps(k)} = {value(v)}" for k, v in of.items() if not isinstance(v, dict))
        for name, inner in of.items():
            if isinstance(inner, dict):
                lines.append(f"[{'.'.join(json.dumps(part) for part in (*path, name))}]")
                table((*path, name), inner)

    table((), plan)
    return "\n".join(lines) + "\n"
