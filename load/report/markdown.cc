#include "load/report/markdown.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "base/rfc3339.h"
#include "load/report/figures.h"

namespace spillway::load {
namespace {

/// A text in a table or a list: nothing in it is markup, and a line stays a line.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : one_line(text)) {
    if (std::string_view("|*_`<>[]\\#").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

/// Code in a table. A backtick inside would end it; a bar would end the cell, also in code.
std::string code(std::string_view text) {
  std::string out = one_line(text);
  std::replace(out.begin(), out.end(), '`', '\'');
  for (std::size_t at = 0; (at = out.find('|', at)) != out.npos; at += 2) out.insert(at, 1, '\\');
  return fmt::format("`{}`", out);
}

void row(std::string& out, std::initializer_list<std::string> cells) {
  for (const std::string& one : cells) out += "| " + one + ' ';
  out += "|\n";
}

std::string_view yes_or_no(bool ok) { return ok ? "yes" : "**no**"; }

/// What the verdict means, for somebody who reads only the beginning.
std::string_view meaning(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "Everything that the plan asks for held.";
    case Verdict::kWarn:
      return "What matters most held, but something needs a look before anybody relies on it.";
    case Verdict::kFail:
      return "The server did not do what the plan asks for.";
    case Verdict::kInvalid:
      return "This run says nothing about the server, good or bad. Repeat it.";
  }
  return "";
}

void write_head(std::string& out, const Results& r) {
  out += fmt::format("# {}: {}\n\n{}", cell(r.title.empty() ? r.plan : r.title), name(r.verdict),
                     meaning(r.verdict));
  if (!r.grounds.empty()) out += fmt::format(" First ground: {}.", cell(r.grounds.front()));
  out += "\n\n";
  if (!r.description.empty()) out += cell(r.description) + "\n\n";
  // A fence that is longer than any in the command.
  std::string fence = "```";
  while (r.command.find(fence) != r.command.npos) fence += '`';
  out += fmt::format("## Command\n\n{0}\n{1}\n{0}\n\n", fence, r.command);
}

void write_environment(std::string& out, const Results& r) {
  out += "## Environment\n\n| name | value |\n|---|---|\n";
  row(out, {"plan", cell(r.plan)});
  row(out, {"started", format_time(r.started_at)});
  row(out, {"length of the run",
            duration_text(r.duration_s * 1000) + (r.aborted ? ", stopped before its end" : "")});
  for (const auto& [what, value] : r.environment) row(out, {cell(what), cell(value)});
  out += '\n';
}

void write_key_figures(std::string& out, const Results& r) {
  const auto total = [&](std::string_view metric) { return r.measured.select(metric).sum; };
  const auto counted = [&](std::string_view what, std::string_view metric) {
    const double sum = total(metric);
    row(out, {std::string(what), grouped(static_cast<std::uint64_t>(sum)),
              r.duration_s > 0 ? fmt::format("{:.1f}", sum / r.duration_s) : "-"});
  };
  const Sink failed = r.measured.select(metric::kHttpReqFailed);
  const Sink checks = r.measured.select(metric::kChecks);
  const Sink vus = r.measured.select(metric::kVus);
  out += "## Key figures\n\n| figure | value | a second |\n|---|---:|---:|\n";
  counted("requests", metric::kHttpReqs);
  row(out,
      {"failed requests",
       fmt::format("{} ({})", grouped(static_cast<std::uint64_t>(failed.sum)), percent_text(failed.rate())),
       ""});
  counted("iterations", metric::kIterations);
  counted("dropped iterations", metric::kDroppedIterations);
  if (checks.samples > 0)
    row(out, {"checks passed",
              fmt::format("{} of {} ({})", grouped(static_cast<std::uint64_t>(checks.sum)),
                          grouped(checks.samples), percent_text(checks.rate())),
              ""});
  if (vus.samples > 0) row(out, {"most virtual users", number_text(vus.max), ""});
  out +=
      "\n| step | time | count | failed | p50 | p90 | p95 | p99 | p99.9 | p99.99 | max |\n"
      "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const StepFigures& s : step_figures(r)) {
    const auto times = [&](std::string_view what, const StepFigures::Times& t) {
      row(out, {cell(s.name), std::string(what), grouped(s.count), grouped(s.failed), duration_text(t.p50),
                duration_text(t.p90), duration_text(t.p95), duration_text(t.p99), duration_text(t.p999),
                duration_text(t.p9999), duration_text(t.max)});
    };
    times("service", s.service);
    if (s.response.max > 0) times("response", s.response);
  }
  out +=
      "\nA service time is from the send to the end of the answer. A response time begins when the "
      "request was due by the schedule, so it also holds the wait before the send. Percentiles come from "
      "histograms, exact to 0.1%; k6 interpolates between all values.\n\n";
}

void write_thresholds(std::string& out, const Results& r) {
  out += "## Thresholds\n\n";
  if (r.thresholds.empty()) {
    out += "The plan has none.\n\n";
    return;
  }
  out += "| metric | threshold | was | held | core | warn bound |\n|---|---|---:|---|---|---|\n";
  for (const ThresholdResult& t : r.thresholds) {
    row(out, {code(t.metric), code(t.expression), threshold_value_text(r, t), std::string(yes_or_no(t.ok)),
              t.core ? "core" : "",
              t.warn.empty() ? "" : fmt::format("{} {}", code(t.warn), t.warn_ok ? "held" : "**missed**")});
  }
  out += '\n';
}

void write_checks(std::string& out, const Results& r) {
  if (r.checks.empty()) return;
  out += "## Checks\n\n| check | passed | failed |\n|---|---:|---:|\n";
  for (const CheckResult& c : r.checks)
    row(out, {cell(c.name), grouped(c.passes), c.fails == 0 ? "0" : fmt::format("**{}**", grouped(c.fails))});
  out += '\n';
}

void write_invariants(std::string& out, const Results& r) {
  out += "## Invariants\n\n";
  if (r.invariants.empty()) {
    out += "None were looked at.\n\n";
    return;
  }
  out += "| invariant | held | looked at | violations | detail |\n|---|---|---:|---:|---|\n";
  for (const InvariantResult& i : r.invariants) {
    const bool unproven = !i.ok && i.looked_at == 0 && i.violations == 0;
    row(out, {cell(i.name), unproven ? "**not proven**" : std::string(yes_or_no(i.ok)), grouped(i.looked_at),
              grouped(i.violations), cell(i.detail)});
  }
  out += '\n';
}

void write_faults(std::string& out, const Results& r) {
  out += "## Faults\n\n";
  if (r.faults.empty()) {
    out += "None were injected.\n\n";
    return;
  }
  out +=
      "| fault | from | until | time to recover | failed requests | detail "
      "|\n|---|---:|---:|---:|---:|---|\n";
  for (const FaultResult& f : r.faults) {
    row(out, {cell(f.name), fmt::format("{:.1f} s", f.from_s), fmt::format("{:.1f} s", f.until_s),
              f.recovery_s < 0 ? "**not within the run**" : fmt::format("{:.1f} s", f.recovery_s),
              grouped(f.failed_requests), cell(f.detail)});
  }
  out += "\nRecovered: errors and the p95 of a second are what they were before, for three seconds.\n\n";
}

void write_generator(std::string& out, const Results& r) {
  const SelfWatch& self = r.self;
  out += "## Generator\n\n| figure | value |\n|---|---:|\n";
  row(out, {"CPU", fmt::format("{:.2f} cores", self.cpu_cores)});
  row(out, {"busiest thread", fmt::format("{:.0f}% of a core", 100 * self.busiest_thread)});
  row(out, {"late by, p99", duration_text(self.lag_p99_ms)});
  row(out, {"late by, max", duration_text(self.lag_max_ms)});
  row(out, {"dropped iterations", grouped(self.dropped_iterations)});
  row(out, {"socket errors of its own", grouped(self.socket_errors)});
  if (self.bytes_per_vu > 0)
    row(out, {"memory a virtual user", bytes_text(static_cast<double>(self.bytes_per_vu))});
  out += self.grounds.empty() ? "\nIt was not the bottleneck.\n\n" : "\n**It was the bottleneck**:\n\n";
  for (const std::string& ground : self.grounds) out += fmt::format("- {}\n", cell(ground));
  if (!self.grounds.empty()) out += '\n';
}

void write_list(std::string& out, std::string_view title, const std::vector<std::string>& items,
                std::string_view bullet) {
  out += fmt::format("## {}\n\n", title);
  for (const std::string& item : items) out += fmt::format("{} {}\n", bullet, cell(item));
  if (items.empty()) out += "None.\n";
  out += '\n';
}

}  // namespace

std::string summary_markdown(const Results& results) {
  std::string out;
  write_head(out, results);
  write_environment(out, results);
  write_key_figures(out, results);
  write_thresholds(out, results);
  write_checks(out, results);
  write_invariants(out, results);
  write_faults(out, results);
  write_generator(out, results);
  write_list(out, fmt::format("Verdict: {}. Grounds", name(results.verdict)), results.grounds, "-");
  write_list(out, "Action items", results.action_items, "- [ ]");
  out += "Signed: ______________________  Date: ______________\n";
  return out;
}

}  // namespace spillway::load
