#include "load/report/html_tables.h"

#include <fmt/format.h>

#include "base/check.h"
#include "load/report/html_text.h"

namespace spillway::load {
namespace {

using Align = HtmlTable::Align;
using Cell = HtmlTable::Cell;

/// Of thresholds: times are in ms, rates are shares, all else is a plain number.
std::string threshold_value(const Results& results, const ThresholdResult& threshold) {
  const std::string base = threshold.metric.substr(0, threshold.metric.find('{'));
  if (const auto found = results.measured.find(base)) {
    const Metric& metric = results.measured.metrics()[*found];
    if (metric.type == MetricType::kTrend && metric.contains == Contains::kTime)
      return ms_text(threshold.value);
    if (metric.type == MetricType::kRate) return share_text(threshold.value);
  }
  return short_number_text(threshold.value);
}

Cell holds(bool ok) { return ok ? Cell{"holds", "good"} : Cell{"missed", "bad"}; }

std::string section(const char* id, const char* title, const std::string& about, const HtmlTable& table) {
  return fmt::format(R"(<section id="{}"><h2>{}</h2>{}{}</section>)"
                     "\n",
                     id, title, about.empty() ? "" : "<p>" + about + "</p>", table.html());
}

}  // namespace

HtmlTable::HtmlTable(std::string caption, std::vector<Column> columns)
    : caption_(std::move(caption)), columns_(std::move(columns)) {}

void HtmlTable::add(std::vector<Cell> cells) {
  CHECK(cells.size() == columns_.size());
  if (++rows_ > kMaxRows) return;
  body_ += "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string text = cells[i].text.empty() ? "-" : html_escape(cells[i].text);
    const char* look = "";
    if (columns_[i].align == Align::kNumber) look = R"( class="number")";
    if (columns_[i].align == Align::kSentence) look = R"( class="wide")";
    if (i == 0) {
      body_ += fmt::format(R"(<th scope="row"{}>{}</th>)", look, text);
    } else if (*cells[i].look != '\0') {
      body_ += fmt::format(R"(<td{}><span class="badge {}">{}</span></td>)", look, cells[i].look, text);
    } else {
      body_ += fmt::format("<td{}>{}</td>", look, text);
    }
  }
  body_ += "</tr>\n";
}

std::string HtmlTable::html() const {
  // On a narrow screen the table scrolls inside of its frame, which a keyboard has to reach as well.
  std::string out = fmt::format(R"(<div class="frame" role="region" tabindex="0" aria-label="{}"><table>)"
                                R"(<caption><span>{}</span></caption><thead><tr>)",
                                html_escape(caption_), html_escape(caption_));
  for (const Column& column : columns_) {
    out += fmt::format(R"(<th scope="col"{}>{}</th>)",
                       column.align == Align::kNumber ? R"( class="number")" : "", html_escape(column.title));
  }
  out += "</tr></thead><tbody>\n" + body_ + "</tbody></table></div>";
  if (rows_ > kMaxRows)
    out += fmt::format(R"(<p class="note">{} more are left out.</p>)", grouped(rows_ - kMaxRows));
  return out;
}

std::string thresholds_html(const Results& results) {
  HtmlTable table(
      "Thresholds of the plan, and what was measured",
      {{"Metric"}, {"Must hold"}, {"Measured", Align::kNumber}, {"Result"}, {"Warns unless"}, {"Kind"}});
  for (const ThresholdResult& threshold : results.thresholds) {
    Cell warn{threshold.warn};
    if (!threshold.warn.empty() && !threshold.warn_ok) warn = {threshold.warn + " missed", "warn"};
    table.add({{threshold.metric},
               {threshold.expression},
               {threshold_value(results, threshold)},
               holds(threshold.ok),
               warn,
               {threshold.core ? "core" : "other"}});
  }
  if (!table.empty()) return section("thresholds", "Thresholds", "", table);
  return R"(<section id="thresholds"><h2>Thresholds</h2>)"
         R"(<p class="nothing">The plan sets none.</p></section>)";
}

std::string invariants_html(const Results& results) {
  HtmlTable table("Invariants: what must be true whatever the load and the faults",
                  {{"Invariant"},
                   {"Result"},
                   {"Looked at", Align::kNumber},
                   {"Violations", Align::kNumber},
                   {"Detail", Align::kSentence}});
  for (const InvariantResult& invariant : results.invariants) {
    Cell result{"holds", "good"};
    if (!invariant.ok) result = invariant.looked_at == 0 ? Cell{"not shown", "bad"} : Cell{"violated", "bad"};
    table.add({{invariant.name},
               result,
               {grouped(invariant.looked_at)},
               {grouped(invariant.violations)},
               {invariant.detail}});
  }
  if (!table.empty()) return section("invariants", "Invariants", "", table);
  return R"(<section id="invariants"><h2>Invariants</h2>)"
         R"(<p class="nothing">None was looked at.</p></section>)";
}

std::string steps_html(const Results& results) {
  HtmlTable table("Times of each step. Service: from the send. Response: from when the request was due",
                  {{"Step"},
                   {"Time"},
                   {"Count", Align::kNumber},
                   {"Failed", Align::kNumber},
                   {"p50", Align::kNumber},
                   {"p90", Align::kNumber},
                   {"p95", Align::kNumber},
                   {"p99", Align::kNumber},
                   {"p99.9", Align::kNumber},
                   {"p99.99", Align::kNumber},
                   {"max", Align::kNumber}});
  for (const StepFigures& step : step_figures(results)) {
    const auto add = [&](const char* what, const StepFigures::Times& times, std::uint64_t count) {
      const double share = count == 0 ? 0 : static_cast<double>(step.failed) / static_cast<double>(count);
      const auto time = [&](double ms) { return Cell{times.max == 0 ? "-" : ms_text(ms)}; };
      table.add({{step.name},
                 {what},
                 {grouped(count)},
                 {step.failed > 0 ? grouped(step.failed) + " (" + share_text(share) + ")" : "0"},
                 time(times.p50),
                 time(times.p90),
                 time(times.p95),
                 time(times.p99),
                 time(times.p999),
                 time(times.p9999),
                 time(times.max)});
    };
    add("service", step.service, step.count);
    if (step.response.max > 0) add("response", step.response, step.count);
  }
  return section("steps", "Steps", "", table);
}

std::string faults_html(const Results& results) {
  if (results.faults.empty()) return "";
  HtmlTable table("Faults that were made on purpose, and how long until errors and p95 were as before",
                  {{"Fault"},
                   {"From", Align::kNumber},
                   {"Until", Align::kNumber},
                   {"Time to recover", Align::kNumber},
                   {"Failed requests", Align::kNumber},
                   {"Detail", Align::kSentence}});
  for (std::size_t i = 0; i < results.faults.size(); ++i) {
    const FaultResult& fault = results.faults[i];
    table.add({{fmt::format("F{}  {}", i + 1, fault.name)},
               {clock_text(fault.from_s)},
               {clock_text(fault.until_s)},
               fault.recovery_s < 0 ? Cell{"not in this run", "bad"} : Cell{length_text(fault.recovery_s)},
               {grouped(fault.failed_requests)},
               {fault.detail}});
  }
  return section("faults", "Faults", "", table);
}

std::string checks_html(const Results& results) {
  HtmlTable table("Checks of the answers", {{"Check"},
                                            {"Result"},
                                            {"Passed", Align::kNumber},
                                            {"Failed", Align::kNumber},
                                            {"Share", Align::kNumber}});
  for (const CheckResult& check : results.checks) {
    const auto all = static_cast<double>(check.passes + check.fails);
    Cell result{"all passed", "good"};
    if (check.fails > 0) result = {"some failed", "warn"};
    if (all == 0) result = {"none made", "none"};
    table.add({{check.name},
               result,
               {grouped(check.passes)},
               {grouped(check.fails)},
               {all == 0 ? "-" : share_text(static_cast<double>(check.passes) / all)}});
  }
  return table.empty() ? "" : section("checks", "Checks", "", table);
}

std::string generator_html(const Results& results) {
  const SelfWatch& self = results.self;
  HtmlTable table("How the generator itself did", {{"What"}, {"Value", Align::kNumber}});
  table.add({{"Cores used, on average"}, {short_number_text(self.cpu_cores)}});
  table.add({{"Busiest thread, share of a core"}, {share_text(self.busiest_thread)}});
  table.add({{"Late by, p99"}, {ms_text(self.lag_p99_ms)}});
  table.add({{"Late by, at most"}, {ms_text(self.lag_max_ms)}});
  table.add({{"Dropped iterations"}, {grouped(self.dropped_iterations)}});
  table.add({{"Socket errors of its own"}, {grouped(self.socket_errors)}});
  if (self.bytes_per_vu > 0)
    table.add({{"Memory of a virtual user"}, {bytes_text(static_cast<double>(self.bytes_per_vu))}});
  std::string about;
  if (!self.grounds.empty()) {
    about = "<strong>It was the bottleneck.</strong>";
  } else if (!results.timeline.empty()) {  // of a run that was none nothing is said
    about = "It was not the bottleneck: all of its own figures are within their bounds.";
  }
  for (const std::string& ground : self.grounds) about += " " + html_escape(ground);
  return section("generator", "The generator itself", about, table);
}

std::string environment_html(const Results& results) {
  HtmlTable table("Where and how it ran", {{"What"}, {"Value"}});
  for (const auto& [name, value] : results.environment) table.add({{name}, {value}});
  return table.empty() ? "" : section("environment", "Environment", "", table);
}

}  // namespace spillway::load
