#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include "load/report/figures.h"
#include "load/report/summary.h"

namespace spillway::load {
namespace {

constexpr std::size_t kDots = 3;  // after the longest name

void title(std::string& out, std::string_view text) { out += fmt::format("\n  █ {}\n\n", text); }

/// "  { name:enter }" of a submetric.
std::string shown_name(const std::string& name) {
  const std::size_t brace = name.find('{');
  if (brace == name.npos) return name;
  return fmt::format("  {{ {} }}", name.substr(brace + 1, name.size() - brace - 2));
}

/// A metric's line in columns; those of trends and of others are lined up each for themselves.
std::vector<std::string> cells(const SummaryMetric& one, double duration_s) {
  const auto text = [&](double value) { return value_text(one.type, one.contains, value); };
  const Sink& sink = one.sink;
  switch (one.type) {
    case MetricType::kCounter:
      return {text(sink.sum), text(duration_s > 0 ? sink.sum / duration_s : 0) + "/s"};
    case MetricType::kGauge:
      return {text(sink.last), "min=" + text(sink.min), "max=" + text(sink.max)};
    case MetricType::kRate:
      return {text(sink.rate()), fmt::format("{:.0f} out of {}", sink.sum, sink.samples)};
    case MetricType::kTrend:
      break;
  }
  std::vector<std::string> found;
  const auto figures = trend_figures(sink);
  for (std::size_t i = 0; i < figures.size(); ++i)
    found.push_back(fmt::format("{}={}", kTrendStats[i], text(figures[i])));
  return found;
}

enum Section { kCustom, kHttp, kExecution, kNetwork, kNone };
constexpr std::string_view kSectionTitles[] = {"CUSTOM", "HTTP", "EXECUTION", "NETWORK"};

Section section_of(std::string_view name) {
  name = name.substr(0, name.find('{'));
  if (name == metric::kChecks) return kNone;  // has its own part above
  if (name.starts_with("http_")) return kHttp;
  if (name.starts_with("data_")) return kNetwork;
  if (name.starts_with("iteration") || name == metric::kDroppedIterations || name == metric::kVus ||
      name == metric::kVusMax)
    return kExecution;
  return kCustom;
}

void write_thresholds(std::string& out, const Results& results, const std::vector<SummaryMetric>& metrics) {
  if (results.thresholds.empty()) return;
  title(out, "THRESHOLDS");
  for (const SummaryMetric& one : metrics) {
    if (one.thresholds.empty()) continue;
    out += fmt::format("    {}\n", one_line(one.name));
    for (const ThresholdResult* threshold : one.thresholds) {
      out += fmt::format("    {} '{}' {}={}", threshold->ok ? "✓" : "✗", one_line(threshold->expression),
                         aggregation_of(threshold->expression), threshold_value_text(results, *threshold));
      if (!threshold->warn.empty())
        out += fmt::format("  ({} warn '{}')", threshold->warn_ok ? "✓" : "✗", one_line(threshold->warn));
      out += '\n';
    }
    out += '\n';
  }
}

void write_checks(std::string& out, const Results& results) {
  const Sink checks = results.measured.select(metric::kChecks);
  if (checks.samples > 0) {
    const double total = static_cast<double>(checks.samples);
    const auto passed = static_cast<std::uint64_t>(checks.sum);
    const std::string amount = std::to_string(checks.samples);
    const std::uint64_t failed = checks.samples - passed;
    const std::string good = percent_text(checks.rate()),
                      bad = percent_text(static_cast<double>(failed) / total);
    const std::size_t columns = std::max({amount.size(), good.size(), bad.size()});
    out += fmt::format("    checks_total.......: {} {}/s\n", padded(amount, columns),
                       number_text(results.duration_s > 0 ? total / results.duration_s : 0));
    out += fmt::format("    checks_succeeded...: {} {} out of {}\n", padded(good, columns), passed, amount);
    out += fmt::format("    checks_failed......: {} {} out of {}\n", padded(bad, columns), failed, amount);
    out += '\n';
  }
  for (const CheckResult& check : results.checks) {
    out += fmt::format("    {} {}\n", check.fails == 0 ? "✓" : "✗", one_line(check.name));
    if (check.fails > 0)
      out += fmt::format("      ↳  {}% — ✓ {} / ✗ {}\n", 100 * check.passes / (check.passes + check.fails),
                         check.passes, check.fails);
  }
  if (!results.checks.empty()) out += '\n';
}

void write_metrics(std::string& out, const Results& results, const std::vector<SummaryMetric>& metrics) {
  std::size_t name_width = 0;
  std::map<bool, std::vector<std::size_t>> widths;  // of columns, by whether it is a trend
  std::vector<std::vector<std::string>> rows;
  for (const SummaryMetric& one : metrics) {
    rows.push_back(cells(one, results.duration_s));
    if (section_of(one.name) == kNone) continue;
    name_width = std::max(name_width, width(shown_name(one.name)));
    auto& columns = widths[one.type == MetricType::kTrend];
    columns.resize(std::max(columns.size(), rows.back().size()));
    for (std::size_t i = 0; i < rows.back().size(); ++i)
      columns[i] = std::max(columns[i], width(rows.back()[i]));
  }
  for (const Section section : {kCustom, kHttp, kExecution, kNetwork}) {
    bool first = true;
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      if (section_of(metrics[m].name) != section) continue;
      if (first) out += fmt::format("    {}\n", kSectionTitles[section]);
      first = false;
      const std::string name = shown_name(one_line(metrics[m].name));
      std::string line = fmt::format("    {}{}:", name, std::string(name_width + kDots - width(name), '.'));
      const auto& columns = widths[metrics[m].type == MetricType::kTrend];
      for (std::size_t i = 0; i < rows[m].size(); ++i) line += ' ' + padded(rows[m][i], columns[i]);
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + '\n';
    }
    if (!first) out += '\n';
  }
}

void write_steps(std::string& out, const Results& results) {
  std::vector<std::vector<std::string>> rows = {
      {"", "count", "failed", "p50", "p95", "p99", "p99.9", "max", "response p95", "p99"}};
  for (const StepFigures& step : step_figures(results)) {
    rows.push_back({one_line(step.name), grouped(step.count), grouped(step.failed)});
    for (const double ms : {step.service.p50, step.service.p95, step.service.p99, step.service.p999,
                            step.service.max, step.response.p95, step.response.p99})
      rows.back().push_back(ms == 0 ? "-" : duration_text(ms));  // not measured: nothing takes no time
  }
  std::vector<std::size_t> columns(rows[0].size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) columns[i] = std::max(columns[i], width(row[i]));
  }
  out += "    STEPS\n";
  for (const auto& row : rows) {
    out += "    " + padded(row[0], columns[0]);
    for (std::size_t i = 1; i < row.size(); ++i) out += "  " + padded_left(row[i], columns[i]);
    out += '\n';
  }
}

void write_judgement(std::string& out, const Results& results) {
  if (!results.invariants.empty()) {
    title(out, "INVARIANTS");
    for (const InvariantResult& one : results.invariants)
      out += fmt::format("    {} {}: {}\n", one.ok ? "✓" : "✗", one_line(one.name), one_line(one.detail));
  }
  if (!results.faults.empty()) {
    title(out, "FAULTS");
    for (const FaultResult& one : results.faults) {
      const std::string recovery = one.recovery_s < 0 ? "no recovery within the run"
                                                      : fmt::format("recovered in {:.1f} s", one.recovery_s);
      out += fmt::format("    {:.0f} s to {:.0f} s  {}: {}, {} requests failed{}\n", one.from_s, one.until_s,
                         one_line(one.name), recovery, grouped(one.failed_requests),
                         one.detail.empty() ? "" : "; " + one_line(one.detail));
    }
  }
  title(out, "GENERATOR");
  const SelfWatch& self = results.self;
  out += fmt::format("    {:.2f} cores, busiest thread {:.0f}% of one; late by {} (p99), {} (max)\n",
                     self.cpu_cores, 100 * self.busiest_thread, duration_text(self.lag_p99_ms),
                     duration_text(self.lag_max_ms));
  out += fmt::format("    {} iterations dropped, {} socket errors of its own",
                     grouped(self.dropped_iterations), grouped(self.socket_errors));
  if (self.bytes_per_vu > 0)
    out += fmt::format(", {} a virtual user", bytes_text(static_cast<double>(self.bytes_per_vu)));
  out += '\n';
  title(out, fmt::format("VERDICT: {}", name(results.verdict)));
  for (const std::string& ground : results.grounds) out += fmt::format("    - {}\n", one_line(ground));
  if (results.action_items.empty()) return;
  out += "\n    To do\n";
  for (const std::string& item : results.action_items) out += fmt::format("    - {}\n", one_line(item));
}

}  // namespace

std::string summary_text(const Results& results) {
  const std::vector<SummaryMetric> metrics = summary_metrics(results);
  std::string out;
  write_thresholds(out, results, metrics);
  title(out, "TOTAL RESULTS");
  write_checks(out, results);
  write_metrics(out, results, metrics);
  write_steps(out, results);
  write_judgement(out, results);
  out += '\n';
  return out;
}

}  // namespace spillway::load
