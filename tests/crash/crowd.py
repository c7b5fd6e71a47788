"""Many people at once, against one real server that may be killed under them."""

from __future__ import annotations

import asyncio
import pathlib
import random
import sys
import time
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from client import HANG_GUARD_S, Connection, ConnectionLost, Pool, Response, build_request  # noqa: E402
from harness import ADMIN_TOKEN, Server, event_body, find_binary  # noqa: E402
from judge import FINAL, Found, Ledger  # noqa: E402


LETTERS = "/admin/queues/participations/dead-letters"
MAX_STORIES = 20  # requests of one event whose whole log is read


class Wrong(Exception):
    """The server gave an answer that it may never give."""


class Crowd:
    """A server, people with tokens, and connections to it that are made anew after every restart."""

    def __init__(self, server: Server, connections: int = 48):
        self.server = server
        self.size = connections
        self.tokens: dict[str, str] = {}
        self.up = asyncio.Event()
        self.struck = False
        self.pool: Pool
        self.watching: Pool  # held reads have connections of their own: an answer that waits holds up those behind it

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)
        await self.connect()

    async def connect(self) -> None:
        self.pool = await Pool.open(self.server.host, self.server.port, self.size)
        self.watching = await Pool.open(self.server.host, self.server.port, 16)
        self.struck = False
        self.up.set()

    def strike(self) -> None:
        """kill -9 this instant, from wherever the test is; kill() then tidies up."""
        if self.server.running:
            self.struck = True
            self.server.strike()

    async def kill(self) -> None:
        """kill -9, and the end of all connections to what was killed."""
        self.up.clear()
        if not self.struck and not self.server.running:
            raise Wrong(f"the server ended by itself, with {self.server.wait()}:\n{self.server.errors()[-2000:]}")
        await asyncio.to_thread(self.server.kill)
        self.pool.close()
        self.watching.close()

    async def stop(self) -> int:
        self.pool.close()
        self.watching.close()
        return await asyncio.to_thread(self.server.stop)

    async def admin(self, method: str, target: str, **more: Any) -> Any:
        response = await self.pool.request(method, target, token=ADMIN_TOKEN, **more)
        if response.status not in (200, 201):
            raise Wrong(f"{method} {target}: {response!r}")
        return response.json()

    async def login(self, users: list[str]) -> None:
        """Tokens outlive a restart, so once is enough for an hour of rounds."""
        async def one(user: str) -> None:
            response = await self.pool.request("POST", "/auth/login", json={"userId": user})
            if response.status != 200:
                raise Wrong(f"login of {user}: {response!r}")
            self.tokens[user] = response.json()["accessToken"]
        await asyncio.gather(*(one(user) for user in users))

    async def put_event(self, event: str, capacity: int, **more: Any) -> None:
        await self.admin("PUT", f"/admin/events/{event}", json=event_body(capacity, **more))

    def participate(self, connection: Connection, ledger: Ledger, user: str) -> "asyncio.Future[Response]":
        """Written down as sent before it is sent; what comes of it is for acknowledge()."""
        if not connection.closed:
            ledger.sent.add(user)
        return connection.send(build_request("POST", f"/events/{ledger.event}/participations",
                                             token=self.tokens[user]))

    @staticmethod
    async def acknowledge(ledger: Ledger, user: str, answer: "asyncio.Future[Response]") -> str | None:
        """The requestId; None when the connection was lost or the server took nothing just now."""
        try:
            response = await asyncio.wait_for(answer, HANG_GUARD_S)
        except ConnectionLost:
            return None
        if response.status == 503 and "retry-after" in response.headers:
            return None
        if response.status != 202:
            raise Wrong(f"participation of {user} at {ledger.event}: {response!r}")
        request_id = response.json()["requestId"]
        ledger.acknowledged(user, request_id)
        return request_id

    async def see(self, ledger: Ledger, user: str, request_id: str) -> str | None:
        """Reads a status as its owner does and writes it down. None when the connection was lost: nobody saw it."""
        try:
            response = await self.watching.request("GET", f"/requests/{request_id}", token=self.tokens[user])
        except ConnectionLost:
            if self.up.is_set() and not self.struck and not self.server.running:
                raise Wrong(f"the server ended by itself:\n{self.server.errors()[-2000:]}") from None
            await asyncio.sleep(0)  # a connection that is gone answers at once: whoever asks in a loop must not spin
            return None
        if response.status == 503 and "retry-after" in response.headers:
            return None
        if response.status == 404:  # acknowledged, and now unknown: the judge must hear of it
            ledger.saw(request_id, "QUEUED")
            return None
        if response.status != 200:
            raise Wrong(f"read of {request_id}: {response!r}")
        status = response.json()["status"]
        ledger.saw(request_id, status)
        return status

    async def found(self, event: str) -> Found:
        items: list[dict[str, Any]] = []
        cursor, counts = None, {}
        while True:
            page = await self.admin("GET", f"/admin/events/{event}/requests?limit=1000" +
                                    (f"&cursor={cursor}" if cursor else ""))
            items += page["items"]
            counts = page["counts"]
            cursor = page.get("nextCursor")
            if not cursor:
                break
        event_now = await self.admin("GET", f"/admin/events/{event}")
        redriven = [item["requestId"] for item in items if item.get("redrives")]
        stories = [await self.admin("GET", f"/admin/requests/{request_id}")
                   for request_id in random.sample(redriven, min(len(redriven), MAX_STORIES))]
        return Found(items, counts, event_now["capacityRemaining"], stories)

    async def redrive_now(self) -> dict[str, Any] | None:
        """The newest redrive, or None when there has been none."""
        response = await self.pool.request("GET", f"{LETTERS}/redrive", token=ADMIN_TOKEN)
        if response.status not in (200, 404):
            raise Wrong(f"the redrive: {response!r}")
        return response.json() if response.status == 200 else None

    async def redrive(self, ledgers: list[Ledger], **how: Any) -> dict[str, Any] | None:
        """Asks for one and writes it down. None when one is running already."""
        response = await self.pool.request("POST", f"{LETTERS}/redrive", token=ADMIN_TOKEN, json=how)
        if response.status == 409:
            return None
        if response.status != 202:
            raise Wrong(f"redrive: {response!r}")
        for ledger in ledgers:
            ledger.redrives.add(response.json()["redriveId"])
        return response.json()

    async def drained(self, event: str) -> None:
        """Until everybody at the event has a final answer, by held reads of those who have none yet."""
        guard = time.monotonic() + HANG_GUARD_S
        while time.monotonic() < guard:
            pending = [item for item in (await self.found(event)).items if item["status"] not in FINAL]
            if not pending:
                return
            await asyncio.gather(*(
                self.watching.request("GET", f"/requests/{item['requestId']}?wait=20s",
                                      token=self.tokens[item["userId"]])
                for item in pending[-64:]))
        # Not an error here: the judge will name those who were never decided.


def split(sends: list[str], connections: list[Connection], rng: random.Random) -> list[tuple[Connection, list[str]]]:
    """Who sends on which connection: each repeat of a person on another one."""
    first = rng.randrange(len(connections))
    of: dict[int, list[str]] = {}
    for n, user in enumerate(sends):
        of.setdefault((first + n) % len(connections), []).append(user)
    return [(connections[i], users) for i, users in of.items()]
