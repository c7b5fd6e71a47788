#include "intake/routes_held.h"

#include <gtest/gtest.h>

#include <deque>

#include "http/test_support.h"
#include "identity/revocation_view.h"

namespace spillway::intake {
namespace {

using http::Answer;
using http::Method;

/// One person who waits for one request; the test plays the service.
struct RoutesHeld : testing::Test {
  struct Asked {
    GetRequest command;
    Reply<RequestView> reply;
  };

  http::Router router() {
    http::Router router;
    const auto add = [&](const char* path, auto hold) {
      router.add(Method::kGet, path, [this, hold](const http::Request& request, http::Exchange exchange) {
        auto caller = gate.caller(request);
        ASSERT_TRUE(caller.ok());
        GetRequest command{"r1", caller->user_id, wait_us, {}};
        const auto ask = [this](GetRequest each, Reply<RequestView> reply) {
          asked.push_back({std::move(each), std::move(reply)});
        };
        hold(gate, ask, std::move(*caller), std::move(command), std::move(exchange));
      });
    };
    add("/wait", hold_view);
    add("/stream", stream_view);
    return router;
  }
  void get(const std::string& path, Micros lifetime = 3600 * kSecond) {
    const Timestamp now = bench.clock.wall();
    const std::string token = tokens.issue("ada", identity::Role::kUser, now, now + lifetime);
    bench.feed("GET " + path + " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + token + "\r\n\r\n");
  }
  /// Answers what was asked, as the service does when the status is another or the wait is over.
  void answer(RequestStatus status, bool after_its_wait = false) {
    ASSERT_EQ(asked.size(), 1U);
    Asked one = std::move(asked.front());
    asked.pop_front();
    if (after_its_wait) bench.advance(one.command.wait_us);
    RequestView view;
    view.request_id = "r1";
    view.event_id = "E";
    view.status = status;
    one.reply(std::move(view));
    bench.settle();
  }
  void revoke() { revocations.sign_out("ada", bench.clock.wall()); }
  bool ended() const { return bench.sent.ends_with("0\r\n\r\n"); }

  identity::TokenAuthority tokens{identity::KeyRing{}, "open"};
  identity::RevocationView revocations;
  std::deque<Asked> asked;
  Micros wait_us = limits::kMaxWait;
  http::SessionBench bench{router()};
  identity::Gate gate{tokens, bench.clock, "", &revocations};
};

TEST_F(RoutesHeld, AWaitIsTheServicesInPieces) {
  get("/wait");
  EXPECT_EQ(asked.front().command.wait_us, 0) << "what is it now?";
  answer(RequestStatus::kQueued);
  for (int piece = 0; piece < 3; ++piece) {
    EXPECT_EQ(bench.sent, "");
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked.front().command.seen, RequestStatus::kQueued);
    EXPECT_EQ(asked.front().command.wait_us, limits::kHeldTokenCheckEvery);
    answer(RequestStatus::kQueued, true);
  }
  const Answer told = http::take_answer(bench.sent);
  EXPECT_EQ(told.status, 200);
  EXPECT_EQ(told.field("Retry-After"), "1");
  EXPECT_TRUE(asked.empty());
}

TEST_F(RoutesHeld, AWaitEndsWithTheChange) {
  get("/wait");
  answer(RequestStatus::kQueued);
  answer(RequestStatus::kQueued, true);
  answer(RequestStatus::kProcessing);
  const Answer told = http::take_answer(bench.sent);
  EXPECT_EQ(told.status, 200);
  EXPECT_NE(told.body.find("PROCESSING"), std::string::npos);
}

TEST_F(RoutesHeld, AShortWaitIsAskedOnce) {
  wait_us = 2 * kSecond;
  get("/wait");
  EXPECT_EQ(asked.front().command.wait_us, 2 * kSecond);
  EXPECT_FALSE(asked.front().command.seen);
  answer(RequestStatus::kProcessing);
  EXPECT_EQ(http::take_answer(bench.sent).status, 200);
}

TEST_F(RoutesHeld, AWaitIsNotAnsweredToWhoWasSignedOutMeanwhile) {
  get("/wait");
  answer(RequestStatus::kQueued);
  revoke();
  answer(RequestStatus::kSucceeded);
  const Answer told = http::take_answer(bench.sent);
  EXPECT_EQ(told.status, 401);
  EXPECT_EQ(told.body.find("SUCCEEDED"), std::string::npos);
}

TEST_F(RoutesHeld, AWaitEndsWhenTheTokenExpires) {
  get("/wait", 12 * kSecond);
  answer(RequestStatus::kQueued);
  answer(RequestStatus::kQueued, true);
  EXPECT_EQ(asked.front().command.wait_us, 2 * kSecond) << "no longer than the token lasts";
  answer(RequestStatus::kQueued, true);
  EXPECT_EQ(http::take_answer(bench.sent).status, 401);
}

TEST_F(RoutesHeld, AStreamEndsWhenTheTokenExpires) {
  get("/stream", 15 * kSecond);
  answer(RequestStatus::kQueued);
  EXPECT_EQ(asked.front().command.wait_us, limits::kHeldTokenCheckEvery);
  answer(RequestStatus::kQueued, true);
  EXPECT_FALSE(ended());
  EXPECT_EQ(asked.front().command.wait_us, 5 * kSecond);
  answer(RequestStatus::kQueued, true);
  EXPECT_TRUE(ended());
  EXPECT_TRUE(asked.empty());
}

TEST_F(RoutesHeld, AStreamTellsNothingMoreToWhoWasSignedOut) {
  get("/stream");
  answer(RequestStatus::kQueued);
  answer(RequestStatus::kProcessing);
  revoke();
  answer(RequestStatus::kSucceeded);
  EXPECT_TRUE(ended());
  EXPECT_NE(bench.sent.find("PROCESSING"), std::string::npos);
  EXPECT_EQ(bench.sent.find("SUCCEEDED"), std::string::npos);
}

TEST_F(RoutesHeld, AStreamGoesOnUntilTheRequestIsFinal) {
  get("/stream");
  answer(RequestStatus::kQueued);
  answer(RequestStatus::kQueued, true);
  answer(RequestStatus::kSucceeded);
  EXPECT_TRUE(ended());
  EXPECT_NE(bench.sent.find("SUCCEEDED"), std::string::npos);
}

}  // namespace
}  // namespace spillway::intake
