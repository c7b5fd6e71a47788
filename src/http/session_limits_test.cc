// Limits and trusted proxies on the path of a request.

#include <gtest/gtest.h>

#include "http/test_support.h"

namespace spillway::http {
namespace {

/// Counts for the account in the header "User"; replies 200 even past the limit when the path is /kind.
Router router() {
  const auto who = [](const Request& request, Exchange exchange) {
    // What somebody claims before it is proven costs whom he claims to be nothing.
    for (int i = 0; i < 100; ++i) request.expect_count_for(request.header("User"));
    if (Status counted = request.count_for(request.header("User")); !counted) {
      return exchange.fail(counted.error());
    }
    EXPECT_TRUE(request.count_for(request.header("User")).ok()) << "counted once however often it is asked";
    exchange.reply(Response::json(200, std::string(request.remote_address())));
  };
  Router router;
  router.add(Method::kGet, "/read", who);
  router.add(Method::kGet, "/free", who);
  router.add(Method::kPost, "/kind", [](const Request& request, Exchange exchange) {
    const bool within = request.count_for(request.header("User")).ok();
    exchange.reply(Response::json(200, within ? "first" : "again"));
  });
  router.classify([](const Router::Route& route) {
    if (route.pattern == "/read") return RouteClass::kRead;
    return route.pattern == "/kind" ? RouteClass::kParticipate : RouteClass::kNone;
  });
  return router;
}

std::shared_ptr<const RateLimits> limits(std::string_view text) {
  RateLimitSettings settings;
  EXPECT_TRUE(settings.set(text).ok());
  return std::make_shared<const RateLimits>(settings, nullptr, 1024);
}

ServerOptions behind_proxies() {
  ServerOptions options;
  options.trusted_proxies.networks.push_back(*IpNetwork::parse("192.0.2.0/24"));
  return options;
}

struct SessionLimits : testing::Test {
  explicit SessionLimits(ServerOptions options = {}) : bench(router(), std::move(options)) {}

  Answer ask(const std::string& line, const std::string& fields = "") {
    bench.feed(line + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
    return take_answer(bench.sent, line.starts_with("HEAD"));
  }
  Answer read(const std::string& user) { return ask("GET /read", "User: " + user + "\r\n"); }

  SessionBench bench;
};

TEST_F(SessionLimits, PastTheLimitOfItsAccountARequestIsToldWhenToComeAgain) {
  bench.context.limits = limits("read.account=2/8s");
  EXPECT_EQ(read("ada").status, 200);
  EXPECT_EQ(read("ada").status, 200);
  const Answer refused = read("ada");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.field("RateLimit-Policy"), "\"read-account\";q=2;w=8");
  const std::string wait = refused.field("Retry-After");
  EXPECT_EQ(refused.field("RateLimit"), "\"read-account\";r=0;t=" + wait);
  EXPECT_EQ(refused.field("Content-Type"), "application/problem+json");
  EXPECT_NE(refused.body.find("\"code\":\"rate_limited\""), std::string::npos) << refused.body;
  EXPECT_EQ(read("bob").status, 200) << "another account";
  bench.advance(std::stoi(wait) * kSecond);
  const Answer again = read("ada");
  EXPECT_EQ(again.status, 200) << "after the time that was told";
  EXPECT_EQ(again.field("RateLimit"), "");
}

TEST_F(SessionLimits, AnAddressIsRefusedBeforeTheHandlerIsAsked) {
  bench.context.limits = limits("read.address=1/8s,read.account=1/8s");
  EXPECT_EQ(read("ada").status, 200);
  const Answer refused = read("bob");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.field("RateLimit-Policy"), "\"read-address\";q=1;w=8");
  EXPECT_EQ(bench.context.limits->refused(RouteClass::kRead, LimitBy::kAccount), 0U);
  EXPECT_TRUE(bench.session->wants_input()) << "the connection goes on";
}

TEST_F(SessionLimits, WhatHasNoClassAndWhatIsNoRouteIsNeverLimited) {
  bench.context.limits = limits("read.address=1/8s,read.account=1/8s");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ask("GET /free").status, 200);
    EXPECT_EQ(ask("OPTIONS /read").status, 204);
    EXPECT_EQ(ask("DELETE /read").status, 405);
    EXPECT_EQ(ask("GET /nothing").status, 404);
  }
  EXPECT_EQ(read("ada").status, 200);
  EXPECT_EQ(ask("HEAD /read", "User: ada\r\n").status, 429) << "as GET is";
}

TEST_F(SessionLimits, AHandlerMayAnswerAllTheSame) {
  bench.context.limits = limits("participate.account=1/8s");
  EXPECT_EQ(ask("POST /kind", "User: ada\r\n").body, "first");
  const Answer again = ask("POST /kind", "User: ada\r\n");
  EXPECT_EQ(again.body, "again");
  EXPECT_EQ(again.field("RateLimit"), "") << "only a 429 tells of limits";
  EXPECT_EQ(again.field("Retry-After"), "");
}

TEST_F(SessionLimits, OtherLimitsHoldFromTheNextRequestOn) {
  bench.context.limits = limits("read.account=1/8s");
  EXPECT_EQ(read("ada").status, 200);
  EXPECT_EQ(read("ada").status, 429);
  RateLimitSettings raised;
  ASSERT_TRUE(raised.set("read.account=2/8s").ok());
  bench.context.limits = std::make_shared<const RateLimits>(raised, bench.context.limits.get());
  EXPECT_EQ(read("ada").status, 200);
  EXPECT_EQ(read("ada").status, 429);
  bench.context.limits = nullptr;
  EXPECT_EQ(read("ada").status, 200);
}

struct SessionBehindProxies : SessionLimits {
  SessionBehindProxies() : SessionLimits(behind_proxies()) {}
  Answer from(const std::string& forwarded) {
    return ask("GET /read", "X-Forwarded-For: " + forwarded + "\r\n");
  }
};

TEST_F(SessionBehindProxies, EveryRequestOfAConnectionHasItsOwnClient) {
  bench.context.limits = limits("read.address=1/8s");
  EXPECT_EQ(from("198.51.100.1").body, "198.51.100.1");
  EXPECT_EQ(from("198.51.100.2").body, "198.51.100.2");
  EXPECT_EQ(from("198.51.100.1").status, 429);
  EXPECT_EQ(from("203.0.113.5, 198.51.100.1").status, 429) << "what the client made up does not free it";
  EXPECT_EQ(read("ada").body, "192.0.2.1") << "nothing is left over from the request before";
}

struct SessionBehindNoProxy : SessionLimits {};

TEST_F(SessionBehindNoProxy, AStrangersWordDoesNotCount) {
  bench.context.limits = limits("read.address=1/8s");
  EXPECT_EQ(ask("GET /read", "X-Forwarded-For: 198.51.100.1\r\n").body, "192.0.2.1");
  EXPECT_EQ(ask("GET /read", "X-Forwarded-For: 198.51.100.2\r\n").status, 429);
}

TEST(SessionAccessLog, TellsTheClientBehindAProxy) {
  std::vector<std::string> remotes;
  ServerOptions options = behind_proxies();
  options.access_log = [&](const AccessEntry& entry) { remotes.emplace_back(entry.remote_address); };
  SessionBench bench(router(), std::move(options));
  bench.feed("GET /free HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n");
  bench.feed("GET /free HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(remotes, (std::vector<std::string>{"198.51.100.1", "192.0.2.1"}));
}

}  // namespace
}  // namespace spillway::http
