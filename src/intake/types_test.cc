#include "intake/types.h"

#include <gtest/gtest.h>

#include <string>

namespace spillway::intake {
namespace {

using S = RequestStatus;

TEST(Types, only_these_transitions_are_allowed) {
  const std::pair<S, S> allowed[] = {
      {S::kReceived, S::kQueued},        {S::kReceived, S::kFailedFinal}, {S::kQueued, S::kProcessing},
      {S::kQueued, S::kFailedFinal},     {S::kProcessing, S::kSucceeded}, {S::kProcessing, S::kRejected},
      {S::kProcessing, S::kFailedFinal}, {S::kFailedFinal, S::kQueued}};  // by a redrive alone
  for (const S from : kAllStatuses) {
    for (const S to : kAllStatuses) {
      const bool expected =
          std::find(std::begin(allowed), std::end(allowed), std::pair(from, to)) != std::end(allowed);
      EXPECT_EQ(may_become(from, to), expected) << name(from) << " to " << name(to);
    }
  }
}

TEST(Types, names_are_those_of_the_api_and_can_be_parsed) {
  EXPECT_EQ(name(S::kFailedFinal), "FAILED_FINAL");
  EXPECT_EQ(name(ResultCode::kFailedIngestEnqueue), "FAILED_INGEST_ENQUEUE");
  EXPECT_EQ(name(FailureClass::kNonRetryable), "NON_RETRYABLE");
  for (const S status : kAllStatuses) EXPECT_EQ(parse_status(name(status)), status);
  EXPECT_EQ(parse_status("queued"), std::nullopt);
  EXPECT_EQ(parse_status(""), std::nullopt);
  EXPECT_EQ(parse_policy("FIRST_COME"), Policy::kFirstCome);
  EXPECT_EQ(parse_policy("LOTTERY"), std::nullopt);
  for (const WorkKind kind : {WorkKind::kCapacity, WorkKind::kHttp}) EXPECT_EQ(parse_work(name(kind)), kind);
  EXPECT_EQ(parse_work("sql"), std::nullopt);
  EXPECT_EQ(name(ResultCode::kRejectedByWork), "REJECTED_BY_WORK");
}

TEST(Types, ids) {
  EXPECT_TRUE(is_path_id("EVT-009_a.b~c"));
  EXPECT_TRUE(is_path_id(std::string(128, 'a')));
  for (const std::string& bad : {std::string(), std::string(129, 'a'), std::string("a b"), std::string("a/b"),
                                 std::string("a%20"), std::string("\xc3\xa9"), std::string(1, '\0')}) {
    EXPECT_FALSE(is_path_id(bad)) << bad;
  }
  EXPECT_TRUE(is_user_id("김철수"));
  EXPECT_TRUE(is_user_id("a b/c@d"));
  EXPECT_TRUE(is_user_id("\xf4\x8f\xbf\xbf"));  // U+10FFFF
  const std::string bad_users[] = {"",
                                   std::string(129, 'a'),
                                   "a\nb",
                                   std::string("a\0b", 3),
                                   "a\x7f",
                                   "\xc2\x85",  // a C1 control
                                   "\xff",
                                   "\xc3",      // cut off
                                   "\xc0\xaf",  // not the shortest form
                                   "\xe0\x80\xaf",
                                   "\xf0\x80\x80\xaf",
                                   "\xed\xa0\x80",       // a surrogate
                                   "\xf4\x90\x80\x80"};  // past U+10FFFF
  for (const std::string& bad : bad_users) EXPECT_FALSE(is_user_id(bad)) << bad;
}

}  // namespace
}  // namespace spillway::intake
