#include "load/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/rfc3339.h"
#include "load/report/html_charts.h"
#include "load/report/html_tables.h"
#include "load/report/html_text.h"
#include "load/report/report_assets.h"

namespace spillway::load {
namespace {

constexpr std::size_t kMaxSentences = 100;  // of a list

/// How a verdict looks and what it means to somebody who has to decide. `look` is a class of report.css.
struct VerdictLook {
  const char* look;
  const char* icon;
  const char* meaning;
};

VerdictLook look_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return {"pass", "M7 12.5l3.5 3.5L17 9", "What the plan demands was kept, and errors stayed steady."};
    case Verdict::kWarn:
      return {"warn", "M12 6v8M12 17.5v.5",
              "Usable, but something has to be looked at before anybody signs."};
    case Verdict::kFail:
      return {"fail", "M8 8l8 8M16 8l-8 8", "What people rely on was not kept. This is not ready."};
    case Verdict::kInvalid:
      break;
  }
  return {
      "invalid", "M9 9.2a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 2M12 17.5v.5",
      "This run proves nothing about the server, neither good nor bad: the load itself was not what the plan "
      "asks for. Take away what the grounds name and run it again."};
}

/// "2026-11-21 15:20:56 UTC".
std::string moment_text(Timestamp at) {
  if (!at) return "not known";
  std::string text = format_time(at).substr(0, 19);
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text + " UTC";
}

std::string list(const std::vector<std::string>& sentences, const char* look) {
  std::string out = fmt::format(R"(<ul class="{}">)", look);
  for (std::size_t i = 0; i < std::min(sentences.size(), kMaxSentences); ++i) {
    out += "<li>" + html_escape(sentences[i]) + "</li>";
  }
  if (sentences.size() > kMaxSentences) {
    out += fmt::format("<li>And {} more.</li>", grouped(sentences.size() - kMaxSentences));
  }
  return out + "</ul>";
}

std::string tile(const char* name, const std::string& value, const std::string& more, const char* look = "") {
  return fmt::format(R"(<div class="tile {}"><dt>{}</dt><dd>{}</dd><dd class="more">{}</dd></div>)", look,
                     name, html_escape(value), html_escape(more));
}

class Report {
 public:
  explicit Report(const Results& results) : results_(results), look_(look_of(results.verdict)) {}

  std::string whole() const {
    std::string out = head() + header() + "<main>" + verdict() + tiles();
    out += invariants_html(results_) + thresholds_html(results_) + charts_html(results_);
    out += steps_html(results_) + faults_html(results_) + checks_html(results_);
    out += R"(<div class="pair">)" + generator_html(results_) + environment_html(results_) + "</div>";
    out += actions() + signature() + "</main>" + footer();
    return out + fmt::format("<script>{}</script></body></html>\n", kReportScript);
  }

 private:
  std::string shown_title() const {
    if (!results_.title.empty()) return results_.title;
    return results_.plan.empty() ? "A run without a title" : results_.plan;
  }

  std::string head() const {
    return fmt::format(
        R"(<!doctype html><html lang="en"><head><meta charset="utf-8">)"
        R"(<meta http-equiv="Content-Security-Policy" content="default-src 'none'; )"
        R"(style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">)"
        R"(<meta name="viewport" content="width=device-width, initial-scale=1">)"
        R"(<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">)"
        "<title>{}: {}</title><style>{}</style></head><body>\n",
        name(results_.verdict), html_escape(shown_title()), kReportStyle);
  }

  std::string header() const {
    std::string out = fmt::format(R"(<header><p class="brand">Spillway load lab</p><h1><bdi>{}</bdi></h1>)",
                                  html_escape(shown_title()));
    if (!results_.description.empty()) {
      out += fmt::format(R"(<p class="about">{}</p>)", html_escape(results_.description));
    }
    out += R"(<dl class="facts">)";
    const auto fact = [&](const char* what, const std::string& value, bool code) {
      if (value.empty()) return;
      out += fmt::format("<div><dt>{}</dt><dd>{}{}{}</dd></div>", what, code ? "<code>" : "",
                         html_escape(value), code ? "</code>" : "");
    };
    fact("Plan", results_.plan, false);
    fact("Started", moment_text(results_.started_at), false);
    fact("Lasted", length_text(results_.duration_s) + (results_.aborted ? ", ended early" : ""), false);
    for (const auto& [what, value] : results_.environment) {
      if (what == "target" || what == "generator")
        fact(what == "target" ? "Target" : "Generator", value, false);
    }
    fact("Command", results_.command, true);
    return out + "</dl></header>\n";
  }

  std::string verdict() const {
    std::string out = fmt::format(
        R"(<section id="verdict" class="{}"><h2 class="unseen">Verdict</h2><p class="verdict">)"
        R"(<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="11"/><path d="{}"/></svg>)"
        R"(<strong>{}</strong></p><div><p class="meaning">{}</p>)",
        look_.look, look_.icon, name(results_.verdict), look_.meaning);
    if (results_.aborted) {
      out +=
          "<p><strong>The run was ended before its time.</strong> All figures are of the part that was "
          "run.</p>";
    }
    if (!results_.grounds.empty()) out += "<h3>Grounds</h3>" + list(results_.grounds, "grounds");
    return out + "</div></section>\n";
  }

  /// A few errors are within what the plan allows; more, or not steadily, is for red.
  bool errors_bad() const {
    return !results_.errors_steady ||
           std::any_of(results_.thresholds.begin(), results_.thresholds.end(),
                       [](const ThresholdResult& threshold) {
                         return !threshold.ok && threshold.metric.starts_with(metric::kHttpReqFailed);
                       });
  }

  std::string tiles() const {
    const Measurements& measured = results_.measured;
    const Sink service = measured.select(metric::kHttpReqDuration);
    const Sink response = measured.select(metric::kHttpReqResponseTime);
    const Sink failed = measured.select(metric::kHttpReqFailed);
    const double requests = measured.select(metric::kHttpReqs).sum;
    const double dropped = measured.select(metric::kDroppedIterations).sum;
    const double iterations = measured.select(metric::kIterations).sum;
    std::uint64_t peak = 0, busiest = 0;
    double peak_at = 0;
    for (const TimelinePoint& point : results_.timeline) {
      if (point.vus > peak) peak_at = point.at_s;
      peak = std::max(peak, point.vus);
      busiest = std::max(busiest, point.requests);
    }
    const auto time = [](const Sink& sink, double value) { return sink.samples == 0 ? "-" : ms_text(value); };
    std::string out = R"(<section id="figures"><h2 class="unseen">Key figures</h2>)";
    const bool counts = results_.verdict != Verdict::kInvalid;
    if (!counts) out += "<p>What follows was measured in a run that does not count.</p>";
    out += fmt::format(R"(<dl class="tiles{}">)", counts ? "" : " void");
    out += tile("Requests", short_number_text(requests), short_number_text(iterations) + " iterations");
    out += tile("Rate",
                results_.duration_s > 0 ? short_number_text(requests / results_.duration_s) + " /s" : "-",
                "at most " + grouped(busiest) + " in one second");
    out += tile(
        "Failed", failed.samples == 0 ? "-" : share_text(failed.rate()),
        short_number_text(failed.sum) + (results_.errors_steady ? " requests" : " requests, not steadily"),
        errors_bad() ? "seen" : "");
    out +=
        tile("Service time p95", time(service, service.quantile(0.95)),
             service.samples == 0 ? "nothing was measured" : "half within " + ms_text(service.quantile(0.5)));
    out += tile("Response time p95", time(response, response.quantile(0.95)), "from when it was due");
    out += tile("Service time p99", time(service, service.quantile(0.99)),
                service.samples == 0 ? "nothing was measured" : "slowest " + ms_text(service.largest()));
    out += tile("Dropped iterations", short_number_text(dropped),
                dropped > 0 ? "no virtual user was free" : "all were made", dropped > 0 ? "seen" : "");
    out += tile("Virtual users", grouped(peak),
                peak > 0 ? "at most, first at " + clock_text(peak_at) : "at most");
    return out + "</dl></section>\n";
  }

  std::string actions() const {
    std::string out = R"(<section id="actions"><h2>Action items</h2>)";
    out += results_.action_items.empty() ? R"(<p class="nothing">None.</p>)"
                                         : list(results_.action_items, "todo");
    return out + "</section>\n";
  }

  std::string signature() const {
    return R"(<section id="signature"><h2>Signed</h2><div class="sign"><p><span></span>Name</p>)"
           R"(<p><span></span>Date</p><p><span></span>Signature</p></div></section>)"
           "\n";
  }

  std::string footer() const {
    return R"(<footer><p>Percentiles are of histograms with three significant digits; they may differ )"
           R"(by 0.1% from those that are interpolated between all values. Service time: from the send to )"
           R"(the whole answer. Response time: from when the request was due. F1, F2 …: the faults, in )"
           R"(their order.</p></footer>)";
  }

  const Results& results_;
  const VerdictLook look_;
};

}  // namespace

std::string report_html(const Results& results) { return Report(results).whole(); }

}  // namespace spillway::load
