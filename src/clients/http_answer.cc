#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/text.h"
#include "clients/http_client.h"

namespace spillway::clients {
std::string_view name(HttpFailure failure) {
  switch (failure) {
    case HttpFailure::kNone:
      return "none";
    case HttpFailure::kAddress:
      return "address";
    case HttpFailure::kUnresolved:
      return "unresolved";
    case HttpFailure::kRefused:
      return "refused";
    case HttpFailure::kTls:
      return "tls";
    case HttpFailure::kTimeout:
      return "timeout";
    case HttpFailure::kTooLarge:
      return "too_large";
    case HttpFailure::kBroken:
      return "broken";
    case HttpFailure::kStopped:
      return "stopped";
  }
  return "none";
}

std::string_view HttpAnswer::header(std::string_view wanted) const {
  for (const HttpHeader& each : headers)
    if (equals_ignoring_case(each.name, wanted)) return each.value;
  return {};
}

std::string HttpAnswer::summary() const {
  if (ok()) return fmt::format("HTTP {}", status);
  std::string why = reason.substr(0, limits::kMaxCallReasonBytes);
  std::replace_if(
      why.begin(), why.end(), [](char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return fmt::format("call failed ({}): {}", name(failure), why);
}

}  // namespace spillway::clients
