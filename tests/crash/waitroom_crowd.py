#!/usr/bin/env python3
"""A crowd for one line: all enter as fast as they can be sent, poll at the pace they are told, go in, leave; meanwhile
the server is killed. Everything is judged by what people were told, in another process than the server's.

  nobody lost    every token is good after each kill, and everybody gets in in the end
  nobody twice   arrival numbers are 1 to N, each once; entering again gives an equal token
  order          a position never goes up; after each kill the positions are 1, 2, 3 ... in the order of arrival; nobody
                 is told WAITING who asked after somebody behind had been let in (who stayed away for a while apart)
  the cap        so many are never in at once: by an operator's view, asked all the time, and by counting those who have
                 been told that they are in and have not asked to leave

  python3 tests/crash/waitroom_crowd.py [--people 300000] [--cap 5000] [--kills 2] [--absent 1000] [--plant NAME]

Exit code 0: all of it held. 1: a violation (with --plant: it was found, as it must be). 2: wrong usage. 3: a plant was
not found.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import heapq
import json
import pathlib
import shutil
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from client import HANG_GUARD_S, Connection, ConnectionLost, Parser, Response, build_request  # noqa: E402
from harness import ADMIN_TOKEN, Server, find_binary  # noqa: E402
from waitroom_kill_loop import QUEUE, Wrong, arrival  # noqa: E402

CONNECTIONS = 16
AHEAD = 64  # requests of one connection that are not answered yet
TICK_S = 0.005
WATCH_EVERY_S = 0.01
KEEP_ALIVE_S = 20.0  # near the end few connections have anything to say, and the server closes what is idle for 60 s
AWAY_S = 45.0  # who was not heard of for so long may have been passed over (the server's limit is 60 s)
ABSENCE_S = 75.0
STAY_S = 1.0  # inside
RANK = {None: 0, "WAITING": 1, "READY": 2, "ACTIVE": 3, "LEFT": 4}
PLANTS = ("cap", "lost", "skip", "up", "twice")


class Person:
    __slots__ = ("name", "token", "number", "position", "status", "asked", "away", "leaving")

    def __init__(self, name: str):
        self.name = name
        self.token: str | None = None
        self.number = 0
        self.position: int | None = None  # the last that was told
        self.status: str | None = None
        self.asked = 0.0  # when they last sent something
        self.away = False  # was silent for long: may be passed over
        self.leaving = False


class Wire(asyncio.Protocol):
    """A connection with requests under way, whose answers go to the crowd at once: a future each would cost too much."""

    def __init__(self, crowd: "Crowd"):
        self.crowd, self.parser = crowd, Parser()
        self.owed: collections.deque[tuple[str, Person | None, int]] = collections.deque()
        self.spoke = time.monotonic()
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self.parser.feed(data)
        try:
            while (response := self.parser.next()) is not None:
                self.crowd.hear(*self.owed.popleft(), response)
        except Exception as wrong:  # noqa: BLE001  whatever it is, it ends the run
            self.crowd.fail(wrong)

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.lost(self)


class Crowd:
    def __init__(self, server: Server, people: int, cap: int, absent: int, plant: str | None):
        self.server, self.cap, self.plant = server, cap, plant
        self.people = [Person(f"p{i}") for i in range(people)]
        self.absent = {self.people[i * people // absent].name for i in range(absent)}
        self.numbers: dict[int, Person] = {}
        self.high = 0  # the largest arrival number that anybody was let in with
        self.inside = 0  # people who are in for certain
        self.todo: collections.deque[tuple[str, Person]] = collections.deque()
        self.later: list[tuple[float, int, str, Person]] = []  # a heap: who does what when
        self.order = 0  # of what is due at the same moment
        self.wires: list[Wire] = []
        self.up = False
        self.wanted: asyncio.Future[None]
        self.until = lambda: False
        self.quiet = False  # answers lead to nothing new
        self.figures = collections.Counter()
        self.worst_lag = 0.0

    # what is sent

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, wire = await loop.create_connection(lambda: Wire(self), self.server.host, self.server.port)
            self.wires.append(wire)
        self.up = True

    def raw(self, what: str, person: Person) -> bytes:
        if what == "enter":
            body = b'{"concertId":"C","userId":"%s"}' % person.name.encode()
            return build_request("POST", f"{QUEUE}/enter", body=body)
        method, path = {"poll": ("GET", "status"), "activate": ("POST", "activate"), "leave": ("DELETE", "token")}[what]
        return build_request(method, f"{QUEUE}/{path}", headers={"X-Queue-Token": person.token or ""})

    def pump(self) -> None:
        """Sends what is to be sent, as long as answers are not too far behind."""
        if not self.up:
            return
        now = time.monotonic()
        while self.later and self.later[0][0] <= now and not self.quiet:
            due, _, what, person = heapq.heappop(self.later)
            self.worst_lag = max(self.worst_lag, now - due)
            self.todo.appendleft((what, person))
        for wire in self.wires:
            out = []
            while self.todo and len(wire.owed) < AHEAD:
                what, person = self.todo.popleft()
                out.append(self.raw(what, person))
                if now - person.asked > AWAY_S and person.asked and not person.away:
                    person.away = True
                    self.figures["away"] += 1
                person.asked = now
                if what == "leave" and not person.leaving:
                    person.leaving = True
                    self.inside -= 1
                wire.owed.append((what, person, self.high))
            if not out and now - wire.spoke > KEEP_ALIVE_S:
                out.append(build_request("GET", "/livez"))
                wire.owed.append(("keep alive", None, self.high))
            if out:
                wire.spoke = now
                wire.transport.write(b"".join(out))

    # what is told

    def hear(self, what: str, person: Person | None, high: int, response: Response) -> None:
        self.figures[what] += 1
        if person is None:
            if response.status != 200:
                raise Wrong(f"{what}: {response}")
            return
        if response.status != 200:
            raise Wrong(f"{what} of {person.name} (number {person.number}, {person.status}): {response}")
        data = json.loads(response.body)["data"]
        if self.plant:
            self.lie(what, person, data)
        if "token" in data:
            self.hear_token(person, data["token"])
        if RANK[data["status"]] < RANK[person.status]:
            raise Wrong(f"{person.name} went back from {person.status} to {data['status']}")
        if data["status"] == "WAITING":
            if person.position is not None and data["position"] > person.position:
                raise Wrong(f"{person.name}'s position went up from {person.position} to {data['position']}")
            person.position = data["position"]
            if high > person.number and not person.away:
                raise Wrong(f"inversion: {person.name}, number {person.number}, waits, and {high} had been let in")
        if data["status"] in ("READY", "ACTIVE") and RANK[person.status] < RANK["READY"]:
            self.high = max(self.high, person.number)
            self.inside += 1
            if self.inside > self.cap:
                raise Wrong(f"more are in than may be: {self.inside} were told so and have not left")
        if data["status"] == "LEFT" and person.status != "LEFT":
            self.figures["left"] += 1
        person.status = data["status"]
        if not self.quiet:
            self.next_of(person, data)
        if self.until() and not self.wanted.done():
            self.wanted.set_result(None)

    def hear_token(self, person: Person, token: str) -> None:
        if person.token is None:
            person.token, person.number = token, arrival(token)
            if self.numbers.setdefault(person.number, person) is not person:
                raise Wrong(f"{person.name} and {self.numbers[person.number].name} have one arrival number")
            self.figures["entered"] += 1
        elif person.token != token:
            raise Wrong(f"{person.name} was given another place: {person.number}, now {arrival(token)}")

    def next_of(self, person: Person, data: dict) -> None:
        if data["status"] == "READY":
            self.todo.appendleft(("activate", person))
        elif data["status"] == "ACTIVE":
            self.in_a_while("leave", person, STAY_S)
        elif data["status"] == "WAITING":
            pause = data["pollAfterMs"] / 1000
            if person.name in self.absent:
                self.absent.remove(person.name)
                self.figures["absent"] += 1
                pause = ABSENCE_S
            self.in_a_while("poll", person, pause)

    def in_a_while(self, what: str, person: Person, pause: float) -> None:
        self.order += 1
        heapq.heappush(self.later, (time.monotonic() + pause, self.order, what, person))

    def lie(self, what: str, person: Person, data: dict) -> None:
        """Between the server and the judge."""
        victim = self.people[len(self.people) // 10]
        if self.plant == "up" and self.figures["kills"] and data.get("position"):
            data["position"] += 1
        elif self.plant == "skip" and person is victim and data["status"] == "READY":
            data.update(status="WAITING", position=1, pollAfterMs=100)
        elif self.plant == "twice" and person is self.people[-1] and what == "enter":
            data["token"] = next(p.token for p in self.people if p.token)

    def lose(self) -> None:
        """All that the server had on its disk, but for its keys."""
        keys, aside = self.server.data / "keys", self.server.data.parent / "keys"
        shutil.move(keys, aside)
        shutil.rmtree(self.server.data)
        self.server.data.mkdir(mode=0o700)
        shutil.move(aside, keys)

    # what goes wrong

    def fail(self, wrong: Exception) -> None:
        self.up = False
        if not self.wanted.done():
            self.wanted.set_exception(wrong)

    def lost(self, wire: Wire) -> None:
        if self.up:
            self.fail(Wrong(f"a connection was lost, and nobody had killed the server:\n{self.server.errors()[-2000:]}"))

    async def reach(self, until) -> None:
        """Goes on until `until()` holds after an answer."""
        self.until, self.wanted = until, asyncio.get_running_loop().create_future()
        if until():
            return
        while not self.wanted.done():
            self.pump()
            await asyncio.wait([self.wanted], timeout=TICK_S)
        self.wanted.result()

    async def all_answer(self, what: str, people: list[Person]) -> None:
        """Each of them once, with nothing following from it."""
        self.quiet = True
        asked = len(people)
        self.todo.extend((what, person) for person in people)
        before = self.figures[what]
        await self.reach(lambda: self.figures[what] - before == asked)
        self.quiet = False

    # the run

    async def admin(self, connection: Connection, method: str, **more) -> dict:
        response = await connection.request(method, "/admin/queues/waitroom/C", token=ADMIN_TOKEN, **more)
        if response.status not in (200, 201):
            raise Wrong(f"{method} of the line: {response}")
        return response.json()["data"]

    async def configure(self) -> None:
        connection = await Connection.open(self.server.host, self.server.port)
        cap = self.cap + 1 + self.cap // 10 if self.plant == "cap" else self.cap
        await self.admin(connection, "PUT", json={"maxActive": cap, "readySeconds": 3600, "activeSeconds": 3600})
        connection.close()

    async def watch(self) -> None:
        """The cap, as an operator sees it, until the server is killed or we are done."""
        connection = await Connection.open(self.server.host, self.server.port)
        try:
            while self.up:
                sizes = (await self.admin(connection, "GET"))["sizes"]
                self.figures["watched"] += 1
                if sizes["ready"] + sizes["active"] > self.cap:
                    return self.fail(Wrong(f"more are in than may be: {sizes}"))
                await asyncio.sleep(WATCH_EVERY_S)
        except Wrong as wrong:
            self.fail(wrong)
        except ConnectionLost:
            pass  # killed; had it ended by itself, the other connections would say so
        finally:
            connection.close()

    async def kill(self) -> None:
        """kill -9 in the middle of it all, and everybody asks whether they still have their place."""
        self.up = False
        self.server.kill()
        self.figures["kills"] += 1
        under_way = [owed for wire in self.wires for owed in wire.owed]
        for wire in self.wires:
            wire.transport.abort()
        self.wires.clear()
        await self.watching
        if self.plant == "lost":
            self.lose()
        await asyncio.to_thread(self.server.start)
        if self.plant == "lost":
            await self.configure()
        not_sent, self.todo = self.todo, collections.deque()
        self.later.clear()
        await self.open()
        self.watching = asyncio.create_task(self.watch())
        self.figures["unanswered"] += len(under_way)
        await self.all_answer("leave", [p for what, p, _ in under_way if what == "leave"])
        await self.all_answer("enter", [p for what, p, _ in under_way if what == "enter"])
        await self.check_places()
        self.todo.extend((what, p) for what, p in not_sent if what == "enter")
        for person in self.people:  # everybody else goes on from what they were told just now
            if person.token and person.status != "LEFT":
                self.next_of(person, {"status": person.status, "pollAfterMs": 1000})

    async def check_places(self) -> None:
        there = [p for p in self.people if p.token and p.status != "LEFT"]
        await self.settled()
        await self.all_answer("poll", there)
        waiting = sorted((p for p in there if p.status == "WAITING"), key=lambda p: p.number)
        for place, person in enumerate(waiting, 1):
            if person.position != place:
                raise Wrong(f"after a kill number {person.number} is told {person.position}, and {place - 1} are ahead")
        await self.all_answer("enter", there)  # hear_token() compares
        self.figures["checked"] += len(there)

    async def settled(self) -> None:
        """Until nobody is let in any more: all slots are taken, or nobody waits."""
        connection = await Connection.open(self.server.host, self.server.port)
        guard = time.monotonic() + HANG_GUARD_S
        while True:
            sizes = (await self.admin(connection, "GET"))["sizes"]
            if sizes["waiting"] == 0 or sizes["ready"] + sizes["active"] >= self.cap:
                break
            if time.monotonic() > guard:
                raise Wrong(f"slots are free and nobody is let in: {sizes}")
            await asyncio.sleep(TICK_S)
        connection.close()

    async def run(self, kills: int) -> None:
        await self.configure()
        await self.open()
        self.watching = asyncio.create_task(self.watch())
        self.todo.extend(("enter", person) for person in self.people)
        everybody = len(self.people)
        began = time.monotonic()
        if kills > 0:  # while they enter
            await self.reach(lambda: self.figures["entered"] >= everybody // 2)
            await self.kill()
        await self.reach(lambda: self.figures["entered"] == everybody)
        self.figures["entered_after_s"] = round(time.monotonic() - began)
        for done in range(1, kills):  # while they are let in
            await self.reach(lambda: self.figures["left"] >= everybody * done // kills)
            await self.kill()
        await self.reach(lambda: self.figures["left"] == everybody)
        self.figures["all_out_after_s"] = round(time.monotonic() - began)
        self.up = False
        await self.watching
        if sorted(self.numbers) != list(range(1, everybody + 1)):
            raise Wrong("the arrival numbers are not 1 to N")
        connection = await Connection.open(self.server.host, self.server.port)
        sizes = (await self.admin(connection, "GET"))["sizes"]
        connection.close()
        if (sizes["entered"], sizes["waiting"], sizes["ready"], sizes["active"]) != (everybody, 0, 0, 0):
            raise Wrong(f"all have left, and the server sees {sizes}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--people", type=int, default=300_000)
    parser.add_argument("--cap", type=int, default=5_000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--absent", type=int, default=0)
    parser.add_argument("--spillway", default=None)
    parser.add_argument("--plant", choices=PLANTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(pathlib.Path(folder) / "data", binary=arguments.spillway or find_binary()).start()
        crowd = Crowd(server, arguments.people, arguments.cap, arguments.absent, arguments.plant)
        try:
            asyncio.run(crowd.run(arguments.kills))
        except Wrong as wrong:
            print(f"WRONG: {wrong}")
            print(f"plant {arguments.plant}: found" if arguments.plant else server.errors()[-2000:])
            return 1
        finally:
            server.kill()
    print(" ".join(f"{name} {count}" for name, count in crowd.figures.items()), f"worst lag {crowd.worst_lag:.1f} s")
    print("lost 0, twice 0, positions up 0, inversions 0, cap kept")
    return 3 if arguments.plant else 0


if __name__ == "__main__":
    sys.exit(main())
