#include "load/report/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include "load/report/figures.h"

namespace spillway::load {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxSummaryBytes = std::size_t{256} << 20;  // a day's timeline has some 100 MB
constexpr std::size_t kMaxJsonDepth = 64;                         // k6's groups may be nested
constexpr std::size_t kMaxMetrics = 10'000;
constexpr std::size_t kMaxThresholds = 1'000;  // of one metric
constexpr std::string_view kComparedOfTrends[] = {"avg", "p(90)", "p(95)", "p(99)"};

struct ReadMetric {
  MetricType type = MetricType::kCounter;
  Contains contains = Contains::kDefault;
  std::map<std::string, double> values;
  std::map<std::string, bool> thresholds;  ///< by expression, whether it held
};

struct Summary {
  /// By metric and what is in braces, so that submetrics come after their metric.
  std::map<std::pair<std::string, std::string>, ReadMetric> metrics;
  std::string plan, verdict;  ///< empty in k6's
};

template <class T>
std::optional<T> by_name(std::string_view text, std::initializer_list<T> all) {
  const auto* found = std::find_if(all.begin(), all.end(), [&](T one) { return name(one) == text; });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* found = object.if_contains(key);
  return found && found->is_string() ? std::string_view(found->get_string()) : std::string_view{};
}

/// {"p(95)<200": {"ok": true}}
Result<std::map<std::string, bool>> read_thresholds(std::string_view name, const json::object& metric) {
  std::map<std::string, bool> read;
  const json::value* thresholds = metric.if_contains("thresholds");
  if (!thresholds) return read;
  if (!thresholds->is_object())
    return invalid_argument(fmt::format("metrics.{}.thresholds: is no object", name));
  if (thresholds->get_object().size() > kMaxThresholds)
    return invalid_argument(fmt::format("metrics.{}.thresholds: more than {}", name, kMaxThresholds));
  for (const auto& [expression, value] : thresholds->get_object()) {
    const json::value* ok = value.is_object() ? value.get_object().if_contains("ok") : nullptr;
    if (!ok || !ok->is_bool())
      return invalid_argument(
          fmt::format("metrics.{}.thresholds.{}.ok: is no bool", name, std::string_view(expression)));
    read[std::string(expression)] = ok->get_bool();
  }
  return read;
}

Result<ReadMetric> read_metric(std::string_view name, const json::value& value) {
  const json::object* metric = value.if_object();
  if (!metric) return invalid_argument(fmt::format("metrics.{}: is no object", name));
  const auto type = by_name(text_of(*metric, "type"), {MetricType::kCounter, MetricType::kGauge,
                                                       MetricType::kRate, MetricType::kTrend});
  const json::value* values = metric->if_contains("values");
  if (!metric->contains("type") && !values)
    return invalid_argument(fmt::format(
        "metrics.{}: has neither type nor values; is it of --summary-export? Take the JSON of handleSummary",
        name));
  if (!type)
    return invalid_argument(fmt::format("metrics.{}.type: is none of counter, gauge, rate, trend", name));
  if (!values || !values->is_object())
    return invalid_argument(fmt::format("metrics.{}.values: is no object", name));
  ReadMetric read;
  read.type = *type;
  read.contains =
      by_name(text_of(*metric, "contains"), {Contains::kDefault, Contains::kTime, Contains::kData})
          .value_or(Contains::kDefault);
  for (const auto& [key, number] : values->get_object()) {
    if (number.is_null()) continue;  // not a number in k6: what JSON has no word for
    if (!number.is_number())
      return invalid_argument(fmt::format("metrics.{}.values.{}: is no number", name, std::string_view(key)));
    read.values[std::string(key)] = number.to_number<double>();
  }
  auto thresholds = read_thresholds(name, *metric);
  if (!thresholds) return thresholds.error();
  read.thresholds = std::move(*thresholds);
  return read;
}

Result<Summary> read_summary(std::string_view text) {
  if (text.size() > kMaxSummaryBytes)
    return invalid_argument(fmt::format("has {} bytes, at most {}", text.size(), kMaxSummaryBytes));
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::error_code error;
  const json::value root = json::parse(text, error, {}, options);
  if (error) return invalid_argument("is not JSON: " + error.message());
  const json::object* object = root.if_object();
  if (!object) return invalid_argument("is no JSON object");
  const json::value* metrics = object->if_contains("metrics");
  if (!metrics || !metrics->is_object())
    return invalid_argument("metrics: is not there, or no object; this is not a summary");
  if (metrics->get_object().size() > kMaxMetrics)
    return invalid_argument(fmt::format("metrics: more than {}", kMaxMetrics));
  Summary summary;
  for (const auto& [key, value] : metrics->get_object()) {
    const std::string name(key);
    auto metric = read_metric(name, value);
    if (!metric) return metric.error();
    const std::size_t brace = name.find('{');
    summary.metrics[{name.substr(0, brace), brace == name.npos ? "" : name.substr(brace)}] =
        std::move(*metric);
  }
  const json::value* ours = object->if_contains("spillway");
  if (!ours || !ours->is_object()) return summary;
  summary.verdict = text_of(ours->get_object(), "verdict");
  const json::value* plan = ours->get_object().if_contains("plan");
  if (plan && plan->is_object()) summary.plan = text_of(plan->get_object(), "name");
  return summary;
}

std::string figure_text(const ComparedFigure& f, double value) {
  // A counter's is a second's, of which digits behind the third tell nothing; a rate's share must show small
  // changes.
  if (f.type == MetricType::kRate) return fmt::format("{:.3f}%", 100 * value);
  if (f.type != MetricType::kCounter) return value_text(f.type, f.contains, value);
  return (f.contains == Contains::kData ? bytes_text(value) : fmt::format("{:.2f}", value)) + "/s";
}

class Comparer {
 public:
  Comparer(const Summary& a, const Summary& b, double tolerance) : a_(a), b_(b), tolerance_(tolerance) {
    same_plan_ = a.plan.empty() || b.plan.empty() || a.plan == b.plan;
  }

  Comparison run() {
    if (!same_plan_)
      note(fmt::format("the plans are not the same ({} and {}): throughput is not judged", a_.plan, b_.plan));
    for (const auto& [key, metric] : a_.metrics) {
      const auto other = b_.metrics.find(key);
      const std::string name = key.first + key.second;
      if (other == b_.metrics.end()) {
        only_in_a(name, metric);
      } else if (other->second.type != metric.type) {
        note(fmt::format("{} is a {} in A and a {} in B", name, spillway::load::name(metric.type),
                         spillway::load::name(other->second.type)));
      } else {
        compare_metric(key.first, name, metric, other->second);
        compare_thresholds(name, metric, other->second);
      }
    }
    for (const auto& [key, metric] : b_.metrics) {
      if (!a_.metrics.contains(key)) note(key.first + key.second + " is only in B");
    }
    compare_verdicts();
    result_.worse = !result_.grounds.empty();
    return std::move(result_);
  }

 private:
  void note(std::string text) { result_.notes.push_back(std::move(text)); }
  void ground(std::string text) { result_.grounds.push_back(std::move(text)); }

  void only_in_a(const std::string& name, const ReadMetric& a) {
    if (a.thresholds.empty()) return note(name + " is only in A");
    ground(
        fmt::format("{} is only in A, which has a threshold on it: {}", name, a.thresholds.begin()->first));
  }

  /// Whoever set them said what is bad; those that only one file has are another plan's.
  void compare_thresholds(const std::string& name, const ReadMetric& a, const ReadMetric& b) {
    for (const auto& [expression, ok] : a.thresholds) {
      const auto in_b = b.thresholds.find(expression);
      if (ok && in_b != b.thresholds.end() && !in_b->second)
        ground(fmt::format("{} missed {}, which A held", name, expression));
    }
  }

  void compare_metric(std::string_view base, const std::string& name, const ReadMetric& a,
                      const ReadMetric& b) {
    const auto add = [&](std::string_view figure) {
      const auto in_a = a.values.find(std::string(figure)), in_b = b.values.find(std::string(figure));
      if (in_a == a.values.end() || in_b == b.values.end()) return;
      ComparedFigure f{name, std::string(figure), a.type, a.contains, in_a->second, in_b->second, false};
      f.worse = is_worse(base, f);
      if (f.worse)
        ground(fmt::format("{} {}: {} after {}", name, figure, figure_text(f, f.b), figure_text(f, f.a)));
      result_.figures.push_back(std::move(f));
    };
    if (a.type == MetricType::kTrend) {
      for (const std::string_view figure : kComparedOfTrends) add(figure);
    } else if (a.type != MetricType::kGauge) {
      add("rate");
    }
  }

  bool more_failed(double a, double b) const { return b - a > kFailureSlack && b > a * (1 + tolerance_); }

  bool is_worse(std::string_view base, const ComparedFigure& f) const {
    if (f.type == MetricType::kTrend)
      return f.contains == Contains::kTime && base != "ws_session_duration" && f.b - f.a > kLatencySlackMs &&
             f.b > f.a * (1 + tolerance_);
    if (f.type == MetricType::kRate)
      return (base == metric::kHttpReqFailed && more_failed(f.a, f.b)) ||
             (base == metric::kChecks && more_failed(1 - f.a, 1 - f.b));
    return f.metric == metric::kHttpReqs && same_plan_ && f.b < f.a * (1 - tolerance_);
  }

  void compare_verdicts() {
    if (a_.verdict == "INVALID") note("A is INVALID: it shows nothing that B could be held against");
    if (b_.verdict == "INVALID") {
      ground("verdict: B is INVALID: it shows nothing about the server; repeat it");
    } else if (!a_.verdict.empty() && !b_.verdict.empty()) {
      const std::string what = fmt::format("verdict: {} after {}", b_.verdict, a_.verdict);
      b_.verdict == "FAIL" && a_.verdict != "FAIL" && a_.verdict != "INVALID" ? ground(what) : note(what);
    }
  }

  const Summary& a_;
  const Summary& b_;
  double tolerance_;
  bool same_plan_ = true;
  Comparison result_;
};

}  // namespace

Result<Comparison> compare(std::string_view json_a, std::string_view json_b, double tolerance) {
  if (!std::isfinite(tolerance) || tolerance < 0) return invalid_argument("tolerance: must be 0 or more");
  const auto a = read_summary(json_a);
  if (!a) return invalid_argument("A: " + a.error().message);
  const auto b = read_summary(json_b);
  if (!b) return invalid_argument("B: " + b.error().message);
  return Comparer(*a, *b, tolerance).run();
}

std::string comparison_text(const Comparison& comparison, std::string_view name_a, std::string_view name_b) {
  std::vector<std::vector<std::string>> rows = {{"", "", "A", "B", "change", ""}};
  std::string_view before;
  for (const ComparedFigure& f : comparison.figures) {
    const std::string change =
        f.a == 0 ? (f.b == 0 ? "0.0%" : "-") : fmt::format("{:+.1f}%", 100 * (f.b - f.a) / f.a);
    const std::string metric = f.metric == before ? "" : one_line(f.metric);
    rows.push_back(
        {metric, f.figure, figure_text(f, f.a), figure_text(f, f.b), change, f.worse ? "worse" : ""});
    before = f.metric;
  }
  std::vector<std::size_t> columns(rows[0].size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) columns[i] = std::max(columns[i], width(row[i]));
  }
  std::string out = fmt::format("A: {}\nB: {}\n\n", one_line(name_a), one_line(name_b));
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool text = i < 2 || i == 5;
      line += (i == 0 ? "" : "  ") + (text ? padded(row[i], columns[i]) : padded_left(row[i], columns[i]));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  out += '\n';
  for (const std::string& one : comparison.notes) out += fmt::format("note: {}\n", one_line(one));
  for (const std::string& one : comparison.grounds) out += fmt::format("worse: {}\n", one_line(one));
  out += comparison.worse ? "B is worse than A.\n" : "B is not worse than A.\n";
  return out;
}

}  // namespace spillway::load
