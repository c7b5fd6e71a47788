#include "http/rate_limits.h"

#include <gtest/gtest.h>

#include <thread>

namespace spillway::http {
namespace {

constexpr Micros kNow = 1'000 * kSecond;
constexpr std::size_t kEntries = 1024;

RateLimitSettings settings(std::string_view text) {
  RateLimitSettings made;
  EXPECT_TRUE(made.set(text).ok()) << text;
  return made;
}

IpAddress address(std::string_view text) { return *IpAddress::parse(text); }

/// How many of `times` requests are let through.
int counted(const RateLimits& limits, RouteClass c, std::string_view account, int times, Micros now = kNow) {
  int passed = 0;
  LimitRefusal refusal;
  for (int i = 0; i < times; ++i) passed += limits.count(c, LimitBy::kAccount, account, now, refusal);
  return passed;
}

TEST(RateLimitSettings, AreReadAndToldInOneForm) {
  const struct {
    const char* given;
    const char* told;
  } rows[] = {
      {"participate.account=20/10s", "participate.account=20/10s"},
      {"read.address=1000/5m", "read.address=1000/300s"},
      {"admin.account=7/1h", "admin.account=7/3600s"},
      {"stream.account=1/24h", "stream.account=1/86400s"},
      {" login.address=5/1s , read.account=2/1s", "login.address=5/1s,read.account=2/1s"},
      {"read.account=2/1s,read.account=3/1s", "read.account=3/1s"},
      {"read.account=2/1s,read.account=off", ""},
  };
  for (const auto& row : rows) EXPECT_EQ(settings(row.given).text(), row.told) << row.given;
  EXPECT_EQ(RateLimitSettings::defaults().text(), "participate.account=100/10s");
  EXPECT_EQ(settings("read.account=2/1s,login.address=3/2s").to_json(),
            R"({"login.address":"3/2s","read.account":"2/1s"})");
  EXPECT_TRUE(RateLimitSettings{}.empty());
}

TEST(RateLimitSettings, RefusalsNameTheLimitAndChangeNothing) {
  const struct {
    const char* given;
    const char* expected;
  } rows[] = {
      {"", "must be CLASS.BY=REQUESTS/TIME"},
      {"participate.account", "must be CLASS.BY=REQUESTS/TIME"},
      {"participate=20/10s", "no limit participate:"},
      {"none.account=20/10s", "no limit none.account"},
      {"chat.account=20/10s", "no limit chat.account"},
      {"login.account=20/10s", "lock an owner out"},
      {"read.account=20", "must give read.account as"},
      {"read.account=20/", "must give read.account as"},
      {"read.account=20/10", "must give read.account as"},
      {"read.account=20/s", "must give read.account as"},
      {"read.account=/10s", "must give read.account as"},
      {"read.account=0/10s", "must give read.account as"},
      {"read.account=-1/10s", "must give read.account as"},
      {"read.account=20/0s", "must give read.account as"},
      {"read.account=20/25h", "must give read.account as"},
      {"read.account=20/10d", "must give read.account as"},
      {"read.account=20/10ms", "must give read.account as"},
      {"read.account=10000001/1s", "must give read.account as"},
      {"read.account=99999999999/1s", "must give read.account as"},
      {"read.account=OFF", "must give read.account as"},
      {"admin.account=1/1s,read.account=x", "must give read.account as"},
      {"admin.account=1/1s,", "must be CLASS.BY=REQUESTS/TIME"},
  };
  for (const auto& row : rows) {
    RateLimitSettings made = RateLimitSettings::defaults();
    const Status set = made.set(row.given);
    ASSERT_FALSE(set.ok()) << row.given;
    EXPECT_NE(set.error().message.find(row.expected), std::string::npos) << set.error().message;
    EXPECT_EQ(made, RateLimitSettings::defaults()) << row.given;
  }
}

TEST(RateLimits, ClassesKindsAndKeysAreCountedApart) {
  const RateLimits limits(settings("read.account=3/10s,admin.account=3/10s,read.address=2/10s"), nullptr,
                          kEntries);
  EXPECT_EQ(counted(limits, RouteClass::kRead, "ada", 10), 3);
  EXPECT_EQ(counted(limits, RouteClass::kRead, "bob", 10), 3);
  EXPECT_EQ(counted(limits, RouteClass::kAdmin, "ada", 10), 3);
  EXPECT_EQ(counted(limits, RouteClass::kParticipate, "ada", 10), 10) << "there is no such limit";
  EXPECT_EQ(counted(limits, RouteClass::kNone, "ada", 10), 10);
  LimitRefusal refusal;
  for (const bool passes : {true, true, false}) {
    EXPECT_EQ(limits.count(RouteClass::kRead, address("192.0.2.1"), kNow, refusal), passes);
  }
  EXPECT_TRUE(limits.count(RouteClass::kRead, address("192.0.2.2"), kNow, refusal));
  EXPECT_EQ(limits.refused(RouteClass::kRead, LimitBy::kAccount), 14U);
  EXPECT_EQ(limits.refused(RouteClass::kRead, LimitBy::kAddress), 1U);
}

TEST(RateLimits, Ipv6IsCountedBySlash64) {
  const RateLimits limits(settings("read.address=2/10s"), nullptr, kEntries);
  LimitRefusal refusal;
  EXPECT_TRUE(limits.count(RouteClass::kRead, address("2001:db8::1"), kNow, refusal));
  EXPECT_TRUE(limits.count(RouteClass::kRead, address("2001:db8::ffff:1"), kNow, refusal));
  EXPECT_FALSE(limits.count(RouteClass::kRead, address("2001:db8::2"), kNow, refusal));
  EXPECT_TRUE(limits.count(RouteClass::kRead, address("2001:db8:0:1::1"), kNow, refusal));
}

TEST(RateLimits, ARefusalTellsTheLimitAndTheWait) {
  const RateLimits limits(settings("participate.account=1/8s"), nullptr, kEntries);
  LimitRefusal refusal;
  EXPECT_TRUE(limits.count(RouteClass::kParticipate, LimitBy::kAccount, "ada", kNow, refusal));
  EXPECT_EQ(refusal.wait_s, 0U);
  EXPECT_FALSE(limits.count(RouteClass::kParticipate, LimitBy::kAccount, "ada", kNow + 1, refusal));
  EXPECT_EQ(refusal.limit_field(), "\"participate-account\";r=0;t=9");
  EXPECT_EQ(refusal.policy_field(), "\"participate-account\";q=1;w=8");
}

TEST(RateLimits, AReloadGoesOnCountingWhereTheWindowIsTheSame) {
  const RateLimits first(settings("read.account=3/8s,admin.account=3/8s"), nullptr, kEntries);
  EXPECT_EQ(counted(first, RouteClass::kRead, "ada", 5), 3);
  EXPECT_EQ(counted(first, RouteClass::kAdmin, "ada", 5), 3);
  const RateLimits raised(settings("read.account=5/8s,admin.account=3/9s"), &first, kEntries);
  EXPECT_EQ(counted(raised, RouteClass::kRead, "ada", 5), 2) << "three are used";
  EXPECT_EQ(counted(raised, RouteClass::kAdmin, "ada", 5), 3) << "another window begins empty";
  const RateLimits lowered(settings("read.account=1/8s"), &raised, kEntries);
  EXPECT_EQ(counted(lowered, RouteClass::kRead, "ada", 5), 0);
  EXPECT_EQ(counted(lowered, RouteClass::kRead, "bob", 5), 1);
  EXPECT_EQ(counted(lowered, RouteClass::kAdmin, "ada", 5), 5) << "gone";
  EXPECT_EQ(lowered.refused(RouteClass::kRead, LimitBy::kAccount), 2U + 3 + 5 + 4);
}

TEST(RateLimits, TwoThreadsShareOneQuota) {
  const RateLimits limits(settings("read.account=1000/1h,read.address=500/1h"), nullptr, kEntries);
  std::atomic<int> accounts{0}, addresses{0};
  const auto work = [&] {
    int passed = 0;
    LimitRefusal refusal;
    accounts += counted(limits, RouteClass::kRead, "ada", 20'000);
    for (int i = 0; i < 20'000; ++i) passed += limits.count(RouteClass::kRead, address("::1"), kNow, refusal);
    addresses += passed;
  };
  std::thread one(work), two(work);
  one.join();
  two.join();
  EXPECT_EQ(accounts.load(), 1'000);
  EXPECT_EQ(addresses.load(), 500);
  EXPECT_EQ(limits.refused(RouteClass::kRead, LimitBy::kAddress), 39'500U);
}

TEST(RateLimits, MetricsHaveALineForEachLimit) {
  const RateLimits limits(settings("participate.account=1/8s"), nullptr, kEntries);
  EXPECT_EQ(counted(limits, RouteClass::kParticipate, "ada", 3), 1);
  std::string out;
  append_rate_limit_metrics(out, limits);
  EXPECT_NE(out.find("spillway_rate_limited_requests_total{class=\"participate\",by=\"account\"} 2\n"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find("spillway_rate_limit_evictions_total{class=\"read\",by=\"address\"} 0\n"),
            std::string::npos);
  EXPECT_EQ(out.find("login\",by=\"account"), std::string::npos);
}

}  // namespace
}  // namespace spillway::http
