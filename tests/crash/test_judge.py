"""The judge itself, without a server: it passes what is right and finds every lie, each for the right reason."""

import copy
import random

import pytest

from judge import VIOLATIONS, Found, Ledger, judge
from plants import PLANTS


def a_good_round(places: int = 3, people: int = 8):
    ledger = Ledger("e", places)
    items = []
    for i in range(people):
        user, request_id = f"u{i}", f"id-{i:02}"
        won = i < places
        status = "SUCCEEDED" if won else "REJECTED"
        ledger.sent.add(user)
        for _ in range(1 + i % 3):
            ledger.acknowledged(user, request_id)
        for seen in ("QUEUED", "QUEUED", "PROCESSING", status):
            ledger.saw(request_id, seen)
        items.append({"requestId": request_id, "userId": user, "status": status,
                      "resultCode": "SUCCESS" if won else "REJECTED_CAPACITY",
                      "queuedAt": f"2026-01-01T00:00:0{i // 4}Z"})
    ledger.sent.add("sent-but-never-answered")
    winners = min(places, people)
    counts = {"RECEIVED": 0, "QUEUED": 0, "PROCESSING": 0, "SUCCEEDED": winners, "REJECTED": people - winners,
              "FAILED_FINAL": 0}
    return ledger, Found(items, counts, places - winners)


@pytest.mark.parametrize("places, people", [(1, 8), (3, 8), (8, 8), (9, 8), (3, 0), (100, 1)])
def test_what_is_right_passes(places, people):
    verdict = judge(*a_good_round(places, people))
    assert verdict.good, str(verdict)


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("seed", range(5))
def test_every_plant_is_found(plant, seed):
    ledger, found = a_good_round()
    lie, violation = PLANTS[plant]
    assert lie(ledger, found, random.Random(seed))
    verdict = judge(ledger, found)
    assert verdict.count[violation] >= 1, str(verdict)


@pytest.mark.parametrize("plant", PLANTS)
def test_a_plant_says_when_there_is_nothing_to_lie_about(plant):
    """Otherwise a planted run could pass for found without a lie."""
    ledger, found = Ledger("e", 3), Found([], {}, 3)
    before = copy.deepcopy((ledger, found))
    assert PLANTS[plant][0](ledger, found, random.Random(1)) is False
    assert (ledger, found) == before


def test_each_violation_is_counted_by_how_often_it_happened():
    ledger, found = a_good_round(places=2, people=6)
    ledger.capacity = 0
    assert judge(ledger, found).count["oversold"] == 2
    ledger, found = a_good_round(places=2, people=6)
    ledger.capacity = 5
    assert judge(ledger, found).count["undersold"] == 3
    ledger, found = a_good_round(places=2, people=6)
    found.items[0], found.items[4] = found.items[4], found.items[0]
    assert judge(ledger, found).count["inversions"] == 3, "everybody turned away who stood before the last winner"
    assert judge(ledger, found).count["unsorted"] == 1


def test_a_fact_found_twice_is_one_fact():
    ledger, found = a_good_round()
    found.items.pop()
    first = judge(ledger, found, finished=False)
    first.merge(judge(ledger, found, finished=False))
    assert first.count["lost"] == 2 and not first.good  # the acknowledgement, and what was shown


def test_counts_and_codes_are_held_against_the_list():
    ledger, found = a_good_round()
    found.counts["REJECTED"] += 1
    assert judge(ledger, found).count["miscounted"] == 1
    ledger, found = a_good_round()
    found.capacity_remaining = 1
    assert judge(ledger, found).count["miscounted"] == 1
    ledger, found = a_good_round()
    found.items[0]["resultCode"] = "REJECTED_CAPACITY"
    assert judge(ledger, found).count["illegal"] == 1


def test_before_the_queue_has_drained_only_safety_is_judged():
    ledger, found = a_good_round()
    for item in found.items[2:]:
        item["status"] = "QUEUED"
        del item["resultCode"]
        ledger.shown[item["requestId"]] = ["QUEUED"]
    found.counts, found.capacity_remaining = {}, 1
    assert judge(ledger, found, finished=False).good
    assert judge(ledger, found, finished=True).count["not_final"] == 6


def test_the_order_of_violations_is_the_one_documented():
    assert set(violation for _, violation in PLANTS.values()) < set(VIOLATIONS)
