#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::load {

// What `spillway load run --agents` (the coordinator) and `spillway load agent` say to one another, over TCP:
//
//   agent        GREETING  version, nonce
//   coordinator  HELLO     version, nonce, proof          -> READY or REFUSED
//   coordinator  PLAN      the plan and which slices      -> PREPARED or REFUSED
//   coordinator  GO        when, from now
//   agent        SECOND    of a slice ... EVIDENCE of a slice, in parts, END of a slice
//   coordinator  STOP      no new iterations
//   both         ALIVE     every second from GO on: whoever is silent is taken for lost
//   agent        ERROR     why it cannot go on
//
// A frame is the length of its payload (4 bytes, the lowest first), its type (1 byte), and the payload, which
// is made of wire/wire_text.h. Both prove that they know SPILLWAY_AGENT_SECRET before a plan is sent or
// taken. What follows is neither encrypted nor signed: agents belong into a network that the load may have
// for itself.

/// Whoever changes a frame, or what SliceSecond and the journeys' evidence are made of, counts this up.
inline constexpr std::uint32_t kAgentProtocol = 1;
inline constexpr std::string_view kAgentSecretVariable = "SPILLWAY_AGENT_SECRET";

inline constexpr std::size_t kFrameHeadBytes = 5;
inline constexpr std::size_t kMaxFirstFrameBytes = 1024;     ///< until the other side is known
inline constexpr std::size_t kMaxOrderFrameBytes = 4 << 20;  ///< from a coordinator that is known
inline constexpr std::size_t kMaxFrameBytes = 64 << 20;      ///< from an agent that is known: a second
inline constexpr std::size_t kMaxEvidencePartBytes = 256 << 10;
inline constexpr std::size_t kMaxEvidenceBytes = 1 << 30;     ///< of one slice
inline constexpr std::size_t kMaxCertificateBytes = 1 << 20;  ///< --ca-file
inline constexpr std::size_t kMaxAgents = 256;
inline constexpr std::uint32_t kMaxSlices = 4096;
inline constexpr std::uint32_t kMaxAgentThreads = 256;
inline constexpr std::uint32_t kMaxStartInMs = 60'000;

inline constexpr std::int64_t kHandshakeTimeoutNs = 10'000'000'000;  ///< to connect, and to know one another
inline constexpr std::int64_t kOrderTimeoutNs = 60'000'000'000;      ///< until PLAN, PREPARED, GO
inline constexpr std::int64_t kSilenceLimitNs = 20'000'000'000;      ///< while there is load
inline constexpr std::int64_t kAliveEveryNs = 1'000'000'000;
inline constexpr std::int64_t kClosingTimeoutNs = 5'000'000'000;  ///< for the other side to close as well

enum class FrameType : std::uint8_t {
  kGreeting = 1,
  kHello,
  kReady,
  kRefused,
  kPlan,
  kPrepared,
  kGo,
  kStop,
  kAlive,
  kSecond,
  kEvidence,
  kEnd,
  kError,  // the last
};

struct Frame {
  FrameType type = FrameType::kAlive;
  std::string payload;
};

void append_frame(std::string& out, FrameType, std::string_view payload);

/// Takes bytes as they come, gives frames.
class FrameReader {
 public:
  explicit FrameReader(std::size_t most_bytes) : most_(most_bytes) {}
  /// Of the payload.
  void set_limit(std::size_t most_bytes) { most_ = most_bytes; }
  void add(std::string_view bytes) { in_ += bytes; }
  /// The next frame; nothing: it has not come yet. Errors: malformed_request; nothing can be read any more.
  Result<std::optional<Frame>> next();

 private:
  std::size_t most_;
  std::string in_;
  std::size_t taken_ = 0;  // of in_
};

// ---- Payloads. decode() answers nothing for what encode() did not make. ----------------------------------

struct Greeting {
  std::uint32_t version = kAgentProtocol;
  std::string nonce;
  std::string encode() const;
  static std::optional<Greeting> decode(std::string_view);
};

struct Hello {
  std::uint32_t version = kAgentProtocol;
  std::string nonce, proof;
  std::string encode() const;
  /// Of another version: that alone.
  static std::optional<Hello> decode(std::string_view);
};

struct Ready {
  std::string proof;
  std::uint32_t threads = 0;
  std::string host;  ///< its name, for people
  std::string encode() const;
  static std::optional<Ready> decode(std::string_view);
};

struct PlanOrder {
  std::string plan, run_id;
  std::uint32_t first = 0, count = 0;  ///< the agent's slices ...
  std::uint32_t slices = 0;            ///< ... of so many
  bool verify = true;                  ///< the server's certificate
  std::string certificates;            ///< PEM that are trusted; empty: those of the agent's system
  std::string encode() const;
  static std::optional<PlanOrder> decode(std::string_view);
};

struct Go {
  std::uint32_t in_ms = 0;
  std::string encode() const;
  static std::optional<Go> decode(std::string_view);
};

/// Of SECOND: a SliceSecond. Of END: empty.
struct SliceText {
  std::uint32_t slice = 0;
  std::string_view text;
  std::string encode() const;
  static std::optional<SliceText> decode(std::string_view);
};

struct EvidencePart {
  std::uint32_t slice = 0, scenario = 0;
  std::string_view text;
  std::string encode() const;
  static std::optional<EvidencePart> decode(std::string_view);
};

/// Of REFUSED and ERROR: for people, one sentence. Cut to what a terminal should be told by another machine.
std::string encode_sentence(std::string_view);
std::string decode_sentence(std::string_view);

// ---- The secret ------------------------------------------------------------------------------------------

/// What SPILLWAY_AGENT_SECRET says; empty: it is not set. Errors: invalid_argument (shorter than 32 bytes).
Result<std::string> agent_secret();

enum class Prover : std::uint8_t { kCoordinator, kAgent };
std::string new_nonce();
/// HMAC-SHA256 of both nonces by the secret; of who proves as well, so that one cannot be given the other's.
std::string make_proof(std::string_view secret, Prover, std::string_view agent_nonce,
                       std::string_view own_nonce);
/// In constant time.
bool same_proof(std::string_view, std::string_view);

/// "this agent", "127.0.0.1:7001": who is another program.
std::string version_sentence(std::string_view who, std::uint32_t version);

}  // namespace spillway::load
