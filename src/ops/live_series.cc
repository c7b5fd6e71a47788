#include "ops/live_series.h"

#include <cmath>
#include <utility>

#include "base/json_writer.h"

namespace spillway::ops {
namespace {

/// What was counted, or null.
void rate(JsonWriter& json, std::string_view name, bool known, std::uint64_t before, std::uint64_t now) {
  json.key(name);
  known ? json.value(now - before) : json.raw("null");
}
template <class T>
void gauge(JsonWriter& json, std::string_view name, const LiveSample* sample, T LiveSample::*member) {
  json.key(name);
  sample != nullptr ? json.value(sample->*member) : json.raw("null");
}
void seconds(JsonWriter& json, std::string_view name, std::optional<double> value) {
  json.key(name);
  // Whole microseconds: the buckets know no better, and the text stays short.
  value ? json.value(std::round(*value * 1e6) / 1e6) : json.raw("null");
}

/// Counters that fell, or buckets that changed, are of another start: no difference means anything.
bool comparable(const LiveSample& before, const LiveSample& now) {
  if (before.latency_bounds_seconds != now.latency_bounds_seconds) return false;
  if (before.latency_counts.size() != now.latency_counts.size()) return false;
  for (std::size_t i = 0; i < now.latency_counts.size(); ++i) {
    if (now.latency_counts[i] < before.latency_counts[i]) return false;
  }
  return now.accepted >= before.accepted && now.duplicate >= before.duplicate &&
         now.refused >= before.refused && now.succeeded >= before.succeeded &&
         now.rejected >= before.rejected && now.failed >= before.failed;
}

}  // namespace

bool about_a_second(Micros from, Micros to) {
  return to - from >= kSecond / 2 && to - from <= kSecond + kSecond / 2;
}

std::optional<double> quantile(const std::vector<double>& bounds, const std::vector<std::uint64_t>& counts,
                               double share) {
  std::uint64_t total = 0;
  for (const std::uint64_t count : counts) total += count;
  if (total == 0 || bounds.empty()) return {};
  const double wanted = share * static_cast<double>(total);
  double below = 0;
  for (std::size_t i = 0; i < bounds.size() && i < counts.size(); ++i) {
    const double here = static_cast<double>(counts[i]);
    if (here > 0 && below + here >= wanted) {
      const double low = i == 0 ? 0 : bounds[i - 1];
      return low + (bounds[i] - low) * (wanted - below) / here;
    }
    below += here;
  }
  return bounds.back();
}

std::string LiveSeries::point(Timestamp at, Micros steady_us, const std::optional<LiveSample>& sample,
                              const HttpTotals& http, Micros http_steady_us) {
  const LiveSample* const now = sample ? &*sample : nullptr;
  const bool known =
      now != nullptr && last_ && about_a_second(last_us_, steady_us) && comparable(*last_, *now);
  static const LiveSample kNone;
  const LiveSample& to = known ? *now : kNone;
  const LiveSample& from = known ? *last_ : kNone;

  std::string out;
  JsonWriter json(out);
  json.open_object().member("at", at);
  rate(json, "accepted", known, from.accepted, to.accepted);
  rate(json, "duplicate", known, from.duplicate, to.duplicate);
  rate(json, "refused", known, from.refused, to.refused);
  json.key("finished").open_object();
  rate(json, "succeeded", known, from.succeeded, to.succeeded);
  rate(json, "rejected", known, from.rejected, to.rejected);
  rate(json, "failed", known, from.failed, to.failed);
  json.close_object();
  gauge(json, "visible", now, &LiveSample::visible);
  gauge(json, "inFlight", now, &LiveSample::in_flight);
  gauge(json, "delayed", now, &LiveSample::delayed);
  gauge(json, "deadLetters", now, &LiveSample::dead_letters);
  gauge(json, "oldestAgeSeconds", now, &LiveSample::oldest_age_seconds);

  std::vector<std::uint64_t> counts(to.latency_counts.size());
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    count += counts[i] = to.latency_counts[i] - from.latency_counts[i];
  }
  json.key("latency").open_object();
  seconds(json, "p50", quantile(to.latency_bounds_seconds, counts, 0.5));
  seconds(json, "p99", quantile(to.latency_bounds_seconds, counts, 0.99));
  rate(json, "count", known, 0, count);
  json.close_object();

  const bool http_known = last_http_ && about_a_second(last_http_us_, http_steady_us) &&
                          http.requests >= last_http_->requests && http.errors >= last_http_->errors;
  const HttpTotals http_from = last_http_.value_or(HttpTotals{});
  json.key("http").open_object();
  rate(json, "requests", http_known, http_from.requests, http.requests);
  rate(json, "errors", http_known, http_from.errors, http.errors);
  json.close_object();
  gauge(json, "paused", now, &LiveSample::paused);
  json.close_object();

  if (sample) late(*sample, steady_us);
  last_http_ = http;
  last_http_us_ = http_steady_us;
  return out;
}

void LiveSeries::late(LiveSample sample, Micros steady_us) {
  last_ = std::move(sample);
  last_us_ = steady_us;
}

}  // namespace spillway::ops
