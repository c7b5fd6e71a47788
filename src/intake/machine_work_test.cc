// Events of different kinds of work, and what workers that did not try may say.

#include <gtest/gtest.h>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

using S = RequestStatus;

class KindsOfWork : public testing::Test {
 protected:
  void put(const std::string& event, std::uint64_t capacity, std::optional<WorkKind> work,
           Timestamp now = at(0)) {
    PutEvent command{event, "title of " + event, capacity, {}, {}};
    command.work = work;
    const auto reply = m.decide(command, now);
    ASSERT_TRUE(reply.ok()) << reply.error().message;
    EXPECT_EQ(reply->work, m.machine().event(event, now)->work);
  }
  std::vector<Delivery> receive(std::optional<WorkKind> work, Timestamp now, std::uint32_t max = 10) {
    Receive command{max, 0, 30 * kSecond};
    command.work = work;
    return m.decide(command, now);
  }
  std::string ids(const std::vector<Delivery>& deliveries) {
    std::string out;
    for (const Delivery& d : deliveries)
      out += fmt::format("{}{}#{}", out.empty() ? "" : " ", *m.machine().number_of(d.receipt.request_id),
                         d.receipt.receive_count);
    return out;
  }

  MachineFixture m{MachineConfig{.max_receive_count = 3}};
};

TEST_F(KindsOfWork, AreSetKeptAndChanged) {
  put("E", 1, std::nullopt);
  EXPECT_EQ(m.events(), "EventPut 0");
  EXPECT_EQ(m.machine().event("E", at(0))->work, WorkKind::kCapacity);
  put("E", 1, WorkKind::kHttp);
  EXPECT_EQ(m.events(), "WorkSet 0 http");
  put("E", 1, WorkKind::kHttp);
  EXPECT_EQ(m.events(), "");
  put("E", 2, std::nullopt);
  EXPECT_EQ(m.events(), "EventPut 0");
  EXPECT_EQ(m.machine().event("E", at(0))->work, WorkKind::kHttp);
  EXPECT_EQ(m.reload().event("E", at(0))->work, WorkKind::kHttp);
  EXPECT_EQ(m.reload().digest(), m.machine().digest());
  put("F", 2, WorkKind::kHttp);
  EXPECT_EQ(m.events(), "EventPut 1; WorkSet 1 http");
  put("E", 3, WorkKind::kCapacity);
  EXPECT_EQ(m.events(), "EventPut 0; WorkSet 0 capacity");
}

TEST_F(KindsOfWork, AWorkerGetsOnlyItsKind) {
  put("C", 5, WorkKind::kCapacity);
  put("H", 5, WorkKind::kHttp);
  m.join("H", "a", at(1));  // 1
  m.join("C", "b", at(2));  // 2
  m.join("H", "c", at(3));  // 3
  m.join("C", "d", at(4));  // 4
  EXPECT_EQ(ids(receive(WorkKind::kCapacity, at(5), 1)), "2#1");
  EXPECT_EQ(ids(receive(WorkKind::kHttp, at(5), 1)), "1#1");
  EXPECT_EQ(ids(receive(std::nullopt, at(5))), "3#1 4#1") << "of all kinds, oldest first";
  EXPECT_EQ(ids(receive(WorkKind::kHttp, at(6))), "");
}

TEST_F(KindsOfWork, AnEventThatChangesItsKindIsServedByTheOther) {
  put("E", 5, WorkKind::kCapacity);
  for (int i = 1; i <= 3; ++i) m.join("E", fmt::format("u{}", i), at(i));
  const auto before = receive(WorkKind::kCapacity, at(5), 1);
  put("E", 5, WorkKind::kHttp, at(6));
  EXPECT_EQ(ids(receive(WorkKind::kCapacity, at(7))), "");
  EXPECT_EQ(ids(receive(WorkKind::kHttp, at(7), 1)), "2#1");
  // What was out stays what it was.
  EXPECT_EQ(m.complete(before[0].receipt, WorkResult::kSucceed, at(8)), Ack::kApplied);
  put("E", 5, WorkKind::kCapacity, at(9));
  EXPECT_EQ(ids(receive(WorkKind::kCapacity, at(10))), "3#1");
}

TEST_F(KindsOfWork, ARefusalOfTheWorkGivesThePlaceToTheNextExactlyOnce) {
  put("E", 2, WorkKind::kHttp);
  for (int i = 1; i <= 4; ++i) m.join("E", fmt::format("u{}", i), at(i));
  const auto first = receive(WorkKind::kHttp, at(5));
  EXPECT_EQ(ids(first), "1#1 2#1");
  EXPECT_EQ(ids(receive(WorkKind::kHttp, at(5))), "") << "the others wait while places are kept";
  EXPECT_EQ(m.status(3), S::kQueued);
  EXPECT_EQ(
      m.complete(first[0].receipt, WorkResult::kReject, at(6), 0, "too young", ResultCode::kRejectedByWork),
      Ack::kApplied);
  EXPECT_EQ(m.events(), "Completed 1 refused");
  EXPECT_EQ(m.detail(1).view.result_code, ResultCode::kRejectedByWork);
  EXPECT_EQ(m.detail(1).failure_class, FailureClass::kNonRetryable);
  EXPECT_EQ(m.detail(1).status_log.back().reason, "too young");
  // Said twice it frees nothing twice.
  EXPECT_EQ(m.complete(first[0].receipt, WorkResult::kReject, at(6), 0, "", ResultCode::kRejectedByWork),
            Ack::kStale);
  const auto second = receive(WorkKind::kHttp, at(7));
  EXPECT_EQ(ids(second), "3#1");
  EXPECT_EQ(m.complete(first[1].receipt, WorkResult::kSucceed, at(8)), Ack::kApplied);
  EXPECT_EQ(m.complete(second[0].receipt, WorkResult::kSucceed, at(8)), Ack::kApplied);
  EXPECT_EQ(ids(receive(WorkKind::kHttp, at(9))), "");
  EXPECT_EQ(m.detail(4).view.result_code, ResultCode::kRejectedCapacity) << "all places are taken now";
  EXPECT_EQ(m.remaining("E"), 0u);
}

TEST_F(KindsOfWork, WhatIsReturnedKeepsItsPlaceAndItsTries) {
  put("E", 1, WorkKind::kHttp);
  m.join("E", "ann", at(1));
  m.join("E", "ben", at(2));
  double second = 3;
  for (int i = 1; i <= 7; ++i, ++second) {  // more often than there are tries
    m.decide(DoDue{}, at(second));
    const auto deliveries = receive(WorkKind::kHttp, at(second));
    ASSERT_EQ(ids(deliveries), fmt::format("1#{}", i));
    EXPECT_EQ(m.complete(deliveries[0].receipt, WorkResult::kReturn, at(second), 0, "circuit open"),
              Ack::kApplied);
    EXPECT_EQ(m.events(), "Completed 1 returned");
    EXPECT_EQ(m.complete(deliveries[0].receipt, WorkResult::kSucceed, at(second)), Ack::kStale) << "fencing";
  }
  EXPECT_EQ(m.status(2), S::kQueued) << "the place stays kept";
  EXPECT_EQ(m.detail(1).failure_class, FailureClass::kNone);
  // Now three tries, which a snapshot in between does not change.
  for (int i = 8; i <= 10; ++i, ++second) {
    m.decide(DoDue{}, at(second));
    EXPECT_EQ(m.reload().digest(), m.machine().digest());
    const auto deliveries = receive(WorkKind::kHttp, at(second));
    ASSERT_EQ(ids(deliveries), fmt::format("1#{}", i));
    EXPECT_EQ(m.complete(deliveries[0].receipt, WorkResult::kRetry, at(second), 0, "HTTP 500"),
              Ack::kApplied);
    EXPECT_EQ(m.events(), i == 10 ? "Completed 1 dead" : "Completed 1 retry");
  }
  const auto detail = m.detail(1);
  ASSERT_EQ(detail.attempts.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(detail.attempts[i].attempt, i + 1);
    EXPECT_EQ(detail.attempts[i].outcome, i < 7 ? AttemptOutcome::kReturned : AttemptOutcome::kFailed) << i;
  }
  EXPECT_EQ(ids(receive(WorkKind::kHttp, at(second))), "2#1") << "the place of the dead letter";
}

TEST_F(KindsOfWork, WhatIsReturnedComesBackAtItsTime) {
  put("E", 1, WorkKind::kHttp);
  m.join("E", "ann", at(1));
  const auto deliveries = receive(WorkKind::kHttp, at(2));
  EXPECT_EQ(m.complete(deliveries[0].receipt, WorkResult::kReturn, at(3), 5 * kSecond), Ack::kApplied);
  m.decide(DoDue{}, at(7.9));
  EXPECT_EQ(m.events(), "");
  m.decide(DoDue{}, at(8));
  EXPECT_EQ(m.events(), "Due 1 retry");
  EXPECT_EQ(ids(receive(WorkKind::kHttp, at(8))), "1#2");
  EXPECT_EQ(m.detail(1).status_log.back().reason, "returned without a try");
}

TEST_F(KindsOfWork, AKeptPlaceSurvivesARestartAndIsCalledAboutAgain) {
  put("E", 1, WorkKind::kHttp);
  m.join("E", "ann", at(1));
  m.join("E", "ben", at(2));
  const auto before = receive(WorkKind::kHttp, at(3));
  m.decide(DoRestart{}, at(4));
  EXPECT_EQ(m.events(), "Due 1 restarted");
  EXPECT_EQ(ids(receive(WorkKind::kHttp, at(5))), "1#2");
  EXPECT_EQ(m.complete(before[0].receipt, WorkResult::kSucceed, at(6)), Ack::kStale);
  EXPECT_EQ(m.status(2), S::kQueued);
}

}  // namespace
}  // namespace spillway::intake
