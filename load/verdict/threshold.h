#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/measure/metrics.h"
#include "load/measure/results.h"
#include "load/plan/plan.h"

namespace spillway::load {

// Thresholds in k6's grammar (https://grafana.com/docs/k6/latest/using-k6/thresholds/), judged as k6 1.8
// does.

enum class Aggregation : std::uint8_t { kCount, kRate, kValue, kAvg, kMin, kMed, kMax, kPercentile };
enum class Operator : std::uint8_t { kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kEqual, kNotEqual };

/// What is to the left and to the right of the operator: p(95) < 200.
struct Bound {
  Aggregation aggregation = Aggregation::kCount;
  double percent = 0;  ///< of kPercentile: 95
  Operator op = Operator::kLess;
  double value = 0;
  bool holds(double left) const;
};

/// http_req_duration{name:enter,status:200}
struct Selector {
  std::string metric;
  Tags tags;
};

struct ParsedThreshold {
  std::string metric;      ///< with its tags, as written, without spaces around
  std::string expression;  ///< as written, without spaces around
  std::string warn;        ///< as written; empty: none
  Selector selector;
  Bound bound;
  std::optional<Bound> warn_bound;

  /// Without samples as k6: times and counts are 0, so `p(95)<200` holds and `count>0` does not; a rate or a
  /// gauge of nothing has no value, and every threshold on it holds. Other than k6, which refuses such a
  /// script: a metric that nobody knows, neither the measurements nor this program, misses its threshold, so
  /// that a slip of the pen is not a pass.
  ThresholdResult evaluate(const Measurements&, double duration_s) const;
  /// Nothing was measured that it is about.
  bool empty(const Measurements&) const;
};

Result<Selector> parse_selector(std::string_view metric_with_tags);
/// Errors name what is wrong as "threshold METRIC: EXPRESSION". The aggregation must be one of the metric's
/// type where the metric is one that every run has; check_type() is for the others, when they are known.
Result<ParsedThreshold> parse_threshold(std::string_view metric_with_tags, std::string_view expression);
/// With the warn bound.
Result<ParsedThreshold> parse_threshold(const Threshold&);
Status check_type(const ParsedThreshold&, MetricType);

/// The type of those metrics that every run has, by k6's names and ours.
std::optional<MetricType> type_of_known_metric(std::string_view name);
/// Everything that is wrong with a plan's thresholds shows here, before a run; `known`: what its journeys
/// measure.
Status check_thresholds(const Plan&, const std::vector<Metric>& known);

/// In the plan's order.
std::vector<ThresholdResult> evaluate_all(const Plan&, const Measurements&, double duration_s);
/// While it runs: the first threshold with abortOnFail that does not hold and whose delay is over, in words.
/// Those without samples wait, as k6's do.
std::optional<std::string> reason_to_abort(const Plan&, const Measurements&, double elapsed_s);

}  // namespace spillway::load
