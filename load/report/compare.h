#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/measure/metrics.h"

namespace spillway::load {

inline constexpr double kDefaultTolerance = 0.10;
inline constexpr double kLatencySlackMs = 1;    ///< less than this is noise, whatever the share
inline constexpr double kFailureSlack = 0.001;  ///< of a share: a tenth of a percent point

struct ComparedFigure {
  std::string metric;  ///< http_req_duration{name:enter}
  std::string figure;  ///< avg, p(90), p(95), p(99) of a trend; rate of a rate; rate (a second) of a counter
  MetricType type = MetricType::kCounter;
  Contains contains = Contains::kDefault;
  double a = 0, b = 0;
  bool worse = false;  ///< B's
};

struct Comparison {
  std::vector<ComparedFigure> figures;  ///< those that both have, by name
  std::vector<std::string> grounds;     ///< why B is worse, one sentence each
  std::vector<std::string> notes;       ///< what could not be compared
  bool worse = false;
};

/// Two summaries of handleSummary's shape, ours or k6's own. B is worse than A when
/// - a figure of a time is higher by more than `tolerance` (0.10: a tenth) and by more than kLatencySlackMs;
///   not of ws_session_duration, where long is not bad;
/// - the share of http_req_failed or of checks that failed, or of a submetric, is higher by more than
/// `tolerance`
///   and by more than kFailureSlack;
/// - there are fewer http_reqs a second, by more than `tolerance`. That means something between two runs of
/// one
///   plan: under a closed model slower answers make fewer requests, under an open model the schedule was not
///   kept. Where both files name their plan and it is not the same one, this is told and not judged;
/// - a threshold that held in A was missed in B, or a metric that A has a threshold on is not there;
/// - its verdict is INVALID, whatever A's is: it shows nothing that could be as good. Or it is FAIL and A's
/// is
///   neither FAIL nor INVALID. Only ours have a verdict.
/// Errors begin with "A: " or "B: " and name the key that is wrong.
Result<Comparison> compare(std::string_view json_a, std::string_view json_b,
                           double tolerance = kDefaultTolerance);

/// Side by side, for the terminal; the names stand for A and B.
std::string comparison_text(const Comparison&, std::string_view name_a, std::string_view name_b);

}  // namespace spillway::load
