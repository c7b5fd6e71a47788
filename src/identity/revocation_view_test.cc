#include "identity/revocation_view.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/limits.h"

namespace spillway::identity {
namespace {

constexpr Timestamp kNow{1'800'000'000 * kSecond};

Caller caller_of(std::uint64_t token_id, Timestamp issued_at = kNow, std::string user = "u1") {
  return {std::move(user), Role::kUser, token_id, issued_at, kNow + 3600 * kSecond};
}

/// A whole round of the shards.
void forget_all(RevocationView& view, Timestamp now) {
  for (int i = 0; i < 64; ++i) view.forget_some(now);
}

TEST(RevocationView, refuses_what_it_was_told) {
  RevocationView view;
  EXPECT_FALSE(view.is_revoked(caller_of(1)));
  view.revoke_token(1, kNow + kSecond);
  view.sign_out("u2", kNow);
  EXPECT_EQ(view.size(), 2u);
  EXPECT_TRUE(view.is_revoked(caller_of(1)));
  EXPECT_FALSE(view.is_revoked(caller_of(2)));
  EXPECT_FALSE(view.is_revoked(caller_of(65))) << "of the same shard";
  EXPECT_TRUE(view.is_revoked(caller_of(3, kNow, "u2")));
  EXPECT_FALSE(view.is_revoked(caller_of(3, kNow + 1, "u2")));
  EXPECT_EQ(view.valid_from("u2"), kNow);
  EXPECT_FALSE(view.valid_from("u1"));
}

TEST(RevocationView, the_later_sign_out_counts_in_whatever_order_they_come) {
  RevocationView view;
  view.sign_out("u1", kNow + 5);
  view.sign_out("u1", kNow);
  EXPECT_EQ(view.valid_from("u1"), kNow + 5);
  EXPECT_EQ(view.size(), 1u);
}

TEST(RevocationView, forgets_what_no_living_token_can_match) {
  RevocationView view;
  for (std::uint64_t i = 1; i <= 200; ++i) view.revoke_token(i, kNow + static_cast<Micros>(i));
  view.sign_out("u1", kNow);
  forget_all(view, kNow + 100);
  EXPECT_EQ(view.size(), 101u);
  EXPECT_FALSE(view.is_revoked(caller_of(100, kNow + 1)));
  EXPECT_TRUE(view.is_revoked(caller_of(101, kNow + 1)));
  forget_all(view, kNow + limits::kMaxTokenAge - 1);
  EXPECT_TRUE(view.is_revoked(caller_of(7)));
  forget_all(view, kNow + limits::kMaxTokenAge);
  EXPECT_EQ(view.size(), 0u);
  EXPECT_FALSE(view.is_revoked(caller_of(7)));
}

TEST(RevocationView, is_read_while_it_is_written) {
  RevocationView view;
  constexpr std::uint64_t kTokens = 20'000;
  std::atomic<std::uint64_t> published{0};
  std::atomic<bool> missed{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      for (std::uint64_t last = 0; last < kTokens;) {
        last = published.load(std::memory_order_acquire);
        if (last > 0 && !view.is_revoked(caller_of(last))) missed = true;
        if (view.is_revoked(caller_of(kTokens + 1))) missed = true;
      }
    });
  }
  for (std::uint64_t i = 1; i <= kTokens; ++i) {
    view.revoke_token(i, kNow);
    published.store(i, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_FALSE(missed);
}

}  // namespace
}  // namespace spillway::identity
