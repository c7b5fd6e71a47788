#include "load/verdict/threshold.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace spillway::load {
namespace {

constexpr std::size_t kMaxTextBytes = 512;  // of a metric with its tags, and of an expression
constexpr std::size_t kMaxTags = 16;

struct KnownMetric {
  std::string_view name;
  MetricType type;
  bool core;  ///< missing a threshold on it is FAIL
};
constexpr KnownMetric kKnownMetrics[] = {
    {metric::kHttpReqs, MetricType::kCounter, false},
    {metric::kHttpReqFailed, MetricType::kRate, true},
    {metric::kHttpReqDuration, MetricType::kTrend, true},
    {metric::kHttpReqResponseTime, MetricType::kTrend, true},
    {metric::kIterations, MetricType::kCounter, false},
    {metric::kIterationDuration, MetricType::kTrend, true},
    {metric::kDroppedIterations, MetricType::kCounter, false},
    {metric::kChecks, MetricType::kRate, true},
    {metric::kVus, MetricType::kGauge, false},
    {metric::kVusMax, MetricType::kGauge, false},
    {"http_req_blocked", MetricType::kTrend, false},
    {"http_req_connecting", MetricType::kTrend, false},
    {"http_req_tls_handshaking", MetricType::kTrend, false},
    {"http_req_sending", MetricType::kTrend, false},
    {"http_req_waiting", MetricType::kTrend, false},
    {"http_req_receiving", MetricType::kTrend, false},
    {"data_sent", MetricType::kCounter, false},
    {"data_received", MetricType::kCounter, false},
};

// The longer before the shorter that it begins with.
constexpr std::pair<std::string_view, Operator> kOperators[] = {
    {"===", Operator::kEqual},      {"==", Operator::kEqual}, {"!=", Operator::kNotEqual},
    {"<=", Operator::kLessOrEqual}, {"<", Operator::kLess},   {">=", Operator::kGreaterOrEqual},
    {">", Operator::kGreater},
};

constexpr std::pair<std::string_view, Aggregation> kWords[] = {
    {"count", Aggregation::kCount}, {"rate", Aggregation::kRate}, {"value", Aggregation::kValue},
    {"avg", Aggregation::kAvg},     {"min", Aggregation::kMin},   {"med", Aggregation::kMed},
    {"max", Aggregation::kMax},
};

const KnownMetric* known_metric(std::string_view name) {
  const auto* found = std::find_if(std::begin(kKnownMetrics), std::end(kKnownMetrics),
                                   [&](auto& m) { return m.name == name; });
  return found == std::end(kKnownMetrics) ? nullptr : found;
}

std::string_view trimmed(std::string_view text, std::string_view away = " \t") {
  const std::size_t from = text.find_first_not_of(away);
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(away) - from + 1);
}

std::optional<double> number(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string_view supported(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "count, rate";
    case MetricType::kGauge:
      return "value";
    case MetricType::kRate:
      return "rate";
    case MetricType::kTrend:
      return "avg, min, med, max, p(N)";
  }
  return "";
}

bool supports(MetricType type, Aggregation aggregation) {
  switch (aggregation) {
    case Aggregation::kCount:
      return type == MetricType::kCounter;
    case Aggregation::kRate:
      return type == MetricType::kCounter || type == MetricType::kRate;
    case Aggregation::kValue:
      return type == MetricType::kGauge;
    default:
      return type == MetricType::kTrend;
  }
}

Result<Bound> parse_bound(std::string_view expression) {
  if (expression.size() > kMaxTextBytes)
    return invalid_argument(fmt::format("has {} bytes, at most {}", expression.size(), kMaxTextBytes));
  const std::size_t at = expression.find_first_of("<>=!");
  if (at == expression.npos) return invalid_argument("has no operator; one of < <= > >= == === !=");
  const auto* op = std::find_if(std::begin(kOperators), std::end(kOperators),
                                [&](auto& o) { return expression.substr(at).starts_with(o.first); });
  if (op == std::end(kOperators)) return invalid_argument("has no operator; one of < <= > >= == === !=");
  const std::string_view left = trimmed(expression.substr(0, at));
  const std::string_view right = trimmed(expression.substr(at + op->first.size()));

  Bound bound;
  bound.op = op->second;
  const auto value = number(right);
  if (!value) return invalid_argument(fmt::format("\"{}\" on the right is not a number", right));
  bound.value = *value;
  const auto* word =
      std::find_if(std::begin(kWords), std::end(kWords), [&](auto& w) { return w.first == left; });
  if (word != std::end(kWords)) {
    bound.aggregation = word->second;
    return bound;
  }
  if (!left.starts_with("p(") || !left.ends_with(")"))
    return invalid_argument(
        fmt::format("\"{}\" on the left is none of count, rate, value, avg, min, med, max, p(N)", left));
  const auto percent = number(left.substr(2, left.size() - 3));
  if (!percent || *percent < 0 || *percent > 100)
    return invalid_argument(fmt::format("the N of \"{}\" must be a number from 0 to 100", left));
  bound.aggregation = Aggregation::kPercentile;
  bound.percent = *percent;
  return bound;
}

/// Nothing where there is no value to compare: a rate or a gauge of no samples.
std::optional<double> left_side(const Bound& bound, MetricType type, const Sink& sink, double duration_s) {
  switch (bound.aggregation) {
    case Aggregation::kCount:
      return sink.sum;
    case Aggregation::kRate:
      if (type == MetricType::kCounter) return duration_s > 0 ? sink.sum / duration_s : 0;
      if (sink.samples == 0) return std::nullopt;
      return sink.rate();
    case Aggregation::kValue:
      if (sink.samples == 0) return std::nullopt;
      return sink.last;
    case Aggregation::kAvg:
      return sink.avg();
    case Aggregation::kMin:
      return sink.smallest();
    case Aggregation::kMed:
      return sink.quantile(0.5);
    case Aggregation::kMax:
      return sink.largest();
    case Aggregation::kPercentile:
      return sink.quantile(bound.percent / 100);
  }
  return std::nullopt;
}

std::optional<MetricType> type_in(const Measurements& measured, std::string_view name) {
  if (const auto found = measured.find(name)) return measured.metrics()[*found].type;
  return type_of_known_metric(name);
}

Error about(std::string_view metric, std::string_view expression, const Error& e) {
  return invalid_argument(fmt::format("threshold {}: {}: {}", metric, expression, e.message));
}

/// A scenario's name is all that its series have in this tag.
Status check_scenario(const Plan& plan, const ParsedThreshold& threshold) {
  const auto tag = threshold.selector.tags.find("scenario");
  if (tag == threshold.selector.tags.end()) return Ok{};
  std::string names;
  for (const Scenario& scenario : plan.scenarios) {
    if (scenario.name == tag->second) return Ok{};
    names += (names.empty() ? "" : ", ") + scenario.name;
  }
  return about(
      threshold.metric, threshold.expression,
      invalid_argument(fmt::format("the plan has no scenario \"{}\". Known: {}", tag->second, names)));
}

}  // namespace

bool Bound::holds(double left) const {
  switch (op) {
    case Operator::kLess:
      return left < value;
    case Operator::kLessOrEqual:
      return left <= value;
    case Operator::kGreater:
      return left > value;
    case Operator::kGreaterOrEqual:
      return left >= value;
    case Operator::kEqual:
      return left == value;
    case Operator::kNotEqual:
      return left != value;
  }
  return false;
}

std::optional<MetricType> type_of_known_metric(std::string_view name) {
  const KnownMetric* known = known_metric(name);
  return known ? std::optional(known->type) : std::nullopt;
}

Result<Selector> parse_selector(std::string_view text) {
  text = trimmed(text);
  if (text.size() > kMaxTextBytes)
    return invalid_argument(fmt::format("metric: has {} bytes, at most {}", text.size(), kMaxTextBytes));
  Selector selector;
  const std::size_t brace = text.find('{');
  selector.metric = trimmed(text.substr(0, brace));
  const bool is_name =
      !selector.metric.empty() && std::all_of(selector.metric.begin(), selector.metric.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
      });
  if (!is_name) return invalid_argument(fmt::format("metric \"{}\": a name has letters, digits and _", text));
  if (brace == text.npos) return selector;
  if (!text.ends_with('}')) return invalid_argument(fmt::format("metric \"{}\": must end with }}", text));
  std::string_view rest = text.substr(brace + 1, text.size() - brace - 2);
  for (bool more = true; more;) {
    const std::size_t comma = rest.find(',');
    const std::string_view tag = rest.substr(0, comma);
    more = comma != rest.npos;
    rest = more ? rest.substr(comma + 1) : std::string_view{};
    const std::size_t colon = tag.find(':');
    const std::string key(trimmed(trimmed(tag.substr(0, colon)), "\"'"));
    const std::string value(colon == tag.npos ? "" : trimmed(trimmed(tag.substr(colon + 1)), "\"'"));
    if (key.empty() || value.empty())
      return invalid_argument(fmt::format("metric \"{}\": \"{}\" is not tag:value", text, tag));
    if (!selector.tags.emplace(key, value).second)
      return invalid_argument(fmt::format("metric \"{}\": the tag \"{}\" is there twice", text, key));
    if (selector.tags.size() > kMaxTags)
      return invalid_argument(fmt::format("metric \"{}\": more than {} tags", selector.metric, kMaxTags));
  }
  return selector;
}

Result<ParsedThreshold> parse_threshold(std::string_view metric_with_tags, std::string_view expression) {
  ParsedThreshold parsed;
  parsed.metric = trimmed(metric_with_tags);
  parsed.expression = trimmed(expression);
  auto selector = parse_selector(parsed.metric);
  if (!selector) return about(parsed.metric, parsed.expression, selector.error());
  parsed.selector = std::move(selector).value();
  const auto bound = parse_bound(parsed.expression);
  if (!bound) return about(parsed.metric, parsed.expression, bound.error());
  parsed.bound = *bound;
  if (const auto type = type_of_known_metric(parsed.selector.metric)) {
    if (const Status fits = check_type(parsed, *type); !fits) return fits.error();
  }
  return parsed;
}

Result<ParsedThreshold> parse_threshold(const Threshold& threshold) {
  auto parsed = parse_threshold(threshold.metric, threshold.expression);
  if (!parsed || threshold.warn.empty()) return parsed;
  const auto warn = parse_threshold(threshold.metric, threshold.warn);
  if (!warn) return invalid_argument("warn of " + warn.error().message);
  parsed->warn = warn->expression;
  parsed->warn_bound = warn->bound;
  return parsed;
}

Status check_type(const ParsedThreshold& threshold, MetricType type) {
  const bool fits = supports(type, threshold.bound.aggregation) &&
                    (!threshold.warn_bound || supports(type, threshold.warn_bound->aggregation));
  if (fits) return Ok{};
  return about(threshold.metric, threshold.expression,
               invalid_argument(fmt::format("{} is a {}, which has {}", threshold.selector.metric, name(type),
                                            supported(type))));
}

bool ParsedThreshold::empty(const Measurements& measured) const {
  return measured.select(selector.metric, selector.tags).samples == 0;
}

ThresholdResult ParsedThreshold::evaluate(const Measurements& measured, double duration_s) const {
  ThresholdResult result{metric, expression, true, 0, warn};
  const KnownMetric* known = known_metric(selector.metric);
  result.core = known != nullptr && known->core;
  const auto type = type_in(measured, selector.metric);
  if (!type || !check_type(*this, *type)) {
    result.ok = result.warn_ok = false;
    return result;
  }
  const Sink sink = measured.select(selector.metric, selector.tags);
  if (const auto left = left_side(bound, *type, sink, duration_s)) {
    result.value = *left;
    result.ok = bound.holds(*left);
  }
  if (!warn_bound) return result;
  if (const auto left = left_side(*warn_bound, *type, sink, duration_s))
    result.warn_ok = warn_bound->holds(*left);
  return result;
}

Status check_thresholds(const Plan& plan, const std::vector<Metric>& known) {
  for (const Threshold& threshold : plan.thresholds) {
    const auto parsed = parse_threshold(threshold);
    if (!parsed) return parsed.error();
    if (const Status there = check_scenario(plan, *parsed); !there) return there;
    if (type_of_known_metric(parsed->selector.metric)) continue;
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const Metric& m) { return m.name == parsed->selector.metric; });
    if (found == known.end())
      return about(parsed->metric, parsed->expression,
                   invalid_argument("no journey of the plan measures this"));
    if (const Status fits = check_type(*parsed, found->type); !fits) return fits;
  }
  return Ok{};
}

std::vector<ThresholdResult> evaluate_all(const Plan& plan, const Measurements& measured, double duration_s) {
  std::vector<ThresholdResult> results;
  for (const Threshold& threshold : plan.thresholds) {
    const auto parsed = parse_threshold(threshold);
    // parse_plan and check_thresholds refuse these; what cannot be read does not hold.
    results.push_back(
        parsed ? parsed->evaluate(measured, duration_s)
               : ThresholdResult{threshold.metric, threshold.expression, false, 0, threshold.warn, false});
  }
  return results;
}

std::optional<std::string> reason_to_abort(const Plan& plan, const Measurements& measured, double elapsed_s) {
  for (const Threshold& threshold : plan.thresholds) {
    if (!threshold.abort_on_fail || elapsed_s < threshold.delay_abort_eval_s) continue;
    const auto parsed = parse_threshold(threshold);
    if (!parsed || parsed->empty(measured)) continue;
    const ThresholdResult result = parsed->evaluate(measured, elapsed_s);
    if (!result.ok)
      return fmt::format("{} missed {} (it was {:.6g}) and has abortOnFail", result.metric, result.expression,
                         result.value);
  }
  return std::nullopt;
}

}  // namespace spillway::load
