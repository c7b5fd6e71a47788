#include <gtest/gtest.h>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

using S = RequestStatus;

class DeadLetters : public testing::Test {
 protected:
  /// People 1 to n of event E are dead letters, one second apart; the time is at(100 + n) then.
  void die(int n, std::uint64_t capacity) {
    m.put("E", capacity, at(0));
    for (int i = 1; i <= n; ++i) m.join("E", "user-" + std::to_string(i), at(i), "{}");
    for (int i = 1; i <= n; ++i) kill(at(100 + i));
  }
  /// The next in line fails until it is dead.
  void kill(Timestamp now, const std::string& reason = "no answer") {
    const auto deliveries = m.receive(now, 1);
    ASSERT_EQ(deliveries.size(), 1u);
    for (Receipt receipt = deliveries.front().receipt;; receipt = m.receive(now, 1).at(0).receipt) {
      ASSERT_EQ(m.complete(receipt, WorkResult::kRetry, now, 0, reason), Ack::kApplied);
      if (m.machine().dead_letter(receipt.request_id).ok()) return;
      m.decide(DoDue{}, now);
    }
  }
  RedriveView redrive(Timestamp now, DeadLetterFilter filter = {}, std::uint32_t rate = 100,
                      std::uint32_t stop_after = 10) {
    const Redrive command{std::move(filter), rate, stop_after, {"ada", "127.0.0.1"}};
    return *m.decide(command, now);
  }
  RedriveView redriving() { return *m.machine().redrive(); }
  DeadLetterPage letters(const ListDeadLetters& query = {}) { return *m.machine().list(query); }

  MachineFixture m{MachineConfig{.max_receive_count = 3}};
};

TEST_F(DeadLetters, ARedrivenRequestIsDecidedInItsOldPlaceWithAllItsTriesAndItsHistory) {
  die(2, 10);
  EXPECT_EQ(m.machine().queue_stats(at(200)).dead_letters, 2u);
  m.join("E", "late", at(200));  // 3
  const auto before = m.detail(1);
  redrive(at(201));
  m.decide(DoDue{}, at(202));
  EXPECT_EQ(m.events(), "Redriven 1 2");
  const auto queued = m.detail(1);
  EXPECT_EQ(queued.view.status, S::kQueued);
  EXPECT_EQ(queued.view.request_id, before.view.request_id);
  EXPECT_EQ(queued.view.queued_at.us, before.view.queued_at.us);
  EXPECT_FALSE(queued.view.started_at || queued.view.finished_at);
  EXPECT_EQ(queued.view.result_code, ResultCode::kNone);
  EXPECT_EQ(queued.view.position, 1u);
  EXPECT_EQ(m.detail(2).view.position, 2u);
  EXPECT_EQ(m.detail(3).view.position, 3u);
  // In the order in which they had been taken, the newcomer last.
  const auto deliveries = m.receive(at(203));
  ASSERT_EQ(deliveries.size(), 3u);
  EXPECT_EQ(deliveries[0].receipt.request_id, id(1));
  EXPECT_EQ(deliveries[0].receipt.receive_count, 4u);
  EXPECT_EQ(deliveries[2].receipt.request_id, id(3));
  // All tries again: two failures are not the end.
  EXPECT_EQ(m.complete(deliveries[0].receipt, WorkResult::kRetry, at(204)), Ack::kApplied);
  EXPECT_EQ(m.status(1), S::kProcessing);
  m.decide(DoDue{}, at(205));
  EXPECT_EQ(m.complete(m.receive(at(205)).at(0).receipt, WorkResult::kSucceed, at(206)), Ack::kApplied);
  EXPECT_EQ(m.complete(deliveries[1].receipt, WorkResult::kReject, at(206)), Ack::kApplied);
  m.decide(DoDue{}, at(207));
  EXPECT_EQ(m.events(), "RedriveEnded DONE");
  const RedriveView end = redriving();
  EXPECT_EQ(end.state, RedriveState::kDone);
  EXPECT_EQ(end.redriven, 2u);
  EXPECT_EQ(end.succeeded, 1u);
  EXPECT_EQ(end.rejected, 1u);
  EXPECT_EQ(end.finished_at.us, at(207).us);

  const auto whole = m.detail(1);
  EXPECT_EQ(whole.redrives, 1u);
  ASSERT_EQ(whole.attempts.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(whole.attempts[i].attempt, i + 1);
    EXPECT_TRUE(whole.attempts[i].started_at && whole.attempts[i].ended_at) << i;
    EXPECT_EQ(whole.attempts[i].outcome, i == 4 ? AttemptOutcome::kSucceeded : AttemptOutcome::kFailed) << i;
  }
  EXPECT_EQ(whole.attempts[3].started_at.us, at(203).us);
  EXPECT_EQ(whole.attempts[3].ended_at.us, at(204).us);
  std::string log;
  for (const auto& entry : whole.status_log)
    log += std::string(name(entry.status)) + " " + entry.reason + "; ";
  EXPECT_EQ(log,
            "RECEIVED ; QUEUED ; PROCESSING ; PROCESSING no answer; PROCESSING no answer; FAILED_FINAL no "
            "answer; QUEUED redrive-1; PROCESSING ; PROCESSING to be tried again; SUCCEEDED ; ");
}

TEST_F(DeadLetters, OnlyARedriveLeavesAFinalState) {
  die(1, 10);
  EXPECT_EQ(m.complete({id(1), 3}, WorkResult::kSucceed, at(200)), Ack::kStale);
  m.decide(DoDue{}, at(1'000'000));
  m.decide(DoRestart{}, at(1'000'000));
  EXPECT_TRUE(m.receive(at(1'000'000)).empty());
  EXPECT_EQ(m.status(1), S::kFailedFinal);
}

TEST_F(DeadLetters, ThePlacesStayExactlyThoseThereAre) {
  die(3, 2);  // nobody took a place
  for (int i = 4; i <= 6; ++i) m.join("E", "user-" + std::to_string(i), at(200));
  auto first = m.receive(at(201));  // 4 and 5 hold both places
  ASSERT_EQ(first.size(), 2u);
  redrive(at(202));
  m.decide(DoDue{}, at(203));
  EXPECT_TRUE(m.receive(at(203)).empty()) << "the places are held, whoever is first must wait";
  EXPECT_EQ(m.complete(first[0].receipt, WorkResult::kSucceed, at(204)), Ack::kApplied);
  EXPECT_TRUE(m.receive(at(204)).empty());
  // The work refuses 5: its place goes to 1, who is the oldest.
  EXPECT_EQ(m.complete(first[1].receipt, WorkResult::kReject, at(205)), Ack::kApplied);
  const auto next = m.receive(at(205));
  ASSERT_EQ(next.size(), 1u);
  EXPECT_EQ(next[0].receipt.request_id, id(1));
  EXPECT_EQ(m.complete(next[0].receipt, WorkResult::kSucceed, at(206)), Ack::kApplied);
  m.receive(at(206));
  for (const int late : {2, 3, 6}) {
    EXPECT_EQ(m.detail(static_cast<std::uint64_t>(late)).view.result_code, ResultCode::kRejectedCapacity);
  }
  EXPECT_EQ(m.remaining("E"), 0u);
  m.decide(DoDue{}, at(207));
  EXPECT_EQ(redriving().state, RedriveState::kDone);
  EXPECT_EQ(redriving().rejected, 2u);
}

TEST_F(DeadLetters, ClosingTheEventMeanwhileDoesNotRefuseThem) {
  die(1, 10);
  m.put("E", 10, at(200), {}, at(150));
  redrive(at(300));
  m.decide(DoDue{}, at(301));
  const auto deliveries = m.receive(at(302));
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(m.complete(deliveries[0].receipt, WorkResult::kSucceed, at(302)), Ack::kApplied);
}

TEST_F(DeadLetters, TheRateIsKeptAlsoAfterAPause) {
  die(10, 10);
  redrive(at(200), {}, 2);
  m.decide(DoDue{}, at(200.4));
  EXPECT_EQ(m.events(), "");
  m.decide(DoDue{}, at(200.5));
  EXPECT_EQ(m.events(), "Redriven 1");
  m.decide(DoDue{}, at(200.9));
  EXPECT_EQ(m.events(), "");
  m.decide(DoDue{}, at(500));  // a second's worth, not five minutes'
  EXPECT_EQ(m.events(), "Redriven 2 3");
  m.decide(DoDue{}, at(500.02));
  EXPECT_EQ(m.events(), "") << "and not the same again by the next tick";
  m.decide(DoDue{}, at(501));
  EXPECT_EQ(m.events(), "Redriven 4 5");
}

TEST_F(DeadLetters, ItStopsWhenTheyFailAgainAndLeavesTheRest) {
  die(5, 10);
  redrive(at(200), {}, 1, 2);
  for (int i = 1; i <= 2; ++i) {
    m.decide(DoDue{}, at(200 + i));
    kill(at(200 + i), "still no answer");
  }
  m.decide(DoDue{}, at(210));
  EXPECT_EQ(m.events(), "RedriveEnded STOPPED_BY_FAILURES");
  EXPECT_EQ(redriving().failed_again, 2u);
  EXPECT_EQ(redriving().redriven, 2u);
  const auto page = letters();
  EXPECT_EQ(page.total, 5u);
  EXPECT_EQ(page.items.front().request_id, id(3));
  EXPECT_EQ(page.items.back().request_id, id(2));
  EXPECT_EQ(page.items.back().redrives, 1u);
  EXPECT_EQ(page.items.back().last_reason, "still no answer");
  // The next one is a new round.
  EXPECT_EQ(redrive(at(220)).redrive_id, "redrive-2");
  EXPECT_EQ(redriving().matching, 5u);
}

TEST_F(DeadLetters, WhatFailsAgainIsNotPutBackBySameRedrive) {
  die(2, 10);
  redrive(at(200), {}, 100, 100);
  m.decide(DoDue{}, at(201));
  kill(at(201));
  kill(at(201));
  m.decide(DoDue{}, at(202));
  EXPECT_EQ(m.events(), "RedriveEnded DONE");
  EXPECT_EQ(redriving().failed_again, 2u);
}

TEST_F(DeadLetters, FiltersSayWhich) {
  die(4, 10);
  m.put("F", 10, at(200));
  m.join("F", "fay", at(200));  // 5
  kill(at(201), "bad gateway");
  const auto matching = [&](const DeadLetterFilter& filter) {
    std::string ids;
    const auto preview = m.machine().preview_redrive(filter);
    for (const auto& each : preview->sample) ids += std::to_string(*m.machine().number_of(each)) + " ";
    EXPECT_EQ(letters({filter, 100, ""}).items.size(), preview->matching);
    return ids;
  };
  EXPECT_EQ(matching({}), "1 2 3 4 5 ");
  EXPECT_EQ(matching({.event_id = "F"}), "5 ");
  EXPECT_EQ(matching({.reason = "gate"}), "5 ");
  EXPECT_EQ(matching({.dead_before = at(103)}), "1 2 ");
  EXPECT_EQ(matching({.failure_class = FailureClass::kNonRetryable}), "");
  EXPECT_EQ(matching({.request_ids = {id(4), id(2), "nonsense", id(999)}}), "2 4 ");
  EXPECT_EQ(matching({.event_id = "E", .request_ids = {id(5)}}), "");
  EXPECT_EQ(m.machine().preview_redrive({.event_id = "X"}).error().code, ErrorCode::kNotFound);
  redrive(at(210), {.request_ids = {id(4), id(2)}});
  m.decide(DoDue{}, at(211));
  EXPECT_EQ(m.events(), "Redriven 2 4");
}

TEST_F(DeadLetters, PagesGoThroughAllOfThem) {
  die(5, 10);
  std::string seen;
  ListDeadLetters query{{}, 2, ""};
  do {
    const auto page = letters(query);
    EXPECT_EQ(page.total, 5u);
    for (const auto& item : page.items) seen += std::to_string(*m.machine().number_of(item.request_id)) + " ";
    query.cursor = page.next_cursor;
  } while (!query.cursor.empty());
  EXPECT_EQ(seen, "1 2 3 4 5 ");
  query.cursor = "nonsense";
  EXPECT_EQ(m.machine().list(query).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(DeadLetters, OneAtATimeAndStoppedByHand) {
  EXPECT_EQ(m.machine().redrive().error().code, ErrorCode::kNotFound);
  die(3, 10);
  redrive(at(200), {}, 1);
  const Redrive second{};
  EXPECT_EQ(m.decide(second, at(200)).error().code, ErrorCode::kRedriveRunning);
  m.decide(DoDue{}, at(201));
  EXPECT_EQ(m.events(), "Redriven 1");
  EXPECT_EQ(m.decide(StopRedrive{}, at(202))->state, RedriveState::kStopped);
  EXPECT_EQ(m.events(), "RedriveEnded STOPPED");
  EXPECT_EQ(m.decide(StopRedrive{}, at(203))->finished_at.us, at(202).us);
  EXPECT_EQ(m.events(), "");
  m.decide(DoDue{}, at(300));
  EXPECT_EQ(m.events(), "");
  EXPECT_EQ(letters().total, 2u);
}

TEST_F(DeadLetters, DiscardedOnesStayFailedAndAreNeverRedriven) {
  die(3, 10);
  const DiscardDeadLetters command{{.request_ids = {id(2), id(2), "nonsense"}}, "asked to", {"ada", ""}};
  EXPECT_EQ(m.decide(command, at(200))->discarded, 1u);
  EXPECT_EQ(m.events(), "Discarded 2");
  EXPECT_EQ(m.decide(command, at(201))->discarded, 0u);
  EXPECT_EQ(m.status(2), S::kFailedFinal);
  EXPECT_EQ(m.detail(2).status_log.back().reason, "discarded by ada: asked to");
  EXPECT_EQ(m.machine().dead_letter(id(2)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(m.machine().queue_stats(at(201)).dead_letters, 2u);
  redrive(at(202));
  m.decide(DoDue{}, at(203));
  EXPECT_EQ(m.events(), "Redriven 1 3");
}

TEST_F(DeadLetters, AreNotForgottenUnderTheHandsOfARedrive) {
  die(3, 10);
  m.put("E", 10, at(200), {}, at(150));
  const Timestamp late = at(200) + 2 * limits::kRetention;
  redrive(late, {}, 1);
  m.decide(DoDue{}, late + 1 * kSecond);
  EXPECT_EQ(m.events(), "Redriven 1");
  m.decide(DoDue{}, late + 2 * kSecond);
  m.decide(DoDue{}, late + 3 * kSecond);
  EXPECT_EQ(m.events(), "Redriven 3");
  for (const auto& delivery : m.receive(late + 4 * kSecond)) {
    EXPECT_EQ(m.complete(delivery.receipt, WorkResult::kSucceed, late + 4 * kSecond), Ack::kApplied);
  }
  m.decide(DoDue{}, late + 5 * kSecond);
  m.decide(DoDue{}, late + 3 * limits::kRetention);
  EXPECT_EQ(m.events(), "Retired 3 of 0");
}

TEST_F(DeadLetters, AllOfItIsInTheSnapshot) {
  die(6, 10);
  const DiscardDeadLetters command{{.request_ids = {id(6)}}, "asked to", {"ada", ""}};
  ASSERT_EQ(m.decide(command, at(200))->discarded, 1u);
  redrive(at(201), {.event_id = "E", .reason = "answer"}, 3);
  m.decide(DoDue{}, at(202));
  ASSERT_EQ(m.receive(at(202), 1).size(), 1u);
  Machine loaded = m.reload();
  EXPECT_EQ(loaded.digest(), m.machine().digest());
  EXPECT_EQ(loaded.recompute_digest(), loaded.digest());
  EXPECT_EQ(loaded.redrive()->redriven, 3u);
  EXPECT_EQ(loaded.redrive()->filter.reason, "answer");
  Events here, there;
  m.machine().decide_due(at(203), 1'000, here);
  loaded.decide_due(at(203), 1'000, there);
  EXPECT_EQ(describe(there), "Redriven 4 5");
  EXPECT_EQ(describe(there), describe(here));
  for (std::uint64_t number = 1; number <= 6; ++number) {
    const auto a = m.detail(number), b = *loaded.request_detail(id(number));
    EXPECT_EQ(a.status_log.size(), b.status_log.size());
    ASSERT_EQ(a.attempts.size(), b.attempts.size());
    for (std::size_t i = 0; i < a.attempts.size(); ++i) {
      EXPECT_EQ(a.attempts[i].started_at.us, b.attempts[i].started_at.us);
      EXPECT_EQ(a.attempts[i].reason, b.attempts[i].reason);
    }
  }
}

TEST_F(DeadLetters, TheHistoryKeptIsBounded) {
  die(1, 10);
  for (int round = 0; round < 40; ++round) {
    redrive(at(1'000 + 10 * round));
    m.decide(DoDue{}, at(1'001 + 10 * round));
    kill(at(1'002 + 10 * round));
    m.decide(DoDue{}, at(1'003 + 10 * round));
  }
  const auto detail = m.detail(1);
  EXPECT_EQ(detail.receive_count, 123u);
  EXPECT_EQ(detail.redrives, 40u);
  EXPECT_GE(detail.attempts.size(), limits::kMaxAttemptsKept);
  EXPECT_LE(detail.attempts.size(), limits::kMaxAttemptsKept + 1);
  EXPECT_EQ(detail.attempts.back().attempt, 123u);
  EXPECT_EQ(m.reload().digest(), m.machine().digest());
}

}  // namespace
}  // namespace spillway::intake
