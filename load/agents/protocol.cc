#include "load/agents/protocol.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/text.h"
#include "load/wire/wire_text.h"

namespace spillway::load {
namespace {

constexpr std::size_t kNonceBytes = 32;
constexpr std::size_t kMaxSentenceBytes = 600;
constexpr std::size_t kKeptBytes = 1 << 20;  // of a reader's buffer, when it is empty

/// What was read, when nothing was wrong with it and nothing is left.
template <class T>
std::optional<T> whole(const WireReader& in, T read) {
  if (!in.good() || !in.at_end()) return std::nullopt;
  return read;
}

}  // namespace

void append_frame(std::string& out, FrameType type, std::string_view payload) {
  ByteWriter writer(out);
  writer.u32(static_cast<std::uint32_t>(payload.size()));
  writer.u8(static_cast<std::uint8_t>(type));
  out += payload;
}

Result<std::optional<Frame>> FrameReader::next() {
  const std::string_view left = std::string_view(in_).substr(taken_);
  if (left.size() < kFrameHeadBytes) return std::optional<Frame>{};
  ByteReader head(left);
  const std::size_t size = head.u32();
  const std::uint8_t type = head.u8();
  if (type < static_cast<std::uint8_t>(FrameType::kGreeting) ||
      type > static_cast<std::uint8_t>(FrameType::kError))
    return Error{ErrorCode::kMalformedRequest, fmt::format("a frame of type {}, which there is not", type)};
  if (size > most_)
    return Error{ErrorCode::kMalformedRequest, fmt::format("a frame of {} bytes, at most {}", size, most_)};
  if (left.size() < kFrameHeadBytes + size) return std::optional<Frame>{};
  Frame frame{static_cast<FrameType>(type), std::string(left.substr(kFrameHeadBytes, size))};
  taken_ += kFrameHeadBytes + size;
  if (taken_ == in_.size()) {
    in_.clear();
    taken_ = 0;
    if (in_.capacity() > kKeptBytes) in_.shrink_to_fit();
  } else if (taken_ > in_.size() / 2) {
    in_.erase(0, std::exchange(taken_, 0));
  }
  return std::optional<Frame>(std::move(frame));
}

std::string Greeting::encode() const {
  std::string out;
  put_number(out, version);
  put_text(out, nonce);
  return out;
}

std::optional<Greeting> Greeting::decode(std::string_view text) {
  WireReader in(text);
  Greeting read;
  read.version = in.number<std::uint32_t>();
  if (in.good() && read.version != kAgentProtocol) return read;
  read.nonce = in.text();
  return whole(in, std::move(read));
}

std::string Hello::encode() const {
  std::string out;
  put_number(out, version);
  put_text(out, nonce);
  put_text(out, proof);
  return out;
}

std::optional<Hello> Hello::decode(std::string_view text) {
  WireReader in(text);
  Hello read;
  read.version = in.number<std::uint32_t>();
  if (in.good() && read.version != kAgentProtocol) return read;
  read.nonce = in.text();
  read.proof = in.text();
  return whole(in, std::move(read));
}

std::string Ready::encode() const {
  std::string out;
  put_text(out, proof);
  put_number(out, threads);
  put_text(out, host);
  return out;
}

std::optional<Ready> Ready::decode(std::string_view text) {
  WireReader in(text);
  Ready read;
  read.proof = in.text();
  read.threads = in.number<std::uint32_t>();
  read.host = in.text();
  if (read.threads < 1 || read.threads > kMaxAgentThreads || has_control_characters(read.host))
    return std::nullopt;
  return whole(in, std::move(read));
}

std::string PlanOrder::encode() const {
  std::string out;
  put_text(out, plan);
  put_text(out, run_id);
  for (const std::uint32_t number : {first, count, slices}) put_number(out, number);
  put_number(out, verify ? 1 : 0);
  put_text(out, certificates);
  return out;
}

std::optional<PlanOrder> PlanOrder::decode(std::string_view text) {
  WireReader in(text);
  PlanOrder read;
  read.plan = in.text();
  read.run_id = in.text();
  for (std::uint32_t* number : {&read.first, &read.count, &read.slices}) *number = in.number<std::uint32_t>();
  const int verify = in.number<int>();
  read.verify = verify != 0;
  read.certificates = in.text();
  const bool within = read.count >= 1 && read.slices <= kMaxSlices && read.count <= read.slices &&
                      read.first <= read.slices - read.count;
  const bool plain_id = !read.run_id.empty() && read.run_id.size() <= 64 &&
                        read.run_id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!within || !plain_id || verify < 0 || verify > 1) return std::nullopt;
  return whole(in, std::move(read));
}

std::string Go::encode() const {
  std::string out;
  put_number(out, in_ms);
  return out;
}

std::optional<Go> Go::decode(std::string_view text) {
  WireReader in(text);
  const Go read{in.number<std::uint32_t>()};
  if (read.in_ms > kMaxStartInMs) return std::nullopt;
  return whole(in, read);
}

std::string SliceText::encode() const {
  std::string out;
  put_number(out, slice);
  put_text(out, text);
  return out;
}

std::optional<SliceText> SliceText::decode(std::string_view bytes) {
  WireReader in(bytes);
  SliceText read;
  read.slice = in.number<std::uint32_t>();
  read.text = in.text();
  return whole(in, read);
}

std::string EvidencePart::encode() const {
  std::string out;
  put_number(out, slice);
  put_number(out, scenario);
  put_text(out, text);
  return out;
}

std::optional<EvidencePart> EvidencePart::decode(std::string_view bytes) {
  WireReader in(bytes);
  EvidencePart read;
  read.slice = in.number<std::uint32_t>();
  read.scenario = in.number<std::uint32_t>();
  read.text = in.text();
  return whole(in, read);
}

std::string encode_sentence(std::string_view sentence) {
  std::string out;
  put_text(out, sentence.substr(0, kMaxSentenceBytes));
  return out;
}

std::string decode_sentence(std::string_view payload) {
  WireReader in(payload);
  std::string sentence(in.text().substr(0, kMaxSentenceBytes));
  if (!in.good() || sentence.empty() || has_control_characters(sentence)) return "it gave no reason";
  return sentence;
}

Result<std::string> agent_secret() {
  const char* given = std::getenv(std::string(kAgentSecretVariable).c_str());
  std::string secret = given == nullptr ? "" : given;
  if (!secret.empty() && secret.size() < limits::kMinSecretBytes) {
    return invalid_argument(fmt::format("{}: {} bytes, at least {}", kAgentSecretVariable, secret.size(),
                                        limits::kMinSecretBytes));
  }
  return secret;
}

std::string new_nonce() { return random_hex(kNonceBytes); }

std::string make_proof(std::string_view secret, Prover prover, std::string_view agent_nonce,
                       std::string_view own_nonce) {
  std::string text = "spillway load agents ";
  put_number(text, kAgentProtocol);
  put_text(text, prover == Prover::kAgent ? "agent" : "coordinator");
  put_text(text, agent_nonce);
  put_text(text, own_nonce);
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac, &size) != nullptr);
  return hex({reinterpret_cast<const char*>(mac), size});
}

bool same_proof(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string version_sentence(std::string_view who, std::uint32_t version) {
  return fmt::format(
      "{} speaks version {} of the agents' protocol and not {}: the same spillway must be on all "
      "machines",
      who, version, kAgentProtocol);
}

}  // namespace spillway::load
