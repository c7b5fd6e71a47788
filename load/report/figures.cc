#include "load/report/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "load/verdict/threshold.h"

namespace spillway::load {
namespace {

constexpr std::string_view kExpectedResponse = "expected_response";

StepFigures::Times times(const Sink& sink) {
  return {sink.quantile(0.5),   sink.quantile(0.9),    sink.quantile(0.95), sink.quantile(0.99),
          sink.quantile(0.999), sink.quantile(0.9999), sink.largest()};
}

StepFigures figures_of(const Results& results, std::string name, const Tags& having) {
  StepFigures step;
  step.name = std::move(name);
  const Sink service = results.measured.select(metric::kHttpReqDuration, having);
  step.count = service.values ? service.values->count() : service.samples;
  step.failed = static_cast<std::uint64_t>(results.measured.select(metric::kHttpReqFailed, having).sum);
  step.service = times(service);
  step.response = times(results.measured.select(metric::kHttpReqResponseTime, having));
  return step;
}

/// Of a metric that only a threshold names, and of which nothing was measured.
Metric unmeasured(const Selector& selector, std::string_view expression) {
  Metric found{selector.metric, MetricType::kCounter, Contains::kDefault};
  const std::string_view aggregation = aggregation_of(expression);
  if (const auto type = type_of_known_metric(selector.metric)) {
    found.type = *type;
  } else if (aggregation == "rate") {
    found.type = MetricType::kRate;
  } else if (aggregation == "value") {
    found.type = MetricType::kGauge;
  } else if (aggregation != "count") {
    found.type = MetricType::kTrend;
  }
  const bool is_time = selector.metric.starts_with("http_req_") || selector.metric.ends_with("_duration");
  if (found.type == MetricType::kTrend && is_time) found.contains = Contains::kTime;
  return found;
}

std::string without_zeros(std::string text) {
  if (text.find('.') == text.npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text;
}

std::string cut_to_two(double value) {
  return without_zeros(fmt::format("{:.2f}", std::trunc(value * 100) / 100));
}

}  // namespace

std::array<double, kTrendStats.size()> trend_figures(const Sink& sink) {
  return {sink.avg(),          sink.smallest(),      sink.quantile(0.5),
          sink.largest(),      sink.quantile(0.9),   sink.quantile(0.95),
          sink.quantile(0.99), sink.quantile(0.999), sink.quantile(0.9999)};
}

std::vector<SummaryMetric> summary_metrics(const Results& results) {
  // By metric and then by what is in braces, which is k6's order.
  std::map<std::pair<std::string, std::string>, SummaryMetric> found;
  const auto add = [&](const std::string& text, const Selector& selector,
                       std::string_view expression) -> SummaryMetric& {
    const std::size_t brace = text.find('{');
    SummaryMetric& one = found[{text.substr(0, brace), brace == text.npos ? "" : text.substr(brace)}];
    if (!one.name.empty()) return one;
    const auto index = results.measured.find(selector.metric);
    const Metric known = index ? results.measured.metrics()[*index] : unmeasured(selector, expression);
    one.name = text;
    one.type = known.type;
    one.contains = known.contains;
    if (index) one.sink = results.measured.select(*index, selector.tags);
    return one;
  };
  for (const Metric& m : results.measured.metrics()) add(m.name, {m.name, {}}, "");
  for (const ThresholdResult& threshold : results.thresholds) {
    const auto selector = parse_selector(threshold.metric);
    if (!selector) continue;
    add(selector->metric, {selector->metric, {}},
        threshold.expression);  // k6 shows the whole beside the part
    add(threshold.metric, *selector, threshold.expression).thresholds.push_back(&threshold);
  }
  if (!results.measured.tag_values(metric::kHttpReqDuration, std::string(kExpectedResponse)).empty()) {
    const std::string whole(metric::kHttpReqDuration);
    add(fmt::format("{}{{{}:true}}", whole, kExpectedResponse),
        {whole, {{std::string(kExpectedResponse), "true"}}}, "");
  }
  std::vector<SummaryMetric> sorted;
  for (auto& [key, one] : found) sorted.push_back(std::move(one));
  return sorted;
}

std::vector<StepFigures> step_figures(const Results& results) {
  std::vector<StepFigures> steps;
  for (const std::string& name : results.measured.tag_values(metric::kHttpReqDuration, "name"))
    steps.push_back(figures_of(results, name, {{"name", name}}));
  steps.push_back(figures_of(results, "all requests", {}));
  return steps;
}

std::string duration_text(double ms) {
  if (ms == 0 || !std::isfinite(ms)) return "0s";
  if (ms < 0.001) return fmt::format("{:.0f}ns", std::trunc(ms * 1e6));
  if (ms < 1) return cut_to_two(ms * 1000) + "µs";
  if (ms < 1000) return cut_to_two(ms) + "ms";
  if (ms < 60'000) return cut_to_two(ms / 1000) + "s";
  const auto seconds = static_cast<std::uint64_t>(ms / 1000);
  const std::string minutes = fmt::format("{}m{}s", seconds / 60 % 60, seconds % 60);
  return seconds < 3600 ? minutes : fmt::format("{}h{}", seconds / 3600, minutes);
}

std::string bytes_text(double bytes) {
  constexpr std::string_view kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  if (bytes < 10) return number_text(bytes) + " B";
  std::size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1000;
  bytes = std::floor(bytes * 10 + 0.5) / 10;
  return fmt::format("{:.{}f} {}", bytes, bytes < 10 ? 1 : 0, kUnits[unit]);
}

std::string number_text(double number) { return without_zeros(fmt::format("{:.6f}", number)); }

std::string percent_text(double share) {
  // The small addition: 0.29 * 10,000 is a little less than 2,900.
  return fmt::format("{:.2f}%", std::trunc(share * 10'000 + 1e-9) / 100);
}

std::string value_text(MetricType type, Contains contains, double value) {
  if (type == MetricType::kRate) return percent_text(value);
  if (contains == Contains::kData) return bytes_text(value);
  return contains == Contains::kTime ? duration_text(value) : number_text(value);
}

std::string_view aggregation_of(std::string_view expression) {
  expression = expression.substr(0, expression.find_first_of("<>=!"));
  const std::size_t end = expression.find_last_not_of(" \t");
  return end == expression.npos ? std::string_view{} : expression.substr(0, end + 1);
}

std::string threshold_value_text(const Results& results, const ThresholdResult& threshold) {
  const auto selector = parse_selector(threshold.metric);
  if (!selector) return number_text(threshold.value);
  const auto index = results.measured.find(selector->metric);
  const Metric known =
      index ? results.measured.metrics()[*index] : unmeasured(*selector, threshold.expression);
  const std::string text = value_text(known.type, known.contains, threshold.value);
  return known.type == MetricType::kCounter && aggregation_of(threshold.expression) == "rate" ? text + "/s"
                                                                                              : text;
}

std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string one_line(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    // U+0080 to U+009F, C1: a terminal may take U+009B for the beginning of a sequence.
    const bool c1 = byte(i) == 0xc2 && byte(i + 1) >= 0x80 && byte(i + 1) <= 0x9f;
    if (c1) ++i;
    out += c1 || byte(i) < 0x20 || byte(i) == 0x7f ? ' ' : text[i];
  }
  return out;
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string padded(std::string text, std::size_t columns) {
  const std::size_t has = width(text);
  if (has < columns) text.append(columns - has, ' ');
  return text;
}

std::string padded_left(std::string text, std::size_t columns) {
  const std::size_t has = width(text);
  if (has < columns) text.insert(0, columns - has, ' ');
  return text;
}

}  // namespace spillway::load
