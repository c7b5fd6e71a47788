#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ip_address.h"
#include "base/limits.h"
#include "base/result.h"
#include "http/rate_table.h"

namespace spillway::http {

/// Kinds of traffic that are limited apart. kNone is never limited.
enum class RouteClass : std::uint8_t { kNone, kLogin, kParticipate, kRead, kStream, kAdmin };
inline constexpr std::size_t kRouteClasses = 6;
std::string_view name(RouteClass);

/// What is counted.
enum class LimitBy : std::uint8_t { kAccount, kAddress };
inline constexpr std::size_t kLimitKinds = 2;
std::string_view name(LimitBy);

/// So many requests in any window. 0 requests: no limit.
struct RateLimit {
  std::uint32_t requests = 0;
  Micros window = 0;  ///< whole seconds
  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// Which limits there are, as they are configured.
struct RateLimitSettings {
  std::array<std::array<RateLimit, kLimitKinds>, kRouteClasses> limits{};

  /// A person takes part now and then; nothing else is known well enough to limit it unasked.
  static RateLimitSettings defaults();
  RateLimit& at(RouteClass, LimitBy);
  const RateLimit& at(RouteClass, LimitBy) const;
  bool empty() const;
  /// "participate.account=20/10s", several with commas; `off` instead of the figures removes one. Errors are
  /// sentences without the option's name, and name the limit; then nothing is changed.
  Status set(std::string_view text);
  /// All that are set, as set() takes them, by class; empty when there are none.
  std::string text() const;
  std::string to_json() const;  ///< {"participate.account":"20/10s"}
  friend bool operator==(const RateLimitSettings&, const RateLimitSettings&) = default;
};

/// What a request that is too much is told. Kept beside the answer until it is written.
struct LimitRefusal {
  RouteClass route_class = RouteClass::kNone;
  LimitBy by = LimitBy::kAccount;
  std::uint32_t requests = 0;
  std::uint32_t window_s = 0;
  std::uint32_t wait_s = 0;  ///< 0: it was not refused

  Error error() const;
  /// The values of RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-10).
  std::string limit_field() const;
  std::string policy_field() const;
};

/// The limits in force. One is shared by all http threads and never changes; a reload makes another, which
/// goes on with the counts of this one where the window stayed the same.
///
/// Operation: an address counts by its IpAddress::group(), an account by its id; both as keyed hashes.
/// Concurrency: count() and the rest from any thread; see RateTable.
class RateLimits {
 public:
  /// `entries`: of each limit, see RateTable.
  explicit RateLimits(const RateLimitSettings&, const RateLimits* before = nullptr,
                      std::size_t entries = limits::kRateTableEntries);

  bool has(RouteClass route_class, LimitBy by) const { return rule(route_class, by).table != nullptr; }
  /// Counts a request, or fills `refusal` and returns false. `now_us`: the steady clock.
  bool count(RouteClass, LimitBy, std::string_view key, Micros now_us, LimitRefusal& refusal) const;
  bool count(RouteClass, const IpAddress&, Micros now_us, LimitRefusal& refusal) const;

  /// Before count(), as early as the key is known: see RateTable::prefetch.
  void prefetch(RouteClass, LimitBy, std::string_view key) const;

  const RateLimitSettings& settings() const { return settings_; }
  /// Since the process started, also over reloads.
  std::uint64_t refused(RouteClass, LimitBy) const;
  std::uint64_t evictions(RouteClass, LimitBy) const;  ///< since the limit, or its window, was set

 private:
  struct Rule {
    std::shared_ptr<RateTable> table;  ///< null: no limit
    std::uint32_t requests = 0;
  };
  /// What outlives a reload.
  struct Shared {
    std::array<std::uint8_t, 16> seed;
    std::array<std::array<std::atomic<std::uint64_t>, kLimitKinds>, kRouteClasses> refused{};
  };
  const Rule& rule(RouteClass route_class, LimitBy by) const {
    return rules_[static_cast<std::size_t>(route_class)][static_cast<std::size_t>(by)];
  }

  RateLimitSettings settings_;
  std::array<std::array<Rule, kLimitKinds>, kRouteClasses> rules_;
  std::shared_ptr<Shared> shared_;
};

/// spillway_rate_limited_requests_total and spillway_rate_limit_evictions_total.
void append_rate_limit_metrics(std::string& out, const RateLimits&);

}  // namespace spillway::http
