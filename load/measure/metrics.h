#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "load/wire/histogram.h"

namespace spillway::load {

// Metrics as k6 has them (https://grafana.com/docs/k6/latest/using-k6/metrics/): four types, and submetrics
// by tags.

enum class MetricType : std::uint8_t { kCounter, kGauge, kRate, kTrend };
enum class Contains : std::uint8_t { kDefault, kTime, kData };  ///< a time is in milliseconds
std::string_view name(MetricType);                              ///< "counter", as in k6's summary
std::string_view name(Contains);

struct Metric {
  std::string name;
  MetricType type = MetricType::kCounter;
  Contains contains = Contains::kDefault;
  friend bool operator==(const Metric&, const Metric&) = default;
};

/// By name, sorted: {{"name", "enter"}, {"scenario", "people"}}.
using Tags = std::map<std::string, std::string>;

/// What was added to one metric with one set of tags.
struct Sink {
  double sum = 0;                     ///< counter: the count; rate: how many were true
  std::uint64_t samples = 0;          ///< how many values were added
  double last = 0, min = 0, max = 0;  ///< gauge
  std::shared_ptr<Histogram> values;  ///< trend; null without values. 1 ms, or 1 of a plain number: 1e6 ns

  /// Adds up. Of gauges the later one's last value counts, which is that of `other`.
  void add(MetricType, const Sink& other);
  /// Of a trend, in its unit (ms): fraction 0.95 for p(95). Differs from k6's, which interpolates between all
  /// values, by the histogram's 0.1%.
  double quantile(double fraction) const;
  double avg() const;       ///< trend
  double smallest() const;  ///< trend
  double largest() const;   ///< trend
  double rate() const {
    return samples == 0 ? 0 : sum / static_cast<double>(samples);
  }  ///< rate: share of true
};

struct Series {
  std::size_t metric = 0;  ///< index into Measurements::metrics
  Tags tags;
  Sink sink;
};

/// What a run, or a part of it, measured. Not thread-safe.
class Measurements {
 public:
  /// The index of the metric of that name; makes it when there is none.
  std::size_t metric(const Metric&);
  std::optional<std::size_t> find(std::string_view metric_name) const;
  /// Adds to the series of that metric and those tags.
  void add(std::size_t metric, const Tags&, const Sink&);
  void add(const Measurements& other);

  const std::vector<Metric>& metrics() const { return metrics_; }
  const std::vector<Series>& series() const { return series_; }
  /// All series of the metric that have these tags, added up. Without any: an empty sink.
  Sink select(std::size_t metric, const Tags& having = {}) const;
  Sink select(std::string_view metric_name, const Tags& having = {}) const;
  /// The values of a tag among the metric's series, sorted.
  std::vector<std::string> tag_values(std::string_view metric_name, const std::string& tag) const;

  /// For another process; decode() answers nothing for what encode() did not make.
  std::string encode() const;
  static std::optional<Measurements> decode(std::string_view);

 private:
  std::vector<Metric> metrics_;
  std::vector<Series> series_;
  std::map<std::pair<std::size_t, Tags>, std::size_t> index_;
};

// The names that everybody uses. Those of k6 mean what they mean there.
namespace metric {
inline constexpr std::string_view kHttpReqs = "http_reqs";
inline constexpr std::string_view kHttpReqFailed = "http_req_failed";
inline constexpr std::string_view kHttpReqDuration = "http_req_duration";  ///< service time: from the send
/// From when the request was due by the schedule, which is earlier than the send when virtual users, or this
/// program, were late: shows what coordinated omission hides. Not in k6.
inline constexpr std::string_view kHttpReqResponseTime = "http_req_response_time";
inline constexpr std::string_view kIterations = "iterations";
inline constexpr std::string_view kIterationDuration = "iteration_duration";
inline constexpr std::string_view kDroppedIterations = "dropped_iterations";
inline constexpr std::string_view kChecks = "checks";  ///< tag "check": its name
inline constexpr std::string_view kVus = "vus";
inline constexpr std::string_view kVusMax = "vus_max";
}  // namespace metric

}  // namespace spillway::load
