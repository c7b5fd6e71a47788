#include <gtest/gtest.h>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

using Numbers = std::vector<std::uint64_t>;

class MachineSearch : public testing::Test {
 protected:
  Result<FoundRequests> look(const SearchRequests& query) {
    SearchProgress progress;
    for (int turn = 0; turn < 1'000; ++turn) {
      auto page = m.machine().find(query, progress);
      if (!progress.more) return page;
      EXPECT_TRUE(page.ok() && page->items.empty());
    }
    ADD_FAILURE() << "a search without an end";
    return FoundRequests{};
  }
  Numbers find(const SearchRequests& query, std::string* next = nullptr) {
    const auto page = look(query);
    EXPECT_TRUE(page.ok()) << page.error().message;
    Numbers all;
    for (const RequestDetail& item : page->items) {
      EXPECT_TRUE(item.body.empty() && item.status_log.empty() && item.attempts.empty());
      all.push_back(*m.machine().number_of(item.view.request_id));
    }
    if (next != nullptr) *next = page->next_cursor;
    return all;
  }
  ErrorCode refusal(const SearchRequests& query) { return look(query).error().code; }

  MachineFixture m{{.retention_us = 1 * kSecond}};
};

TEST_F(MachineSearch, by_user_is_every_request_of_that_user_newest_first) {
  for (const char* event : {"C", "A", "B", "EMPTY"}) m.put(event, 1, at(0));
  m.join("A", "ann", at(0));  // 1
  m.join("B", "bob", at(0));
  m.join("B", "ann", at(0));  // 3
  m.join("C", "bob", at(0));
  m.join("C", "ann", at(0));  // 5
  m.join("C", "anna", at(0));
  EXPECT_EQ(find({.user_id = "ann"}), (Numbers{5, 3, 1}));
  EXPECT_EQ(find({.user_id = "bob"}), (Numbers{4, 2}));
  EXPECT_EQ(find({.user_id = "nobody"}), Numbers{});
  EXPECT_EQ(look({.user_id = "ann"})->items[0].user_id, "ann");
  EXPECT_EQ(look({.user_id = "ann"})->items[0].view.event_id, "C");
}

TEST_F(MachineSearch, all_that_is_set_applies) {
  m.put("A", 1, at(0));
  m.put("B", 1, at(0));
  m.join("A", "ann", at(0));  // 1
  m.join("A", "bob", at(0));
  m.join("B", "ann", at(0));  // 3
  m.complete(m.receive(at(1), 1).at(0).receipt, WorkResult::kSucceed, at(1));
  EXPECT_EQ(find({.user_id = "ann", .status = RequestStatus::kSucceeded}), Numbers{1});
  EXPECT_EQ(find({.user_id = "ann", .status = RequestStatus::kQueued}), Numbers{3});
  EXPECT_EQ(find({.user_id = "ann", .event_id = "B"}), Numbers{3});
  EXPECT_EQ(find({.user_id = "ann", .event_id = "B", .status = RequestStatus::kSucceeded}), Numbers{});
  EXPECT_EQ(find({.user_id = "bob", .event_id = "B"}), Numbers{});
  EXPECT_EQ(find({.event_id = "A"}), (Numbers{1, 2}));
  EXPECT_EQ(find({.event_id = "A", .status = RequestStatus::kQueued}), Numbers{2});
  EXPECT_EQ(find({.request_id = id(3)}), Numbers{3});
  EXPECT_EQ(find({.user_id = "ann", .request_id = id(3), .event_id = "B"}), Numbers{3});
  EXPECT_EQ(find({.user_id = "bob", .request_id = id(3)}), Numbers{});
  EXPECT_EQ(find({.request_id = id(3), .event_id = "A"}), Numbers{});
  EXPECT_EQ(find({.request_id = id(3), .status = RequestStatus::kSucceeded}), Numbers{});
  EXPECT_EQ(find({.request_id = id(4)}), Numbers{});
  EXPECT_EQ(find({.request_id = "not-an-id"}), Numbers{});
  EXPECT_EQ(refusal({.user_id = "ann", .event_id = "NONE"}), ErrorCode::kNotFound);
  EXPECT_EQ(refusal({.event_id = "NONE"}), ErrorCode::kNotFound);
}

TEST_F(MachineSearch, pages_put_together_are_the_whole) {
  Numbers all;
  for (int i = 0; i < 12; ++i) {
    const std::string event = fmt::format("E{}", i);
    m.put(event, 1, at(0));
    m.join(event, "bob", at(0));
    m.join(event, "ann", at(0));
    all.insert(all.begin(), static_cast<std::uint64_t>(2 * i + 2));
  }
  for (const std::uint32_t limit : {1u, 5u, 11u, 12u, 13u}) {
    SearchRequests query{.user_id = "ann", .limit = limit};
    Numbers together;
    do {
      const Numbers page = find(query, &query.cursor);
      EXPECT_LE(page.size(), limit);
      EXPECT_FALSE(page.empty());
      together.insert(together.end(), page.begin(), page.end());
    } while (!query.cursor.empty());
    EXPECT_EQ(together, all) << limit;
  }
  // Whoever takes part in between is newer than what is still to come.
  SearchRequests query{.user_id = "ann", .limit = 5};
  find(query, &query.cursor);
  m.put("LATE", 1, at(0));
  m.join("LATE", "ann", at(0));
  EXPECT_EQ(find(query), (Numbers{14, 12, 10, 8, 6}));
  for (const char* bad : {"x", "00000000", "0000000!", "zzzzzzzz"}) {
    EXPECT_EQ(refusal({.user_id = "ann", .cursor = bad}), ErrorCode::kInvalidArgument) << bad;
    EXPECT_EQ(refusal({.event_id = "E1", .cursor = bad}), ErrorCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(refusal({.request_id = id(1), .cursor = "00000001"}), ErrorCode::kInvalidArgument);
}

TEST_F(MachineSearch, one_turn_looks_at_so_many_events_and_no_more) {
  m.recompute_each_step(false);
  const std::size_t events = limits::kMaxSearchScan + 3;
  for (std::size_t i = 0; i < events; ++i) m.put(fmt::format("E{}", i), 1, at(0));
  m.join("E0", "ann", at(0));
  m.join(fmt::format("E{}", events - 1), "ann", at(0));
  const SearchRequests query{.user_id = "ann"};
  SearchProgress progress;
  EXPECT_TRUE(m.machine().find(query, progress)->items.empty());
  EXPECT_TRUE(progress.more);
  // What changes in between is told as it is in the end.
  m.complete(m.receive(at(1), 1).at(0).receipt, WorkResult::kSucceed, at(1));
  const auto page = m.machine().find(query, progress);
  EXPECT_FALSE(progress.more);
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->items[1].view.status, RequestStatus::kSucceeded);
  EXPECT_EQ(page->next_cursor, "");
}

TEST_F(MachineSearch, what_is_forgotten_is_not_found) {
  m.put("OLD", 0, at(0), {}, at(1));
  m.put("NEW", 5, at(0));
  m.join("OLD", "ann", at(0));
  m.join("NEW", "ann", at(0));
  m.join("OLD", "bob", at(0));
  while (m.machine().queue_stats(at(1)).visible > 1) m.receive(at(1));
  m.decide(DoDue{1}, at(9));
  EXPECT_EQ(find({.user_id = "ann"}), Numbers{2});
  EXPECT_EQ(find({.user_id = "bob"}), Numbers{3});
  m.decide(DoDue{}, at(9));
  EXPECT_EQ(find({.user_id = "bob"}), Numbers{});
  EXPECT_EQ(find({.request_id = id(3)}), Numbers{});
}

TEST_F(MachineSearch, an_event_tells_whether_it_is_open) {
  m.put("EVT", 3, at(0), at(10), at(20));
  const auto phase = [&](double when) { return m.machine().event("EVT", at(when))->phase; };
  EXPECT_EQ(phase(0), EventPhase::kPending);
  EXPECT_EQ(phase(9.999), EventPhase::kPending);
  EXPECT_EQ(phase(10), EventPhase::kOpen);
  EXPECT_EQ(phase(19.999), EventPhase::kOpen);
  EXPECT_EQ(phase(20), EventPhase::kClosed);
  EXPECT_EQ(m.machine().list(ListEvents{}, at(20))->items.at(0).phase, EventPhase::kClosed);
  m.put("ALWAYS", 3, at(0));
  EXPECT_EQ(m.machine().event("ALWAYS", at(1e9))->phase, EventPhase::kOpen);
  EXPECT_EQ(m.machine().event("ALWAYS", at(0))->taken(), 0u);
}

}  // namespace
}  // namespace spillway::intake
