#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::clients {

/// The value of `Spillway-Signature` for a body that is sent at `timestamp_s` (seconds since 1970, as
/// `Spillway-Timestamp` says): "v1=" and the hex digits of HMAC-SHA256 (RFC 2104) under `secret` over
/// "<timestamp>.<body>". The time is signed too, so that a receiver can refuse what was recorded long ago.
std::string signature_v1(std::string_view secret, std::int64_t timestamp_s, std::string_view body);

/// The value of `traceparent` (W3C Trace Context, version 00) for the n-th call about `subject`: all calls
/// about one subject have the same trace id, and each its own parent id.
std::string trace_parent(std::string_view subject, std::uint64_t n);

}  // namespace spillway::clients
