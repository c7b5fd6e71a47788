#include <algorithm>

#include "clients/http_client.h"

namespace spillway::clients {
namespace {

char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return ascii_lower(x) == ascii_lower(y); });
}

}  // namespace

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
    if (same_name(each.name, wanted)) return each.value;
  return {};
}

}  // namespace spillway::clients
