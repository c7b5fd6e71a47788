#include <gtest/gtest.h>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

TEST(MachineReads, a_request_is_its_owners) {
  MachineFixture m;
  m.put("EVT", 1, at(0));
  m.join("EVT", "ann", at(1), R"({"size":"M"})");
  const auto mine = m.machine().request(id(1), "ann");
  ASSERT_TRUE(mine.ok());
  EXPECT_EQ(mine->request_id, id(1));
  EXPECT_EQ(mine->event_id, "EVT");
  EXPECT_EQ(mine->status, RequestStatus::kQueued);
  EXPECT_EQ(mine->queued_at, at(1));
  EXPECT_EQ(mine->position, 1u);
  EXPECT_FALSE(mine->started_at);
  EXPECT_EQ(m.machine().request(id(1), "bob").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(m.machine().request(id(2), "ann").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(m.machine().request("0000000100000000000", "ann").error().code, ErrorCode::kNotFound);
  // Not told apart by the message either.
  EXPECT_EQ(m.machine().request(id(1), "bob").error().message,
            m.machine().request(id(2), "ann").error().message);
  EXPECT_EQ(m.detail(1).user_id, "ann");
  EXPECT_EQ(m.detail(1).body, R"({"size":"M"})");
}

TEST(MachineReads, the_body_goes_to_the_worker) {
  MachineFixture m;
  m.put("EVT", 1, at(0));
  const std::string body(limits::kMaxParticipationBodyBytes, 'x');
  m.join("EVT", "ann", at(0), body);
  const auto deliveries = m.receive(at(1));
  ASSERT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(deliveries[0].body, body);
  EXPECT_EQ(deliveries[0].user_id, "ann");
  EXPECT_EQ(deliveries[0].event_id, "EVT");
  EXPECT_EQ(deliveries[0].queued_at, at(0));
}

TEST(MachineReads, position_counts_from_one_and_only_falls) {
  MachineFixture m;
  m.put("A", 100, at(0));
  m.put("B", 100, at(0));
  for (int i = 0; i < 10; ++i) {
    m.join("A", fmt::format("u{}", i), at(0));
    m.join("B", fmt::format("u{}", i), at(0));
  }
  EXPECT_EQ(m.machine().view_of(1).position, 1u);
  EXPECT_EQ(m.machine().view_of(2).position, 1u);
  EXPECT_EQ(m.machine().view_of(19).position, 10u);
  const auto deliveries = m.receive(at(1), 5);  // three of A, two of B
  EXPECT_EQ(m.machine().view_of(1).position, std::nullopt);
  EXPECT_EQ(m.machine().view_of(19).position, 7u);
  EXPECT_EQ(m.machine().view_of(20).position, 8u);
  // One that goes back to be tried again does not push anybody back.
  EXPECT_EQ(m.complete(deliveries[0].receipt, WorkResult::kRetry, at(1)), Ack::kApplied);
  m.decide(DoDue{}, at(2));
  EXPECT_EQ(m.machine().view_of(19).position, 7u);
  EXPECT_EQ(m.machine().view_of(1).position, std::nullopt);
}

TEST(MachineReads, times_and_results_of_every_end) {
  struct Case {
    WorkResult result;
    RequestStatus status;
    ResultCode code;
    FailureClass failure;
    const char* reason;  ///< of the last entry of the log
  };
  const Case cases[] = {
      {WorkResult::kSucceed, RequestStatus::kSucceeded, ResultCode::kSuccess, FailureClass::kNone, ""},
      {WorkResult::kReject, RequestStatus::kRejected, ResultCode::kRejectedCapacity,
       FailureClass::kNonRetryable, "REJECTED_CAPACITY"},
      {WorkResult::kInvalid, RequestStatus::kFailedFinal, ResultCode::kFailedInvalidMessage,
       FailureClass::kNonRetryable, "FAILED_INVALID_MESSAGE"},
      {WorkResult::kRetry, RequestStatus::kFailedFinal, ResultCode::kFailedRetriesExhausted,
       FailureClass::kRetryable, "FAILED_RETRIES_EXHAUSTED"},
  };
  for (const Case& c : cases) {
    MachineFixture m({.max_receive_count = 1});
    m.put("EVT", 1, at(0));
    m.join("EVT", "ann", at(1));
    const auto deliveries = m.receive(at(2));
    EXPECT_EQ(m.machine().view_of(1).started_at, at(2));
    EXPECT_EQ(m.complete(deliveries.at(0).receipt, c.result, at(3)), Ack::kApplied);
    const RequestDetail detail = m.detail(1);
    EXPECT_EQ(detail.view.status, c.status);
    EXPECT_EQ(detail.view.result_code, c.code);
    EXPECT_EQ(detail.failure_class, c.failure);
    EXPECT_EQ(detail.view.finished_at, at(3));
    EXPECT_EQ(detail.view.started_at, at(2));
    ASSERT_EQ(detail.status_log.size(), 4u);
    EXPECT_EQ(detail.status_log[3].status, c.status);
    EXPECT_EQ(detail.status_log[3].reason, c.reason);
    const RequestSummary summary = m.machine().summary_of(1);
    EXPECT_EQ(summary.status, c.status);
    EXPECT_EQ(summary.finished_at, at(3));
  }
}

TEST(MachineReads, a_long_reason_is_cut_between_characters) {
  MachineFixture m;
  m.put("EVT", 1, at(0));
  m.join("EVT", "ann", at(0));
  std::string reason(limits::kMaxReasonBytes - 1, 'x');
  m.complete(m.receive(at(1)).at(0).receipt, WorkResult::kInvalid, at(1), 0, reason + "\xea\xb9\x80");
  EXPECT_EQ(m.detail(1).status_log.back().reason, reason);
}

TEST(MachineReads, pages) {
  MachineFixture m;
  m.put("EVT", 3, at(0));
  m.put("OTHER", 3, at(0));
  for (int i = 0; i < 10; ++i) {
    m.join("EVT", fmt::format("u{}", i), at(0));    // odd numbers
    m.join("OTHER", fmt::format("u{}", i), at(0));  // even numbers
  }
  const auto numbers = [&](const RequestPage& page) {
    std::vector<std::uint64_t> all;
    for (const RequestDetail& item : page.items) all.push_back(*m.machine().number_of(item.view.request_id));
    return all;
  };
  using Numbers = std::vector<std::uint64_t>;
  const auto first = m.machine().list({"EVT", {}, 4, ""});
  EXPECT_EQ(numbers(*first), (Numbers{1, 3, 5, 7}));
  EXPECT_EQ(first->counts.queued, 10u);
  EXPECT_EQ(first->items[0].user_id, "u0");
  const auto second = m.machine().list({"EVT", {}, 4, first->next_cursor});
  EXPECT_EQ(numbers(*second), (Numbers{9, 11, 13, 15}));
  const auto third = m.machine().list({"EVT", {}, 4, second->next_cursor});
  EXPECT_EQ(numbers(*third), (Numbers{17, 19}));
  EXPECT_EQ(third->next_cursor, "");
  EXPECT_EQ(m.machine().list({"EVT", {}, 10, ""})->next_cursor, "");  // exactly a page

  for (const Delivery& d : m.receive(at(1), 6)) m.complete(d.receipt, WorkResult::kSucceed, at(1));
  m.receive(at(2));
  EXPECT_EQ(numbers(*m.machine().list({"EVT", RequestStatus::kSucceeded, 9, ""})), (Numbers{1, 3, 5}));
  const auto rejected = m.machine().list({"EVT", RequestStatus::kRejected, 2, first->next_cursor});
  EXPECT_EQ(numbers(*rejected), (Numbers{9, 11}));
  EXPECT_EQ(rejected->counts.succeeded, 3u);
  EXPECT_EQ(rejected->counts.rejected, 7u);

  const auto refused = [&](const std::string& cursor) {
    const auto page = m.machine().list({"EVT", {}, 4, cursor});
    return !page.ok() && page.error().code == ErrorCode::kInvalidArgument &&
           page.error().message.starts_with("cursor");
  };
  char other[8];
  write_number(2, other);
  char unborn[8];
  write_number(21, unborn);
  EXPECT_TRUE(refused("x"));
  EXPECT_TRUE(refused("00000000"));
  EXPECT_TRUE(refused("0000000!"));
  EXPECT_TRUE(refused(std::string(other, 8)));
  EXPECT_TRUE(refused(std::string(unborn, 8)));
  EXPECT_EQ(m.machine().list({"NONE", {}, 4, ""}).error().code, ErrorCode::kNotFound);
}

TEST(MachineReads, a_page_looks_at_so_many_and_no_more) {
  Machine machine;
  Events events;
  const auto apply = [&] {
    for (const Event& event : events) machine.evolve(event);
    events.clear();
  };
  machine.decide_seed(kTestSeed, events);
  apply();
  const PutEvent put{"EVT", "", 1, {}, {}};
  ASSERT_TRUE(machine.decide(put, at(0), events).ok());
  apply();
  const std::size_t people = limits::kMaxPageScan + 5;
  for (std::size_t i = 0; i < people; ++i) {
    const Participate command{"EVT", fmt::format("u{}", i), ""};
    ASSERT_TRUE(machine.decide(command, at(0), events).ok());
    apply();
  }
  const auto page = machine.list({"EVT", RequestStatus::kRejected, 4, ""});
  EXPECT_EQ(page->items.size(), 0u);
  ASSERT_NE(page->next_cursor, "");
  const auto rest = machine.list({"EVT", RequestStatus::kQueued, 100, page->next_cursor});
  EXPECT_EQ(rest->items.size(), 5u);
  EXPECT_EQ(rest->next_cursor, "");
  EXPECT_EQ(machine.digest(), machine.recompute_digest());
}

TEST(MachineReads, a_cursor_outlives_what_it_names) {
  MachineFixture m({.retention_us = 1 * kSecond});
  m.put("EVT", 0, at(0), {}, at(1));
  for (int i = 0; i < 4; ++i) m.join("EVT", fmt::format("u{}", i), at(0));
  const auto page = m.machine().list({"EVT", {}, 2, ""});
  m.receive(at(1));
  m.decide(DoDue{3}, at(9));
  EXPECT_EQ(m.machine().list({"EVT", {}, 2, page->next_cursor})->items.at(0).view.request_id, id(4));
  m.decide(DoDue{3}, at(9));
  EXPECT_EQ(m.machine().list({"EVT", {}, 2, page->next_cursor})->items.size(), 0u);
}

TEST(MachineReads, at_most_so_many_are_refused_in_one_receive) {
  MachineFixture m;
  m.put("EVT", 0, at(0));
  const std::size_t people = limits::kMaxFinishedPerReceive + 1;
  m.recompute_each_step(false);
  for (std::size_t i = 0; i < people; ++i) m.join("EVT", fmt::format("u{}", i), at(0));
  m.recompute_each_step(true);
  EXPECT_TRUE(m.machine().has_due_work());
  EXPECT_TRUE(m.receive(at(1)).empty());
  EXPECT_EQ(m.machine().list({"EVT", {}, 1, ""})->counts.queued, 1u);
  EXPECT_TRUE(m.machine().has_due_work());
  EXPECT_TRUE(m.receive(at(1)).empty());
  EXPECT_EQ(m.machine().list({"EVT", {}, 1, ""})->counts.rejected, people);
  EXPECT_FALSE(m.machine().has_due_work());
}

}  // namespace
}  // namespace spillway::intake
