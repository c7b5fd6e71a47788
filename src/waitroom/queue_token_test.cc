#include "waitroom/queue_token.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "base/limits.h"

namespace spillway::waitroom {
namespace {

constexpr Timestamp kNow{1'800'000'000 * kSecond};

class QueueTokens : public testing::Test {
 protected:
  // One of its own: tests run beside one another.
  QueueTokens() {
    std::string name = std::filesystem::temp_directory_path() / "spillway-queue-token-XXXXXX";
    CHECK(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~QueueTokens() override { std::filesystem::remove_all(folder_); }
  std::unique_ptr<QueueKeys> open(Timestamp now = kNow) {
    auto keys = QueueKeys::open(path(), now);
    EXPECT_TRUE(keys.ok());
    return std::move(*keys);
  }
  std::string path() const { return folder_ / "queue.keys"; }
  Error refused(const std::string& text) {
    std::ofstream(path()) << text;
    const auto keys = QueueKeys::open(path(), kNow);
    EXPECT_FALSE(keys.ok()) << text;
    return keys.ok() ? Error{} : keys.error();
  }

  std::filesystem::path folder_;
};

TEST_F(QueueTokens, SayWhatWasPutInAndAreEqualEachTime) {
  const auto keys = open();
  const std::string token = make_token(keys->signing(), {3, 70'000}, kNow, "ann \xc3\xa9");
  EXPECT_EQ(make_token(keys->signing(), {3, 70'000}, kNow, "ann \xc3\xa9"), token);
  const auto found = verify_token(*keys, token, kNow);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->ticket, (TicketRef{3, 70'000}));
  EXPECT_EQ(found->entered_at, kNow);
  EXPECT_EQ(found->user_id, "ann \xc3\xa9");
}

TEST_F(QueueTokens, EveryChangedCharacterIsNoticed) {
  const auto keys = open();
  const std::string token = make_token(keys->signing(), {3, 7}, kNow, "ann");
  for (std::size_t at = 0; at < token.size(); ++at) {
    std::string forged = token;
    forged[at] = forged[at] == 'A' ? 'B' : 'A';
    const auto found = verify_token(*keys, forged, kNow);
    ASSERT_FALSE(found.ok()) << at;
    EXPECT_EQ(found.error().code, ErrorCode::kQueueTokenInvalid);
    EXPECT_FALSE(verify_token(*keys, token.substr(0, at), kNow).ok());
  }
}

TEST_F(QueueTokens, ExpireAWeekAfterEntering) {
  const auto keys = open();
  const std::string token = make_token(keys->signing(), {3, 7}, kNow, "ann");
  EXPECT_TRUE(verify_token(*keys, token, kNow + (limits::kQueueTokenLife - 1)).ok());
  EXPECT_EQ(verify_token(*keys, token, kNow + limits::kQueueTokenLife).error().code,
            ErrorCode::kTicketExpired);
}

TEST_F(QueueTokens, OldKeysVerifyUntilTheLastTheySignedHasExpired) {
  auto keys = open();
  const std::string token = make_token(keys->signing(), {3, 7}, kNow, "ann");
  const Timestamp rotated = kNow + 1'000 * kSecond;
  ASSERT_EQ(*keys->rotate(rotated), 2);
  EXPECT_EQ(keys->signing().id, 2);
  EXPECT_TRUE(verify_token(*keys, token, rotated).ok());
  keys = open(rotated);  // after a restart as well
  EXPECT_EQ(keys->signing().id, 2);
  EXPECT_TRUE(verify_token(*keys, token, rotated).ok());
  EXPECT_EQ(make_token(*keys->find(1), {3, 7}, kNow, "ann"), token);
  const Timestamp last = rotated + (limits::kQueueTokenLife - 1);
  EXPECT_NE(open(last)->find(1), nullptr);
  ASSERT_TRUE(keys->rotate(last + 1).ok());
  EXPECT_EQ(keys->find(1), nullptr);
  EXPECT_NE(keys->find(2), nullptr);
  EXPECT_EQ(verify_token(*keys, token, rotated).error().code, ErrorCode::kQueueTokenInvalid);
}

TEST_F(QueueTokens, AnotherDeploymentsKeysAreOthers) {
  const auto keys = open();
  const auto others = QueueKeys::open("", kNow);
  EXPECT_FALSE(verify_token(**others, make_token(keys->signing(), {3, 7}, kNow, "ann"), kNow).ok());
}

TEST_F(QueueTokens, TheFileIsPrivateAndItsFaultsAreNamed) {
  open();
  struct stat file {};
  ASSERT_EQ(::stat(path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600U);
  const std::string secret(43, 'A');
  EXPECT_NE(refused("").message.find("no key"), std::string::npos);
  for (const std::string& line : std::vector<std::string>{
           "0 " + secret + " 2026-11-20T09:00:00Z", "1 short 2026-11-20T09:00:00Z",
           "1 " + secret + " yesterday", "1 " + secret, "256 " + secret + " 2026-11-20T09:00:00Z",
           "1 " + secret + " 2026-11-20T09:00:00Z more",
           "2 " + secret + " 2026-11-20T09:00:00Z\n2 " + secret + " 2026-11-20T09:00:00Z",
           "2 " + secret + " 2026-11-20T09:00:00Z\n3 " + secret + " 2026-11-19T09:00:00Z"}) {
    const Error error = refused(line);
    EXPECT_NE(error.message.find("line "), std::string::npos) << error.message;
    EXPECT_EQ(error.message.find(secret), std::string::npos) << "a secret in a message";
  }
}

TEST_F(QueueTokens, AFileThatIsNoGoodLeavesTheKeysAsTheyAre) {
  const auto keys = open();
  const std::string token = make_token(keys->signing(), {3, 7}, kNow, "ann");
  std::ofstream(path()) << "nonsense";
  EXPECT_FALSE(keys->reload(kNow).ok());
  EXPECT_TRUE(verify_token(*keys, token, kNow).ok());
}

}  // namespace
}  // namespace spillway::waitroom
