// What every engine of the waiting room must do, seen through the port alone.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.h"
#include "contract/waitroom_engine.h"
#include "waitroom/lottery.h"

namespace spillway::waitroom::contract {
namespace {

class WaitroomContract : public testing::TestWithParam<EngineKind> {
 protected:
  void SetUp() override { engine_ = GetParam().make(); }

  Service& service() { return engine_->service(); }
  Timestamp now() { return engine_->clock().wall(); }

  Result<ConcertView> put(Settings settings, const std::string& concert = "C") {
    PutConcert command;
    command.concert_id = concert;
    command.settings = settings;
    command.seed = DrawSeed{7, 7, 7};
    return ask<ConcertView>(loop_, [&](auto reply) { service().put_concert(command, std::move(reply)); });
  }
  void put_max(std::uint64_t max_active) {
    Settings settings;
    settings.max_active = max_active;
    ASSERT_TRUE(put(settings).ok());
  }
  Result<TicketView> try_enter(const std::string& user, const std::string& concert = "C") {
    return ask<TicketView>(loop_, [&](auto reply) { service().enter({concert, user}, std::move(reply)); });
  }
  TicketView enter(const std::string& user) { return *try_enter(user); }
  std::vector<TicketRef> enter_many(int people) {
    std::vector<TicketRef> refs;
    for (int i = 1; i <= people; ++i) refs.push_back(enter("u" + std::to_string(i)).ref);
    return refs;
  }
  Result<TicketView> status(TicketRef ref) {
    return ask<TicketView>(loop_, [&](auto reply) { service().status(ref, std::move(reply)); });
  }
  Result<TicketDetail> activate(TicketRef ref) {
    return ask<TicketDetail>(loop_, [&](auto reply) { service().activate(ref, std::move(reply)); });
  }
  Result<Ok> leave(TicketRef ref) {
    return ask<Ok>(loop_, [&](auto reply) { service().leave(ref, std::move(reply)); });
  }
  ConcertView concert() {
    return *ask<ConcertView>(loop_, [&](auto reply) { service().get_concert("C", std::move(reply)); });
  }
  Result<LotteryView> lottery() {
    return ask<LotteryView>(loop_, [&](auto reply) { service().lottery("C", std::move(reply)); });
  }
  /// Everybody asks: nobody is absent.
  void all_ask(const std::vector<TicketRef>& refs) {
    const auto views = ask<std::vector<Result<TicketView>>>(
        loop_, [&](auto reply) { service().look(refs, std::move(reply)); });
    ASSERT_TRUE(views.ok());
    ASSERT_EQ(views->size(), refs.size());
  }

  WaitLoop loop_{0};
  std::unique_ptr<EngineUnderTest> engine_;
};

TEST_P(WaitroomContract, OnePersonHasOnePlaceAlsoAcrossARestart) {
  put_max(1);
  const TicketView first = enter("ann"), second = enter("ben");
  EXPECT_EQ(first.status, TicketStatus::kReady);
  EXPECT_EQ(second.status, TicketStatus::kWaiting);
  EXPECT_EQ(second.position, 1U);
  for (int restarts = 0; restarts < 2; ++restarts) {
    const TicketView again = enter("ben");
    EXPECT_EQ(again.ref, second.ref);
    EXPECT_EQ(again.key, second.key);
    EXPECT_EQ(again.entered_at, second.entered_at);
    EXPECT_EQ(again.position, 1U);
    engine_->restart();
  }
  EXPECT_NE(try_enter("ben", "D")->ref, second.ref);
}

TEST_P(WaitroomContract, PositionsCountWhoIsStillThere) {
  put_max(0);
  const auto refs = enter_many(6);
  for (std::size_t i = 0; i < refs.size(); ++i) EXPECT_EQ(status(refs[i])->position, i + 1);
  ASSERT_TRUE(leave(refs[1]).ok());
  ASSERT_TRUE(leave(refs[3]).ok());
  engine_->restart();
  EXPECT_EQ(status(refs[0])->position, 1U);
  EXPECT_EQ(status(refs[2])->position, 2U);
  EXPECT_EQ(status(refs[5])->position, 4U);
  EXPECT_EQ(status(refs[5])->total_waiting, 4U);
  EXPECT_EQ(status(refs[1]).error().code, ErrorCode::kTicketLeft);
}

TEST_P(WaitroomContract, TheCapHoldsAndAFreeSlotIsGivenAtOnce) {
  put_max(2);
  const auto refs = enter_many(6);
  ASSERT_TRUE(activate(refs[0]).ok());
  for (std::size_t leaving = 0; leaving < 4; ++leaving) {
    EXPECT_EQ(concert().ready + concert().active, 2U);
    ASSERT_TRUE(leave(refs[leaving]).ok());
    EXPECT_EQ(status(refs[leaving + 2])->status, TicketStatus::kReady) << leaving;
  }
  EXPECT_TRUE(leave(refs[0]).ok()) << "a second time as well";
}

TEST_P(WaitroomContract, LoweringTheCapThrowsNobodyOut) {
  put_max(3);
  const auto refs = enter_many(5);
  put_max(1);
  EXPECT_EQ(concert().ready, 3U);
  ASSERT_TRUE(leave(refs[0]).ok());
  ASSERT_TRUE(leave(refs[1]).ok());
  EXPECT_EQ(concert().ready, 1U);
  EXPECT_EQ(status(refs[3])->status, TicketStatus::kWaiting);
  put_max(2);
  EXPECT_EQ(status(refs[3])->status, TicketStatus::kReady);
}

TEST_P(WaitroomContract, StatesGoOneWayAndSayWhyTheyEnded) {
  put_max(1);
  const auto refs = enter_many(2);
  EXPECT_EQ(activate(refs[1]).error().code, ErrorCode::kNotYourTurn);
  const auto active = activate(refs[0]);
  ASSERT_TRUE(active.ok());
  EXPECT_EQ(active->view.status, TicketStatus::kActive);
  EXPECT_EQ(active->concert_id, "C");
  EXPECT_EQ(activate(refs[0])->view.until, active->view.until);
  ASSERT_TRUE(leave(refs[0]).ok());
  EXPECT_EQ(activate(refs[0]).error().code, ErrorCode::kTicketLeft);
  EXPECT_EQ(status({refs[0].concert, 99}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(leave({99, 1}).error().code, ErrorCode::kNotFound);
}

TEST_P(WaitroomContract, DeadlinesAreExactAndOutliveARestart) {
  Settings settings;
  settings.max_active = 2;
  settings.ready_us = 10 * kSecond;
  settings.active_us = 30 * kSecond;
  ASSERT_TRUE(put(settings).ok());
  const auto refs = enter_many(4);
  ASSERT_TRUE(activate(refs[0]).ok());
  engine_->advance(10 * kSecond - kMillisecond);
  EXPECT_EQ(status(refs[1])->status, TicketStatus::kReady);
  engine_->restart();
  all_ask(refs);
  engine_->advance(kMillisecond);
  const auto gone = status(refs[1]);
  EXPECT_EQ(gone.error().code, ErrorCode::kTicketExpired);
  EXPECT_NE(gone.error().message.find("not_activated"), std::string::npos);
  EXPECT_EQ(activate(refs[1]).error().code, ErrorCode::kTicketExpired);
  EXPECT_EQ(status(refs[2])->status, TicketStatus::kReady);
  engine_->advance(20 * kSecond - kMillisecond);
  EXPECT_EQ(status(refs[0])->status, TicketStatus::kActive);
  engine_->advance(kMillisecond);
  EXPECT_EQ(status(refs[0]).error().code, ErrorCode::kTicketExpired);
}

TEST_P(WaitroomContract, WhereIdleExtendsWhoAsksStays) {
  Settings settings;
  settings.max_active = 2;
  settings.active_us = 30 * kSecond;
  settings.idle_extends = true;
  ASSERT_TRUE(put(settings).ok());
  const auto refs = enter_many(2);
  ASSERT_TRUE(activate(refs[0]).ok());
  ASSERT_TRUE(activate(refs[1]).ok());
  for (int i = 0; i < 4; ++i) {
    engine_->advance(20 * kSecond);
    EXPECT_EQ(status(refs[0])->until, now() + 30 * kSecond);
  }
  EXPECT_EQ(status(refs[1]).error().code, ErrorCode::kTicketExpired);
  engine_->advance(30 * kSecond);
  EXPECT_EQ(status(refs[0]).error().code, ErrorCode::kTicketExpired);
}

TEST_P(WaitroomContract, TheAbsentArePassedOverAndFirstAgainWhenBack) {
  Settings settings;
  settings.max_active = 1;
  settings.ready_us = 3600 * kSecond;
  ASSERT_TRUE(put(settings).ok());
  const auto refs = enter_many(4);
  engine_->advance(61 * kSecond);
  ASSERT_TRUE(status(refs[3]).ok());
  ASSERT_TRUE(leave(refs[0]).ok());
  EXPECT_EQ(status(refs[3])->status, TicketStatus::kReady) << "the others are away";
  const auto back = status(refs[2]);
  EXPECT_EQ(back->position, 2U) << "nobody has lost a place";
  ASSERT_TRUE(status(refs[1]).ok());
  ASSERT_TRUE(leave(refs[3]).ok());
  EXPECT_EQ(status(refs[1])->status, TicketStatus::kReady) << "first again";
  engine_->advance(61 * kSecond);
  ASSERT_TRUE(leave(refs[1]).ok());
  EXPECT_EQ(concert().ready, 0U);
  EXPECT_EQ(concert().absent, 1U);
  engine_->restart();
  engine_->advance(kSecond);
  EXPECT_EQ(status(refs[2])->status, TicketStatus::kReady) << "after a restart everybody counts as just seen";
}

TEST_P(WaitroomContract, ARateShapesTheAdmission) {
  Settings settings;
  settings.max_active = 1000;
  settings.admit_per_second = 10;
  ASSERT_TRUE(put(settings).ok());
  const auto refs = enter_many(30);
  std::uint64_t before = concert().ready;
  EXPECT_LE(before, 2U);
  for (int second = 0; second < 2; ++second) {
    for (int tenth = 0; tenth < 10; ++tenth) engine_->advance(100 * kMillisecond);
    const std::uint64_t after = concert().ready;
    EXPECT_GE(after - before, 9U);
    EXPECT_LE(after - before, 11U);
    before = after;
  }
  engine_->advance(3600 * kSecond);  // nothing is saved up
}

TEST_P(WaitroomContract, NobodyIsLetInBeforeTheOpening) {
  Settings settings;
  settings.max_active = 1;
  settings.opens_at = now() + 10 * kSecond;
  ASSERT_TRUE(put(settings).ok());
  const auto refs = enter_many(3);
  EXPECT_EQ(status(refs[0])->opens_at, settings.opens_at);
  EXPECT_EQ(status(refs[2])->position, 3U);
  engine_->advance(10 * kSecond);
  EXPECT_EQ(status(refs[0])->status, TicketStatus::kReady);
  EXPECT_EQ(status(refs[2])->position, 2U);
}

TEST_P(WaitroomContract, ALotteryIsTheOneCommittedTo) {
  Settings settings;
  settings.max_active = 0;
  settings.mode = Mode::kLottery;
  EXPECT_EQ(put(settings).error().code, ErrorCode::kInvalidArgument) << "when?";
  settings.opens_at = now() + 10 * kSecond;
  ASSERT_TRUE(put(settings).ok());
  const auto refs = enter_many(200);
  EXPECT_FALSE(status(refs[0])->position.has_value());
  const auto before = lottery();
  EXPECT_EQ(before->state, DrawState::kGathering);
  EXPECT_EQ(before->commitment, commitment_of(DrawSeed{7, 7, 7}));
  EXPECT_EQ(before->seed, DrawSeed{});
  settings.mode = Mode::kFifo;
  EXPECT_EQ(put(settings).error().code, ErrorCode::kInvalidArgument) << "they wait for the draw";
  ASSERT_TRUE(leave(refs[10]).ok());
  engine_->restart();
  engine_->advance(10 * kSecond);
  EXPECT_EQ(enter("late").position, 200U) << "behind those who were drawn";
  engine_->restart();
  engine_->advance(kSecond);
  const auto after = lottery();
  ASSERT_EQ(after->state, DrawState::kDrawn);
  EXPECT_EQ(after->seed, (DrawSeed{7, 7, 7}));
  EXPECT_EQ(after->gathered, 200U);
  std::vector<std::uint32_t> order;
  for (std::uint32_t n = 1; n <= after->gathered; ++n) {
    if (n != 11) order.push_back(n);
  }
  const auto lot = [&](std::uint32_t n) { return lot_of(after->seed, "C", n); };
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return lot(a) < lot(b); });
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(status(refs[order[i] - 1])->position, i + 1) << order[i];
  }
}

TEST_P(WaitroomContract, PausedTakesNobodyNewAndOpenTakesEverybodyUpToTheCap) {
  Settings settings;
  settings.max_active = 1;
  ASSERT_TRUE(put(settings).ok());
  const auto refs = enter_many(2);
  settings.mode = Mode::kPaused;
  ASSERT_TRUE(put(settings).ok());
  EXPECT_EQ(try_enter("new").error().code, ErrorCode::kQueuePaused);
  EXPECT_EQ(enter("u2").ref, refs[1]);
  ASSERT_TRUE(leave(refs[0]).ok());
  EXPECT_EQ(status(refs[1])->status, TicketStatus::kWaiting);
  EXPECT_TRUE(status(refs[1])->paused);
  settings.mode = Mode::kOpen;
  settings.max_active = 2;
  settings.opens_at = now() + 3600 * kSecond;
  ASSERT_TRUE(put(settings).ok());
  EXPECT_EQ(status(refs[1])->status, TicketStatus::kReady);
  EXPECT_EQ(enter("new").status, TicketStatus::kReady);
  const TicketView more = enter("one more");
  EXPECT_EQ(more.status, TicketStatus::kWaiting);
  EXPECT_FALSE(more.paused);
}

TEST_P(WaitroomContract, WhatIsGoneIsForgottenInTheEnd) {
  const TicketView only = *try_enter("ann", "nobody-configured-it");
  ASSERT_TRUE(leave(only.ref).ok());
  engine_->advance(limits::kGoneKept - kSecond);
  EXPECT_EQ(status(only.ref).error().code, ErrorCode::kTicketLeft);
  engine_->advance(2 * kSecond);
  EXPECT_EQ(status(only.ref).error().code, ErrorCode::kTicketExpired);
  EXPECT_TRUE(leave(only.ref).ok());
  const auto found = ask<ConcertView>(
      loop_, [&](auto reply) { service().get_concert("nobody-configured-it", std::move(reply)); });
  EXPECT_EQ(found.error().code, ErrorCode::kNotFound);
  EXPECT_NE(try_enter("ann", "nobody-configured-it")->ref, only.ref);
  engine_->restart();
  EXPECT_EQ(status(only.ref).error().code, ErrorCode::kTicketExpired);
}

TEST_P(WaitroomContract, TheListHasEveryConcertOnceTheNewestFirst) {
  const auto list = [this](std::uint32_t limit, std::string cursor) {
    return ask<ConcertPage>(loop_, [&](auto reply) {
      service().list_concerts({limit, cursor}, std::move(reply));
    });
  };
  EXPECT_TRUE(list(10, "")->items.empty());
  put_max(1);
  enter("ann");
  enter("ben");
  ASSERT_TRUE(put({}, "D").ok());
  ASSERT_TRUE(try_enter("ann", "nobody-configured-it").ok());
  std::vector<ConcertView> all;
  std::string cursor;
  do {
    const auto page = list(2, cursor);
    ASSERT_TRUE(page.ok());
    EXPECT_LE(page->items.size(), 2U);
    all.insert(all.end(), page->items.begin(), page->items.end());
    cursor = page->next_cursor;
  } while (!cursor.empty());
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].concert_id, "nobody-configured-it");
  EXPECT_FALSE(all[0].configured);
  EXPECT_EQ(all[1].concert_id, "D");
  EXPECT_EQ(all[2].concert_id, "C");
  EXPECT_EQ(all[2].waiting, 1U);
  EXPECT_EQ(all[2].ready, 1U);
  EXPECT_EQ(all[2].settings.max_active, 1U);
  for (const char* wrong : {"x", "0", "4", "1x", "-1"}) {
    EXPECT_EQ(list(2, wrong).error().code, ErrorCode::kInvalidArgument) << wrong;
  }
}

TEST_P(WaitroomContract, WhatIsCountedBetweenTwoLooks) {
  put_max(1);
  const TicketRef first = enter("ann").ref;
  const TicketRef second = enter("ben").ref;
  const ConcertView before = concert();
  engine_->advance(20 * kSecond);  // ben waits
  EXPECT_TRUE(status(second).ok());
  enter("cid");
  EXPECT_TRUE(leave(first).ok());
  const ConcertView after = concert();
  EXPECT_EQ(after.all_entered - before.all_entered, 1U);
  EXPECT_EQ(after.all_admitted - before.all_admitted, 1U);
  EXPECT_EQ(after.all_gone - before.all_gone, 1U);
  for (std::size_t i = 0; i < after.waits.size(); ++i) {
    const bool his = i < kWaitBounds.size() && kWaitBounds[i] == 30;
    EXPECT_EQ(after.waits[i] - before.waits[i], his ? 1U : 0U) << i;
  }
}

TEST_P(WaitroomContract, NewTicketsBelongToTheNewKey) {
  put_max(0);
  const TicketView before = enter("ann");
  const auto taken = ask<Ok>(loop_, [&](auto reply) {
    service().take_key(2, {"ada", "::1"}, std::move(reply));
  });
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(enter("ben").key, 2);
  EXPECT_EQ(enter("ann").key, before.key);
}

INSTANTIATE_TEST_SUITE_P(Engines, WaitroomContract, testing::Values(EngineKind{"embedded", &make_embedded}),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace
}  // namespace spillway::waitroom::contract
