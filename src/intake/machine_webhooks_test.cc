// Final states and their telling.

#include <gtest/gtest.h>

#include "intake/machine_fixture.h"

namespace spillway::intake {
namespace {

using R = WebhookResult;

const std::string kUrl = "https://a.example/hook";
const std::string kOther = "https://b.example/hook";

class Webhooks : public testing::Test {
 protected:
  void put(const std::string& event, std::uint64_t capacity, std::optional<Webhook> webhook, Timestamp now,
           Timestamp closes = {}) {
    PutEvent command{event, "title of " + event, capacity, {}, closes};
    command.webhook = std::move(webhook);
    const auto reply = m.decide(command, now);
    ASSERT_TRUE(reply.ok()) << reply.error().message;
    EXPECT_EQ(reply->webhook, m.machine().event(event, now)->webhook);
  }
  /// Somebody joins and wins.
  void win(const std::string& event, const std::string& user, Timestamp now) {
    m.join(event, user, now);
    m.complete(m.receive(now).at(0).receipt, WorkResult::kSucceed, now);
  }
  std::vector<WebhookJob> due(Timestamp now, std::size_t max = 100) {
    const WebhookRoom room{[this](std::string_view url) {
                             const auto found = rooms.find(std::string(url));
                             return found == rooms.end() ? std::size_t{100} : found->second;
                           },
                           [this](std::uint64_t id) { return out.contains(id); }};
    return m.machine().due_webhooks(now, max, room, cursor);
  }
  std::vector<std::uint64_t> due_ids(Timestamp now, std::size_t max = 100) {
    std::vector<std::uint64_t> ids;
    for (const WebhookJob& job : due(now, max)) ids.push_back(job.id);
    return ids;
  }
  void complete(std::uint64_t id, std::uint32_t attempt, R result, Timestamp now, Micros after = 0) {
    m.decide(CompleteWebhooks{{{id, attempt, result, 500, result == R::kDelivered ? "" : "HTTP 500", after}}},
             now);
  }
  WebhookView view(std::uint64_t number) { return *m.detail(number).webhook; }
  std::string redeliver(const std::string& event, Timestamp now) {
    const auto result = m.decide(RedeliverWebhooks{event, {}}, now);
    return result ? fmt::format("{} {}", result->redelivered, result->left) : result.error().message;
  }
  /// The same after a snapshot.
  void same_after_reload() {
    const Machine loaded = m.reload();
    EXPECT_EQ(loaded.digest(), m.machine().digest());
    EXPECT_EQ(loaded.recompute_digest(), loaded.digest());
    EXPECT_EQ(loaded.webhooks_pending(), m.machine().webhooks_pending());
  }

  MachineFixture m{MachineConfig{
      .max_receive_count = 3, .retention_us = 100 * kSecond, .webhook_max_age_us = 1'000 * kSecond}};
  std::map<std::string, std::size_t> rooms;
  std::set<std::uint64_t> out;
  WebhookCursor cursor{};
};

TEST_F(Webhooks, AreSetKeptChangedAndRemoved) {
  put("E", 1, std::nullopt, at(0));
  EXPECT_EQ(m.events(), "EventPut 0");
  put("E", 1, Webhook{kUrl, "shop"}, at(1));
  EXPECT_EQ(m.events(), "WebhookSet 0 'https://a.example/hook'");
  put("E", 1, Webhook{kUrl, "shop"}, at(2));
  EXPECT_EQ(m.events(), "");
  put("E", 2, std::nullopt, at(3));
  EXPECT_EQ(m.events(), "EventPut 0");
  EXPECT_EQ(m.machine().event("E", at(3))->webhook, (Webhook{kUrl, "shop"}));
  EXPECT_EQ(m.reload().event("E", at(3))->webhook, (Webhook{kUrl, "shop"}));
  put("E", 2, Webhook{kUrl, ""}, at(4));
  EXPECT_EQ(m.events(), "WebhookSet 0 'https://a.example/hook'");
  put("E", 2, Webhook{}, at(5));
  EXPECT_EQ(m.events(), "WebhookSet 0 ''");
  put("NEW", 2, Webhook{}, at(5));
  EXPECT_EQ(m.events(), "EventPut 1");
}

TEST_F(Webhooks, EveryEndIsToldAndWhatIsNotFinalIsNot) {
  put("E", 2, Webhook{kUrl, ""}, at(0));
  for (const char* user : {"a", "b", "c", "d"}) m.join("E", user, at(1));
  const auto deliveries = m.receive(at(2));
  ASSERT_EQ(deliveries.size(), 2u);
  EXPECT_FALSE(m.machine().has_due_webhooks(at(2)));
  m.complete(deliveries[0].receipt, WorkResult::kInvalid, at(3), 0, "broken");
  m.complete(deliveries[1].receipt, WorkResult::kRetry, at(3), 0, "busy");
  EXPECT_EQ(due_ids(at(3)), (std::vector<std::uint64_t>{1})) << "a retry is no end";
  m.decide(DoDue{}, at(4));
  for (const Delivery& d : m.receive(at(4))) m.complete(d.receipt, WorkResult::kSucceed, at(4));
  m.receive(at(4));  // refuses the last
  std::map<std::string, std::string> told;
  for (const WebhookJob& job : due(at(4))) {
    told[job.user_id] = fmt::format("{} {}", name(job.request.status), name(job.request.result_code));
    EXPECT_EQ(job.to.url, kUrl);
    EXPECT_EQ(job.attempt, 1u);
    EXPECT_EQ(job.delivery_id, fmt::format("{}.{}", job.request.request_id, job.id));
  }
  EXPECT_EQ(told, (std::map<std::string, std::string>{{"a", "FAILED_FINAL FAILED_INVALID_MESSAGE"},
                                                      {"b", "SUCCEEDED SUCCESS"},
                                                      {"c", "SUCCEEDED SUCCESS"},
                                                      {"d", "REJECTED REJECTED_CAPACITY"}}));
  same_after_reload();
}

TEST_F(Webhooks, AnEventWithoutOneHasNothingToTellAndWhatWasFinalBeforeIsNotTold) {
  put("E", 9, std::nullopt, at(0));
  win("E", "a", at(1));
  EXPECT_FALSE(m.detail(1).webhook);
  put("E", 9, Webhook{kUrl, ""}, at(2));
  win("E", "b", at(3));
  put("E", 9, Webhook{}, at(4));
  win("E", "c", at(5));
  EXPECT_FALSE(m.detail(1).webhook);
  EXPECT_TRUE(m.detail(2).webhook);
  EXPECT_FALSE(m.detail(3).webhook);
  EXPECT_EQ(m.machine().webhooks_pending(), 1u);
}

TEST_F(Webhooks, AttemptsTable) {
  put("E", 9, Webhook{kUrl, ""}, at(0));
  win("E", "a", at(1));
  complete(1, 2, R::kDelivered, at(2));
  EXPECT_EQ(m.events(), "") << "another attempt than the one that is due";
  complete(2, 1, R::kDelivered, at(2));
  EXPECT_EQ(m.events(), "") << "there is no such delivery";
  complete(1, 1, R::kRetry, at(2), 10 * kSecond);
  EXPECT_EQ(m.events(), "WebhooksTried 1 retry");
  EXPECT_EQ(view(1).next_attempt_at, at(12));
  EXPECT_EQ(view(1).last_reason, "HTTP 500");
  EXPECT_EQ(view(1).last_status, 500);
  EXPECT_EQ(due_ids(at(11.9)), std::vector<std::uint64_t>{});
  EXPECT_FALSE(m.machine().has_due_webhooks(at(11.9)));
  EXPECT_EQ(due_ids(at(12)), (std::vector<std::uint64_t>{1}));
  EXPECT_EQ(due(at(12)).at(0).attempt, 2u);
  complete(1, 1, R::kGiveUp, at(12));
  EXPECT_EQ(m.events(), "") << "an answer to the first that came late";
  same_after_reload();
  complete(1, 2, R::kDelivered, at(13));
  EXPECT_EQ(view(1).state, WebhookState::kDelivered);
  EXPECT_EQ(view(1).ended_at, at(13));
  complete(1, 3, R::kRetry, at(14));
  EXPECT_EQ(m.events(), "") << "it has ended";
  EXPECT_EQ(m.machine().webhooks_pending(), 0u);
  same_after_reload();
}

TEST_F(Webhooks, OneOutcomeOfEachCountsInOneCommand) {
  put("E", 9, Webhook{kUrl, ""}, at(0));
  win("E", "a", at(1));
  m.decide(CompleteWebhooks{{{1, 1, R::kRetry, 0, "x", 0}, {1, 1, R::kDelivered, 200, "", 0}}}, at(2));
  EXPECT_EQ(m.events(), "WebhooksTried 1 retry");
}

TEST_F(Webhooks, WhatIsGivenUpCanBePutBack) {
  put("E", 9, Webhook{kUrl, ""}, at(0));
  for (const char* user : {"a", "b", "c"}) win("E", user, at(1));
  EXPECT_EQ(redeliver("NONE", at(2)), "no such event");
  EXPECT_EQ(redeliver("E", at(2)), "0 0");
  complete(1, 1, R::kGiveUp, at(2));
  complete(2, 1, R::kRetry, at(2), kSecond);
  complete(3, 1, R::kDelivered, at(2));
  EXPECT_EQ(view(1).state, WebhookState::kGivenUp);
  EXPECT_EQ(redeliver("E", at(900)), "1 0");
  EXPECT_EQ(m.events(), "WebhooksPutBack 1");
  EXPECT_EQ(view(1).state, WebhookState::kPending);
  EXPECT_EQ(view(1).attempts, 1u);
  const auto jobs = due(at(900));
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[1].id, 1u);
  EXPECT_EQ(jobs[1].attempt, 2u);
  EXPECT_EQ(jobs[1].tries, 1u) << "as if it were new";
  same_after_reload();
  m.decide(DoDue{}, at(1'100));
  EXPECT_EQ(m.events(), "WebhooksTried 2 expired") << "its time begins again as well";
  put("E", 9, Webhook{}, at(1'100));
  EXPECT_EQ(redeliver("E", at(1'100)), "eventId: the event has no webhook now; give it one first");
}

TEST_F(Webhooks, WhatCouldNotBeToldInTimeIsGivenUp) {
  put("E", 9, Webhook{kUrl, ""}, at(0));
  win("E", "a", at(1));
  win("E", "b", at(2));
  complete(2, 1, R::kRetry, at(3), 3'000 * kSecond);
  m.decide(DoDue{}, at(1'000.9));
  EXPECT_EQ(m.events(), "");
  m.decide(DoDue{}, at(1'001));
  EXPECT_EQ(m.events(), "WebhooksTried 1 expired");
  EXPECT_EQ(view(1).state, WebhookState::kGivenUp);
  EXPECT_EQ(view(1).attempts, 0u);
  m.decide(DoDue{}, at(1'002));
  EXPECT_EQ(view(2).last_reason, "could not be told in time");
  EXPECT_EQ(view(2).last_status, 500) << "of its last answer";
  complete(2, 2, R::kDelivered, at(1'003));
  EXPECT_EQ(m.events(), "") << "too late";
  same_after_reload();
}

TEST_F(Webhooks, ARedriveTakesBackWhatIsPendingAndTellsTheNewEnd) {
  put("E", 9, Webhook{kUrl, ""}, at(0));
  const auto die = [&](const char* user, Timestamp now) {
    m.join("E", user, now);
    for (int i = 0; i < 3; ++i) {
      m.complete(m.receive(now).at(0).receipt, WorkResult::kRetry, now, 0, "no");
      m.decide(DoDue{}, now);
    }
  };
  die("pending", at(1));
  die("delivered", at(2));
  die("given up", at(3));
  complete(2, 1, R::kDelivered, at(4));
  complete(3, 1, R::kGiveUp, at(4));
  ASSERT_TRUE(m.decide(Redrive{}, at(5)).ok());
  m.decide(DoDue{}, at(6));
  EXPECT_EQ(m.events(), "Redriven 1 2 3");
  EXPECT_EQ(m.machine().webhooks_pending(), 0u) << "nothing final to tell";
  EXPECT_FALSE(m.detail(1).webhook);
  EXPECT_EQ(redeliver("E", at(6)), "0 0") << "what was given up is no longer so";
  same_after_reload();
  for (const Delivery& d : m.receive(at(7))) m.complete(d.receipt, WorkResult::kSucceed, at(7));
  EXPECT_EQ(due_ids(at(7)), (std::vector<std::uint64_t>{4, 5, 6}));
  EXPECT_EQ(view(2).status, RequestStatus::kSucceeded);
  const auto log = m.machine().list(ListWebhooks{});
  ASSERT_EQ(log->items.size(), 5u) << "with what was told before";
  EXPECT_EQ(log->items[4].status, RequestStatus::kFailedFinal);
  complete(1, 1, R::kDelivered, at(8));
  EXPECT_EQ(m.events(), "") << "an answer about what was taken back";
  same_after_reload();
}

TEST_F(Webhooks, WhatHasStillToBeToldIsNotForgotten) {
  put("E", 9, Webhook{kUrl, ""}, at(0), at(10));
  win("E", "a", at(1));
  win("E", "b", at(1));
  complete(2, 1, R::kDelivered, at(2));
  m.decide(DoDue{}, at(500));
  EXPECT_EQ(m.events(), "");
  same_after_reload();
  complete(1, 1, R::kRetry, at(501), kSecond);
  m.decide(DoDue{}, at(502));
  EXPECT_EQ(m.events(), "");
  complete(1, 2, R::kGiveUp, at(503));
  EXPECT_EQ(redeliver("E", at(504)), "1 0");
  m.decide(DoDue{}, at(504));
  EXPECT_EQ(m.events(), "") << "has to be told again";
  complete(1, 3, R::kDelivered, at(505));
  m.decide(DoDue{}, at(506));
  EXPECT_EQ(m.events(), "Retired 2 of 0");
  EXPECT_TRUE(m.machine().list(ListWebhooks{})->items.empty()) << "forgotten with its request";
  same_after_reload();
}

TEST_F(Webhooks, ASecondOfTheLineThatIsPendingEndsTheForgetting) {
  put("E", 9, Webhook{kUrl, ""}, at(0), at(10));
  for (const char* user : {"a", "b", "c"}) win("E", user, at(1));
  complete(1, 1, R::kDelivered, at(2));
  complete(3, 1, R::kDelivered, at(2));
  m.decide(DoDue{}, at(500));
  EXPECT_EQ(m.events(), "Retired 1 of 0");
  m.decide(DoDue{}, at(501));
  EXPECT_EQ(m.events(), "");
  complete(2, 1, R::kDelivered, at(502));
  m.decide(DoDue{}, at(503));
  EXPECT_EQ(m.events(), "Retired 2 of 0");
}

TEST_F(Webhooks, ReceiversAreServedInTurnAndEachAsFarAsItHasRoom) {
  put("A1", 9, Webhook{kUrl, ""}, at(0));
  put("A2", 9, Webhook{kUrl, ""}, at(0));
  put("B", 9, Webhook{kOther, ""}, at(0));
  for (const char* user : {"u", "v", "w"}) win("A1", user, at(1));  // 1 2 3
  for (const char* user : {"u", "v"}) win("A2", user, at(2));       // 4 5
  for (const char* user : {"u", "v"}) win("B", user, at(3));        // 6 7
  EXPECT_EQ(due_ids(at(4)), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7}));
  rooms[kUrl] = 2;
  EXPECT_EQ(due_ids(at(4)), (std::vector<std::uint64_t>{1, 2, 6, 7}));
  rooms[kUrl] = 0;
  EXPECT_EQ(due_ids(at(4)), (std::vector<std::uint64_t>{6, 7}));
  rooms.clear();
  out = {1, 2, 3, 4};
  EXPECT_EQ(due_ids(at(4)), (std::vector<std::uint64_t>{5, 6, 7})) << "what is out is passed over";
  out.clear();
  cursor = {};
  EXPECT_EQ(due_ids(at(4), 2), (std::vector<std::uint64_t>{1, 2}));
  out = {1, 2};
  EXPECT_EQ(due_ids(at(4), 2), (std::vector<std::uint64_t>{6, 7})) << "the next receiver's turn";
  EXPECT_EQ(due_ids(at(4), 2), (std::vector<std::uint64_t>{3, 4}));
  put("A1", 9, Webhook{kOther, ""}, at(5));
  put("A2", 9, Webhook{}, at(5));
  out.clear();
  std::map<std::string, std::set<std::uint64_t>> by_url;
  for (const WebhookJob& job : due(at(5))) by_url[job.to.url].insert(job.id);
  EXPECT_EQ(by_url,
            (std::map<std::string, std::set<std::uint64_t>>{{kOther, {1, 2, 3, 6, 7}}, {"", {4, 5}}}));
}

TEST_F(Webhooks, ASearchLooksAtSoManyReceiversAndTheNextGoesOn) {
  m.recompute_each_step(false);
  const std::size_t receivers = limits::kMaxWebhookScan + 50;
  for (std::size_t i = 0; i < receivers; ++i) {
    const std::string url = fmt::format("https://{}.example/", i);
    put(fmt::format("E{}", i), 1, Webhook{url, ""}, at(0));
    win(fmt::format("E{}", i), "u", at(1));
    rooms[url] = i + 1 == receivers ? 1 : 0;
  }
  std::size_t looked_at = 0;
  const WebhookRoom room{[&](std::string_view url) {
                           ++looked_at;
                           return rooms.at(std::string(url));
                         },
                         [](std::uint64_t) { return false; }};
  EXPECT_TRUE(m.machine().due_webhooks(at(2), 10, room, cursor).empty());
  EXPECT_EQ(looked_at, limits::kMaxWebhookScan);
  EXPECT_EQ(m.machine().due_webhooks(at(2), 10, room, cursor).size(), 1u);
}

TEST_F(Webhooks, TheLogKeepsTheNewestOfThoseThatEnded) {
  m.recompute_each_step(false);
  const std::size_t more = limits::kMaxWebhooksKept + 3;
  put("E", more + 1, Webhook{kUrl, ""}, at(0));
  CompleteWebhooks all;
  for (std::size_t i = 1; i <= more; ++i) {
    m.join("E", fmt::format("u{}", i), at(1));
    all.outcomes.push_back({i, 1, R::kDelivered, 200, "", 0});
  }
  for (auto deliveries = m.receive(at(2), 1'000); !deliveries.empty(); deliveries = m.receive(at(2), 1'000)) {
    Complete done;
    for (const Delivery& d : deliveries)
      done.outcomes.push_back({d.receipt, WorkResult::kSucceed, {}, "", 0});
    m.decide(done, at(2));
  }
  win("E", "last", at(2));
  m.decide(all, at(3));
  EXPECT_EQ(m.machine().webhooks_pending(), 1u);
  EXPECT_FALSE(m.detail(3).webhook);
  EXPECT_TRUE(m.detail(4).webhook);
  EXPECT_EQ(m.machine().digest(), m.machine().recompute_digest());
}

TEST_F(Webhooks, TheLogIsListedByStateAndEventPageByPage) {
  put("A", 9, Webhook{kUrl, ""}, at(0));
  put("B", 9, Webhook{kUrl, ""}, at(0));
  for (const char* user : {"u", "v", "w"}) {
    win("A", user, at(1));
    win("B", user, at(1));
  }
  complete(2, 1, R::kDelivered, at(2));
  complete(3, 1, R::kGiveUp, at(2));
  const auto ids = [&](ListWebhooks query) {
    std::string all;
    do {
      const auto page = m.machine().list(query);
      EXPECT_TRUE(page.ok());
      EXPECT_LE(page->items.size(), query.limit);
      for (const WebhookView& item : page->items)
        all += item.delivery_id.substr(item.delivery_id.find('.') + 1) + " ";
      query.cursor = page->next_cursor;
    } while (!query.cursor.empty());
    return all;
  };
  EXPECT_EQ(ids({}), "6 5 4 3 2 1 ");
  EXPECT_EQ(ids({.limit = 1}), "6 5 4 3 2 1 ");
  EXPECT_EQ(ids({.event_id = "A", .limit = 2}), "5 3 1 ");
  EXPECT_EQ(ids({.state = WebhookState::kPending, .limit = 3}), "6 5 4 1 ");
  EXPECT_EQ(ids({.state = WebhookState::kGivenUp}), "3 ");
  EXPECT_EQ(ids({.state = WebhookState::kDelivered, .event_id = "A"}), "");
  EXPECT_FALSE(m.machine().list(ListWebhooks{.event_id = "NONE"}).ok());
  EXPECT_FALSE(m.machine().list(ListWebhooks{.cursor = "x"}).ok());
  EXPECT_FALSE(m.machine().list(ListWebhooks{.cursor = "5x"}).ok());
}

}  // namespace
}  // namespace spillway::intake
