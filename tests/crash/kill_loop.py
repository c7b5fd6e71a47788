#!/usr/bin/env python3
"""kill -9, again and again, at random points under load, on one data directory.

The acknowledgement log lives here, in another process than the server: every person is written down before they send,
every 202 with its requestId when it arrives, every status that was shown to anybody. After each kill the server is
started again (sometimes killed once more while it recovers) and what it has is compared with the log; in the end the
queue drains and everything of all generations is compared, with the places counted as well. Snapshots are made as often
as can be, so that kills hit them too.

With --failing a backend does the work, and fails for some: there are dead letters, and redrives that are running when the
kills come. Then a request may leave FAILED_FINAL, by a redrive that was asked for and by nothing else.

  python3 tests/crash/kill_loop.py --kills 200 [--failing] [--spillway PATH] [--seed 7] [--plant lose-ack] [--ledger FILE]

Exit code 0: nothing lost, nothing unexpected, no status gone back, no id changed. 1: a violation (with --plant: it was
found, as it must be). 2: wrong usage. 3: a plant was not found. 4: the time was up before all kills were done,
or with --failing no kill has met a redrive.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import pathlib
import random
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from crowd import LETTERS, Crowd, Server, Wrong, find_binary, split  # noqa: E402
from judge import Ledger, Verdict, judge, judge_redrive  # noqa: E402
from plants import PLANTS  # noqa: E402
from work_backend import SECRET, WorkBackend, fail_by_name  # noqa: E402

SERVER_ARGS = ("--snapshot-every-mib", "1")
ROLL_BACK = "roll-back"  # a plant on the disk instead of before the judge: the data directory becomes an older one
PEOPLE = 1000
CONNECTIONS = 24
PIPELINED = 8
READERS = 6
KILL_IN_RECOVERY_SHARE = 0.15
PAUSED_SHARE = 0.25
OLDER_CHECKED = 3     # events of earlier generations looked at after each kill
LAST_REDRIVES = 3     # one more than heal all
STANDSTILL_S = 120    # without any progress at the end: something will never be decided
ASKED_AGAIN = 12      # people who ask once more after each kill, and must be told the same id


class Loop:
    def __init__(self, server: Server, seed: int, plant: str | None, failing: bool = False):
        self.crowd = Crowd(server, CONNECTIONS)
        self.rng = random.Random(seed)
        self.seed = seed
        self.plant = plant
        self.failing = failing
        self.redrive: dict | None = None  # as it was told last
        self.ledgers: list[Ledger] = []
        self.verdict = Verdict()
        self.figures = {"kills": 0, "kills_in_recovery": 0, "sent": 0, "acknowledged": 0, "unanswered": 0, "shown": 0,
                        "planted": 0, "redrives": 0, "redriven": 0, "kills_in_redrive": 0}
        self.events_lost: set[str] = set()

    async def run(self, kills: int, max_seconds: float, progress=None) -> bool:
        """False when the time was up first."""
        until = time.monotonic() + max_seconds
        await self.crowd.start()
        await self.crowd.login([f"person-{i}" for i in range(PEOPLE)])
        complete = True
        while self.figures["kills"] < kills:
            if time.monotonic() > until:
                complete = False
                break
            await self.generation()
            if progress:
                progress(self)
        await self.last_look()
        return complete

    async def generation(self) -> None:
        """A new event, a crowd, a kill in the middle of it, and what is there afterwards."""
        rng = self.rng
        ledger = Ledger(f"kill-{self.seed}-{self.figures['kills']}", rng.randint(1, PEOPLE), may_fail=self.failing)
        await self.crowd.put_event(ledger.event, ledger.capacity, work="http" if self.failing else "capacity")
        self.ledgers.append(ledger)
        switch = "pause" if rng.random() < PAUSED_SHARE else "resume"
        await self.crowd.admin("POST", f"/admin/queues/participations/{switch}")

        if self.failing:
            await self.redrive_some()

        sends = rng.sample(sorted(self.crowd.tokens), PEOPLE)
        sends += rng.choices(sends, k=PEOPLE // 4)  # repeats, on other connections
        kill_now = asyncio.Event()
        kill_after = rng.randrange(len(sends))
        delay_s = rng.choice((0, rng.uniform(0, 0.005), rng.uniform(0, 0.05)))
        readable: list[tuple[str, str]] = []

        async def line(connection, users):
            for start in range(0, len(users), PIPELINED):
                if connection.closed:
                    return
                batch = users[start:start + PIPELINED]
                answers = [self.crowd.participate(connection, ledger, user) for user in batch]
                for user, answer in zip(batch, answers):
                    request_id = await self.crowd.acknowledge(ledger, user, answer)
                    if request_id is None:
                        self.figures["unanswered"] += 1
                        continue
                    self.figures["acknowledged"] += 1
                    readable.append((user, request_id))
                    if self.figures["acknowledged"] - acknowledged_before > kill_after and not kill_now.is_set():
                        # The point is meant to be random: between two answers, in a commit, while workers decide.
                        asyncio.get_running_loop().call_later(delay_s, self.crowd.strike)
                        kill_now.set()

        async def reader(number: int) -> None:
            """Looks at the requests of its own share, so that no two observe one request at the same time."""
            while self.crowd.up.is_set():
                mine = readable[number::READERS]
                if not mine:
                    await asyncio.sleep(0)
                    continue
                user, request_id = rng.choice(mine)
                async with seen_one_at_a_time.setdefault(request_id, asyncio.Lock()):
                    if await self.crowd.see(ledger, user, request_id) is not None:
                        self.figures["shown"] += 1

        seen_one_at_a_time: dict[str, asyncio.Lock] = {}
        acknowledged_before = self.figures["acknowledged"]
        self.figures["sent"] += len(sends)
        tasks = [asyncio.create_task(line(*who)) for who in split(sends, self.crowd.pool.connections, rng)]
        readers = [asyncio.create_task(reader(i)) for i in range(READERS)]
        trigger = asyncio.create_task(kill_now.wait())
        all_sent = asyncio.gather(*tasks)
        await asyncio.wait({trigger, all_sent}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(delay_s)
        await self.crowd.kill()
        self.figures["kills"] += 1
        trigger.cancel()
        await all_sent
        await asyncio.gather(*readers)
        if self.plant == ROLL_BACK:
            self.roll_back()
        if rng.random() < KILL_IN_RECOVERY_SHARE:
            await asyncio.to_thread(self.kill_in_recovery, rng.uniform(0, 0.15))
        await self.crowd.start()
        if self.failing:
            await self.look_at_redrive(killed=True)
        await self.look_after_kill(ledger)

    async def redrive_some(self) -> None:
        """Slow ones mostly, so that they are at it when the kill comes; some stop by themselves, some by hand."""
        if self.rng.random() < 0.1 and self.redrive is not None:
            await self.crowd.admin("POST", f"{LETTERS}/redrive/stop")
            await self.look_at_redrive()
        how = {"ratePerSecond": self.rng.choice((20, 100, 1000)), "stopAfterFailures": self.rng.choice((3, 50, 1000))}
        if (started := await self.crowd.redrive(self.ledgers, **how)) is not None:
            self.figures["redrives"] += 1
            self.redrive = started

    async def look_at_redrive(self, killed: bool = False) -> dict | None:
        now = await self.crowd.redrive_now()
        judge_redrive(self.verdict, self.redrive, now)
        if now is not None:
            before = self.redrive["redriven"] if self.redrive and self.redrive["redriveId"] == now["redriveId"] else 0
            self.figures["redriven"] += max(0, now["redriven"] - before)
            self.figures["kills_in_redrive"] += killed and now["state"] == "RUNNING" and now["redriven"] > 0
        self.redrive = now or self.redrive
        return now

    async def heal(self) -> None:
        """Redrives until none that a redrive would heal is left: at the most two, by how the work fails."""
        await self.crowd.admin("POST", f"{LETTERS}/redrive/stop")
        redrives, before, until = 0, None, time.monotonic() + STANDSTILL_S
        while time.monotonic() < until:
            now = await self.look_at_redrive()
            queue = await self.crowd.admin("GET", "/admin/queues/participations")
            counts = [queue[each] for each in ("visible", "inFlight", "delayed", "deadLetters")]
            if counts != before:
                before, until = counts, time.monotonic() + STANDSTILL_S
            if not any(counts[:3]) and (now is None or now["state"] != "RUNNING"):
                if not queue["deadLetters"]:
                    return
                if redrives == LAST_REDRIVES:
                    break
                how = {"ratePerSecond": 10_000, "stopAfterFailures": 1_000_000}
                if (started := await self.crowd.redrive(self.ledgers, **how)) is not None:
                    redrives += 1
                    self.figures["redrives"] += 1
                    self.redrive = started
            await asyncio.sleep(0.1)
        self.verdict.add("not_final", f"dead letters that no redrive heals: {queue}")

    def roll_back(self) -> None:
        """What a server would have that forgot what it had acknowledged after the first kill. The copy is whole, so the
        server itself cannot notice."""
        data, copy = self.crowd.server.data, self.crowd.server.data.with_name("older")
        if not copy.exists():
            shutil.copytree(data, copy)
            return
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        self.figures["planted"] += 1

    def kill_in_recovery(self, after_s: float) -> None:
        self.crowd.server.launch()
        time.sleep(after_s)  # a random point of the start, on purpose
        self.crowd.server.kill()
        self.figures["kills_in_recovery"] += 1

    async def look_after_kill(self, newest: Ledger) -> None:
        older = self.rng.sample(self.ledgers[:-1], min(OLDER_CHECKED, len(self.ledgers) - 1))
        for ledger in [newest, *older]:
            await self.compare(ledger, finished=False)
        if newest.event in self.events_lost:
            return
        for user in self.rng.sample(sorted(newest.acks), min(ASKED_AGAIN, len(newest.acks))):
            answer = self.crowd.participate(self.crowd.pool.any(), newest, user)
            await self.crowd.acknowledge(newest, user, answer)

    async def compare(self, ledger: Ledger, finished: bool) -> None:
        try:
            found = await self.crowd.found(ledger.event)
        except Wrong as gone:
            self.events_lost.add(ledger.event)  # the event was acknowledged too
            for user, ids in {"(the event)": ["it is there"], **ledger.acks}.items():
                self.verdict.add("lost", f"{ledger.event}: {user} was told {ids[0]}: {gone}")
            return
        if self.plant in PLANTS and self.figures["planted"] == 0:
            seen, lied = copy.deepcopy(ledger), copy.deepcopy(found)
            if PLANTS[self.plant][0](seen, lied, self.rng):
                self.figures["planted"] += 1
                self.verdict.merge(judge(seen, lied, finished))
                return
        self.verdict.merge(judge(ledger, found, finished))
        for item in found.items:  # an admin has been shown this now: it may not go back from here either
            ledger.saw(item["requestId"], item["status"])
            ledger.acks.setdefault(item["userId"], [item["requestId"]])

    async def last_look(self) -> None:
        """Everything drains, then every generation is compared whole."""
        await self.crowd.admin("POST", "/admin/queues/participations/resume")
        if self.failing:
            await self.heal()
        for ledger in self.ledgers:
            if ledger.event in self.events_lost:
                continue  # counted when it was found out
            await self.crowd.drained(ledger.event)
            await self.compare(ledger, finished=True)
        await self.crowd.kill()
        await self.crowd.start()
        for ledger in self.ledgers[-OLDER_CHECKED:]:
            await self.compare(ledger, finished=True)
        code = await self.crowd.stop()
        if code != 0:
            self.verdict.add("illegal", f"the server ended with {code}")

    @property
    def met_redrives(self) -> bool:
        return not self.failing or self.figures["kills_in_redrive"] > 0

    def write_ledger(self, path: str) -> None:
        with open(path, "w", encoding="utf-8") as out:
            for ledger in self.ledgers:
                for user in sorted(ledger.sent):
                    ids = ledger.acks.get(user, [])
                    out.write(json.dumps({"event": ledger.event, "user": user, "acknowledged": ids,
                                          "shown": {i: ledger.shown[i] for i in ids if i in ledger.shown}}) + "\n")


def report(loop: Loop, took: float, complete: bool) -> str:
    c, f = loop.verdict.count, loop.figures
    complete = complete and loop.met_redrives
    state = "FAIL" if not loop.verdict.good else "PASS" if complete else "INCOMPLETE"
    return (f"kill-loop: {state}  seed {loop.seed}  {took:.0f} s\n"
            f"  kills {f['kills']} (and {f['kills_in_recovery']} during recovery), sent {f['sent']}, "
            f"acknowledged {f['acknowledged']}, unanswered {f['unanswered']}, statuses shown {f['shown']}\n"
            f"  redrives {f['redrives']}, redriven {f['redriven']}, kills in the middle of one {f['kills_in_redrive']}; "
            f"forgotten or gone back {c['redrive_lost']}, final states left by none {c['left_final']}\n"
            f"  lost {c['lost']}, unexpected {c['unexpected']}, gone back {c['gone_back']}, "
            f"ids changed {c['ids_changed']}\n{loop.verdict}")


def main() -> int:
    parser = argparse.ArgumentParser(description="kill -9 at random points under load: nothing may be lost.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--failing", action="store_true", help="the work fails for some, and dead letters are redriven")
    parser.add_argument("--spillway", help="the program; default: SPILLWAY_BIN, else what was built last")
    parser.add_argument("--plant", choices=[*sorted(PLANTS), ROLL_BACK], help="lie once: it must be found out")
    parser.add_argument("--max-seconds", type=float, default=1800)
    parser.add_argument("--ledger", help="write the acknowledgement log there, for looking into a failure")
    parser.add_argument("--data", help="where to keep the server's data; default: a folder that is removed")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    try:
        binary = args.spillway or find_binary()
    except FileNotFoundError as missing:
        parser.error(str(missing))
    backend = WorkBackend(fail_by_name) if args.failing else None
    more = backend.arguments_to_fail_with() if backend else ["--max-receive-count", "3"]
    print(f"kill-loop: {args.kills} kills, seed {seed}", flush=True)
    began = time.monotonic()

    def progress(loop: Loop) -> None:
        if loop.figures["kills"] % 20 == 0 or not loop.verdict.good:
            print(f"  {loop.figures['kills']} kills, {loop.figures['acknowledged']} acknowledged, "
                  f"{'good so far' if loop.verdict.good else 'VIOLATIONS'}", flush=True)

    with tempfile.TemporaryDirectory(prefix="spillway-kill-loop-") as folder:
        server = Server(pathlib.Path(args.data or folder) / "data", *SERVER_ARGS, *more, binary=binary,
                        env={"SPILLWAY_WORK_SECRET": SECRET})
        loop = Loop(server, seed, args.plant, args.failing)
        try:
            complete = asyncio.run(loop.run(args.kills, args.max_seconds, progress))
        finally:
            server.kill()
            if backend:
                backend.close()
            if args.ledger:
                loop.write_ledger(args.ledger)
    print(report(loop, time.monotonic() - began, complete))
    if args.plant:
        found = loop.verdict.count["lost" if args.plant == ROLL_BACK else PLANTS[args.plant][1]] > 0
        print(f"  plant {args.plant}: {'found' if found else 'NOT FOUND'}")
        return 1 if found else 3
    if not loop.verdict.good:
        return 1
    return 0 if complete and loop.met_redrives else 4


if __name__ == "__main__":
    sys.exit(main())
