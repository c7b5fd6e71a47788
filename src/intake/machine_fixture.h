#pragma once

// For the tests of the machine: one that is driven by commands, and a twin that sees only the encoded events.

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "intake/machine.h"

namespace spillway::intake {

inline constexpr Seed kTestSeed{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
/// The clock of the tests starts here; they count seconds from it.
inline constexpr Timestamp kTestStart{1'800'000'000 * kSecond};

/// The id of the request with this number, in every test.
inline std::string id(std::uint64_t number) { return request_id(kTestSeed, number); }
inline Timestamp at(double seconds) { return kTestStart + static_cast<Micros>(seconds * kSecond); }

inline std::string text(Verdict v) {
  return v == Verdict::kDelivered ? "delivered" : v == Verdict::kRejectedCapacity ? "full" : "late";
}
inline std::string text(Ending e) {
  constexpr const char* kNames[] = {"succeeded", "full",  "late",    "invalid",
                                    "dead",      "retry", "refused", "returned"};
  return kNames[static_cast<std::size_t>(e)];
}
inline std::string text(DueKind k) {
  constexpr const char* kNames[] = {"expired", "expired dead", "restarted", "restarted dead", "retry"};
  return kNames[static_cast<std::size_t>(k)];
}

/// "Accepted 1", "Received 1 delivered, 2 full": what a row of a table expects.
struct Describe {
  std::string operator()(const Seeded&) const { return "Seeded"; }
  std::string operator()(const EventPut& e) const { return fmt::format("EventPut {}", e.event); }
  std::string operator()(const Accepted& e) const { return fmt::format("Accepted {}", e.number); }
  std::string operator()(const Paused& e) const { return e.paused ? "Paused" : "Resumed"; }
  std::string operator()(const Received& e) const {
    return list("Received", e.items, [](const auto& i) { return text(i.verdict); });
  }
  std::string operator()(const Completed& e) const {
    return list("Completed", e.items, [](const auto& i) { return text(i.ending); });
  }
  std::string operator()(const Due& e) const {
    return list("Due", e.items, [](const auto& i) { return text(i.kind); });
  }
  std::string operator()(const Extended& e) const {
    std::string out = "Extended";
    for (const std::uint64_t number : e.numbers) out += fmt::format(" {}", number);
    return out;
  }
  std::string operator()(const Retired& e) const { return fmt::format("Retired {} of {}", e.count, e.event); }

  std::string operator()(const RedriveStarted& e) const {
    return fmt::format("RedriveStarted {} of {}", e.id, e.matching);
  }
  std::string operator()(const Redriven& e) const { return numbers("Redriven", e.numbers); }
  std::string operator()(const RedriveEnded& e) const {
    return fmt::format("RedriveEnded {}", name(e.state));
  }
  std::string operator()(const Discarded& e) const { return numbers("Discarded", e.numbers); }
  std::string operator()(const WorkSet& e) const {
    return fmt::format("WorkSet {} {}", e.event, name(e.work));
  }
  std::string operator()(const WebhookSet& e) const {
    return fmt::format("WebhookSet {} '{}'", e.event, e.url);
  }
  std::string operator()(const WebhooksTried& e) const {
    constexpr const char* kResults[] = {"delivered", "retry", "given up", "expired"};
    std::string out = "WebhooksTried";
    const char* separator = " ";
    for (const auto& item : e.items) {
      out += fmt::format("{}{} {}", separator, item.id, kResults[static_cast<std::size_t>(item.result)]);
      separator = ", ";
    }
    return out;
  }
  std::string operator()(const WebhooksPutBack& e) const { return numbers("WebhooksPutBack", e.ids); }

  static std::string numbers(std::string out, const std::vector<std::uint64_t>& all) {
    for (const std::uint64_t number : all) out += fmt::format(" {}", number);
    return out;
  }
  template <class Items, class Kind>
  static std::string list(std::string out, const Items& items, Kind kind) {
    const char* separator = " ";
    for (const auto& item : items) {
      out += fmt::format("{}{} {}", separator, item.number, kind(item));
      separator = ", ";
    }
    return out;
  }
};
inline std::string describe(const Events& events) {
  std::string out;
  for (const Event& event : events) out += (out.empty() ? "" : "; ") + std::visit(Describe{}, event);
  return out;
}

struct SetPaused {
  bool paused;
};
struct DoDue {
  std::size_t max_items = 1'000;
};
struct DoRestart {};
struct StopRedrive {};

class MachineFixture {
 public:
  explicit MachineFixture(MachineConfig config = {}) : config_(config), machine_(config), twin_(config) {
    machine_.decide_seed(kTestSeed, events_);
    apply();
  }

  const Machine& machine() const { return machine_; }
  /// The digest is recomputed after every step unless there are too many of them.
  void recompute_each_step(bool on) { recomputes_ = on; }
  /// What the last call proposed, as describe() says it.
  const std::string& events() const { return described_; }

  template <class Command>
  auto decide(const Command& command, Timestamp now) {
    if constexpr (std::is_same_v<Command, SetPaused>) {
      return done(machine_.decide_paused(command.paused, now, events_));
    } else if constexpr (std::is_same_v<Command, DoDue>) {
      machine_.decide_due(now, command.max_items, events_);
      return done(0);
    } else if constexpr (std::is_same_v<Command, DoRestart>) {
      machine_.decide_restart(now, events_);
      return done(0);
    } else if constexpr (std::is_same_v<Command, CompleteWebhooks>) {
      machine_.decide(command, now, events_);
      return done(0);
    } else if constexpr (std::is_same_v<Command, StopRedrive>) {
      return done(machine_.decide_stop_redrive(now, events_));
    } else {
      return done(machine_.decide(command, now, events_));
    }
  }

  // The usual ones in short, which must succeed.
  void put(const std::string& event, std::uint64_t capacity, Timestamp now, Timestamp opens = {},
           Timestamp closes = {}) {
    const auto result = decide(PutEvent{event, "title of " + event, capacity, opens, closes}, now);
    ASSERT_TRUE(result.ok()) << result.error().message;
  }
  void join(const std::string& event, const std::string& user, Timestamp now, const std::string& body = "") {
    const auto result = decide(Participate{event, user, body}, now);
    ASSERT_TRUE(result.ok()) << result.error().message;
  }
  std::vector<Delivery> receive(Timestamp now, std::uint32_t max = 10, Micros visibility_us = 30 * kSecond) {
    return decide(Receive{max, 0, visibility_us}, now);
  }
  Ack complete(const Receipt& receipt, WorkResult result, Timestamp now, Micros retry_after_us = 0,
               const std::string& reason = "", ResultCode code = ResultCode::kRejectedCapacity) {
    return decide(Complete{{{receipt, result, code, reason, retry_after_us}}}, now).acks.at(0);
  }
  RequestDetail detail(std::uint64_t number) const {
    auto result = machine_.request_detail(id(number));
    CHECK(result.ok());
    return std::move(result).value();
  }
  RequestStatus status(std::uint64_t number) const { return detail(number).view.status; }
  std::uint64_t remaining(const std::string& event) const {
    return machine_.event(event, at(0))->capacity_remaining;
  }

  /// A machine made from a snapshot of this one.
  Machine reload() const {
    std::string snapshot;
    machine_.save([&](std::string_view bytes) { snapshot.append(bytes); });
    Machine loaded(config_);
    std::size_t from = 0;
    const Status status = loaded.load([&](char* into, std::size_t size) {
      if (size > snapshot.size() - from) return false;
      snapshot.copy(into, size, from);
      from += size;
      return true;
    });
    EXPECT_TRUE(status.ok() && from == snapshot.size());
    return loaded;
  }

 private:
  template <class Reply>
  Reply done(Reply reply) {
    apply();
    return reply;
  }
  void apply() {
    described_ = describe(events_);
    for (const Event& event : events_) {
      std::string payload;
      encode(event, payload);
      machine_.evolve(event);
      const auto decoded = decode(type(event), kVersion, payload);
      CHECK(decoded.ok());
      twin_.evolve(*decoded);
    }
    events_.clear();
    if (recomputes_) {
      EXPECT_EQ(machine_.digest(), machine_.recompute_digest()) << "after " << described_;
    }
    EXPECT_EQ(machine_.digest(), twin_.digest()) << "after " << described_;
  }

  MachineConfig config_;
  Machine machine_;
  Machine twin_;
  Events events_;
  std::string described_;
  bool recomputes_ = true;
};

}  // namespace spillway::intake
