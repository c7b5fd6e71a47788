// What a rate limit costs a request: the call that an http thread makes, on one thread, over as many accounts
// as said. Prints one JSON object; see README.md.

#include <fmt/core.h>
#include <time.h>

#include <algorithm>
#include <string>
#include <vector>

#include "http/rate_limits.h"

namespace {

using namespace spillway;
using namespace spillway::http;

constexpr std::size_t kCalls = 2'000'000;

/// Of this thread, so that others on the machine count less.
double cpu_ns() {
  timespec time{};
  CHECK(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) == 0);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// Nanoseconds a call, the median of five runs.
double measure(const char* settings_text, std::size_t accounts) {
  RateLimitSettings settings;
  if (settings_text[0] != '\0') CHECK(settings.set(settings_text).ok());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < accounts; ++i) names.push_back(fmt::format("u{:09}", i));
  std::vector<double> runs;
  for (int run = 0; run < 5; ++run) {
    const RateLimits limits(settings);
    LimitRefusal refusal;
    std::size_t allowed = 0;
    const double start = cpu_ns();
    for (std::size_t i = 0; i < kCalls; ++i) {
      // As at 100,000 requests a second.
      const Micros now = 1'000 * kSecond + static_cast<Micros>(i * 10);
      allowed += limits.count(RouteClass::kParticipate, LimitBy::kAccount, names[i % accounts], now, refusal);
    }
    runs.push_back((cpu_ns() - start) / static_cast<double>(kCalls));
    CHECK(allowed > 0);
  }
  std::sort(runs.begin(), runs.end());
  return runs[runs.size() / 2];
}

}  // namespace

int main() {
  const char* const kLimit = "participate.account=100/10s";
  fmt::print(
      "{{\"noLimitNs\":{:.1f},\"oneAccountNs\":{:.1f},\"accounts1000Ns\":{:.1f},\"accounts100000Ns\":{:.1f},",
      measure("", 1'000), measure(kLimit, 1), measure(kLimit, 1'000), measure(kLimit, 100'000));
  fmt::print("\"accounts1000000Ns\":{:.1f}}}\n", measure(kLimit, 1'000'000));
}
