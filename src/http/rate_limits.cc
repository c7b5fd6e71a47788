#include "http/rate_limits.h"

#include <fmt/format.h>
#include <sodium.h>

#include <charconv>
#include <iterator>
#include <optional>

#include "base/check.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/prometheus.h"

namespace spillway::http {
namespace {

constexpr std::array<std::string_view, kRouteClasses> kClassNames = {"none", "login",  "participate",
                                                                     "read", "stream", "admin"};
constexpr std::array<std::string_view, kLimitKinds> kKindNames = {"account", "address"};

std::size_t index(RouteClass route_class) { return static_cast<std::size_t>(route_class); }
std::size_t index(LimitBy by) { return static_cast<std::size_t>(by); }

/// Calls `visit(class, by)` for every limit that there can be.
template <class Visit>
void for_each_limit(Visit visit) {
  for (std::size_t c = index(RouteClass::kLogin); c < kRouteClasses; ++c) {
    for (std::size_t k = 0; k < kLimitKinds; ++k) visit(static_cast<RouteClass>(c), static_cast<LimitBy>(k));
  }
}

std::string figures(const RateLimit& limit) {
  return fmt::format("{}/{}s", limit.requests, limit.window / kSecond);
}

struct Named {
  RouteClass route_class;
  LimitBy by;
};

Result<Named> parse_name(std::string_view text) {
  std::optional<Named> found;
  for_each_limit([&](RouteClass c, LimitBy by) {
    if (text == fmt::format("{}.{}", name(c), name(by))) found = {c, by};
  });
  if (!found) {
    return invalid_argument(
        fmt::format("has no limit {}: it takes login, participate, read, stream or admin, a dot, and account "
                    "or address",
                    text));
  }
  if (found->route_class == RouteClass::kLogin && found->by == LimitBy::kAccount) {
    return invalid_argument(
        "has no limit login.account: strangers could lock an owner out; failed attempts are limited anyway");
  }
  return *found;
}

/// "20/10s", "1000/5m", "off".
Result<RateLimit> parse_figures(std::string_view limit_name, std::string_view text) {
  if (text == "off") return RateLimit{};
  const Error bad =
      invalid_argument(fmt::format("must give {} as REQUESTS/TIME, from 1/1s to {}/24h, as 20/10s, or as off",
                                   limit_name, limits::kMaxRateQuota));
  RateLimit limit;
  const char* const end = text.data() + text.size();
  const auto [slash, failed] = std::from_chars(text.data(), end, limit.requests);
  if (failed != std::errc() || slash == end || *slash != '/') return bad;
  std::uint32_t amount = 0;
  const auto [unit, failed_too] = std::from_chars(slash + 1, end, amount);
  if (failed_too != std::errc() || end - unit != 1) return bad;
  const Micros of_unit = *unit == 's'   ? kSecond
                         : *unit == 'm' ? 60 * kSecond
                         : *unit == 'h' ? 3600 * kSecond
                                        : 0;
  if (of_unit == 0 || amount == 0 || amount > limits::kMaxRateWindow / of_unit) return bad;
  if (limit.requests == 0 || limit.requests > limits::kMaxRateQuota) return bad;
  limit.window = amount * of_unit;
  return limit;
}

std::uint64_t hash(std::string_view text, const std::array<std::uint8_t, 16>& seed) {
  static_assert(sizeof seed == crypto_shorthash_KEYBYTES);
  std::uint64_t out = 0;
  static_assert(sizeof out == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&out),
                   reinterpret_cast<const unsigned char*>(text.data()), text.size(), seed.data());
  return out;
}

}  // namespace

std::string_view name(RouteClass route_class) { return kClassNames[index(route_class)]; }
std::string_view name(LimitBy by) { return kKindNames[index(by)]; }

// ---- RateLimitSettings ------------------------------------------------------------------------------------

RateLimitSettings RateLimitSettings::defaults() {
  RateLimitSettings settings;
  settings.at(RouteClass::kParticipate, LimitBy::kAccount) = {100, 10 * kSecond};
  return settings;
}

RateLimit& RateLimitSettings::at(RouteClass route_class, LimitBy by) {
  return limits[index(route_class)][index(by)];
}
const RateLimit& RateLimitSettings::at(RouteClass route_class, LimitBy by) const {
  return limits[index(route_class)][index(by)];
}

bool RateLimitSettings::empty() const { return *this == RateLimitSettings{}; }

Status RateLimitSettings::set(std::string_view text) {
  RateLimitSettings changed = *this;
  while (true) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view each = text.substr(0, comma);
    while (each.starts_with(' ')) each.remove_prefix(1);
    while (each.ends_with(' ')) each.remove_suffix(1);
    const std::size_t equals = each.find('=');
    if (equals == std::string_view::npos) {
      return invalid_argument("must be CLASS.BY=REQUESTS/TIME, as participate.account=20/10s");
    }
    const auto named = parse_name(each.substr(0, equals));
    if (!named) return named.error();
    const auto limit = parse_figures(each.substr(0, equals), each.substr(equals + 1));
    if (!limit) return limit.error();
    changed.at(named->route_class, named->by) = *limit;
    if (comma == text.size()) break;
    text.remove_prefix(comma + 1);
  }
  *this = changed;
  return Ok{};
}

std::string RateLimitSettings::text() const {
  std::string out;
  for_each_limit([&](RouteClass c, LimitBy by) {
    if (at(c, by).requests == 0) return;
    fmt::format_to(std::back_inserter(out), "{}{}.{}={}", out.empty() ? "" : ",", name(c), name(by),
                   figures(at(c, by)));
  });
  return out;
}

std::string RateLimitSettings::to_json() const {
  std::string out;
  JsonWriter json(out);
  json.open_object();
  for_each_limit([&](RouteClass c, LimitBy by) {
    if (at(c, by).requests != 0) json.member(fmt::format("{}.{}", name(c), name(by)), figures(at(c, by)));
  });
  json.close_object();
  return out;
}

// ---- RateLimits -------------------------------------------------------------------------------------------

Error LimitRefusal::error() const {
  return {ErrorCode::kRateLimited,
          fmt::format("{} requests in {} s are allowed to one {} here", requests, window_s, name(by)),
          static_cast<int>(wait_s)};
}
std::string LimitRefusal::limit_field() const {
  return fmt::format("\"{}-{}\";r=0;t={}", name(route_class), name(by), wait_s);
}
std::string LimitRefusal::policy_field() const {
  return fmt::format("\"{}-{}\";q={};w={}", name(route_class), name(by), requests, window_s);
}

RateLimits::RateLimits(const RateLimitSettings& settings, const RateLimits* before, std::size_t entries)
    : settings_(settings), shared_(before != nullptr ? before->shared_ : std::make_shared<Shared>()) {
  if (before == nullptr) {
    CHECK(sodium_init() >= 0);
    randombytes_buf(shared_->seed.data(), shared_->seed.size());
  }
  for_each_limit([&](RouteClass c, LimitBy by) {
    const RateLimit& limit = settings.at(c, by);
    if (limit.requests == 0) return;
    Rule& made = rules_[index(c)][index(by)];
    made.requests = limit.requests;
    if (before != nullptr) made.table = before->rule(c, by).table;
    if (made.table == nullptr || made.table->window() != limit.window) {
      made.table = std::make_shared<RateTable>(limit.window, entries);
    }
  });
}

bool RateLimits::count(RouteClass route_class, LimitBy by, std::string_view key, Micros now_us,
                       LimitRefusal& refusal) const {
  const Rule& found = rule(route_class, by);
  if (found.table == nullptr) return true;
  const RateTable::Verdict verdict = found.table->take(hash(key, shared_->seed), found.requests, now_us);
  if (verdict.allowed) return true;
  shared_->refused[index(route_class)][index(by)].fetch_add(1, std::memory_order_relaxed);
  refusal = {route_class, by, found.requests, static_cast<std::uint32_t>(found.table->window() / kSecond),
             static_cast<std::uint32_t>((verdict.wait_us + kSecond - 1) / kSecond)};
  return false;
}

void RateLimits::prefetch(RouteClass route_class, LimitBy by, std::string_view key) const {
  const Rule& found = rule(route_class, by);
  if (found.table != nullptr) found.table->prefetch(hash(key, shared_->seed));
}

bool RateLimits::count(RouteClass route_class, const IpAddress& address, Micros now_us,
                       LimitRefusal& refusal) const {
  if (!has(route_class, LimitBy::kAddress)) return true;
  const IpAddress group = address.group();
  const std::string_view key(reinterpret_cast<const char*>(group.bytes().data()), group.bytes().size());
  return count(route_class, LimitBy::kAddress, key, now_us, refusal);
}

std::uint64_t RateLimits::refused(RouteClass route_class, LimitBy by) const {
  return shared_->refused[index(route_class)][index(by)].load(std::memory_order_relaxed);
}
std::uint64_t RateLimits::evictions(RouteClass route_class, LimitBy by) const {
  const Rule& found = rule(route_class, by);
  return found.table == nullptr ? 0 : found.table->evictions();
}

void append_rate_limit_metrics(std::string& out, const RateLimits& limits) {
  const auto each = [&](std::string_view metric, std::string_view help, auto value) {
    append_metric_head(out, metric, "counter", help);
    for_each_limit([&](RouteClass c, LimitBy by) {
      if (c == RouteClass::kLogin && by == LimitBy::kAccount) return;
      fmt::format_to(std::back_inserter(out), "{}{{class=\"{}\",by=\"{}\"}} {}\n", metric, name(c), name(by),
                     value(c, by));
    });
  };
  each("spillway_rate_limited_requests_total", "Requests answered 429 by a rate limit, or counted past it.",
       [&](RouteClass c, LimitBy by) { return limits.refused(c, by); });
  each("spillway_rate_limit_evictions_total",
       "Accounts and addresses forgotten before their window was over.",
       [&](RouteClass c, LimitBy by) { return limits.evictions(c, by); });
}

}  // namespace spillway::http
