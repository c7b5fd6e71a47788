#!/usr/bin/env python3
"""The G0 load test from beginning to end, with the evidence in files.

Starts a server with paused workers and the event EVT-009 of 100 places, lets k6's crowd loose on it, samples the queue
every second, resumes the workers, samples until the queue has drained, and follows five requests to their final state.

  python3 tests/crash/g0_evidence.py --out docs/g0 [--doc docs/g0-load-test.md] [--vus 300] [--duration 60s]
                                     [--spillway PATH] [--k6 PATH]

Writes into --out: k6-summary.txt, k6-summary.json, k6-summary.md, queue_depth.csv, queue_depth.svg, samples.json; and
the document (default: g0-load-test.md in --out). Exit code 0: everything that the load test must show was seen; 1: not.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from client import Pool  # noqa: E402
from g0_chart import depth_svg  # noqa: E402
from harness import ADMIN_TOKEN, FINAL, ROOT, Server, clean_environment, event_body, find_binary, find_k6  # noqa: E402
from judge import RANK  # noqa: E402

EVENT = "EVT-009"
CAPACITY = 100
SAMPLED = 5
SCRIPT = ROOT / "k6" / "g0_spike_participation.js"
FIELDS = ("seconds", "visible", "inFlight", "delayed", "deadLetters", "oldestAgeSeconds", "workersRunning",
          "workersPaused")


class Run:
    def __init__(self, server: Server, out: pathlib.Path):
        self.server = server
        self.out = out
        self.samples: list[dict[str, float]] = []
        self.marks: list[tuple[float, str]] = []
        self.said: list[tuple[bool, str]] = []

    async def admin(self, method: str, target: str, **more: Any) -> Any:
        response = await self.pool.request(method, target, token=ADMIN_TOKEN, **more)
        if response.status not in (200, 201):
            raise RuntimeError(f"{method} {target}: {response!r}")
        return response.json()

    def now(self) -> float:
        return time.monotonic() - self.began

    async def sample(self) -> dict[str, float]:
        queue = await self.admin("GET", "/admin/queues/participations")
        row = {"seconds": round(self.now(), 3), **{name: queue[name] for name in FIELDS[1:5]},
               "oldestAgeSeconds": queue.get("oldestAgeSeconds", 0), "workersRunning": queue["workers"]["running"],
               "workersPaused": int(queue["workers"]["paused"])}
        self.samples.append(row)
        return row

    def must(self, held: bool, what: str) -> None:
        self.said.append((bool(held), what))
        print(f"  {'ok  ' if held else 'FAIL'} {what}", flush=True)

    async def load(self, k6: str, vus: int, duration: str) -> dict[str, Any]:
        """k6's crowd, with a sample of the queue every second. Its summary."""
        with tempfile.TemporaryDirectory() as reports:
            env = clean_environment({"BASE_URL": self.server.url, "EVENT_ID": EVENT, "VUS": str(vus),
                                     "DURATION": duration, "REPORT_DIR": reports})
            env.pop("ACCESS_TOKEN", None)
            self.began = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                k6, "run", "--quiet", "--no-usage-report", "--address", "127.0.0.1:0", str(SCRIPT),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env)
            output = asyncio.create_task(process.communicate())
            self.marks.append((0.0, "workers paused, load on"))
            while not output.done():
                await self.sample()
                await asyncio.wait({output}, timeout=1)
            text = output.result()[0].decode("utf-8", "replace")
            self.k6_exit = process.returncode
            (self.out / "k6-summary.txt").write_text(text, encoding="utf-8")
            print(text)
            summary: dict[str, Any] = {}
            for file in pathlib.Path(reports).iterdir():
                shutil.copy(file, self.out / f"k6-summary{file.suffix}")
                if file.suffix == ".json":
                    summary = json.loads(file.read_text(encoding="utf-8"))
        return summary

    async def whole_list(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            page = await self.admin("GET", f"/admin/events/{EVENT}/requests?limit=1000" +
                                    (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            cursor = page.get("nextCursor")
            if not cursor:
                return items

    async def drain(self) -> None:
        self.marks.append((self.now(), "workers resumed"))
        await self.admin("POST", "/admin/queues/participations/resume")
        guard = time.monotonic() + 600
        while time.monotonic() < guard:
            row = await self.sample()
            if row["visible"] + row["inFlight"] + row["delayed"] == 0:
                break
            await asyncio.sleep(0.1)
        self.drained_s = row["seconds"] - self.marks[-1][0]
        for _ in range(3):  # and stays so: the picture shows it
            await asyncio.sleep(1)
            await self.sample()

    async def follow(self, followed: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each of the sampled requests until it is final, with every status that was seen on the way."""
        async def one(seen: dict[str, Any]) -> dict[str, Any]:
            guard = time.monotonic() + 600
            while seen["observed"][-1] not in FINAL and time.monotonic() < guard:
                view = await self.admin("GET", f"/admin/requests/{seen['requestId']}")
                if view["status"] != seen["observed"][-1]:
                    seen["observed"].append(view["status"])
                else:
                    await asyncio.sleep(0.02)
            return {**seen, "final": await self.admin("GET", f"/admin/requests/{seen['requestId']}")}
        return list(await asyncio.gather(*(one(item) for item in followed)))

    async def run(self, k6: str, vus: int, duration: str) -> None:
        await asyncio.to_thread(self.server.start)
        self.pool = await Pool.open(self.server.host, self.server.port, 2)
        await self.admin("PUT", f"/admin/events/{EVENT}", json=event_body(CAPACITY, title="First crowd"))
        self.summary = await self.load(k6, vus, duration)
        await self.sample()
        rising = [row["visible"] + row["inFlight"] + row["delayed"] for row in self.samples]
        untouched = (await self.admin("GET", f"/admin/events/{EVENT}"))["capacityRemaining"]

        before = await self.whole_list()
        self.peak = max(rising + [len(before)])
        # The first, the last who gets a place and the first who gets none, one far behind, and the last of all.
        wanted = {0, CAPACITY - 1, CAPACITY, (CAPACITY + len(before)) // 2, len(before) - 1}
        at = sorted(wanted & set(range(len(before))))
        chosen = [{"requestId": before[i]["requestId"], "place": i + 1, "observed": [before[i]["status"]]} for i in at]
        following = asyncio.create_task(self.follow(chosen))
        await self.drain()
        self.followed = await following
        after = await self.whole_list()
        metrics = self.summary.get("metrics", {})

        def value(metric: str, name: str) -> float:
            return metrics.get(metric, {}).get("values", {}).get(name, float("nan"))

        self.accepted = int(value("participations_accepted", "count"))
        print("what the load test must show:")
        self.must(self.k6_exit == 0, f"k6 ended with 0 (it ended with {self.k6_exit})")
        failed = value("http_req_failed", "rate")
        self.must(failed < 0.01, f"http_req_failed < 1%: {failed:.4%}")
        self.must(value("checks", "rate") == 1, f"every check passed: {value('checks', 'passes'):.0f}, "
                                                f"{value('checks', 'fails'):.0f} failed")
        self.must(rising == sorted(rising), f"paused, the depth only rises: to {rising[-1]:,.0f}")
        self.must(untouched == CAPACITY, f"capacityRemaining untouched before: {untouched}")
        self.must(len(before) == rising[-1] >= self.accepted,
                  f"nothing acknowledged is missing: {self.accepted:,} accepted, {len(before):,} queued")
        last = self.samples[-1]
        self.must(last["visible"] + last["inFlight"] + last["delayed"] == 0,
                  f"resumed, it drains to 0: in {self.drained_s:.1f} s")
        remaining = (await self.admin("GET", f"/admin/events/{EVENT}"))["capacityRemaining"]
        self.must(remaining == max(0, CAPACITY - len(after)), f"capacityRemaining after: {remaining}")
        statuses = [item["status"] for item in after]
        self.winners = statuses.count("SUCCEEDED")
        self.must(statuses[:CAPACITY] == ["SUCCEEDED"] * min(CAPACITY, len(after)) and
                  set(statuses[CAPACITY:]) <= {"REJECTED"},
                  f"the first {CAPACITY} won and nobody else: {self.winners} winners")
        self.must([i["requestId"] for i in after] == [i["requestId"] for i in before], "nobody was lost or moved")
        self.must(all(s["observed"][-1] in FINAL for s in self.followed) and len(self.followed) == SAMPLED,
                  f"{SAMPLED} sampled requests are final")
        ranks = [[RANK[status] for status in item["observed"]] for item in self.followed]
        self.must(all(of_one == sorted(of_one) for of_one in ranks), "no status went back")
        self.pool.close()
        code = await asyncio.to_thread(self.server.stop)
        self.must(code == 0, f"the server stopped with {code}")

    def write(self) -> None:
        with open(self.out / "queue_depth.csv", "w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, FIELDS)
            rows.writeheader()
            rows.writerows(self.samples)
        points = [(row["seconds"], row["visible"] + row["inFlight"] + row["delayed"]) for row in self.samples]
        (self.out / "queue_depth.svg").write_text(
            depth_svg(points, self.marks, f"Depth of the queue: {self.accepted:,} accepted, {CAPACITY} places",
                      "visible + inFlight + delayed of GET /admin/queues/participations"), encoding="utf-8")
        (self.out / "samples.json").write_text(json.dumps(self.followed, indent=2, ensure_ascii=False) + "\n",
                                               encoding="utf-8")

    def document(self, command: str, folder: str, vus: int, duration: str, k6_version: str) -> str:
        metrics = self.summary["metrics"]
        latency = metrics["participate_duration"]["values"]
        rate = metrics["participations_accepted"]["values"]["rate"]
        good = all(held for held, _ in self.said)
        samples = []
        for item in self.followed:
            final = item["final"]
            way = " → ".join(f"{e['status']} {e['at'][11:23]}" for e in final["statusLog"])
            samples.append(f"| `{final['requestId']}` | {item['place']:,} | {way} | {final.get('resultCode', '')} |")
        conclusion = (
            f"{vus} people at once for {duration} got {self.accepted:,} answers of 202 ({rate:,.0f} a second, half of "
            f"them within {latency['med']:.1f} ms, 99% within {latency['p(99)']:.0f} ms); with the workers off the "
            f"queue only rose, with them on it drained in {self.drained_s:.1f} s, exactly {self.winners} of {CAPACITY} "
            "places were given, to the first who came, and nobody was lost."
            if good else "**Not everything that this test must show was seen**; see the table above.")
        checks = "\n".join(f"| {'yes' if held else '**no**'} | {what} |" for held, what in self.said)
        k6_text = "\n".join(line for line in (self.out / "k6-summary.txt").read_text(encoding="utf-8").splitlines()
                            if line.startswith("  ") or not line).strip("\n")
        return f"""# G0: a crowd signs up

The load test of `intake`: k6's crowd against one server, workers paused while it arrives, resumed afterwards. This page
is written by the run itself:

```
{command}
```

| | |
|---|---|
| when | {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())} |
| machine | {os.cpu_count()} cores, {_memory_gib()} GiB, {_system()}; k6 runs on the same cores as the server |
| load | {k6_version}, {vus} virtual users for {duration}; each iteration logs in as a fresh random user, signs up |
| event | `{EVENT}`, {CAPACITY} places, first come, first served |

## What it must show

| seen | what |
|---|---|
{checks}

## The queue over time

![Depth of the queue: rises while the workers are paused, drains to 0 when they are resumed]({folder}queue_depth.svg)

Every sample: [queue_depth.csv]({folder}queue_depth.csv).

## Five requests to their final state

Place counts from 1 in the order of arrival; times are UTC. Everything that an admin sees of them:
[samples.json]({folder}samples.json).

| requestId | place | status log | result |
|---|---|---|---|
{chr(10).join(samples)}

## k6's summary

Also as [JSON]({folder}k6-summary.json) and [report]({folder}k6-summary.md).

```
{k6_text}
```

## Conclusion

{conclusion}
"""


def _memory_gib() -> int:
    with open("/proc/meminfo", encoding="ascii") as file:
        return round(int(file.readline().split()[1]) / 2**20)


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"] + ", Linux " + platform.release()
    except OSError:
        return platform.platform()


def main() -> int:
    parser = argparse.ArgumentParser(description="The G0 load test with its evidence in files.")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for the evidence")
    parser.add_argument("--doc", type=pathlib.Path, help="the document; default: g0-load-test.md in --out")
    parser.add_argument("--vus", type=int, default=300)
    parser.add_argument("--duration", default="60s")
    parser.add_argument("--spillway", help="the program; default: SPILLWAY_BIN, else what was built last")
    parser.add_argument("--k6", help="default: SPILLWAY_K6, else ~/.cache/spillway, else PATH")
    args = parser.parse_args()
    try:
        binary, k6 = args.spillway or find_binary(), find_k6(args.k6)
    except FileNotFoundError as missing:
        parser.error(str(missing))
    version = " ".join(subprocess.run([k6, "version"], capture_output=True, text=True).stdout.split()[:2])
    args.out.mkdir(parents=True, exist_ok=True)
    doc = args.doc or args.out / "g0-load-test.md"
    with tempfile.TemporaryDirectory(prefix="spillway-g0-") as folder:
        server = Server(pathlib.Path(folder) / "data", "--workers", "0", binary=binary)
        run = Run(server, args.out)
        try:
            asyncio.run(run.run(k6, args.vus, args.duration))
        finally:
            server.kill()
    run.write()
    relative = os.path.relpath(args.out, doc.parent)
    command = f"python3 tests/crash/g0_evidence.py --vus {args.vus} --duration {args.duration} --out {args.out}" + (
        f" --doc {args.doc}" if args.doc else "")
    doc.write_text(run.document(command, "" if relative == "." else f"{relative}/", args.vus, args.duration, version),
                   encoding="utf-8")
    print(f"written: {doc} and {args.out}/")
    return 0 if all(held for held, _ in run.said) else 1


if __name__ == "__main__":
    sys.exit(main())
