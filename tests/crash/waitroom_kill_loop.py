#!/usr/bin/env python3
"""kill -9, again and again, while a crowd enters, polls, goes in and leaves: the waiting room's promises across crashes.

What was told lives here, in another process than the server. After each kill everybody who was given a token asks with it:
it is good, entering again gives an equal one, arrival numbers are those of before and nobody else's, positions have not
gone up, and the order of those who still wait is that of their arrival numbers. The cap is watched all the time from
outside. Snapshots are made as often as can be, so that kills hit them too.

  python3 tests/crash/waitroom_kill_loop.py --kills 50 [--spillway PATH] [--seed 7] [--plant NAME]

Exit code 0: nothing lost, nobody twice, no position up, no inversion, the cap kept. 1: a violation (with --plant: it was
found, as it must be). 2: wrong usage. 3: a plant was not found.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from client import ConnectionLost, Pool  # noqa: E402
from harness import ADMIN_TOKEN, Server, find_binary  # noqa: E402

QUEUE = "/api/v1/queue"
CONNECTIONS = 16
PEOPLE_AT_ONCE = 24
CAP = 40
WHOLE = 10  # kills after each of which everybody is asked; from then on that would take hours
CHECKED = 1_000  # then: who came last, and as many of the others; everybody again after the last kill
PLANTS = ("lose-token", "swap", "position-up", "cap")


class Wrong(Exception):
    pass


def arrival(token: str) -> int:
    """The arrival number in a token (version, type, key, concert as varint, number as varint)."""
    payload = token.split(".")[1]
    data = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    at = 3
    while data[at] & 0x80:
        at += 1
    at += 1
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        if not data[at] & 0x80:
            return number
        at, shift = at + 1, shift + 7


class Person:
    def __init__(self, name: str):
        self.name = name
        self.token: str | None = None
        self.position: int | None = None  # the last that was told
        self.status: str | None = None
        self.leaving = False
        self.busy = False  # a request of theirs is under way: answers of two connections may come in any order


class Loop:
    def __init__(self, server: Server, seed: int, plant: str | None):
        self.server, self.rng, self.plant = server, random.Random(seed), plant
        self.people: list[Person] = []
        self.inside: list[Person] = []  # were seen READY
        self.figures = {"kills": 0, "entered": 0, "polls": 0, "activated": 0, "left": 0, "checked": 0, "unanswered": 0}
        self.pool: Pool

    async def run(self, kills: int) -> None:
        await self.open()
        await self.admin("PUT", {"maxActive": CAP, "readySeconds": 3600, "activeSeconds": 3600})
        for kill in range(1, kills + 1):
            await self.generation(everybody=kill <= WHOLE or kill == kills)
            if kill % 20 == 0:
                print(f"  {kill} kills, {self.figures['entered']} entered, good so far", flush=True)

    async def open(self) -> None:
        self.pool = await Pool.open(self.server.host, self.server.port, CONNECTIONS)

    async def admin(self, method: str, body: dict | None = None) -> dict:
        more = {"json": body} if body else {}
        response = await self.pool.request(method, "/admin/queues/waitroom/C", token=ADMIN_TOKEN, **more)
        if response.status not in (200, 201):
            raise Wrong(f"{method}: {response}")
        return response.json()["data"]

    async def call(self, method: str, what: str, person: Person):
        return await self.pool.request(method, f"{QUEUE}/{what}", headers={"X-Queue-Token": person.token or ""})

    async def enter(self, person: Person) -> None:
        response = await self.pool.request("POST", f"{QUEUE}/enter", json={"concertId": "C", "userId": person.name})
        if response.status != 200:
            raise Wrong(f"enter {person.name}: {response}")
        data = response.json()["data"]
        if person.token is not None and data["token"] != person.token:
            raise Wrong(f"{person.name} was given another place: {arrival(person.token)}, now {arrival(data['token'])}")
        person.token = data["token"]
        self.told(person, data)

    def told(self, person: Person, data: dict) -> None:
        order = {"WAITING": 0, "READY": 1, "ACTIVE": 2}
        if person.status is not None and order[data["status"]] < order[person.status]:
            raise Wrong(f"{person.name} went back from {person.status} to {data['status']}")
        if data["status"] == "WAITING":
            if person.position is not None and data["position"] > person.position:
                raise Wrong(f"{person.name}'s position went up from {person.position} to {data['position']}")
            person.position = data["position"]
        if data["status"] == "READY" and person.status != "READY":
            self.inside.append(person)
        person.status = data["status"]

    async def live(self, stop: asyncio.Event) -> None:
        """One thread of the crowd: until the server dies."""
        try:
            while not stop.is_set():
                if self.rng.random() < 0.4 or not self.people:
                    person = Person(f"p{len(self.people)}")
                    self.people.append(person)
                    person.busy = True
                    await self.enter(person)
                    person.busy = False
                    self.figures["entered"] += 1
                    continue
                person = self.rng.choice(self.inside if self.inside and self.rng.random() < 0.5 else self.people[-400:])
                if person.token is None or person.leaving or person.busy:
                    await asyncio.sleep(0)
                    continue
                person.busy = True
                await self.one_call(person)
                person.busy = False
        except ConnectionLost:
            self.figures["unanswered"] += 1

    async def one_call(self, person: Person) -> None:
        if person.status == "READY":
            response = await self.call("POST", "activate", person)
            self.figures["activated"] += 1
        elif person.status == "ACTIVE" or self.rng.random() < 0.03:
            person.leaving = True  # from now on it is gone, or perhaps not
            response = await self.call("DELETE", "token", person)
            if response.status != 200:
                raise Wrong(f"leave {person.name}: {response}")
            self.figures["left"] += 1
            person.status = "LEFT"
            return
        else:
            response = await self.call("GET", "status", person)
            self.figures["polls"] += 1
        if response.status != 200:
            raise Wrong(f"{person.name} ({person.status}): {response}")
        self.told(person, response.json()["data"])

    async def watch(self, stop: asyncio.Event) -> None:
        """The cap, from outside."""
        try:
            while not stop.is_set():
                sizes = (await self.admin("GET"))["sizes"]
                if sizes["ready"] + sizes["active"] > CAP:
                    raise Wrong(f"more are in than may be: {sizes}")
        except ConnectionLost:
            pass

    async def generation(self, everybody: bool) -> None:
        stop = asyncio.Event()
        before = len(self.people)
        tasks = [asyncio.create_task(self.live(stop)) for _ in range(PEOPLE_AT_ONCE)]
        tasks.append(asyncio.create_task(self.watch(stop)))
        done, _ = await asyncio.wait(tasks, timeout=self.rng.uniform(0.05, 1.0), return_when=asyncio.FIRST_EXCEPTION)
        self.server.strike()  # in the middle of it all
        stop.set()
        await asyncio.gather(*tasks)
        self.pool.close()
        self.server.wait()
        self.figures["kills"] += 1
        for person in self.people:
            person.busy = False
        self.server.start()
        await self.open()
        self.plant_one()
        older, newer = self.people[:max(0, before - CHECKED)], self.people[max(0, before - CHECKED):]
        await self.check(self.people if everybody else self.rng.sample(older, min(CHECKED, len(older))) + newer)

    def plant_one(self) -> None:
        known = [p for p in self.people if p.token and p.status == "WAITING" and not p.leaving]
        if not self.plant or len(known) < 3:
            return
        if self.plant == "lose-token":
            known[0].token = known[0].token[:-2] + ("AA" if not known[0].token.endswith("AA") else "BA")
        elif self.plant == "swap":
            known[0].token, known[-1].token = known[-1].token, known[0].token
        elif self.plant == "position-up":
            known[-1].position = 0

    async def check(self, people: list[Person]) -> None:
        known = [p for p in people if p.token is not None]
        numbers = [arrival(p.token) for p in known if p.token]
        if len(set(numbers)) != len(numbers):
            raise Wrong("two people have one arrival number")
        waiting = []
        for start in range(0, len(known), 200):
            part = known[start:start + 200]
            answers = await asyncio.gather(*(self.call("GET", "status", p) for p in part))
            for person, response in zip(part, answers):
                self.figures["checked"] += 1
                if response.status == 410 and person.leaving:
                    person.status = "LEFT"
                elif response.status != 200:
                    raise Wrong(f"{person.name} ({person.status}) has lost the place {arrival(person.token or '')}: {response}")
                elif person.status == "LEFT":
                    raise Wrong(f"{person.name} had left and is back")
                else:
                    self.told(person, response.json()["data"])
                    waiting.append(person)
        for person in self.rng.sample(waiting, min(50, len(waiting))):
            await self.enter(person)
        by_position = sorted((p for p in waiting if p.status == "WAITING"), key=lambda p: (p.position, p.token))
        order = [arrival(p.token or "") for p in by_position]
        if order != sorted(order):
            raise Wrong("the order is not that of arrival")
        positions = [p.position for p in by_position]
        if len(set(positions)) != len(positions):
            raise Wrong("two people have one position")
        sizes = (await self.admin("GET"))["sizes"]
        cap = CAP - 1 if self.plant == "cap" else CAP
        if sizes["ready"] + sizes["active"] > cap:
            raise Wrong(f"more are in than may be: {sizes}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--spillway", default=None)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--plant", choices=PLANTS)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(pathlib.Path(folder) / "data", "--snapshot-every-mib", "1",
                        binary=arguments.spillway or find_binary()).start()
        loop = Loop(server, arguments.seed, arguments.plant)
        try:
            asyncio.run(loop.run(arguments.kills))
        except Wrong as wrong:
            print(f"WRONG: {wrong}")
            print(f"plant {arguments.plant}: found" if arguments.plant else server.errors()[-2000:])
            return 1
        finally:
            server.kill()
    print(" ".join(f"{name} {count}" for name, count in loop.figures.items()))
    print("lost 0, twice 0, positions up 0, inversions 0, cap kept")
    return 3 if arguments.plant else 0


if __name__ == "__main__":
    sys.exit(main())
