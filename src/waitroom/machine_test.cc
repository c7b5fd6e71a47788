// What the simulation (tests/sim) and the contract (tests/contract) do not reach: sizes, bounds, old tokens.

#include "waitroom/machine.h"

#include <gtest/gtest.h>

#include "waitroom/lottery.h"

namespace spillway::waitroom {
namespace {

class MachineTest : public testing::Test {
 protected:
  explicit MachineTest(MachineConfig config = {}) : machine_(config) {
    Events events;
    machine_.decide_seed(Seed{1}, events);
    machine_.decide_key(1, now_, events);
    apply(events);
  }
  void apply(const Events& events) {
    for (const Event& event : events) machine_.evolve(event);
  }
  Result<TicketRef> enter(const std::string& user, const std::string& concert = "C") {
    const Enter command{concert, user};
    Events events;
    auto ref = machine_.decide(command, now_, events);
    apply(events);
    return ref;
  }
  void put(Settings settings) {
    PutConcert command;
    command.concert_id = "C";
    command.settings = settings;
    command.seed = DrawSeed{9};
    Events events;
    ASSERT_TRUE(machine_.decide(command, now_, events).ok());
    apply(events);
  }
  void put_max(std::uint64_t max_active) {
    Settings settings;
    settings.max_active = max_active;
    put(settings);
  }
  void leave(TicketRef ref) {
    Events events;
    ASSERT_TRUE(machine_.decide_leave(ref, now_, events).ok());
    apply(events);
  }
  std::size_t admit(std::size_t max = limits::kMaxAdmitPerTurn) {
    Events events;
    machine_.decide_admissions(now_, max, events);
    apply(events);
    return events.size();
  }
  Machine copy() {
    std::string snapshot;
    machine_.save([&](std::string_view bytes) { snapshot.append(bytes); });
    Machine other;
    std::size_t from = 0;
    const Status loaded = other.load([&](char* into, std::size_t size) {
      if (size > snapshot.size() - from) return false;
      snapshot.copy(into, size, from);
      from += size;
      return true;
    });
    EXPECT_TRUE(loaded.ok());
    return other;
  }

  Machine machine_;
  Timestamp now_{1'800'000'000 * kSecond};
};

TEST_F(MachineTest, OneTurnLetsInNoMoreThanItMay) {
  put_max(0);
  for (int i = 0; i < 5'000; ++i) ASSERT_TRUE(enter("u" + std::to_string(i)).ok());
  put_max(5'000);
  admit(2'000);
  EXPECT_EQ(machine_.occupied(), 2'000U);
  admit(2'000);
  admit(2'000);
  EXPECT_EQ(machine_.occupied(), 5'000U);
  EXPECT_EQ(admit(), 0U) << "nobody is left";
  EXPECT_EQ(machine_.recompute_digest(), machine_.digest());
}

TEST_F(MachineTest, ManyAbsentPeopleArePassedOverInTurns) {
  put_max(0);
  constexpr int kAway = 25'000;
  for (int i = 0; i < kAway; ++i) ASSERT_TRUE(enter("u" + std::to_string(i)).ok());
  now_ = now_ + limits::kAbsentAfter;
  const TicketRef there = *enter("there");
  put_max(1);
  int turns = 0;
  while (machine_.status_of(there) == TicketStatus::kWaiting) {
    ASSERT_LT(++turns, 10);
    admit();
  }
  EXPECT_GE(turns, kAway / static_cast<int>(limits::kMaxPassedOver));
  EXPECT_EQ(machine_.concert("C", now_)->absent, std::uint64_t{kAway});
}

TEST_F(MachineTest, LookingAfterThemFindsTheAbsentBeforeTheyAreInTheWay) {
  put_max(0);
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(enter("u" + std::to_string(i)).ok());
  const TicketRef there = *enter("there");
  for (int second = 0; second < 130; ++second) {
    now_ = now_ + kSecond;
    machine_.saw(there, now_);
    Events events;
    machine_.decide_looked_after(now_, 100, events);
    EXPECT_TRUE(events.empty());
  }
  EXPECT_EQ(machine_.concert("C", now_)->absent, 1'000U);
}

TEST_F(MachineTest, APlaceIsGoodForAsLongAsItsToken) {
  put_max(0);
  const TicketRef ref = *enter("ann");
  now_ = now_ + limits::kQueueTokenLife + 61 * kSecond;
  Events events;
  machine_.decide_looked_after(now_, 100, events);
  apply(events);
  const auto view = machine_.view(ref, now_);
  EXPECT_EQ(view.error().code, ErrorCode::kTicketExpired);
  EXPECT_NE(view.error().message.find("too_old"), std::string::npos);
}

TEST_F(MachineTest, OldTicketsAreForgottenByTheChunk) {
  put_max(0);
  for (int i = 0; i < 1'000; ++i) {
    leave(*enter("u" + std::to_string(i)));
  }
  EXPECT_EQ(machine_.tickets(), 1'000U);
  now_ = now_ + limits::kGoneKept;
  Machine restarted = copy();
  for (Machine* machine : {&machine_, &restarted}) {
    Events events;
    machine->decide_forget(now_, 100, events);
    EXPECT_EQ(events.size(), 3U) << "the last chunk is still being filled";
    for (const Event& event : events) machine->evolve(event);
    EXPECT_EQ(machine->tickets(), 1'000U - 3 * 256 + 1);
    EXPECT_EQ(machine->recompute_digest(), machine->digest());
    EXPECT_EQ(machine->view({0, 5}, now_).error().code, ErrorCode::kTicketExpired);
    events.clear();
    machine->decide_forget(now_, 100, events);
    EXPECT_TRUE(events.empty());
  }
  EXPECT_EQ(restarted.digest(), machine_.digest());
}

TEST_F(MachineTest, ADrawDoesNotDependOnItsSteps) {
  std::vector<std::uint32_t> orders[3];
  const std::size_t budgets[] = {1, 777, 1'000'000};
  for (int i = 0; i < 3; ++i) {
    Draw draw(DrawSeed{3}, "C", 5'000);
    while (!draw.done()) {
      draw.step(budgets[i], [&](std::uint32_t number, std::uint32_t place) {
        orders[i].push_back(number);
        EXPECT_EQ(place, orders[i].size());
      });
    }
  }
  ASSERT_EQ(orders[0].size(), 5'000U);
  EXPECT_EQ(orders[0], orders[1]);
  EXPECT_EQ(orders[0], orders[2]);
  for (std::size_t i = 1; i < orders[0].size(); ++i) {
    EXPECT_LT(lot_of(DrawSeed{3}, "C", orders[0][i - 1]), lot_of(DrawSeed{3}, "C", orders[0][i]));
  }
}

TEST_F(MachineTest, LotsAreWhatTheDocumentSays) {
  // hashlib.sha256(bytes(range(32)) + b"CON-1" + (42).to_bytes(8, "big")).digest()[:8].hex()
  DrawSeed seed;
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(lot_of(seed, "CON-1", 42), 0xea045e7ead46cbf5);
}

TEST_F(MachineTest, ASnapshotOfOthersIsRefused) {
  put_max(1);
  ASSERT_TRUE(enter("ann").ok());
  std::string good;
  machine_.save([&](std::string_view bytes) { good.append(bytes); });
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    Machine other;
    std::size_t from = 0;
    const Status loaded = other.load([&](char* into, std::size_t size) {
      if (size > bad.size() - from) return false;
      bad.copy(into, size, from);
      from += size;
      return true;
    });
    EXPECT_FALSE(loaded.ok()) << at;
  }
}

TEST_F(MachineTest, TheWaitThatIsToldIsHowLongSlotsTakeToComeFreeAndNotHowFastTheyWereFilled) {
  Settings settings;
  settings.max_active = 100;
  settings.active_us = 300 * kSecond;
  put(settings);
  std::vector<TicketRef> refs;
  for (int i = 0; i < 400; ++i) refs.push_back(*enter("u" + std::to_string(i)));
  now_ = now_ + kSecond;  // 100 were let in at once; no more than 100 in 300 s is sure from here on
  const auto wait_s = [&](int n) { return *machine_.view(refs[n], now_)->expected_wait_s; };
  EXPECT_NEAR(wait_s(100), 3, 0.01);
  EXPECT_NEAR(wait_s(399), 900, 0.01);
  // Ten a second leave for a minute, and as many are let in.
  for (int second = 0; second < 20; ++second) {
    now_ = now_ + kSecond;
    for (int i = 0; i < 10; ++i) leave(refs[second * 10 + i]);
    admit();
  }
  EXPECT_NEAR(wait_s(399), 10, 2) << "a hundred before them, ten a second";
  settings.admit_per_second = 1;
  put(settings);
  EXPECT_NEAR(wait_s(399), 100, 1) << "as fast as is allowed";
  settings.max_active = 1'000;
  put(settings);
  EXPECT_NEAR(wait_s(399), 100, 1) << "there are slots for all of them";
  settings.admit_per_second = 0;
  settings.opens_at = now_ + 60 * kSecond;
  put(settings);
  EXPECT_EQ(wait_s(399), 0) << "at once, when it opens";
}

struct SmallMachine : MachineTest {
  SmallMachine() : MachineTest({.max_concerts = 2, .max_unconfigured = 2, .max_tickets = 3}) {}
};
TEST_F(SmallMachine, KeepsItsBounds) {
  ASSERT_TRUE(enter("a", "X").ok());
  ASSERT_TRUE(enter("a", "Y").ok());
  EXPECT_EQ(enter("a", "Z").error().code, ErrorCode::kQueueFull);
  ASSERT_TRUE(enter("b", "X").ok());
  EXPECT_EQ(enter("c", "X").error().code, ErrorCode::kQueueFull);
  EXPECT_TRUE(enter("b", "X").ok()) << "who is in stays in";
}

}  // namespace
}  // namespace spillway::waitroom
