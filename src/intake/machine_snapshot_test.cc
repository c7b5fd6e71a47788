#include <gtest/gtest.h>

#include <random>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

/// One of everything: all states, notes, bodies, times, a pause, forgotten ones.
void live_a_little(MachineFixture& m) {
  m.put("OLD", 5, at(0), {}, at(1));
  m.join("OLD", "x", at(0), "gone");
  m.join("OLD", "y", at(0));
  m.complete(m.receive(at(1)).at(0).receipt, WorkResult::kSucceed, at(1));
  m.decide(DoDue{}, at(500));  // "x" is forgotten, "y" expired
  m.put("EVT", 6, at(500), at(400), at(5'000));
  for (int i = 0; i < 12; ++i) m.join("EVT", fmt::format("u{}", i), at(501), i % 3 == 0 ? "{}" : "");
  const auto deliveries = m.receive(at(502), 7, 1'000 * kSecond);
  ASSERT_EQ(deliveries.size(), 7u);  // "y" again, and six
  m.complete(deliveries[1].receipt, WorkResult::kSucceed, at(503), 0, "first");
  m.complete(deliveries[2].receipt, WorkResult::kRetry, at(503), 100 * kSecond, "busy");
  m.complete(deliveries[3].receipt, WorkResult::kRetry, at(503), 1 * kSecond, "busy");
  m.complete(deliveries[4].receipt, WorkResult::kInvalid, at(503), 0, "broken");
  m.decide(DoDue{}, at(504));
  m.decide(SetPaused{true}, at(505));
}

TEST(MachineSnapshot, everything_comes_back) {
  MachineFixture m({.retention_us = 100 * kSecond});
  live_a_little(m);
  Machine loaded = m.reload();
  EXPECT_EQ(loaded.digest(), m.machine().digest());
  EXPECT_EQ(loaded.digest(), loaded.recompute_digest());
  for (std::uint64_t number = 1; number <= 14; ++number) {
    ASSERT_EQ(loaded.has(number), m.machine().has(number)) << number;
    if (!loaded.has(number)) continue;
    const auto before = m.detail(number);
    const auto after = loaded.request_detail(id(number));
    ASSERT_TRUE(after.ok());
    EXPECT_EQ(after->user_id, before.user_id);
    EXPECT_EQ(after->body, before.body);
    EXPECT_EQ(after->view.position, before.view.position);
    ASSERT_EQ(after->status_log.size(), before.status_log.size());
    for (std::size_t i = 0; i < before.status_log.size(); ++i) {
      EXPECT_EQ(after->status_log[i].reason, before.status_log[i].reason);
      EXPECT_EQ(after->status_log[i].at, before.status_log[i].at);
    }
  }
  // And goes on as the other does.
  const std::pair<double, bool> later[] = {{600, false}, {700, false}, {2'000, false}, {9'000, false}};
  for (const auto& [second, paused] : later) {
    Events events;
    loaded.decide_paused(paused, at(second), events);
    for (const Event& event : events) loaded.evolve(event);
    m.decide(SetPaused{paused}, at(second));
    events.clear();
    loaded.decide_due(at(second), 100, events);
    m.decide(DoDue{100}, at(second));
    EXPECT_EQ(describe(events), m.events());
    for (const Event& event : events) loaded.evolve(event);
    events.clear();
    loaded.decide(Receive{9, 0, 30 * kSecond}, at(second), events);
    m.receive(at(second), 9);
    EXPECT_EQ(describe(events), m.events());
    for (const Event& event : events) loaded.evolve(event);
    EXPECT_EQ(loaded.digest(), m.machine().digest());
  }
}

TEST(MachineSnapshot, an_empty_machine_and_one_that_forgot_all) {
  MachineFixture m({.retention_us = 1 * kSecond});
  EXPECT_EQ(m.reload().digest(), m.machine().digest());
  m.put("EVT", 0, at(0), {}, at(1));
  for (int i = 0; i < 3; ++i) m.join("EVT", fmt::format("u{}", i), at(0));
  m.receive(at(1));
  m.decide(DoDue{}, at(9));
  Machine loaded = m.reload();
  EXPECT_FALSE(loaded.has(3));
  EXPECT_EQ(loaded.digest(), m.machine().digest());
  // Numbers go on after those forgotten.
  Events events;
  const PutEvent put{"NEW", "", 1, {}, {}};
  ASSERT_TRUE(loaded.decide(put, at(9), events).ok());
  for (const Event& event : events) loaded.evolve(event);
  events.clear();
  const Participate join{"NEW", "ann", ""};
  EXPECT_EQ(loaded.decide(join, at(9), events)->request_id, id(4));
}

TEST(MachineSnapshot, damage_is_refused) {
  MachineFixture m({.retention_us = 100 * kSecond});
  live_a_little(m);
  std::string snapshot;
  m.machine().save([&](std::string_view bytes) { snapshot.append(bytes); });
  const auto loads = [](const std::string& bytes) {
    Machine loaded;
    std::size_t from = 0;
    return loaded
        .load([&](char* into, std::size_t size) {
          if (size > bytes.size() - from) return false;
          bytes.copy(into, size, from);
          from += size;
          return true;
        })
        .ok();
  };
  ASSERT_TRUE(loads(snapshot));
  for (std::size_t size = 0; size < snapshot.size(); ++size)
    EXPECT_FALSE(loads(snapshot.substr(0, size))) << size;
  std::mt19937 random(7);
  for (int i = 0; i < 2'000; ++i) {
    std::string damaged = snapshot;
    const std::size_t where = random() % damaged.size();
    damaged[where] = static_cast<char>(damaged[where] ^ (1 << random() % 8));
    EXPECT_FALSE(loads(damaged)) << "byte " << where;
  }
}

/// Written by the program as it was before there were redrives: one that was given up, one in flight, one in
/// line.
TEST(MachineSnapshot, those_of_version_1_are_read) {
  constexpr std::string_view kHex =
      "d60000000101000102030405060708090a0b0c0d0e0f000301030145057469746c650200000000000000000000000000000000"
      "01000000000000000100008098281765060000809828176506000080982817650600030605040103616e6e027b7d0102008098"
      "281765060000046275737900809828176506000004627573790462757379020000809828176506000080982817650600804362"
      "2a1765060001030001000362656e027b7d00030000809828176506000000000000000000000000000000000000020000000363"
      "61"
      "74027b7d0046ddb3aaea7ef1a9";
  std::string bytes;
  for (std::size_t i = 0; i < kHex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16)));
  }
  Machine loaded(MachineConfig{.max_receive_count = 3});
  std::size_t from = 0;
  ASSERT_TRUE(loaded
                  .load([&](char* into, std::size_t size) {
                    if (size > bytes.size() - from) return false;
                    bytes.copy(into, size, from);
                    from += size;
                    return true;
                  })
                  .ok());
  EXPECT_EQ(loaded.digest(), 0xa9f17eeaaab3dd46);  // the one that journals of then have in their checkpoints
  EXPECT_EQ(loaded.queue_stats(at(0)).dead_letters, 1u);
  const auto letter = loaded.dead_letter(id(1));
  ASSERT_TRUE(letter.ok());
  EXPECT_EQ(letter->letter.last_reason, "busy");
  ASSERT_EQ(letter->attempts.size(), 3u);
  EXPECT_FALSE(letter->attempts[0].started_at) << "was not kept then";
  Events events;
  const Redrive command;
  ASSERT_TRUE(loaded.decide(command, at(10), events).ok());
  for (const Event& event : events) loaded.evolve(event);
  events.clear();
  loaded.decide_due(at(11), 100, events);
  EXPECT_EQ(describe(events), "Redriven 1");
}

/// Written by the program as it was before events had kinds of work: one in flight after a redrive, one given
/// up in flight, one in line.
TEST(MachineSnapshot, those_of_version_2_are_read) {
  constexpr std::string_view kHex =
      "4a0100000201000102030405060708090a0b0c0d0e0f000301030101450a7469746c65206f6620450200000000000000"
      "0000000000000000000100000000000000010040c2a7281765060040d4212917650600c097eb2a176506000203000100"
      "03616e6e027b7d010140cbe428176506000304627573790089d528176506000000010140d421291765060001010089d5"
      "281765060040cbe42817650600009212291765060004627573790002008004b728176506000000000000000000000000"
      "000000000000020000000362656e00000300c046c6281765060000000000000000000000000000000000000200000003"
      "63617400000101ffffffff000000000000000000000000640000000a0000000101010100000040cbe4281765060040cb"
      "e42817650600d076032917650600c04f0329176506000000000000000000aefd5a9a80606ff276f5d4a32e4367c4";
  std::string bytes;
  for (std::size_t i = 0; i < kHex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16)));
  }
  Machine loaded(MachineConfig{.max_receive_count = 1});
  std::size_t from = 0;
  ASSERT_TRUE(loaded
                  .load([&](char* into, std::size_t size) {
                    if (size > bytes.size() - from) return false;
                    bytes.copy(into, size, from);
                    from += size;
                    return true;
                  })
                  .ok());
  EXPECT_EQ(loaded.digest(), 0xf26f60809a5afdae);
  EXPECT_EQ(loaded.event("E", at(0))->work, WorkKind::kCapacity);
  EXPECT_EQ(loaded.request_detail(id(1))->redrives, 1u);
  EXPECT_EQ(loaded.queue_stats(at(10)).in_flight, 1u);
}

/// Written by the program as it was before there were webhooks: one of work over HTTP that has won, one that
/// was returned, one in line.
TEST(MachineSnapshot, those_of_version_3_are_read) {
  constexpr std::string_view kHex =
      "df0000000301000102030405060708090a0b0c0d0e0f00030103000145057469746c6503000000000000000000618e2e"
      "17650600010000000000000001010040c2a728176506000089d5281765060040cbe42817650600010401040003616e6e"
      "027b7d0002008004b728176506000089d52817650600800df42817650600010300020003626f62000101800df4281765"
      "060004046f70656e0089d5281765060000000100000000000000000000000300c046c628176506000000000000000000"
      "00000000000000000002000000036361740000c9f34717df43f7439cf08afe4b9e38c4";
  std::string bytes;
  for (std::size_t i = 0; i < kHex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(kHex.substr(i, 2)), nullptr, 16)));
  }
  Machine loaded;
  std::size_t from = 0;
  ASSERT_TRUE(loaded
                  .load([&](char* into, std::size_t size) {
                    if (size > bytes.size() - from) return false;
                    bytes.copy(into, size, from);
                    from += size;
                    return true;
                  })
                  .ok());
  EXPECT_EQ(loaded.digest(), 0x43f743df1747f3c9);
  EXPECT_EQ(loaded.event("E", at(6))->work, WorkKind::kHttp);
  EXPECT_EQ(loaded.event("E", at(6))->webhook, Webhook{});
  EXPECT_EQ(loaded.request_detail(id(2))->attempts.size(), 1u);
}

}  // namespace
}  // namespace spillway::intake
