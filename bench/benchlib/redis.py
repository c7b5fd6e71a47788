"""Redis beside ours: redis-benchmark with a script that does what one of our requests does."""

import subprocess
import time

from .processes import CLIENT_CORE, BenchError, pinned, thread_cpu_ns
from .tables import median, middle

RANDOM_PERSON = ("u__rand_int__", "__rand_int__")


def redis_run(bench, redis, connections, script, *words):
    """EVALSHA on the client's core; as many as take about the time of the other runs. `words`: keys and arguments."""
    def run(count):
        before_ns, started = thread_cpu_ns(redis.pid), time.monotonic()
        done = subprocess.run(
            ["redis-benchmark", "-h", "127.0.0.1", "-p", str(redis.port), "-c", str(connections),
             "-n", str(count), "-r", "1000000000", "-P", "1", "--csv", "EVALSHA", script, *words],
            capture_output=True, text=True, check=False, preexec_fn=pinned(CLIENT_CORE), timeout=300)
        lines = done.stdout.strip().splitlines()
        if done.returncode != 0 or len(lines) < 2:
            raise BenchError(f"redis-benchmark: {done.stdout[-500:]} {done.stderr[-500:]}")
        figures = dict(zip(lines[0].strip('"').split('","'), lines[-1].strip('"').split('","')))
        took = time.monotonic() - started
        return {"rate": float(figures["rps"]), "p50": float(figures["p50_latency_ms"]),
                "p99": float(figures["p99_latency_ms"]), "seconds": took,
                "cpu_us": (thread_cpu_ns(redis.pid) - before_ns) / 1e3 / count}

    first = run(max(1000, 4 * connections))
    return run(int(max(2000, min(first["rate"], 300_000) * bench.o.seconds)))


def redis_table(bench, key, ours, theirs, durability):
    """`ours`, `theirs`: runs by the count of connections, made one right after the other."""
    rows = []
    for c in bench.o.connections:
        ratio = median([a["rate"] / b["rate"] for a, b in zip(ours[c], theirs[c])])
        bench.results.ratio(f"redis.{c}", ratio)
        asked, verdict = bench.results.check(f"{key}, {c} connections: of redis EVALSHA", ratio, at_least=1.0)
        rows.append([c, f"{middle(theirs[c], 'rate'):,.0f}", f"{middle(theirs[c], 'cpu_us'):.2f}",
                     f"{middle(theirs[c], 'p50'):.2f}", f"{middle(theirs[c], 'p99'):.2f}",
                     f"{middle(ours[c], 'rate'):,.0f}",
                     f"{middle(ours[c], 'server', 'cpu_us_per_request'):.2f}",
                     f"{ratio:.2f}", asked, verdict])
    bench.results.table(
        f"redis-benchmark EVALSHA of six operations, {durability}, no HTTP; ours durable, with HTTP and tokens",
        ["connections", "redis /s", "its us", "p50 ms", "p99 ms", "ours /s", "our us", "ratio", "asked",
         "verdict"],
        rows)
