"""Lies between what was observed and the judge. A check that has never failed has never been tested: with a plant the
judge must find exactly this, or the judge is what is broken.

Each returns False when the observation at hand has nothing to lie about (the next one will have)."""

from __future__ import annotations

import random
from typing import Callable

from judge import Found, Ledger

Plant = Callable[[Ledger, Found, random.Random], bool]


def lose_ack(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """The server forgets somebody whom it had told an id."""
    acked = [item for item in found.items if item["userId"] in ledger.acks]
    if not acked:
        return False
    gone = rng.choice(acked)
    found.items.remove(gone)
    ledger.shown.pop(gone["requestId"], None)  # caught by the acknowledgement alone
    return True


def unexpected(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """Somebody is there who never asked."""
    if not found.items:
        return False
    found.items.append({**rng.choice(found.items), "userId": "nobody", "requestId": "zzzz-nobody"})
    found.items.sort(key=lambda item: (item["queuedAt"], item["requestId"]))
    return True


def change_id(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """A repeat is told another id."""
    if not ledger.acks:
        return False
    ledger.acks[rng.choice(sorted(ledger.acks))].append("another-id")
    return True


def status_back(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """A poller sees QUEUED again after PROCESSING."""
    if not found.items:
        return False
    ledger.shown[rng.choice(found.items)["requestId"]] = ["QUEUED", "PROCESSING", "QUEUED"]
    return True


def unfinal(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """A final answer changes afterwards."""
    finals = [item for item in found.items if item["status"] in ("SUCCEEDED", "REJECTED")]
    if not finals:
        return False
    item = rng.choice(finals)
    ledger.shown[item["requestId"]] = ["QUEUED", "REJECTED" if item["status"] == "SUCCEEDED" else "SUCCEEDED"]
    return True


def swap_order(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """A winner and a loser change their results."""
    winners = [item for item in found.items if item["status"] == "SUCCEEDED"]
    losers = [item for item in found.items if item.get("resultCode") == "REJECTED_CAPACITY"]
    if not winners or not losers:
        return False
    winner, loser = rng.choice(winners), rng.choice(losers)
    for member in ("status", "resultCode"):
        winner[member], loser[member] = loser[member], winner[member]
    for item in (winner, loser):
        ledger.shown.pop(item["requestId"], None)
    return True


def oversell(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """N+1 winners."""
    losers = [item for item in found.items if item.get("resultCode") == "REJECTED_CAPACITY"]
    winners = [item for item in found.items if item["status"] == "SUCCEEDED"]
    if not losers or len(winners) < ledger.capacity:
        return False
    losers[0].update(status="SUCCEEDED", resultCode="SUCCESS")
    ledger.shown.pop(losers[0]["requestId"], None)
    return True


def undersell(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """N-1 winners."""
    winners = [item for item in found.items if item["status"] == "SUCCEEDED"]
    if not winners:
        return False
    winners[-1].update(status="REJECTED", resultCode="REJECTED_CAPACITY")
    ledger.shown.pop(winners[-1]["requestId"], None)
    return True


def never_decided(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """Somebody is left in the queue for ever."""
    finals = [item for item in found.items if item["status"] == "REJECTED"]
    if not finals:
        return False
    item = rng.choice(finals)
    item["status"] = "QUEUED"
    item.pop("resultCode", None)
    ledger.shown.pop(item["requestId"], None)
    return True


def unredriven(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """Somebody fails for good and is in the queue again, and nobody has redriven him."""
    if not found.items:
        return False
    item = rng.choice(found.items)
    ledger.shown[item["requestId"]] = ["FAILED_FINAL", "QUEUED"]
    item["redrives"] = 0
    return True


def redriven_by_nobody(ledger: Ledger, found: Found, rng: random.Random) -> bool:
    """The log of a request names a redrive that nobody asked for."""
    if not found.items:
        return False
    item = rng.choice(found.items)
    log = [{"status": s} for s in ("RECEIVED", "QUEUED", "PROCESSING", "FAILED_FINAL")]
    log.append({"status": "QUEUED", "reason": "redrive-999999"})
    found.stories = [{**item, "redrives": 1, "statusLog": log}]
    return True


# name on the command line: (the lie, the violation that must be found)
PLANTS: dict[str, tuple[Plant, str]] = {
    "lose-ack": (lose_ack, "lost"),
    "unexpected": (unexpected, "unexpected"),
    "change-id": (change_id, "ids_changed"),
    "status-back": (status_back, "gone_back"),
    "unfinal": (unfinal, "gone_back"),
    "swap-order": (swap_order, "inversions"),
    "oversell": (oversell, "oversold"),
    "undersell": (undersell, "undersold"),
    "unredriven": (unredriven, "gone_back"),
    "redriven-by-nobody": (redriven_by_nobody, "left_final"),
    "never-decided": (never_decided, "not_final"),
}
