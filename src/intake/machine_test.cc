// The rules of the machine, as tables: one row per command, with the reply and the events that it must give.

#include "intake/machine.h"

#include <variant>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

using Command = std::variant<Participate, PutEvent, Receive, Complete, Extend, SetPaused, DoDue, DoRestart>;

// ---- Replies as text
// ----------------------------------------------------------------------------------------

std::string number_text(const MachineFixture& m, const std::string& request_id) {
  const auto number = m.machine().number_of(request_id);
  return number ? std::to_string(*number) : "?";
}
std::string text(const MachineFixture&, const Error& e) {
  return std::string(error_info(e.code).code) + ": " + e.message;
}
std::string text(const MachineFixture& m, const Participation& p) {
  return number_text(m, p.request_id) + (p.duplicate ? " again" : "");
}
std::string text(const MachineFixture&, const EventView& e) {
  return fmt::format("{}{}/{}", e.created ? "created " : "", e.capacity_remaining, e.capacity_total);
}
std::string text(const MachineFixture& m, const std::vector<Delivery>& deliveries) {
  std::string out;
  for (const Delivery& d : deliveries) {
    out += fmt::format("{}{}#{}", out.empty() ? "" : " ", number_text(m, d.receipt.request_id),
                       d.receipt.receive_count);
  }
  return out;
}
std::string text(const MachineFixture&, const Acks& acks) {
  std::string out;
  for (const Ack ack : acks.acks) {
    out += out.empty() ? "" : " ";
    out += ack == Ack::kApplied ? "applied" : ack == Ack::kStale ? "stale" : "unknown";
  }
  return out;
}
std::string text(const MachineFixture&, const QueueStats& s) {
  return fmt::format("{}v {}f {}d {}s {}x{}", s.visible, s.in_flight, s.delayed, s.oldest_age_us / kSecond,
                     s.dead_letters, s.paused ? " paused" : "");
}
std::string text(const MachineFixture&, int) { return ""; }
template <class T>
std::string text(const MachineFixture& m, const Result<T>& result) {
  return result.ok() ? text(m, *result) : text(m, result.error());
}

struct Row {
  const char* what;
  double second;
  Command command;
  std::string reply;
  std::string events;
};
void run(MachineFixture& m, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    const auto reply =
        std::visit([&](const auto& c) { return text(m, m.decide(c, at(row.second))); }, row.command);
    EXPECT_EQ(reply, row.reply) << row.what;
    EXPECT_EQ(m.events(), row.events) << row.what;
  }
}

// ---- Commands in short
// --------------------------------------------------------------------------------------

Participate join(const char* event, const char* user, const char* body = "") { return {event, user, body}; }
PutEvent put(const char* event, std::uint64_t capacity, Timestamp opens = {}, Timestamp closes = {}) {
  return {event, "title", capacity, opens, closes};
}
Receive receive(std::uint32_t max) { return {max, 0, 30 * kSecond}; }
Receipt receipt(std::uint64_t number, std::uint32_t count) { return {id(number), count}; }
Outcome outcome(std::uint64_t number, std::uint32_t count, WorkResult result = WorkResult::kSucceed,
                Micros retry_after_us = 0, const char* reason = "") {
  return {receipt(number, count), result, ResultCode::kRejectedCapacity, reason, retry_after_us};
}
Complete complete(std::vector<Outcome> outcomes) { return {std::move(outcomes)}; }

TEST(Machine, participate) {
  MachineFixture m({.max_requests = 4, .max_body_bytes = 10});
  run(m, {
             {"no such event", 0, join("EVT", "ann"), "not_found: no such event", ""},
             {"an event with times", 0, put("EVT", 2, at(10), at(20)), "created 2/2", "EventPut 0"},
             {"an event that is open", 0, put("OPEN", 2), "created 2/2", "EventPut 1"},
             {"too early", 9.999, join("EVT", "ann"), "event_not_open: opens at 2027-01-15T08:00:10.000000Z",
              ""},
             {"at the opening", 10, join("EVT", "ann"), "1", "Accepted 1"},
             {"again", 10, join("EVT", "ann"), "1 again", ""},
             {"again, with a body", 11, join("EVT", "ann", "{}"), "1 again", ""},
             {"somebody else", 19.999, join("EVT", "bob"), "2", "Accepted 2"},
             {"too late", 20, join("EVT", "cat"), "event_closed: closed at 2027-01-15T08:00:20.000000Z", ""},
             {"known before closed", 20, join("EVT", "bob"), "2 again", ""},
             {"the same person elsewhere", 20, join("OPEN", "ann", "1234567890"), "3", "Accepted 3"},
             {"no room for the body", 20, join("OPEN", "cat", "1"),
              "overloaded: the bodies of the requests kept are too large together", ""},
             {"without one", 20, join("OPEN", "cat"), "4", "Accepted 4"},
             {"no room", 20, join("OPEN", "dan"), "overloaded: too many requests are kept", ""},
             {"closed before no room", 20, join("EVT", "dan"),
              "event_closed: closed at 2027-01-15T08:00:20.000000Z", ""},
             {"not found before all", 20, join("NONE", "dan"), "not_found: no such event", ""},
             {"known before no room", 20, join("OPEN", "cat"), "4 again", ""},
         });
}

TEST(Machine, put_event) {
  MachineFixture m({.max_events = 2});
  run(m, {
             {"closes before it opens", 0, put("EVT", 2, at(10), at(10)),
              "invalid_argument: closesAt must be after opensAt", ""},
             {"made", 0, put("EVT", 2, at(10), at(20)), "created 2/2", "EventPut 0"},
             {"the same", 0, put("EVT", 2, at(10), at(20)), "2/2", ""},
             {"larger", 0, put("EVT", 3, at(10), at(20)), "3/3", "EventPut 0"},
             {"smaller", 0, put("EVT", 1), "1/1", "EventPut 0"},
             {"one more", 0, put("EVT2", 0), "created 0/0", "EventPut 1"},
             {"too many", 0, put("EVT3", 1), "overloaded: there are too many events", ""},
             {"join", 1, join("EVT", "ann"), "1", "Accepted 1"},
             {"join", 1, join("EVT", "bob"), "2", "Accepted 2"},
             {"nothing taken yet", 1, put("EVT", 0), "0/0", "EventPut 0"},
             {"large again", 1, put("EVT", 9), "9/9", "EventPut 0"},
             {"both in work", 2, receive(9), "1#1 2#1", "Received 1 delivered, 2 delivered"},
             {"one succeeds", 2, complete({outcome(1, 1)}), "applied", "Completed 1 succeeded"},
             {"below taken and kept", 2, put("EVT", 1),
              "capacity_below_taken: capacityTotal must be at least 2: so many places are taken", ""},
             {"wrong before below", 2, put("EVT", 1, at(10), at(9)),
              "invalid_argument: closesAt must be after opensAt", ""},
             {"exactly what is used", 2, put("EVT", 2), "1/2", "EventPut 0"},
         });
}

TEST(Machine, receive_hands_out_the_oldest_and_refuses_when_full) {
  MachineFixture m;
  run(m, {
             {"A", 0, put("A", 2), "created 2/2", "EventPut 0"},
             {"B", 0, put("B", 1), "created 1/1", "EventPut 1"},
             {"nothing there", 0, receive(9), "", ""},
             {"", 1, join("A", "ann"), "1", "Accepted 1"},
             {"", 1, join("B", "ann"), "2", "Accepted 2"},
             {"", 1, join("A", "bob"), "3", "Accepted 3"},
             {"", 1, join("B", "bob"), "4", "Accepted 4"},
             {"", 1, join("A", "cat"), "5", "Accepted 5"},
             {"pause", 1, SetPaused{true}, "5v 0f 0d 0s 0x paused", "Paused"},
             {"paused already", 3, SetPaused{true}, "5v 0f 0d 2s 0x paused", ""},
             {"paused", 3, receive(9), "", ""},
             {"resume", 3, SetPaused{false}, "5v 0f 0d 2s 0x", "Resumed"},
             {"one", 3, receive(1), "1#1", "Received 1 delivered"},
             {"as far as places go", 3, receive(9), "2#1 3#1", "Received 2 delivered, 3 delivered"},
             {"both blocked by work in progress", 3, receive(9), "", ""},
             {"B is full", 3, complete({outcome(2, 1)}), "applied", "Completed 2 succeeded"},
             {"so its next is refused, and A still blocked", 3, receive(9), "", "Received 4 full"},
             {"A gives one back", 3, complete({outcome(1, 1, WorkResult::kInvalid)}), "applied",
              "Completed 1 invalid"},
             {"and the next gets it", 3, receive(9), "5#1", "Received 5 delivered"},
             {"all over", 4, complete({outcome(3, 1), outcome(5, 1)}), "applied applied",
              "Completed 3 succeeded, 5 succeeded"},
             {"nothing left", 4, receive(9), "", ""},
         });
  EXPECT_EQ(m.remaining("A"), 0u);
  EXPECT_EQ(m.remaining("B"), 0u);
}

TEST(Machine, complete_is_fenced) {
  MachineFixture m({.max_receive_count = 3});
  Outcome forged = outcome(1, 1);
  forged.receipt.request_id = "00000001000000000000";
  run(m,
      {
          {"", 0, put("EVT", 9), "created 9/9", "EventPut 0"},
          {"", 0, join("EVT", "ann"), "1", "Accepted 1"},
          {"", 0, join("EVT", "bob"), "2", "Accepted 2"},
          {"not delivered yet", 0, complete({outcome(1, 0), outcome(1, 1)}), "stale stale", ""},
          {"", 0, receive(1), "1#1", "Received 1 delivered"},
          {"nobody's", 0, complete({forged, outcome(3, 1)}), "unknown unknown", ""},
          {"of another delivery", 0, complete({outcome(1, 2)}), "stale", ""},
          {"extended", 20, Extend{{receipt(1, 1), receipt(1, 2), receipt(2, 0), receipt(9, 1)}, 30 * kSecond},
           "applied stale stale unknown", "Extended 1"},
          {"the same once more", 20, Extend{{receipt(1, 1)}, 30 * kSecond}, "applied", ""},
          {"so not due yet", 49, DoDue{}, "", ""},
          {"now", 50, DoDue{}, "", "Due 1 expired"},
          {"too late", 50, complete({outcome(1, 1)}), "stale", ""},
          {"to extend as well", 50, Extend{{receipt(1, 1)}, 30 * kSecond}, "stale", ""},
          {"again, before those that came later", 51, receive(1), "1#2", "Received 1 delivered"},
          {"the worker of before wakes up", 52, complete({outcome(1, 1)}), "stale", ""},
          {"past its time, but nobody else has it", 99, complete({outcome(1, 2), outcome(1, 2)}),
           "applied stale", "Completed 1 succeeded"},
          {"final", 99, complete({outcome(1, 2, WorkResult::kReject)}), "stale", ""},
      });
  EXPECT_EQ(m.status(1), RequestStatus::kSucceeded);
}

TEST(Machine, complete_names_in_any_order_and_twice) {
  MachineFixture m;
  run(m, {
             {"", 0, put("EVT", 9), "created 9/9", "EventPut 0"},
             {"", 0, join("EVT", "a"), "1", "Accepted 1"},
             {"", 0, join("EVT", "b"), "2", "Accepted 2"},
             {"", 0, join("EVT", "c"), "3", "Accepted 3"},
             {"", 0, receive(3), "1#1 2#1 3#1", "Received 1 delivered, 2 delivered, 3 delivered"},
             {"backwards", 0,
              complete({outcome(3, 1), outcome(1, 1, WorkResult::kReject), outcome(3, 1), outcome(1, 1),
                        outcome(2, 1)}),
              "applied applied stale stale applied", "Completed 3 succeeded, 1 full, 2 succeeded"},
         });
}

TEST(Machine, retries_end_as_a_dead_letter_and_keep_their_place_until_then) {
  MachineFixture m({.max_receive_count = 2});
  const auto retry = [](std::uint64_t number, std::uint32_t count) {
    return complete({outcome(number, count, WorkResult::kRetry, 5 * kSecond, "no answer")});
  };
  run(m, {
             {"", 0, put("EVT", 1), "created 1/1", "EventPut 0"},
             {"", 0, join("EVT", "ann"), "1", "Accepted 1"},
             {"", 0, join("EVT", "bob"), "2", "Accepted 2"},
             {"", 0, receive(9), "1#1", "Received 1 delivered"},
             {"first try", 1, retry(1, 1), "applied", "Completed 1 retry"},
             {"the place is kept", 1, receive(9), "", ""},
             {"counts", 3, SetPaused{false}, "1v 0f 1d 3s 0x", ""},
             {"not yet", 5.9, DoDue{}, "", ""},
             {"late for the first", 5.9, complete({outcome(1, 1)}), "stale", ""},
             {"due", 6, DoDue{}, "", "Due 1 retry"},
             {"it goes first", 6, receive(9), "1#2", "Received 1 delivered"},
             {"the last try", 7, retry(1, 2), "applied", "Completed 1 dead"},
             {"the next gets the place", 7, receive(9), "2#1", "Received 2 delivered"},
             {"counts", 7, SetPaused{false}, "0v 1f 0d 0s 1x", ""},
         });
  const RequestDetail dead = m.detail(1);
  EXPECT_EQ(dead.view.status, RequestStatus::kFailedFinal);
  EXPECT_EQ(dead.view.result_code, ResultCode::kFailedRetriesExhausted);
  EXPECT_EQ(dead.failure_class, FailureClass::kRetryable);
  EXPECT_EQ(dead.receive_count, 2u);
  std::string log;
  for (const StatusLogEntry& entry : dead.status_log) {
    log += fmt::format("{} {} {};", name(entry.status), (entry.at - kTestStart) / kSecond, entry.reason);
  }
  EXPECT_EQ(log, "RECEIVED 0 ;QUEUED 0 ;PROCESSING 0 ;PROCESSING 1 no answer;FAILED_FINAL 7 no answer;");
}

TEST(Machine, expiry_is_a_try_too) {
  MachineFixture m({.max_receive_count = 2});
  run(m, {
             {"", 0, put("EVT", 1), "created 1/1", "EventPut 0"},
             {"", 0, join("EVT", "ann"), "1", "Accepted 1"},
             {"", 0, receive(9), "1#1", "Received 1 delivered"},
             {"", 30, DoDue{}, "", "Due 1 expired"},
             {"", 30, receive(9), "1#2", "Received 1 delivered"},
             {"", 60, DoDue{}, "", "Due 1 expired dead"},
         });
  EXPECT_EQ(m.status(1), RequestStatus::kFailedFinal);
  EXPECT_EQ(m.remaining("EVT"), 1u);
}

TEST(Machine, due_work_is_bounded_and_oldest_first) {
  MachineFixture m;
  run(m, {
             {"", 0, put("EVT", 9), "created 9/9", "EventPut 0"},
             {"", 0, join("EVT", "a"), "1", "Accepted 1"},
             {"", 0, join("EVT", "b"), "2", "Accepted 2"},
             {"", 0, join("EVT", "c"), "3", "Accepted 3"},
             {"", 0, receive(2), "1#1 2#1", "Received 1 delivered, 2 delivered"},
             {"", 1, receive(1), "3#1", "Received 3 delivered"},
             {"extended away", 2, Extend{{receipt(1, 1)}, 10 * kSecond}, "applied", "Extended 1"},
             {"and back", 2, Extend{{receipt(1, 1)}, 28 * kSecond}, "applied", "Extended 1"},
             {"one at a time", 99, DoDue{1}, "", "Due 1 expired"},
             {"", 99, DoDue{9}, "", "Due 2 expired, 3 expired"},
             {"", 99, DoDue{9}, "", ""},
             {"none at all", 99, DoDue{0}, "", ""},
         });
}

TEST(Machine, restart_gives_back_what_was_in_flight) {
  MachineFixture m({.max_receive_count = 2});
  run(m, {
             {"", 0, put("EVT", 2), "created 2/2", "EventPut 0"},
             {"", 0, join("EVT", "a"), "1", "Accepted 1"},
             {"", 0, join("EVT", "b"), "2", "Accepted 2"},
             {"", 0, join("EVT", "c"), "3", "Accepted 3"},
             {"nothing in flight", 0, DoRestart{}, "", ""},
             {"", 0, receive(1), "1#1", "Received 1 delivered"},
             {"", 0, DoRestart{}, "", "Due 1 restarted"},
             {"before all others", 0, receive(2), "1#2 2#1", "Received 1 delivered, 2 delivered"},
             {"one has no try left", 0, DoRestart{}, "", "Due 1 restarted dead, 2 restarted"},
             {"", 0, receive(9), "2#2 3#1", "Received 2 delivered, 3 delivered"},
             {"", 0, complete({outcome(2, 1), outcome(2, 2), outcome(3, 1)}), "stale applied applied",
              "Completed 2 succeeded, 3 succeeded"},
         });
}

TEST(Machine, an_earlier_closing_time_refuses_those_who_came_after_it) {
  MachineFixture m;
  run(m, {
             {"", 0, put("EVT", 2), "created 2/2", "EventPut 0"},
             {"", 1, join("EVT", "a"), "1", "Accepted 1"},
             {"", 2, join("EVT", "b"), "2", "Accepted 2"},
             {"", 3, join("EVT", "c"), "3", "Accepted 3"},
             {"", 4, join("EVT", "d"), "4", "Accepted 4"},
             {"", 4, receive(9), "1#1 2#1", "Received 1 delivered, 2 delivered"},
             {"blocked", 4, receive(9), "", ""},
             {"closed at 3", 5, put("EVT", 2, {}, at(3)), "2/2", "EventPut 0"},
             {"the blocked too late are refused", 5, receive(9), "", "Received 3 late, 4 late"},
             {"closed at 2", 5, put("EVT", 2, {}, at(2)), "2/2", "EventPut 0"},
             {"work in progress may end", 5, complete({outcome(1, 1), outcome(2, 1, WorkResult::kRetry)}),
              "applied applied", "Completed 1 succeeded, 2 retry"},
             {"", 5, DoDue{}, "", "Due 2 retry"},
             {"but is not begun again", 5, receive(9), "", "Received 2 late"},
         });
  EXPECT_EQ(m.detail(3).view.result_code, ResultCode::kRejectedClosed);
  EXPECT_EQ(m.detail(3).receive_count, 0u);
  EXPECT_EQ(m.detail(2).view.result_code, ResultCode::kRejectedClosed);
  EXPECT_EQ(m.detail(2).failure_class, FailureClass::kNonRetryable);
  EXPECT_EQ(m.remaining("EVT"), 1u);
}

TEST(Machine, capacity_may_grow_while_people_wait) {
  MachineFixture m;
  run(m, {
             {"", 0, put("EVT", 1), "created 1/1", "EventPut 0"},
             {"", 1, join("EVT", "a"), "1", "Accepted 1"},
             {"", 1, join("EVT", "b"), "2", "Accepted 2"},
             {"", 1, join("EVT", "c"), "3", "Accepted 3"},
             {"", 1, join("EVT", "d"), "4", "Accepted 4"},
             {"", 2, receive(9), "1#1", "Received 1 delivered"},
             {"", 2, put("EVT", 2), "2/2", "EventPut 0"},
             {"", 2, receive(9), "2#1", "Received 2 delivered"},
             {"", 2, complete({outcome(1, 1), outcome(2, 1)}), "applied applied",
              "Completed 1 succeeded, 2 succeeded"},
             {"before anybody is refused", 3, put("EVT", 3), "1/3", "EventPut 0"},
             {"", 3, receive(9), "3#1", "Received 3 delivered"},
             {"", 3, complete({outcome(3, 1)}), "applied", "Completed 3 succeeded"},
             {"", 3, receive(9), "", "Received 4 full"},
             {"too late for him", 4, put("EVT", 4), "1/4", "EventPut 0"},
             {"", 4, receive(9), "", ""},
             {"not for the next", 4, join("EVT", "e"), "5", "Accepted 5"},
             {"", 4, receive(9), "5#1", "Received 5 delivered"},
         });
}

TEST(Machine, retention_forgets_final_requests_of_closed_events_in_order) {
  MachineFixture m({.retention_us = 100 * kSecond});
  run(m, {
             {"closing", 0, put("EVT", 1, {}, at(10)), "created 1/1", "EventPut 0"},
             {"never closing", 0, put("OPEN", 1), "created 1/1", "EventPut 1"},
             {"", 0, join("EVT", "a", "body"), "1", "Accepted 1"},
             {"", 0, join("OPEN", "a"), "2", "Accepted 2"},
             {"", 0, join("EVT", "b"), "3", "Accepted 3"},
             {"", 0, join("EVT", "c"), "4", "Accepted 4"},
             {"", 1, receive(9), "1#1 2#1", "Received 1 delivered, 2 delivered"},
             {"", 2, complete({outcome(1, 1, WorkResult::kSucceed, 0, "well done"), outcome(2, 1)}),
              "applied applied", "Completed 1 succeeded, 2 succeeded"},
             {"", 20, receive(9), "", "Received 3 full, 4 full"},
             {"not yet", 109, DoDue{}, "", ""},
             {"the first, which was final before the end", 110, DoDue{}, "", "Retired 1 of 0"},
             {"somebody else now", 110, join("EVT", "a"),
              "event_closed: closed at 2027-01-15T08:00:10.000000Z", ""},
             {"opening again would take them twice", 111, put("EVT", 1),
              "invalid_argument: closesAt cannot be moved any more: the first participants are forgotten "
              "already",
              ""},
             {"", 111, put("EVT", 1, {}, at(200)),
              "invalid_argument: closesAt cannot be moved any more: the first participants are forgotten "
              "already",
              ""},
             {"a wider door that stays shut", 111, put("EVT", 5, {}, at(10)), "4/5", "EventPut 0"},
             {"one of two", 120, DoDue{1}, "", "Retired 1 of 0"},
             {"", 120, DoDue{1}, "", "Retired 1 of 0"},
             {"the open one keeps its people", 999'999, DoDue{}, "", ""},
             {"", 999'999, join("OPEN", "a"), "2 again", ""},
         });
  EXPECT_FALSE(m.machine().has(1));
  EXPECT_EQ(m.machine().request(id(1), "a").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(m.remaining("EVT"), 4u);
  EXPECT_EQ(m.machine().list({"EVT", {}, 10, ""})->items.size(), 0u);
  EXPECT_EQ(m.machine().list({"EVT", {}, 10, ""})->counts.succeeded, 0u);
}

TEST(Machine, an_unfinished_request_holds_back_the_forgetting_of_its_event_only) {
  MachineFixture m({.retention_us = 10 * kSecond});
  run(m, {
             {"", 0, put("A", 9, {}, at(1)), "created 9/9", "EventPut 0"},
             {"", 0, put("B", 9, {}, at(1)), "created 9/9", "EventPut 1"},
             {"", 0, join("A", "a"), "1", "Accepted 1"},
             {"", 0, join("A", "b"), "2", "Accepted 2"},
             {"", 0, join("B", "a"), "3", "Accepted 3"},
             {"", 0, Receive{9, 0, 1'000 * kSecond}, "1#1 2#1 3#1",
              "Received 1 delivered, 2 delivered, 3 delivered"},
             {"", 0, complete({outcome(2, 1), outcome(3, 1)}), "applied applied",
              "Completed 2 succeeded, 3 succeeded"},
             {"", 100, DoDue{}, "", "Retired 1 of 1"},
             {"", 100, complete({outcome(1, 1, WorkResult::kReject)}), "applied", "Completed 1 full"},
             {"", 109, DoDue{}, "", ""},
             {"", 110, DoDue{}, "", "Retired 2 of 0"},
         });
}

}  // namespace
}  // namespace spillway::intake
