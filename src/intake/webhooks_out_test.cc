#include "intake/webhooks_out.h"

#include <gtest/gtest.h>

namespace spillway::intake {
namespace {

constexpr Timestamp kNow{1'000 * kSecond};

class Out : public testing::Test {
 protected:
  void take(std::uint64_t id, const std::string& url, Timestamp now = kNow) {
    WebhookJob job;
    job.id = id;
    job.to.url = url;
    out.add(job, now);
  }
  void end(std::uint64_t id, std::optional<bool> well, Timestamp now = kNow) {
    WebhookOutcome outcome;
    outcome.id = id;
    outcome.receiver_is_well = well;
    out.remove(outcome, now);
  }
  /// Fails until the receiver is left alone.
  void bring_down(const std::string& url, Timestamp now) {
    for (std::uint64_t id = 100; out.room(url, now) != 0; ++id) {
      ASSERT_LT(id, 100 + limits::kBreakerFailures) << "it is never left alone";
      take(id, url, now);
      end(id, false, now);
    }
  }

  WebhooksOut out;
};

TEST_F(Out, AReceiverHasItsShareAndNoMore) {
  for (std::uint64_t id = 1; id <= limits::kWebhooksPerReceiver; ++id) {
    EXPECT_EQ(out.room("a", kNow), limits::kWebhooksPerReceiver + 1 - id);
    take(id, "a");
  }
  EXPECT_EQ(out.room("a", kNow), 0u);
  EXPECT_EQ(out.room("b", kNow), limits::kWebhooksPerReceiver);
  EXPECT_TRUE(out.contains(1));
  EXPECT_FALSE(out.contains(99));
  end(1, true);
  EXPECT_FALSE(out.contains(1));
  EXPECT_EQ(out.room("a", kNow), 1u);
}

TEST_F(Out, OneThatFailsIsLeftAloneThenProbed) {
  bring_down("a", kNow);
  EXPECT_EQ(out.room("b", kNow), limits::kWebhooksPerReceiver);
  const Timestamp later = kNow + limits::kBreakerOpen;
  EXPECT_EQ(out.room("a", later), 1u);
  take(1, "a", later);
  EXPECT_EQ(out.room("a", later), 0u);
  end(1, false, later);
  EXPECT_EQ(out.room("a", later + limits::kBreakerOpen), 0u) << "twice as long after a bad probe";
  const Timestamp much_later = later + 2 * limits::kBreakerOpen;
  take(2, "a", much_later);
  end(2, true, much_later);
  EXPECT_EQ(out.room("a", much_later), limits::kWebhooksPerReceiver);
}

TEST_F(Out, WhatWasNotCalledSaysNothingAboutTheReceiver) {
  for (std::uint64_t id = 1; id <= 100; ++id) {
    take(id, "a");
    end(id, std::nullopt);
  }
  EXPECT_EQ(out.room("a", kNow), limits::kWebhooksPerReceiver);
  bring_down("a", kNow);
  const Timestamp later = kNow + limits::kBreakerOpen;
  take(1, "a", later);
  end(1, std::nullopt, later);
  EXPECT_EQ(out.room("a", later), 1u) << "the next probe";
}

TEST_F(Out, NoReceiverNeedsNoRoom) {
  EXPECT_EQ(out.room("", kNow), limits::kWebhookConcurrency);
  take(1, "");
  EXPECT_EQ(out.room("", kNow), limits::kWebhookConcurrency);
}

TEST_F(Out, ForgetsFailuresBeforeItRemembersTooMany) {
  for (std::uint64_t id = 1; id <= limits::kMaxWebhookReceivers; ++id) {
    take(id, "url " + std::to_string(id));
    end(id, false);
  }
  take(1, "a");
  for (std::uint64_t id = 2; id <= limits::kWebhooksPerReceiver; ++id) take(id, "a");
  EXPECT_EQ(out.room("a", kNow), 0u) << "what is out is never forgotten";
}

}  // namespace
}  // namespace spillway::intake
