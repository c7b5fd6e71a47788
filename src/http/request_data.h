#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/ip_address.h"
#include "http/head.h"
#include "http/rate_limits.h"
#include "http/router.h"
#include "http/target.h"

namespace spillway::http {

/// What is behind a Request. One for each http thread, used again for every request: a handler has it only
/// while it runs.
struct RequestData {
  Head head;
  RouteMatch match;
  std::array<std::string_view, limits::kMaxPathSegments> segments;
  std::string segment_storage;
  std::string decoded_path;
  std::string_view body;
  std::string_view remote_address;  ///< the text of `client`
  IpAddress client;
  std::string client_text;             ///< when it is not the connection's peer
  const RateLimits* limits = nullptr;  ///< null: nothing is limited here
  RouteClass route_class = RouteClass::kNone;
  Micros now_us = 0;
  Timestamp arrived;  ///< the wall clock in this round
  LimitRefusal* refusal = nullptr;  ///< of the slot
  bool counted = false;             ///< for its account
  std::array<char, 32> trace_id;
  bool has_trace_id = false;
};

}  // namespace spillway::http
