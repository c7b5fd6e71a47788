"""The verdict on one participation event: what was sent, acknowledged and shown outside, against what the server says
it has in the end. Pure: no network, no clock, no randomness; so it can be tested by itself and lied to (plants.py)."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from typing import Any

RANK = {"RECEIVED": 0, "QUEUED": 1, "PROCESSING": 2, "SUCCEEDED": 3, "REJECTED": 3, "FAILED_FINAL": 3}
FINAL = frozenset(status for status, rank in RANK.items() if rank == 3)
RESULT_CODES = {
    "SUCCEEDED": {"SUCCESS"},
    "REJECTED": {"REJECTED_CAPACITY", "REJECTED_CLOSED", "REJECTED_BY_WORK"},
    "FAILED_FINAL": {"FAILED_INGEST_ENQUEUE", "FAILED_RETRIES_EXHAUSTED", "FAILED_INVALID_MESSAGE"},
}

MAX_EXAMPLES = 20

# Every way to be wrong, in the order in which it is printed.
VIOLATIONS = {
    "lost": "acknowledged and not there",
    "unexpected": "there and asked for by nobody",
    "ids_changed": "one person, more than one requestId",
    "gone_back": "a status that went back, or a final one that changed, without a redrive",
    "oversold": "winners past the capacity",
    "undersold": "places left empty while somebody was turned away",
    "inversions": "turned away although somebody later got a place",
    "not_final": "never decided",
    "failed": "FAILED_FINAL, which this work never is",
    "left_final": "a dead letter that came back by no redrive that was asked for",
    "redrive_lost": "a redrive that was told, and is forgotten or has gone back",
    "unsorted": "the list is not ordered by queuedAt, then requestId",
    "miscounted": "counts or capacityRemaining do not agree with the list",
    "illegal": "a status with a resultCode that does not belong to it",
}


@dataclasses.dataclass
class Ledger:
    """What was seen from the outside of the server, and survives it."""
    event: str
    capacity: int
    sent: set[str] = dataclasses.field(default_factory=set)                     # people who asked, answered or not
    acks: dict[str, list[str]] = dataclasses.field(default_factory=dict)        # person -> requestId of each 202
    shown: dict[str, list[str]] = dataclasses.field(default_factory=dict)       # requestId -> statuses, as seen in turn
    may_fail: bool = False                                                      # the work fails for some
    redrives: set[str] = dataclasses.field(default_factory=set)                 # ids of those that were asked for

    def acknowledged(self, user: str, request_id: str) -> None:
        self.acks.setdefault(user, []).append(request_id)

    def saw(self, request_id: str, status: str) -> None:
        """Only ever called by one observer of a request at a time, so the order is the order in which they happened."""
        statuses = self.shown.setdefault(request_id, [])
        if not statuses or statuses[-1] != status:
            statuses.append(status)


@dataclasses.dataclass
class Found:
    """What the server says it has."""
    items: list[dict[str, Any]]   # GET /admin/events/{event}/requests, all pages, in the order given
    counts: dict[str, int]
    capacity_remaining: int
    stories: list[dict[str, Any]] = dataclasses.field(default_factory=list)  # GET /admin/requests/{id} of some redriven


class Verdict:
    """Counts facts: one that is found again by a later look is the same one."""

    def __init__(self) -> None:
        self.facts: dict[tuple[str, str], None] = {}

    def add(self, violation: str, what: str) -> None:
        assert violation in VIOLATIONS, violation
        self.facts[violation, what] = None

    def merge(self, other: "Verdict") -> None:
        self.facts.update(other.facts)

    @property
    def count(self) -> collections.Counter[str]:
        return collections.Counter(violation for violation, _ in self.facts)

    @property
    def good(self) -> bool:
        return not self.facts

    def __str__(self) -> str:
        count = self.count
        lines = [f"  {name:<12} {count[name]:>6}   {why}" for name, why in VIOLATIONS.items()]
        examples = itertools.islice(self.facts, MAX_EXAMPLES)
        return "\n".join(lines + [f"  ! {violation}: {what}" for violation, what in examples])


def judge(ledger: Ledger, found: Found, finished: bool = True) -> Verdict:
    """finished: the queue has drained, so everything must be decided and the places given out."""
    verdict = Verdict()
    of_user: dict[str, dict[str, Any]] = {}
    for item in found.items:
        user = item["userId"]
        if user not in ledger.sent:
            verdict.add("unexpected", f"{ledger.event}: {item}")
        if user in of_user:
            both = f"{of_user[user]['requestId']} and {item['requestId']}"
            verdict.add("ids_changed", f"{ledger.event}: {user} has {both}")
        of_user[user] = item
    for user, ids in ledger.acks.items():
        for other in sorted(set(ids[1:]) - {ids[0]}):
            verdict.add("ids_changed", f"{ledger.event}: {user} was told {ids[0]} and {other}")
        there = of_user.get(user)
        if there is None:
            verdict.add("lost", f"{ledger.event}: {user} was told {ids[0]}")
        elif there["requestId"] not in ids:
            verdict.add("ids_changed", f"{ledger.event}: {user} was told {ids[0]} and has {there['requestId']}")

    by_id = {item["requestId"]: item for item in found.items}
    for request_id, statuses in ledger.shown.items():
        if request_id not in by_id:
            verdict.add("lost", f"{ledger.event}: {request_id} was shown as {statuses[-1]}")
        else:
            statuses = statuses + [by_id[request_id]["status"]]
        _judge_shown(verdict, ledger, request_id, statuses, by_id.get(request_id, {}).get("redrives", 0))

    keys = [(item["queuedAt"], item["requestId"]) for item in found.items]
    if keys != sorted(keys):
        at = next(i for i in range(len(keys)) if i and keys[i] < keys[i - 1])
        verdict.add("unsorted", f"{ledger.event}: {keys[at - 1]} before {keys[at]}")
    for story in found.stories:
        _judge_story(verdict, ledger, story)
    _judge_places(verdict, ledger, found, finished)
    return verdict


def _judge_shown(verdict: Verdict, ledger: Ledger, request_id: str, statuses: list[str], redrives: int) -> None:
    """Each step back must be the doing of a redrive: of FAILED_FINAL, also when nobody saw that state."""
    explained = min(redrives, len(ledger.redrives))
    for before, after in zip(statuses, statuses[1:]):
        if before == after or (before not in FINAL and RANK[after] >= RANK[before]):
            continue
        if before in ("FAILED_FINAL", "PROCESSING") and explained > 0:
            explained -= 1
            continue
        verdict.add("gone_back", f"{ledger.event}: {request_id}: {before} -> {after}")


# What may follow what in a status log. PROCESSING again is a try that failed; FAILED_FINAL again tells a discard.
NEXT = {
    None: {"RECEIVED"},
    "RECEIVED": {"QUEUED", "FAILED_FINAL"},
    "QUEUED": {"PROCESSING", "FAILED_FINAL"},
    "PROCESSING": {"PROCESSING", "SUCCEEDED", "REJECTED", "FAILED_FINAL"},
    "FAILED_FINAL": {"FAILED_FINAL", "QUEUED"},
}


def _judge_story(verdict: Verdict, ledger: Ledger, story: dict[str, Any]) -> None:
    """The log of one request: from FAILED_FINAL only to QUEUED, and only by a redrive that somebody asked for."""
    status, by = None, []
    for entry in story["statusLog"]:
        if entry["status"] not in NEXT.get(status, ()):
            verdict.add("illegal", f"{ledger.event}: {story['requestId']}: {status} -> {entry['status']}")
        if status == "FAILED_FINAL" and entry["status"] == "QUEUED":
            by.append(entry.get("reason"))
        status = entry["status"]
    if len(by) != story["redrives"] or not set(by) <= ledger.redrives or len(set(by)) != len(by):
        verdict.add("left_final", f"{ledger.event}: {story['requestId']}: redriven {story['redrives']} times, by {by}")


def judge_redrive(verdict: Verdict, told: dict[str, Any] | None, now: dict[str, Any] | None) -> None:
    """Of the newest redrive: what was told of it once, and what is told of it now."""
    if told is None:
        return
    if now is None or number_of(now) < number_of(told):
        verdict.add("redrive_lost", f"{told['redriveId']} was told, now {now and now['redriveId']}")
        return
    if number_of(now) > number_of(told):
        return
    for member in ("redriven", "succeeded", "rejected", "failedAgain"):
        if now[member] < told[member]:
            verdict.add("redrive_lost", f"{now['redriveId']}: {member} was {told[member]}, now {now[member]}")
    if told["state"] != "RUNNING" and now["state"] != told["state"]:
        verdict.add("redrive_lost", f"{now['redriveId']} was {told['state']}, now {now['state']}")


def number_of(redrive: dict[str, Any]) -> int:
    return int(redrive["redriveId"].removeprefix("redrive-"))


def _judge_places(verdict: Verdict, ledger: Ledger, found: Found, finished: bool) -> None:
    statuses = [item["status"] for item in found.items]
    winners = statuses.count("SUCCEEDED")
    for extra in range(ledger.capacity + 1, winners + 1):
        verdict.add("oversold", f"{ledger.event}: winner {extra} of {ledger.capacity}")
    last_winner = max((i for i, status in enumerate(statuses) if status == "SUCCEEDED"), default=-1)
    for item in found.items[:max(last_winner, 0)]:
        # Who was redriven may find that those behind him have taken the last places meanwhile.
        if item.get("resultCode") == "REJECTED_CAPACITY" and not item.get("redrives"):
            verdict.add("inversions", f"{ledger.event}: {item['requestId']} stood before {found.items[last_winner]}")
    for item in found.items:
        status = item["status"]
        if finished and status not in FINAL:
            verdict.add("not_final", f"{ledger.event}: {item}")
        if status == "FAILED_FINAL" and not ledger.may_fail:
            verdict.add("failed", f"{ledger.event}: {item}")
        if item.get("resultCode") not in RESULT_CODES.get(status, {None}):
            verdict.add("illegal", f"{ledger.event}: {item}")
    if finished:
        wanted = winners + sum(item.get("resultCode") == "REJECTED_CAPACITY" for item in found.items)
        wanted = wanted if ledger.may_fail else len(statuses)  # who fails leaves his place to others
        for empty in range(winners + 1, min(ledger.capacity, wanted) + 1):
            verdict.add("undersold", f"{ledger.event}: place {empty} of {ledger.capacity} is empty")
        really = {status: statuses.count(status) for status in RANK}
        if found.counts != really:
            verdict.add("miscounted", f"{ledger.event}: counts {found.counts}, in the list {really}")
        if found.capacity_remaining != ledger.capacity - winners:
            verdict.add("miscounted", f"{ledger.event}: capacityRemaining {found.capacity_remaining}, "
                                      f"{ledger.capacity} less {winners} winners")
