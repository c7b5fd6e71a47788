"""The judge itself, without a server: it passes what is right and finds every lie, each for the right reason."""

import copy
import random

import pytest

from judge import VIOLATIONS, Found, Ledger, Verdict, judge, judge_redrive
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


def a_redriven_round():
    """The first two failed; the first was redriven and won, the second was redriven and found no place."""
    ledger, found = a_good_round(places=3, people=6)
    ledger.may_fail, ledger.redrives = True, {"redrive-1"}
    found.items[0].update(redrives=1)
    found.items[1].update(redrives=1, status="REJECTED", resultCode="REJECTED_CAPACITY")
    found.items[3].update(status="SUCCEEDED", resultCode="SUCCESS")
    ids = [item["requestId"] for item in found.items]
    ledger.shown[ids[0]] = ["QUEUED", "PROCESSING", "FAILED_FINAL", "QUEUED", "SUCCEEDED"]
    ledger.shown[ids[1]] = ["PROCESSING", "QUEUED", "REJECTED"]  # nobody looked while it had failed
    ledger.shown[ids[3]] = ["QUEUED", "SUCCEEDED"]
    log = [{"status": s} for s in ("RECEIVED", "QUEUED", "PROCESSING", "PROCESSING", "FAILED_FINAL")]
    log += [{"status": "QUEUED", "reason": "redrive-1"}, {"status": "PROCESSING"}, {"status": "SUCCEEDED"}]
    found.stories = [{**found.items[0], "statusLog": log}]
    return ledger, found


def test_a_redrive_explains_that_a_final_state_was_left():
    verdict = judge(*a_redriven_round())
    assert verdict.good, str(verdict)


@pytest.mark.parametrize("spoil, violation", [
    (lambda ledger, found: ledger.redrives.clear(), "gone_back"),
    (lambda ledger, found: ledger.redrives.clear(), "left_final"),
    (lambda ledger, found: found.items[0].pop("redrives"), "gone_back"),
    (lambda ledger, found: ledger.shown[found.items[0]["requestId"]].extend(["FAILED_FINAL", "QUEUED"]), "gone_back"),
    (lambda ledger, found: ledger.shown[found.items[3]["requestId"]].append("QUEUED"), "gone_back"),
    (lambda ledger, found: found.stories[0].update(redrives=2), "left_final"),
    (lambda ledger, found: found.stories[0]["statusLog"].__setitem__(4, {"status": "REJECTED"}), "illegal"),
    (lambda ledger, found: found.items[4].pop("redrives", None) or found.items[1].pop("redrives"), "inversions"),
])
def test_and_nothing_else_does(spoil, violation):
    ledger, found = a_redriven_round()
    spoil(ledger, found)
    assert judge(ledger, found).count[violation] >= 1


def test_a_redrive_that_was_told_is_kept():
    told = {"redriveId": "redrive-2", "state": "RUNNING", "redriven": 5, "succeeded": 1, "rejected": 0, "failedAgain": 2}
    for now, bad in [({}, 0), ({"redriven": 9}, 0), ({"state": "DONE"}, 0), ({"redriveId": "redrive-10", "redriven": 0}, 0),
                     ({"redriven": 4}, 1), ({"failedAgain": 0}, 1), ({"redriveId": "redrive-1"}, 1), (None, 1)]:
        verdict = Verdict()
        judge_redrive(verdict, told, None if now is None else {**told, **now})
        assert verdict.count["redrive_lost"] == bad, now
    verdict = Verdict()
    judge_redrive(verdict, {**told, "state": "STOPPED"}, told)
    assert verdict.count["redrive_lost"] == 1
    judge_redrive(verdict, None, told)


def test_the_order_of_violations_is_the_one_documented():
    assert set(violation for _, violation in PLANTS.values()) < set(VIOLATIONS)
