#include "identity/issuer_keys.h"

#include <gtest/gtest.h>

#include <future>

#include "base/limits.h"
#include "base/manual_clock.h"
#include "identity/oidc_fixture.h"

namespace spillway::identity {
namespace {

using testing::FakeDocuments;
using testing::jwks;
using testing::Kind;
using testing::kIssuer;
using testing::PrivateKey;

std::string key(const char* kid, int number = 1) { return PrivateKey::of(Kind::kEd25519, number).jwk(kid); }

class IssuerKeysTest : public ::testing::Test {
 protected:
  std::size_t fetches() const { return documents_.asked().size() / 2; }  // discovery and keys
  bool has(const char* kid) const {
    const auto keys = keys_.snapshot().keys;
    return keys != nullptr && keys->find(kid) != nullptr;
  }

  ManualClock clock_;
  FakeDocuments documents_;
  IssuerKeys keys_{std::string(kIssuer), documents_, clock_};
};

TEST(IssuerUrl, IsHttpsOrThisMachine) {
  for (const char* good : {"https://login.example.org", "https://login.example.org/",
                           "https://a:8443/realms/x", "https://[2001:db8::1]:443/x", "http://127.0.0.1:8080",
                           "http://127.1.2.3/x", "http://localhost/x", "http://[::1]:9000"}) {
    EXPECT_TRUE(check_issuer_url(good).ok()) << good;
  }
  for (const char* bad :
       {"", "login.example.org", "http://login.example.org", "http://127.0.0.1.example.org",
        "http://localhost.example", "http://127.evil/", "ftp://127.0.0.1", "HTTPS://login.example.org",
        "https://", "https:///x", "https://a?b", "https://a#b", "https://user@a", "https://a b",
        "https://a\\b", "https://a\nb", "http://127.0.0.1@evil.example/", "https://\xc3\xa9.example"}) {
    EXPECT_FALSE(check_issuer_url(bad).ok()) << bad;
  }
  EXPECT_FALSE(check_issuer_url("https://a/" + std::string(limits::kHttpUrlBytes, 'x')).ok());
}

TEST_F(IssuerKeysTest, AreFetchedAtTheStart) {
  EXPECT_FALSE(keys_.has_keys());
  EXPECT_EQ(keys_.snapshot().keys, nullptr);
  documents_.serve_keys(jwks({key("a")}));
  const Timestamp before = clock_.wall();
  const Micros wait = keys_.turn();
  EXPECT_TRUE(keys_.has_keys());
  EXPECT_TRUE(has("a"));
  EXPECT_EQ(keys_.snapshot().asked_at, before);
  EXPECT_LE(wait, limits::kOidcRefresh);
  EXPECT_GE(wait, limits::kOidcRefresh * 9 / 10);
  EXPECT_EQ(keys_.turn(), wait) << "nothing is due";
  const std::vector<std::string> expected = {std::string(kIssuer) + "/.well-known/openid-configuration",
                                             std::string(kIssuer) + "/keys"};
  EXPECT_EQ(documents_.asked(), expected);
}

TEST_F(IssuerKeysTest, AreTriedForWithLongerAndLongerPauses) {
  documents_.serve_nothing();
  Micros expected = limits::kOidcFirstRetry;
  for (int i = 0; i < 12; ++i) {
    const Micros wait = keys_.turn();
    EXPECT_LE(wait, expected);
    EXPECT_GE(wait, expected * 9 / 10 - kMillisecond);
    EXPECT_EQ(documents_.asked().size(), static_cast<std::size_t>(i) + 1);
    EXPECT_GE(keys_.retry_after_s(), 1);
    EXPECT_LE(keys_.retry_after_s(), 60);
    keys_.ask_for_refresh();  // whoever asks does not make it sooner
    EXPECT_EQ(keys_.turn(), wait);
    clock_.advance(wait);
    expected = std::min(2 * expected, limits::kOidcLastRetry);
  }
  EXPECT_FALSE(keys_.has_keys());
  EXPECT_EQ(keys_.stats().failed, 12U);
  documents_.serve_discovery(
      fmt::format(R"({{"issuer":"{}","jwks_uri":"https://elsewhere/keys"}})", kIssuer));
  documents_.serve("https://elsewhere/keys", jwks({key("a")}));
  EXPECT_GT(keys_.turn(), limits::kOidcLastRetry) << "as if nothing had been";
  EXPECT_TRUE(has("a"));
}

TEST_F(IssuerKeysTest, AreFetchedAgainByTheClock) {
  documents_.serve_keys(jwks({key("a")}));
  const Micros wait = keys_.turn();
  documents_.serve_keys(jwks({key("b", 2)}));
  clock_.advance(wait - 1);
  keys_.turn();
  EXPECT_TRUE(has("a"));
  clock_.advance(1);
  keys_.turn();
  EXPECT_FALSE(has("a"));
  EXPECT_TRUE(has("b"));
  EXPECT_EQ(fetches(), 2U);
}

TEST_F(IssuerKeysTest, ThoseWhoAskCauseNoStorm) {
  documents_.serve_keys(jwks({key("a")}));
  keys_.turn();
  for (int second = 0; second < 60; ++second) {
    for (int i = 0; i < 1'000; ++i) keys_.ask_for_refresh();
    keys_.turn();
    clock_.advance(kSecond);
  }
  EXPECT_EQ(fetches(), 1U + 5U) << "one in each kOidcRefreshGap";
}

TEST_F(IssuerKeysTest, AnUnknownKeyIsThereAfterTheGap) {
  documents_.serve_keys(jwks({key("a")}));
  keys_.turn();
  documents_.serve_keys(jwks({key("a"), key("b", 2)}));
  keys_.ask_for_refresh();
  const Micros wait = keys_.turn();
  EXPECT_EQ(wait, limits::kOidcRefreshGap);
  EXPECT_EQ(keys_.retry_after_s(), 10);
  clock_.advance(wait);
  keys_.turn();
  EXPECT_TRUE(has("a") && has("b"));
}

TEST_F(IssuerKeysTest, StayWhenAFetchFails) {
  documents_.serve_keys(jwks({key("a")}));
  clock_.advance(keys_.turn());
  const std::uint64_t epoch = keys_.epoch();
  const std::string broken[] = {"", "{}", R"({"keys":[]})", jwks({key("a"), key("a")}), "not JSON"};
  for (const std::string& each : broken) {
    documents_.serve_keys(each);
    clock_.advance(keys_.turn());
    EXPECT_TRUE(has("a")) << each;
  }
  documents_.serve_nothing();
  clock_.advance(keys_.turn());
  EXPECT_TRUE(has("a"));
  EXPECT_EQ(keys_.epoch(), epoch);
  EXPECT_EQ(keys_.stats().failed, std::size(broken) + 1);
}

TEST_F(IssuerKeysTest, CountNoLongerWhenTheyAreTooOld) {
  documents_.serve_keys(jwks({key("a")}));
  keys_.turn();
  const std::uint64_t epoch = keys_.epoch();
  documents_.serve_nothing();
  clock_.advance(limits::kOidcKeysMaxAge - kSecond);
  clock_.advance(keys_.turn());
  EXPECT_TRUE(has("a"));
  clock_.advance(keys_.turn());
  clock_.advance(keys_.turn());
  EXPECT_FALSE(keys_.has_keys());
  EXPECT_FALSE(has("a"));
  EXPECT_NE(keys_.epoch(), epoch) << "what was verified with them is forgotten";
}

TEST_F(IssuerKeysTest, OnlyAKeyThatGoesEndsTheEpoch) {
  const auto after = [this](const std::string& document) {
    documents_.serve_keys(document);
    clock_.advance(limits::kOidcRefresh);
    keys_.turn();
    EXPECT_EQ(keys_.snapshot().epoch, keys_.epoch());
    return keys_.epoch();
  };
  const std::uint64_t first = after(jwks({key("a")}));
  EXPECT_EQ(after(jwks({key("a")})), first);
  const std::uint64_t second = after(jwks({key("b", 2), key("a")}));
  EXPECT_EQ(second, first);
  const std::uint64_t third = after(jwks({key("b", 2)}));
  EXPECT_NE(third, second);
  EXPECT_NE(after(jwks({key("b", 3)})), third) << "another key of the same name";
}

TEST_F(IssuerKeysTest, TheDiscoveryDocumentMustBeTheIssuers) {
  documents_.serve_keys(jwks({key("a")}));
  const std::string keys = std::string(kIssuer) + "/keys";
  const std::string bad[] = {
      "<html>",
      "{}",
      fmt::format(R"({{"issuer":"{}"}})", kIssuer),
      fmt::format(R"({{"jwks_uri":"{}"}})", keys),
      fmt::format(R"({{"issuer":"{}/","jwks_uri":"{}"}})", kIssuer, keys),
      fmt::format(R"({{"issuer":"https://evil.example","jwks_uri":"{}"}})", keys),
      fmt::format(R"({{"issuer":["{}"],"jwks_uri":"{}"}})", kIssuer, keys),
      fmt::format(R"({{"issuer":"{0}","issuer":"{0}","jwks_uri":"{1}"}})", kIssuer, keys),
      fmt::format(R"({{"issuer":"{}","jwks_uri":"http://login.example.org/keys"}})", kIssuer),
      fmt::format(R"({{"issuer":"{}","jwks_uri":"http://127.0.0.1/keys"}})", kIssuer),
      fmt::format(R"({{"issuer":"{}","jwks_uri":"file:///etc/passwd"}})", kIssuer),
      fmt::format(R"({{"issuer":"{}","jwks_uri":"/keys"}})", kIssuer),
  };
  for (const std::string& each : bad) {
    documents_.serve_discovery(each);
    clock_.advance(keys_.turn());
    EXPECT_FALSE(keys_.has_keys()) << each;
  }
  EXPECT_EQ(documents_.asked().size(), std::size(bad)) << "the keys were not even asked for";
}

TEST(IssuerKeysOfASlash, TheSlashIsPartOfTheNameAndNotOfThePath) {
  ManualClock clock;
  FakeDocuments documents;
  IssuerKeys keys("https://a.example/", documents, clock);
  documents.serve("https://a.example/.well-known/openid-configuration",
                  R"({"issuer":"https://a.example/","jwks_uri":"https://a.example/keys?v=1"})");
  documents.serve("https://a.example/keys?v=1", jwks({key("a")}));
  keys.turn();
  EXPECT_TRUE(keys.has_keys());
}

TEST(IssuerKeysThread, FetchesAndIsWokenAndStops) {
  SystemClock clock;
  FakeDocuments documents;
  documents.serve_keys(jwks({key("a")}));
  IssuerKeys keys(std::string(kIssuer), documents, clock);
  keys.start();
  while (!keys.has_keys()) std::this_thread::yield();
  std::thread asking([&keys] {
    for (int i = 0; i < 1'000; ++i) keys.ask_for_refresh();
  });
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_NE(keys.snapshot().keys, nullptr);
    EXPECT_GE(keys.retry_after_s(), 1);
  }
  asking.join();
  keys.stop();
  keys.stop();
}

/// A source that answers only when it is cancelled.
class Silence final : public DocumentSource {
 public:
  Result<std::string> get(const std::string&, std::size_t) override {
    asked.set_value();
    cancelled_.get_future().wait();
    return Error{ErrorCode::kInternal, "cancelled"};
  }
  void cancel() override { cancelled_.set_value(); }
  std::promise<void> asked;

 private:
  std::promise<void> cancelled_;
};

TEST(IssuerKeysThread, StopsWhileItWaitsForTheIssuer) {
  SystemClock clock;
  Silence silence;
  {
    IssuerKeys keys(std::string(kIssuer), silence, clock);
    keys.start();
    silence.asked.get_future().wait();
    EXPECT_FALSE(keys.has_keys()) << "and nobody waits for it";
    // The destructor stops it.
  }
}

}  // namespace
}  // namespace spillway::identity
