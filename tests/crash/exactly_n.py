#!/usr/bin/env python3
"""Exactly N, over real HTTP.

One round: a participation event with N places, up to 500 people who want one, many of them more than once and on
several connections at the same time, some of them watched while it goes on; in some rounds the server is killed with
-9 in the middle and started again, in some the workers are paused until everybody is in. Then the judge compares what
was sent, acknowledged and shown with what the server has.

  python3 tests/crash/exactly_n.py --rounds 200 [--spillway build/release/spillway] [--seed 7] [--plant oversell]

Exit code 0: every round exact. 1: a violation (with --plant: it was found, as it must be). 2: wrong usage.
3: a plant was not found, so the judge is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from crowd import HANG_GUARD_S, Crowd, Server, find_binary, split  # noqa: E402
from judge import FINAL, Found, Ledger, Verdict, judge  # noqa: E402
from plants import PLANTS  # noqa: E402

PLACES = (1, 7, 100)
MAX_CONTENDERS = 500
PIPELINED = 4
WATCHED_SHARE = 0.2
KILL_SHARE = 0.25
PAUSE_SHARE = 0.25


class Round:
    def __init__(self, crowd: Crowd, name: str, places: int, contenders: int, rng: random.Random, *,
                 kill: bool, pause: bool):
        self.crowd = crowd
        self.rng = rng
        self.kill = kill
        self.pause = pause
        self.ledger = Ledger(name, places)
        self.people = rng.sample(sorted(crowd.tokens), contenders)
        # Every other one repeats, 2 to 4 times in all. Shuffled, so that repeats race with firsts.
        self.sends = [user for user in self.people for _ in range(rng.choice((1, 1, 2, 3, 4, 1)))]
        rng.shuffle(self.sends)
        self.acked = 0
        self.kill_after = rng.randrange(len(self.sends)) if kill else -1
        self.kill_now = asyncio.Event()
        self.watchers: list[asyncio.Task[None]] = []
        self.watched: set[str] = set()

    async def send_all(self, sends: list[str]) -> None:
        async def line(connection, users):
            for start in range(0, len(users), PIPELINED):
                batch = users[start:start + PIPELINED]
                answers = [self.crowd.participate(connection, self.ledger, user) for user in batch]
                for user, answer in zip(batch, answers):
                    self.on_answer(user, await self.crowd.acknowledge(self.ledger, user, answer))
                if connection.closed:
                    return  # whoever was not sent never asked
        await asyncio.gather(*(line(*who) for who in split(sends, self.crowd.pool.connections, self.rng)))

    def on_answer(self, user: str, request_id: str | None) -> None:
        if request_id is None:
            return
        self.acked += 1
        if self.acked > self.kill_after >= 0 and not self.kill_now.is_set():
            self.crowd.strike()
            self.kill_now.set()
        if request_id not in self.watched and self.rng.random() < WATCHED_SHARE:
            self.watched.add(request_id)
            self.watchers.append(asyncio.create_task(self.watch(user, request_id)))

    async def watch(self, user: str, request_id: str) -> None:
        """Sees every status that it can until the final one, through a restart as well."""
        guard = time.monotonic() + HANG_GUARD_S  # a server that never decides must fail the round, not hang it
        while await self.crowd.see(self.ledger, user, request_id) not in FINAL and time.monotonic() < guard:
            await self.crowd.up.wait()

    async def run(self) -> tuple[Ledger, Found]:
        await self.crowd.put_event(self.ledger.event, self.ledger.capacity)
        if self.pause:
            await self.crowd.admin("POST", "/admin/queues/participations/pause")
        sending = asyncio.create_task(self.send_all(self.sends))
        if self.kill:
            trigger = asyncio.create_task(self.kill_now.wait())
            await asyncio.wait({sending, trigger}, return_when=asyncio.FIRST_COMPLETED)
            trigger.cancel()
            await self.crowd.kill()
            await sending
            await self.crowd.start()
            await self.send_again()
        else:
            await sending
        if self.pause:
            await self.crowd.admin("POST", "/admin/queues/participations/resume")
        await self.crowd.drained(self.ledger.event)
        await asyncio.gather(*self.watchers)
        return self.ledger, await self.crowd.found(self.ledger.event)

    async def send_again(self) -> None:
        """After a restart: most of those without an answer try again, some of those with one ask once more."""
        again = [user for user in self.people
                 if self.rng.random() < (0.2 if user in self.ledger.acks else 0.8)]
        self.rng.shuffle(again)
        await self.send_all(again)


async def rounds(server: Server, count: int, seed: int, plant: str | None = None, kill_share: float = KILL_SHARE,
                 progress=None) -> tuple[Verdict, dict[str, int]]:
    """Runs rounds and judges each. With a plant every round that has something to lie about is lied about."""
    crowd = Crowd(server)
    await crowd.start()
    users = [f"person-{i}" for i in range(MAX_CONTENDERS)]
    await crowd.login(users)
    verdict = Verdict()
    figures = dict.fromkeys(("rounds", "kills", "sent", "acknowledged", "people", "winners", "watched", "planted"), 0)
    for number in range(count):
        rng = random.Random(f"{seed}/{number}")
        places = PLACES[number % len(PLACES)]
        # Sometimes fewer people than places, sometimes exactly as many.
        contenders = rng.choice((rng.randint(1, MAX_CONTENDERS), MAX_CONTENDERS, rng.randint(1, 2 * places), places))
        kill = rng.random() < kill_share
        one = Round(crowd, f"n{places}-{seed}-{number}", places, min(contenders, MAX_CONTENDERS), rng,
                    kill=kill, pause=rng.random() < PAUSE_SHARE)
        ledger, found = await one.run()
        if plant is not None:
            figures["planted"] += PLANTS[plant][0](ledger, found, rng)
        verdict.merge(judge(ledger, found))
        figures["rounds"] += 1
        figures["kills"] += kill
        figures["sent"] += len(one.sends)
        figures["acknowledged"] += one.acked
        figures["people"] += len(found.items)
        figures["winners"] += sum(item["status"] == "SUCCEEDED" for item in found.items)
        figures["watched"] += len(one.watched)
        if progress:
            progress(number, one, verdict)
    code = await crowd.stop()
    if code != 0:
        verdict.add("illegal", f"the server ended with {code}: {server.errors()[-500:]}")
    return verdict, figures


def report(verdict: Verdict, figures: dict[str, int], seed: int, took: float) -> str:
    numbers = "  ".join(f"{name} {value}" for name, value in figures.items())
    return f"exactly-n: {'PASS' if verdict.good else 'FAIL'}  seed {seed}  {took:.0f} s\n  {numbers}\n{verdict}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Rounds of exactly N over real HTTP, some with kill -9.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--spillway", help="the program; default: SPILLWAY_BIN, else what was built last")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="lie to the judge: it must find this out")
    parser.add_argument("--no-kills", action="store_true")
    parser.add_argument("--data", help="where to keep the server's data; default: a folder that is removed")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(10**6)
    try:
        binary = args.spillway or find_binary()
    except FileNotFoundError as missing:
        parser.error(str(missing))
    print(f"exactly-n: {args.rounds} rounds, seed {seed}", flush=True)
    began = time.monotonic()

    def progress(number: int, one: Round, verdict: Verdict) -> None:
        if (number + 1) % 20 == 0 or not verdict.good:
            print(f"  round {number + 1}: N {one.ledger.capacity}, {len(one.people)} people, "
                  f"{'good so far' if verdict.good else 'VIOLATIONS'}", flush=True)

    with tempfile.TemporaryDirectory(prefix="spillway-exactly-n-") as folder:
        server = Server(pathlib.Path(args.data or folder) / "data", binary=binary)
        try:
            verdict, figures = asyncio.run(rounds(server, args.rounds, seed, args.plant,
                                                  0 if args.no_kills else KILL_SHARE, progress))
        finally:
            server.kill()
    print(report(verdict, figures, seed, time.monotonic() - began))
    if args.plant:
        found = verdict.count[PLANTS[args.plant][1]] > 0
        print(f"  plant {args.plant}: {'found' if found else 'NOT FOUND'}, planted in {figures['planted']} rounds")
        return 1 if found else 3
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
