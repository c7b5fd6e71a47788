#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/measure/results.h"

namespace spillway::load {

// The figures of a run as every report shows them, and how k6 writes them for people.

/// summaryTrendStats of k6's options.
inline constexpr std::array<std::string_view, 9> kTrendStats = {
    "avg", "min", "med", "max", "p(90)", "p(95)", "p(99)", "p(99.9)", "p(99.99)"};
/// In the order of kTrendStats.
std::array<double, kTrendStats.size()> trend_figures(const Sink&);

/// A metric of the summary, or a submetric that a threshold names.
struct SummaryMetric {
  std::string name;  ///< http_req_duration{name:enter}
  MetricType type = MetricType::kCounter;
  Contains contains = Contains::kDefault;
  Sink sink;
  std::vector<const ThresholdResult*> thresholds;  ///< into Results::thresholds
};
/// What k6 has in `metrics`: all that were measured, those that thresholds name, and
/// http_req_duration{expected_response:true} where requests have that tag. Sorted by name, submetrics after
/// their metric.
std::vector<SummaryMetric> summary_metrics(const Results&);

/// The requests of one step (tag "name"), times in ms.
struct StepFigures {
  struct Times {
    double p50 = 0, p90 = 0, p95 = 0, p99 = 0, p999 = 0, p9999 = 0, max = 0;
  };
  std::string name;
  std::uint64_t count = 0, failed = 0;
  Times service, response;  ///< response: zeros when it was not measured
};
/// Every step by name, and last of all "all requests".
std::vector<StepFigures> step_figures(const Results&);

/// As k6: 0s, 12.5ms, 220.52µs, 1.35s, 2m5s.
std::string duration_text(double ms);
/// As k6: 940 B, 1.2 kB, 244 kB.
std::string bytes_text(double bytes);
/// At most six digits behind the point, without zeros at the end.
std::string number_text(double);
/// As k6, cut off and not rounded, so that 99.999% is not 100%.
std::string percent_text(double share);
std::string value_text(MetricType, Contains, double);
/// p(95) of p(95)<200.
std::string_view aggregation_of(std::string_view expression);
/// What a threshold's left side was, with its unit.
std::string threshold_value_text(const Results&, const ThresholdResult&);
/// 1,234,567
std::string grouped(std::uint64_t);
/// Without what could break a line or a terminal.
std::string one_line(std::string_view);

/// Columns on a terminal, one a code point: which holds for what is written here (µ, ✓).
std::size_t width(std::string_view);
/// With spaces behind, or in front.
std::string padded(std::string, std::size_t columns);
std::string padded_left(std::string, std::size_t columns);

}  // namespace spillway::load
