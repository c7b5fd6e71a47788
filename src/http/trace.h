#pragma once

#include <array>
#include <string_view>

namespace spillway::http {

/// A `traceparent` of W3C Trace Context, level 1: version, trace id, parent id and flags, lower-case hex.
bool valid_traceparent(std::string_view value);
/// The 32 digits of the trace id of a valid one.
inline std::string_view trace_id_of(std::string_view traceparent) { return traceparent.substr(3, 32); }
/// A new trace id, never all zeros. Not a secret: a fast generator for each thread, seeded by the system.
void make_trace_id(std::array<char, 32>& out);

}  // namespace spillway::http
