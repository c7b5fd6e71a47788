#include "load/agents/protocol.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace spillway::load {
namespace {

const std::string kSecret(40, 's');

struct Payload {
  const char* what;
  std::string good;
  std::function<bool(std::string_view)> reads;
};

template <class T>
Payload payload(const char* what, const T& one) {
  return {what, one.encode(), [](std::string_view text) { return T::decode(text).has_value(); }};
}

std::vector<Payload> all_payloads() {
  return {
      payload("greeting", Greeting{kAgentProtocol, "abc"}),
      payload("hello", Hello{kAgentProtocol, "abc", "def"}),
      payload("ready", Ready{"proof", 2, "host"}),
      payload("plan", PlanOrder{"name = \"x\"", "0a1b", 2, 1, 3, true, "PEM"}),
      payload("go", Go{200}),
      payload("second", SliceText{1, "text"}),
      payload("evidence", EvidencePart{1, 2, "text"}),
  };
}

TEST(AgentProtocol, PayloadsAreReadWhole) {
  for (const Payload& one : all_payloads()) {
    EXPECT_TRUE(one.reads(one.good)) << one.what;
    for (std::size_t size = 0; size < one.good.size(); ++size)
      EXPECT_FALSE(one.reads(one.good.substr(0, size))) << one.what << " cut to " << size;
    EXPECT_FALSE(one.reads(one.good + "x")) << one.what;
    EXPECT_FALSE(one.reads("nonsense")) << one.what;
    EXPECT_FALSE(one.reads("99999999999999999999 ")) << one.what;
  }
}

TEST(AgentProtocol, OfAnotherVersionTheNumberIsRead) {
  const auto greeting = Greeting::decode("7 and what nobody here knows");
  ASSERT_TRUE(greeting);
  EXPECT_EQ(greeting->version, 7U);
  const auto hello = Hello::decode("7 ");
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->version, 7U);
  EXPECT_NE(version_sentence("it", 7).find("version 7"), std::string::npos);
}

TEST(AgentProtocol, ReadsWhatWasSaid) {
  const auto plan = PlanOrder::decode(PlanOrder{"a plan", "0a1b", 2, 1, 3, false, "PEM"}.encode());
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->plan, "a plan");
  EXPECT_EQ(plan->run_id, "0a1b");
  EXPECT_EQ(plan->first, 2U);
  EXPECT_EQ(plan->count, 1U);
  EXPECT_EQ(plan->slices, 3U);
  EXPECT_FALSE(plan->verify);
  EXPECT_EQ(plan->certificates, "PEM");
}

TEST(AgentProtocol, OrdersBeyondTheirBoundsAreRefused) {
  const auto reads = [](std::uint32_t first, std::uint32_t count, std::uint32_t slices,
                        const std::string& id) {
    return PlanOrder::decode(PlanOrder{"p", id, first, count, slices, true, ""}.encode()).has_value();
  };
  EXPECT_TRUE(reads(0, 3, 3, "ab"));
  EXPECT_FALSE(reads(0, 0, 3, "ab"));
  EXPECT_FALSE(reads(1, 3, 3, "ab"));
  EXPECT_FALSE(reads(UINT32_MAX, 1, 3, "ab"));
  EXPECT_FALSE(reads(0, 4, 3, "ab"));
  EXPECT_TRUE(reads(0, 1, kMaxSlices, "ab"));
  EXPECT_FALSE(reads(0, 1, kMaxSlices + 1, "ab"));
  EXPECT_FALSE(reads(0, 1, 1, ""));
  EXPECT_FALSE(reads(0, 1, 1, "../x"));
  EXPECT_FALSE(Go::decode(Go{kMaxStartInMs + 1}.encode()));
  EXPECT_FALSE(Ready::decode(Ready{"p", 0, "h"}.encode()));
  EXPECT_FALSE(Ready::decode(Ready{"p", 1, "\x1b[2J"}.encode()));
}

TEST(AgentProtocol, FramesComeThroughInAnyPieces) {
  std::string bytes;
  append_frame(bytes, FrameType::kAlive, "");
  append_frame(bytes, FrameType::kSecond, std::string(300, 'x'));
  append_frame(bytes, FrameType::kEnd, std::string("\0\xff", 2));
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    FrameReader reader(300);
    std::vector<Frame> frames;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.add(std::string_view(bytes).substr(at, piece));
      for (;;) {
        auto next = reader.next();
        ASSERT_TRUE(next) << piece;
        if (!*next) break;
        frames.push_back(std::move(**next));
      }
    }
    ASSERT_EQ(frames.size(), 3U) << piece;
    EXPECT_EQ(frames[0].type, FrameType::kAlive);
    EXPECT_EQ(frames[1].payload, std::string(300, 'x'));
    EXPECT_EQ(frames[2].type, FrameType::kEnd);
    EXPECT_EQ(frames[2].payload, std::string("\0\xff", 2));
  }
}

TEST(AgentProtocol, AFrameThatIsCutIsNone) {
  std::string bytes;
  append_frame(bytes, FrameType::kGo, "200 ");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    FrameReader reader(100);
    reader.add(std::string_view(bytes).substr(0, size));
    const auto next = reader.next();
    ASSERT_TRUE(next) << size;
    EXPECT_FALSE(*next) << size;
  }
}

TEST(AgentProtocol, GarbageIsRefusedByItsHead) {
  const auto refused = [](const std::string& bytes) {
    FrameReader reader(kMaxFrameBytes);
    reader.add(bytes);
    return !reader.next().ok();
  };
  EXPECT_TRUE(refused("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_TRUE(refused(std::string("\x16\x03\x01\x02\x00\x01\x00", 7)));
  EXPECT_TRUE(refused(std::string(5, '\0')));
  EXPECT_TRUE(refused(std::string(5, '\xff')));
  std::string bytes;
  append_frame(bytes, FrameType::kHello, std::string(101, 'x'));
  FrameReader small(100);
  small.add(bytes.substr(0, kFrameHeadBytes));
  EXPECT_FALSE(small.next().ok()) << "before the payload came";
}

TEST(AgentProtocol, ProofsAreOfSecretSideAndNonces) {
  const std::string proof = make_proof(kSecret, Prover::kCoordinator, "a", "b");
  EXPECT_TRUE(same_proof(proof, make_proof(kSecret, Prover::kCoordinator, "a", "b")));
  EXPECT_FALSE(same_proof(proof, make_proof(kSecret + "x", Prover::kCoordinator, "a", "b")));
  EXPECT_FALSE(same_proof(proof, make_proof(kSecret, Prover::kAgent, "a", "b")));
  EXPECT_FALSE(same_proof(proof, make_proof(kSecret, Prover::kCoordinator, "b", "a")));
  EXPECT_FALSE(same_proof(proof, make_proof(kSecret, Prover::kCoordinator, "ab", "")));
  EXPECT_FALSE(same_proof(proof, ""));
  EXPECT_EQ(proof.find(kSecret), std::string::npos);
  EXPECT_NE(new_nonce(), new_nonce());
  EXPECT_FALSE(make_proof("", Prover::kAgent, "a", "b").empty()) << "an agent on loopback may have no secret";
}

TEST(AgentProtocol, SentencesAreForATerminal) {
  EXPECT_EQ(decode_sentence(encode_sentence("it is busy")), "it is busy");
  for (const std::string bad : {"", "5 ab", "0 "})
    EXPECT_EQ(decode_sentence(bad), "it gave no reason") << bad;
  EXPECT_EQ(decode_sentence(encode_sentence("\x1b]0;title\a")), "it gave no reason");
  EXPECT_LT(decode_sentence(encode_sentence(std::string(100'000, 'x'))).size(), 1'000U);
}

}  // namespace
}  // namespace spillway::load
