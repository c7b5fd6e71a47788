#pragma once

// What the machine's tests share: commands in short words, each applied to two machines, one of which gets
// its events through the journal's bytes.

#include <gtest/gtest.h>

#include <string>

#include "identity/machine.h"

namespace spillway::identity::testing {

inline Timestamp at(double seconds) {
  return {1'800'000'000 * kSecond + static_cast<Micros>(seconds * kSecond)};
}

class MachineFixture {
 public:
  explicit MachineFixture(MachineConfig config = {}) : config_(config), machine_(config), replayed_(config) {}

  template <class Command>
  auto decide(const Command& command, Timestamp now) {
    Events events;
    auto result = machine_.decide(command, now, events);
    apply(events);
    return result;
  }
  /// How many records were forgotten.
  std::size_t due(Timestamp now, std::size_t max_items = 1'000) {
    Events events;
    machine_.decide_due(now, now, max_items, events);
    apply(events);
    if (events.empty()) return 0;
    const auto& forgotten = std::get<Forgotten>(events.at(0));
    return forgotten.tokens + forgotten.users;
  }

  // Short words; the actor is "root" unless said.
  auto put(std::string user, std::optional<Role> role, std::string hash, std::optional<bool> disabled,
           Timestamp now, std::string actor = "root") {
    return decide(
        PutUser{std::move(user), role, std::move(hash), disabled, {std::move(actor), "192.0.2.1"}, {}}, now);
  }
  template <class Command>
  void must(const Command& command, Timestamp now) {
    ASSERT_TRUE(decide(command, now).ok());
  }
  void must_put(std::string user, std::optional<Role> role, std::string hash, std::optional<bool> disabled,
                Timestamp now) {
    ASSERT_TRUE(put(std::move(user), role, std::move(hash), disabled, now).ok());
  }
  void make(std::string user, Role role = Role::kUser) {
    ASSERT_TRUE(put(std::move(user), role, "hash", {}, at(0)).ok());
  }

  const Machine& machine() const { return machine_; }
  std::size_t last_events() const { return last_events_; }

  /// Another machine, from a snapshot of this one.
  Machine reload() const {
    std::string bytes;
    machine_.save([&bytes](std::string_view piece) { bytes += piece; });
    Machine loaded(config_);
    std::size_t offset = 0;
    const Status status = loaded.load([&](char* into, std::size_t size) {
      if (bytes.size() - offset < size) return false;
      bytes.copy(into, size, offset);
      offset += size;
      return true;
    });
    EXPECT_TRUE(status.ok()) << status.error().message;
    EXPECT_EQ(offset, bytes.size());
    return loaded;
  }

 private:
  void apply(const Events& events) {
    last_events_ = events.size();
    for (const Event& event : events) {
      std::string payload;
      encode(event, payload);
      machine_.evolve(event);
      const auto read = decode(type(event), kVersion, payload);
      ASSERT_TRUE(read.ok());
      replayed_.evolve(*read);
    }
    ASSERT_EQ(machine_.digest(), machine_.recompute_digest());
    ASSERT_EQ(machine_.digest(), replayed_.digest());
  }

  MachineConfig config_;
  Machine machine_, replayed_;
  std::size_t last_events_ = 0;
};

}  // namespace spillway::identity::testing
