#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::load {

/// What the proxy does to connections, with the names of https://github.com/Shopify/toxiproxy#toxics.
enum class ToxicKind : std::uint8_t {
  kLatency,    ///< every byte comes latency_ms +- jitter_ms later, in order
  kBandwidth,  ///< at most rate_kb_per_s (1 KB: 1,000 bytes) a connection and direction
  kResetPeer,  ///< both sides get a RST, timeout_ms after the toxic or the connection began
  kTimeout,    ///< nothing passes; closed after timeout_ms, or with 0 held until the toxic is taken back
  kDown,       ///< no listener, and every connection is reset
};
inline constexpr int kToxicKinds = 5;
std::string_view name(ToxicKind);  ///< "reset_peer"

/// Like Toxiproxy's, but it always acts on both directions: a round trip has twice the latency.
struct Toxic {
  ToxicKind kind = ToxicKind::kLatency;
  double latency_ms = 0, jitter_ms = 0;
  double rate_kb_per_s = 0;
  double timeout_ms = 0;
  double percent = 100;  ///< of the connections: drawn for each one when the toxic or the connection begins
  friend bool operator==(const Toxic&, const Toxic&) = default;
};

/// Errors: invalid_argument that names the number.
Status check(const Toxic&);
/// For people: "latency 200 ms +- 50 ms".
std::string describe(const Toxic&);

}  // namespace spillway::load
