// The nouns and verbs against a server that says what the test wants: what they ask, and what they make of
// it.
#include "cli/commands.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>

#include "cli/fake_server.h"

namespace spillway::cli {
namespace {

using Asked = std::vector<std::string>;

constexpr char kEvent[] =
    R"({"eventId":"e1","title":"Concert","capacityTotal":5,"capacityRemaining":3,)"
    R"("opensAt":"2026-12-01T09:00:00.000000Z","policy":"FIRST_COME","webhook":{"url":"https://a.test/"},)"
    R"("taken":2})";

std::string problem(int status, const char* code, const char* detail) {
  return fmt::format(R"({{"type":"/problems/{0}","title":"T","status":{1},"detail":"{2}","code":"{0}"}})",
                     code, status, detail);
}

TEST(AdminCommands, APageAfterTheOtherUntilTheLimit) {
  FakeAdmin admin;
  admin.server.answers(200, R"({"items":[{"userId":"a","n":1.50}],"nextCursor":"c/1","total":3})");
  admin.server.answers(200, R"({"items":[],"nextCursor":"c2","total":3})");
  admin.server.answers(200, R"({"items":[{"userId":"b"}, {"userId":"c"}],"nextCursor":"c3","total":4})");
  admin.display.json = true;
  EXPECT_EQ(admin.run({"users", "list", "--limit", "3"}), kExitGood);
  EXPECT_EQ(admin.server.asked, (Asked{"GET /admin/users?limit=3", "GET /admin/users?limit=2&cursor=c%2F1",
                                       "GET /admin/users?limit=2&cursor=c2"}));
  EXPECT_EQ(admin.out.str(),
            R"({"items":[{"userId":"a","n":1.50},{"userId":"b"},{"userId":"c"}],"total":3,"nextCursor":"c3"})"
            "\n");
}

TEST(AdminCommands, AListIsNoLongerThanItsPages) {
  FakeAdmin admin;
  admin.server.answers(200, R"({"items":[{"userId":"a","role":"admin","disabled":true}]})");
  EXPECT_EQ(admin.run({"users", "list", "--search", "한 /&"}), kExitGood);
  EXPECT_EQ(admin.server.asked, (Asked{"GET /admin/users?q=%ED%95%9C%20%2F%26&limit=100"}));
  EXPECT_EQ(admin.out.str(),
            "USER  ROLE   DISABLED  CREATED  LAST LOGIN\na     admin  yes       -        -\n");
  EXPECT_EQ(admin.err.str(), "");
}

TEST(AdminCommands, RefusalsTellTheirCodeAndEndAsDocumented) {
  const struct {
    int status;
    const char* code;
    int exit_code;
  } rows[] = {{400, "invalid_argument", 1}, {401, "unauthenticated", 4},   {403, "forbidden", 4},
              {404, "not_found", 1},        {429, "too_many_requests", 1}, {503, "draining", 1},
              {507, "storage_full", 1}};
  for (const auto& row : rows) {
    FakeAdmin admin;
    admin.server.answers(row.status, problem(row.status, row.code, "limit is not good"));
    EXPECT_EQ(admin.run({"events", "show", "e1"}), row.exit_code) << row.code;
    const std::string expected = fmt::format("spillway: limit is not good ({}, {})", row.code, row.status);
    EXPECT_EQ(admin.err.str().substr(0, expected.size()), expected);
    EXPECT_EQ(admin.out.str(), "");
  }
}

TEST(AdminCommands, WhatIsNotSpillwayIsNotReached) {
  const std::pair<int, const char*> replies[] = {{200, "<html>"}, {404, "<html>"}, {502, ""}, {200, "[]"}};
  for (const auto& [status, body] : replies) {
    FakeAdmin admin;
    admin.server.answers(status, body);
    EXPECT_EQ(admin.run({"events", "list"}), kExitNotReachable) << status << body;
    EXPECT_NE(admin.err.str().find("--server"), std::string::npos) << admin.err.str();
  }
  FakeAdmin admin;
  admin.server.is_gone();
  EXPECT_EQ(admin.run({"queue", "pause"}), kExitNotReachable);
}

TEST(AdminCommands, WrongUsageAsksNobody) {
  const Asked rows[] = {{},
                        {"events"},
                        {"events", "fly"},
                        {"events", "show"},
                        {"events", "list", "--limit", "0"},
                        {"events", "list", "--limit", "x"},
                        {"events", "create", "e1", "--title", "T"},
                        {"requests", "list", "e1", "--status", "LOST"},
                        {"users", "role", "ann", "root"},
                        {"users", "add", "ann", "--password", "secret"},
                        {"dead-letters", "discard", "r1"},
                        {"dead-letters", "discard", "--because", "x"},
                        {"dead-letters", "discard", "--all", "r1", "--because", "x", "--yes"},
                        {"events", "change", "e1", "--opens-at", "soon"},
                        {"events", "change", "e1", "--webhook-secret", "s"}};
  for (const Asked& words : rows) {
    FakeAdmin admin;
    admin.server.answers(200, kEvent);
    EXPECT_EQ(admin.run(words), kExitUsage) << (words.empty() ? "" : words.back());
    EXPECT_NE(admin.err.str(), "");
    for (const std::string& asked : admin.server.asked) EXPECT_TRUE(asked.starts_with("GET ")) << asked;
  }
}

TEST(AdminCommands, AChangeSendsTheRestAsItWas) {
  FakeAdmin admin;
  admin.server.answers(200, kEvent);
  admin.server.answers(200, kEvent);
  EXPECT_EQ(admin.run({"events", "change", "e1", "--capacity", "9", "--opens-at", "none"}), kExitGood);
  ASSERT_EQ(admin.server.asked.size(), 2U);
  EXPECT_EQ(admin.server.asked[1],
            R"(PUT /admin/events/e1 {"capacityTotal":9,"policy":"FIRST_COME","title":"Concert"})");
}

TEST(AdminCommands, AWebhookIsSetAndTakenAway) {
  FakeAdmin admin;
  for (int i = 0; i < 2; ++i) admin.server.answers(200, kEvent);
  EXPECT_EQ(
      admin.run({"events", "change", "e1", "--webhook-url", "https://a.test/", "--webhook-secret", "shop"}),
      kExitGood);
  EXPECT_NE(admin.server.asked.back().find(R"("webhook":{"url":"https://a.test/","secretName":"shop"})"),
            std::string::npos);
  for (int i = 0; i < 2; ++i) admin.server.answers(200, kEvent);
  EXPECT_EQ(admin.run({"events", "change", "e1", "--webhook-url", "none"}), kExitGood);
  EXPECT_NE(admin.server.asked.back().find(R"("webhook":null)"), std::string::npos);
}

TEST(AdminCommands, WebhooksAreListedAndToldAgain) {
  FakeAdmin admin;
  admin.server.answers(200,
                       R"({"items":[{"requestId":"r1","eventId":"e1","userId":"ann","status":"SUCCEEDED",)"
                       R"("state":"GIVEN_UP","attempts":20,"lastReason":"HTTP 500"}]})");
  EXPECT_EQ(admin.run({"webhooks", "list", "--state", "GIVEN_UP", "--event", "e1"}), kExitGood);
  EXPECT_TRUE(admin.server.asked.back().starts_with("GET /admin/webhooks?state=GIVEN_UP&eventId=e1"))
      << admin.server.asked.back();
  EXPECT_NE(admin.out.str().find("HTTP 500"), std::string::npos);
  admin.server.answers(200, R"({"redelivered":10000,"left":7})");
  EXPECT_EQ(admin.run({"webhooks", "redeliver", "e1"}), kExitGood);
  EXPECT_EQ(admin.server.asked.back(), R"(POST /admin/webhooks/redeliver {"eventId":"e1"})");
  EXPECT_NE(admin.out.str().find("put back: 10000\nleft: 7; ask again"), std::string::npos);
  EXPECT_EQ(admin.run({"webhooks", "list", "--state", "LOST"}), kExitUsage);
}

TEST(AdminCommands, CreateDoesNotChange) {
  FakeAdmin admin;
  admin.server.answers(200, kEvent);
  EXPECT_EQ(admin.run({"events", "create", "e1", "--title", "T", "--capacity", "3"}), kExitRefused);
  EXPECT_EQ(admin.server.asked, (Asked{"GET /admin/events/e1"}));
  admin.server.answers(404, problem(404, "not_found", "no event"));
  admin.server.answers(201, kEvent);
  EXPECT_EQ(admin.run({"events", "create", "e1", "--title", "T\"", "--capacity", "0"}), kExitGood);
  EXPECT_EQ(admin.server.asked.back(),
            R"(PUT /admin/events/e1 {"capacityTotal":0,"policy":"FIRST_COME","title":"T\""})");
}

TEST(AdminCommands, WhatTheServerDidNotTakeOverIsTold) {
  FakeAdmin admin;
  admin.server.answers(404, problem(404, "not_found", "no event"));
  admin.server.answers(201, R"({"eventId":"e1","title":"T","capacityTotal":3})");
  EXPECT_EQ(admin.run({"events", "create", "e1", "--title", "T", "--capacity", "3", "--work", "http"}),
            kExitRefused);
  EXPECT_NE(admin.err.str().find("--work"), std::string::npos);
}

TEST(AdminCommands, WhatCannotBeTakenBackIsAskedFor) {
  const Asked rows[] = {{"dead-letters", "discard", "r1", "r2", "--because", "x"},
                        {"dead-letters", "redrive"},
                        {"users", "disable", "ann"}};
  for (const Asked& words : rows) {
    for (const bool is_there : {false, true}) {
      FakeAdmin admin;
      admin.terminal.is_there = is_there;
      admin.server.answers(200, R"({"matching":2,"sample":[]})");
      EXPECT_EQ(admin.run(words), kExitUsage) << words[1];
      for (const std::string& asked : admin.server.asked) {
        EXPECT_NE(asked.find("\"dryRun\":true"), std::string::npos) << asked;
      }
      EXPECT_EQ(admin.terminal.questions.size(), is_there ? 1U : 0U);
      EXPECT_EQ(admin.err.str().find("--yes") == std::string::npos, is_there) << admin.err.str();
    }
  }
}

TEST(AdminCommands, ADiscardNamesThemAndTheReason) {
  FakeAdmin admin;
  admin.terminal.is_there = admin.terminal.says_yes = true;
  admin.server.answers(200, R"({"matching":2,"sample":[]})");
  admin.server.answers(200, R"({"discarded":2})");
  EXPECT_EQ(admin.run({"dead-letters", "discard", "r1", "r2", "--reason", "boom", "--because", "tests"}),
            kExitGood);
  EXPECT_EQ(admin.server.asked.back(),
            R"(POST /admin/queues/participations/dead-letters/discard )"
            R"({"filter":{"reason":"boom","requestIds":["r1","r2"]},"reason":"tests"})");
  EXPECT_EQ(admin.out.str(), "discarded: 2\n");
}

std::string redrive(const char* state, int redriven, const char* id = "r-1") {
  return fmt::format(R"({{"redriveId":"{}","state":"{}","matching":5,"redriven":{},"filter":{{}}}})", id,
                     state, redriven);
}

TEST(AdminCommands, WaitingForARedriveEndsWithIt) {
  const struct {
    const char* state;
    const char* id;
    int exit_code;
  } rows[] = {
      {"DONE", "r-1", 0}, {"STOPPED_BY_FAILURES", "r-1", 1}, {"STOPPED", "r-1", 1}, {"RUNNING", "r-2", 1}};
  for (const auto& row : rows) {
    FakeAdmin admin;
    admin.server.answers(202, redrive("RUNNING", 0));
    admin.server.answers(200, redrive("RUNNING", 1));
    admin.server.answers(200, redrive("RUNNING", 1));
    admin.server.answers(200, redrive(row.state, 5, row.id));
    EXPECT_EQ(admin.run({"dead-letters", "redrive", "--event", "e1", "--wait", "--rate", "7"}),
              row.exit_code);
    EXPECT_EQ(admin.server.asked.front(),
              R"(POST /admin/queues/participations/dead-letters/redrive )"
              R"({"filter":{"eventId":"e1"},"ratePerSecond":7,"stopAfterFailures":10})");
    EXPECT_EQ(admin.pauses, 2);
  }
}

TEST(AdminCommands, AnAccountIsOnlyMadeByAdd) {
  const std::string others = R"({"items":[{"userId":"anne"},{"userId":"Ann"}]})";
  for (const char* verb : {"password", "enable"}) {
    FakeAdmin admin;
    admin.server.answers(200, others);
    EXPECT_EQ(admin.run({"users", verb, "ann"}), kExitRefused) << verb;
    EXPECT_EQ(admin.server.asked.size(), 1U);
  }
  FakeAdmin admin;
  admin.server.answers(200, others);
  admin.server.answers(201, R"({"userId":"ann","role":"operator","disabled":false})");
  EXPECT_EQ(admin.run({"users", "add", "ann", "--role", "operator"}), kExitGood);
  EXPECT_EQ(admin.server.asked.back(),
            R"(PUT /admin/users/ann {"password":"typed password","role":"operator"})");
  admin.server.answers(200, R"({"items":[{"userId":"ann"}]})");
  EXPECT_EQ(admin.run({"users", "add", "ann"}), kExitRefused);
  EXPECT_TRUE(admin.server.asked.back().starts_with("GET ")) << "the password of ann stays";
}

TEST(AdminCommands, WatchShowsPointsAndNoHistory) {
  FakeAdmin admin;
  admin.server.answers(
      200,
      "event: history\ndata: {\"points\":[{}],\"last\":true}\n\n"
      "event: point\ndata: {\"at\":\"2026-12-01T09:00:01Z\",\"accepted\":15,\"visible\":3,\"latency\":"
      "{\"p50\":0.005,\"p99\":null},\"paused\":true}\n\nevent: point\ndata: {}\n\n");
  EXPECT_EQ(admin.run({"queue", "watch", "--count", "2"}), kExitGood);
  const std::string text = admin.out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
  EXPECT_NE(text.find("2026-12-01 09:00:01Z        15"), std::string::npos) << text;
  EXPECT_NE(text.find("5.0 ms        -  paused\n"), std::string::npos) << text;
}

TEST(AdminCommands, AWatchThatTheServerEndsIsNoSuccess) {
  FakeAdmin admin;
  admin.server.answers(200, "event: point\ndata: {}\n\n");
  EXPECT_EQ(admin.run({"queue", "watch"}), kExitNotReachable);
  admin.server.answers(403, problem(403, "forbidden", "no"));
  EXPECT_EQ(admin.run({"queue", "watch"}), kExitNotAllowed);
}

}  // namespace
}  // namespace spillway::cli
