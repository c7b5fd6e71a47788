#include "load/report/html.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <vector>

#include "load/report/html_tables.h"

namespace spillway::load {
namespace {

constexpr double kPi = 3.14159265358979;

/// The same every time.
class Noise {
 public:
  double next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<double>(state_ >> 40) / static_cast<double>(1ULL << 24);
  }

 private:
  std::uint64_t state_ = 7;
};

Sink trend(double median_ms, std::uint64_t count, double worst_ms) {
  Sink sink;
  sink.values = std::make_shared<Histogram>();
  Noise noise;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double bell = noise.next() + noise.next() + noise.next() + noise.next() - 2;
    sink.values->record(static_cast<std::int64_t>(median_ms * std::exp(1.1 * bell) * 1e6));
  }
  sink.values->record(static_cast<std::int64_t>(worst_ms * 1e6));
  sink.samples = sink.values->count();
  return sink;
}

Sink counted(double sum, std::uint64_t samples) {
  Sink sink;
  sink.sum = sum;
  sink.samples = samples;
  return sink;
}

void measure(Measurements& measured, const std::string& step, double median_ms, std::uint64_t count,
             double failed) {
  const Tags tags{{"name", step}, {"scenario", "people"}};
  const auto add = [&](std::string_view name, MetricType type, Contains contains, const Sink& sink) {
    measured.add(measured.metric({std::string(name), type, contains}), tags, sink);
  };
  const auto number = static_cast<double>(count);
  add(metric::kHttpReqs, MetricType::kCounter, Contains::kDefault, counted(number, count));
  add(metric::kHttpReqFailed, MetricType::kRate, Contains::kDefault, counted(failed, count));
  add(metric::kHttpReqDuration, MetricType::kTrend, Contains::kTime,
      trend(median_ms, count, median_ms * 130));
  add(metric::kHttpReqResponseTime, MetricType::kTrend, Contains::kTime,
      trend(median_ms * 1.3, count, median_ms * 190));
}

/// One second of a run in which the server is killed at `kill_s` and back after three seconds.
TimelinePoint second(double at_s, double length_s, double kill_s, Noise& noise) {
  TimelinePoint point;
  const double ramp = std::min({1.0, at_s / 60, (length_s - at_s + 1) / 30});
  const bool down = at_s > kill_s && at_s <= kill_s + 3;
  const bool recovering = at_s > kill_s + 3 && at_s <= kill_s + 7;
  const double wave = 1 + 0.06 * std::sin(at_s / 40 * kPi) + 0.05 * (noise.next() - 0.5);
  const double slow = recovering ? 60 : 1;
  point.at_s = at_s;
  point.vus_max = 5000;
  point.vus = static_cast<std::uint64_t>(5000 * std::max(0.0, ramp));
  point.requests = static_cast<std::uint64_t>((recovering ? 1.5 : 1) * 5200 * std::max(0.01, ramp) * wave);
  point.failed = down ? point.requests : static_cast<std::uint64_t>(noise.next() * 3);
  point.iterations = point.requests / 4;
  point.service = {2.1 * wave, 14 * wave * slow, 38 * wave * slow * (0.8 + noise.next() * 0.6),
                   120 * wave * slow};
  if (down) point.service = {0.4, 0.9, 1.5, 3};
  point.response = {point.service.p50 * 1.05, point.service.p95 * (1.1 + 0.2 * noise.next()),
                    point.service.p99 * (1.3 + noise.next()), point.service.max * 2};
  if (down) point.response = {1200, 2800, 3000, 3100};
  point.p95_of_10s = point.service.p95;
  point.steps = {{"login", 22 * wave}, {"participate", 16 * wave * slow}, {"status", 6 * wave * slow}};
  point.gauges = {{"queue_active_size", down ? 0 : std::min(2000.0, at_s * 40)},
                  {"queue_depth", down ? 0 : std::max(0.0, 30000 - at_s * 55 * (1 + 0.01 * noise.next()))},
                  {"server_cpu", down ? 0 : 1.35 * ramp * wave}};
  if (down) point.gauges.erase("queue_depth");
  point.generator_cpu = 0.62 * ramp + 0.05 * noise.next();
  point.lag_p99_ms = 0.3 + 0.5 * noise.next();
  return point;
}

Results killed_run() {
  Results results;
  results.plan = "stage-3-target";
  results.title = "Spring on-sale: 5,000 people at once, and the server is killed";
  results.description =
      "The day as we expect it: everybody comes within a minute, logs in, signs up and asks for the outcome "
      "until it "
      "is final. At 3:20 the server is killed with SIGKILL and started again.";
  results.command = "spillway load run stage-3-target --base-url http://127.0.0.1:8080 --report-dir reports";
  results.environment = {{"target", "http://127.0.0.1:8080"},
                         {"generator", "2 x Xeon 2.1 GHz, 8 GB, Debian 12"},
                         {"built", "spillway 0.1.0"},
                         {"seed", "42"}};
  results.started_at = Timestamp{1'795'274'456'000'000};
  results.duration_s = 600;
  measure(results.measured, "login", 9, 20'000, 31);
  measure(results.measured, "participate", 4.1, 40'000, 620);
  measure(results.measured, "status", 1.7, 90'000, 759);
  results.measured.add(results.measured.metric({std::string(metric::kIterations)}), {}, counted(37'500, 1));
  Noise noise;
  for (int i = 1; i <= 600; ++i) results.timeline.push_back(second(i, 600, 200, noise));
  results.checks = {{"202 or 200", 130'000, 12}, {"has a requestId", 40'000, 0}};
  results.thresholds = {{"http_req_failed", "rate<0.015", true, 0.0094, "rate<0.005", false, true},
                        {"http_req_duration", "p(95)<40", true, 14.1, "", true, true},
                        {"http_req_duration", "p(99)<1000", true, 61.0, "", true, true},
                        {"http_req_duration{name:login}", "p(95)<100", true, 22.9, "", true, true},
                        {"iterations", "count>30000", true, 37'500}};
  results.invariants = {{"exactly N winners", true, 40'000, 0, "30,000 places, 30,000 winners."},
                        {"one requestId per person", true, 40'000, 0, "40,000 people, 40,000 requestIds."},
                        {"nothing acknowledged is missing", true, 39'969, 0,
                         "39,969 acknowledged before the kill and after it, all there."},
                        {"no status went back", true, 90'000, 0, ""}};
  results.faults = {{"kill -9 the server", 200, 203, 4, 1'410, "Exit by signal 9; ready again after 2.9 s."}};
  results.self = {0.63, 0.34, 0.8, 6.1, 0, 0, 3'480, {}};
  results.spikes_at_s = {207};
  results.verdict = Verdict::kWarn;
  results.grounds = {
      "All 5 thresholds hold; one stricter bound was missed: http_req_failed rate<0.005 (0.94%).",
      "One window of ten seconds had a p95 more than three times the run's, after the kill at 03:20.",
      "All 4 invariants hold, also across the kill."};
  results.action_items = {
      "Look at the ten seconds after the restart: p95 was 820 ms while everybody came back.",
      "Decide whether 1,410 failed requests in three seconds are what people may see."};
  return results;
}

Results passed_run() {
  Results results = killed_run();
  results.title = "Baseline: 500 people, ten minutes";
  results.verdict = Verdict::kPass;
  results.grounds = {"All 5 thresholds hold.", "Errors are steady: 0.01% of the requests.",
                     "All 4 invariants hold."};
  results.faults.clear();
  results.spikes_at_s.clear();
  results.timeline.clear();
  results.action_items.clear();
  Noise noise;
  for (int i = 1; i <= 600; ++i) results.timeline.push_back(second(i, 600, 1e9, noise));
  return results;
}

Results failed_run() {
  Results results = killed_run();
  results.verdict = Verdict::kFail;
  results.grounds = {"An invariant was violated: exactly N winners.",
                     "http_req_failed rate<0.015 was missed: 9.4%.",
                     "http_req_duration p(95)<40 was missed: 812 ms."};
  results.invariants[0] = {"exactly N winners", false, 40'000, 3,
                           "30,000 places, 30,003 winners, for example request 7f3a90c1."};
  results.invariants.push_back({"first come first served", false, 0, 0, "Nobody was seen in the line."});
  results.thresholds[0] = {"http_req_failed", "rate<0.015", false, 0.094, "rate<0.005", false, true};
  results.thresholds[1].ok = false;
  results.thresholds[1].value = 812;
  results.faults.push_back({"latency 200 ms ± 50 ms", 330, 390, 2.2, 14, "Through the proxy, both ways."});
  results.faults.push_back({"stop the server for 5 s", 480, 485, -1, 22'340, "SIGSTOP, then SIGCONT."});
  results.errors_steady = false;
  return results;
}

Results invalid_run() {
  Results results = passed_run();
  results.title = "Target: 100,000 people from one small machine";
  results.verdict = Verdict::kInvalid;
  results.aborted = true;
  results.grounds = {"The busiest thread of the generator used 98% of a core.",
                     "What was due started 1.8 s late (p99); the bound is 50 ms."};
  results.self = {
      1.97,
      0.98,
      1'800,
      4'200,
      41'223,
      12,
      3'600,
      {"The busiest thread used 98% of a core; the bound is 85%.", "It was 1.8 s late; the bound is 50 ms."}};
  Noise noise;
  for (TimelinePoint& point : results.timeline) {
    point.lag_p99_ms =
        std::min(1900.0, 0.4 + std::pow(point.at_s / 60, 3.6) * 2) * (0.9 + 0.2 * noise.next());
    point.generator_cpu = std::min(1.99, 0.3 + point.at_s / 150);
    point.dropped = point.at_s > 250 ? static_cast<std::uint64_t>(point.at_s / 5 * noise.next()) : 0;
  }
  return results;
}

/// Fifteen thousand seconds, more steps than a chart shows, and nothing much in them.
Results long_run() {
  Results results = killed_run();
  results.title = "Soak: four hours";
  results.verdict = Verdict::kPass;
  results.timeline.clear();
  results.duration_s = 15'000;
  Noise noise;
  for (int i = 1; i <= 15'000; ++i) {
    results.timeline.push_back(second(i, 15'000, 200, noise));
    for (int step = 1; step <= 12; ++step) {
      results.timeline.back().steps["step " + std::to_string(step)] = step * (9 + noise.next());
    }
  }
  return results;
}

/// Every text of the results is this.
Results hostile_run(const std::string& text) {
  Results results;
  results.plan = results.title = results.description = results.command = text;
  results.environment = {{text, text}, {"target", text}, {"generator", text}};
  results.started_at = Timestamp{1};
  results.duration_s = 2;
  measure(results.measured, text, 2, 10, 1);
  for (int i = 1; i <= 2; ++i) {
    TimelinePoint point;
    point.at_s = i;
    point.requests = 5;
    point.steps[text] = 2;
    point.gauges[text] = 3;
    results.timeline.push_back(point);
  }
  results.checks = {{text, 1, 1}};
  results.thresholds = {{text, text, false, 1, text, false, true},
                        {"http_req_duration", "p(95)<" + text, false, 1}};
  results.invariants = {{text, false, 1, 1, text}};
  results.faults = {{text, 0, 1, 1, 1, text}};
  results.self.grounds = results.grounds = results.action_items = {text};
  return results;
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// What was opened is closed, in order; "" or what is wrong.
std::string unbalanced(const std::string& html) {
  static const std::set<std::string> kVoid{"meta", "!doctype"};
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at)) {
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return "a tag without an end";
    const std::string tag = html.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" />", 1));
    at = end;
    if (name[0] == '/') {
      if (open.empty() || "/" + open.back() != name)
        return name + " closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (!kVoid.contains(name) && tag.back() != '/') {
      open.push_back(name);
      if (name == "style" || name == "script") at = html.find("</" + name, at);
    }
  }
  return open.empty() ? "" : open.back() + " stays open";
}

TEST(ReportHtml, EscapesWhatComesFromOutside) {
  const std::string harmless = report_html(hostile_run("plain"));
  for (const std::string text :
       {"<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'--></style><b>"}) {
    const std::string html = report_html(hostile_run(text));
    EXPECT_EQ(html.find(text), std::string::npos);
    EXPECT_EQ(html.find("<img"), std::string::npos);
    EXPECT_EQ(count_of(html, "<script"), 1u);
    EXPECT_EQ(count_of(html, "</style"), 1u);
    EXPECT_EQ(count_of(html, "<"), count_of(harmless, "<")) << "a tag came from a text";
    EXPECT_EQ(count_of(html, "\""), count_of(harmless, "\"")) << "a quote came from a text";
    EXPECT_EQ(unbalanced(html), "");
  }
}

TEST(ReportHtml, SaysEveryText) {
  // Once each at least: plan, title, description, command, environment, step, gauge, check, threshold ...
  EXPECT_GE(count_of(report_html(hostile_run("planted-text")), "planted-text"), 25u);
}

TEST(ReportHtml, LoadsNothing) {
  std::string html = report_html(killed_run());
  EXPECT_NE(html.find("Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
                      "script-src 'unsafe-inline'; img-src data:\""),
            std::string::npos);
  for (const char* asks :
       {" src=", " href=", "url(", "@import", "fetch(", "XMLHttpRequest", "<link", "<iframe"}) {
    EXPECT_EQ(html.find(asks), std::string::npos) << asks;
  }
}

TEST(ReportHtml, IsSoundForEveryRun) {
  Results one_second = killed_run();
  one_second.timeline.resize(1);
  for (const Results& results :
       {killed_run(), passed_run(), failed_run(), invalid_run(), Results{}, one_second}) {
    const std::string html = report_html(results);
    EXPECT_EQ(unbalanced(html), "");
    EXPECT_EQ(count_of(html, "<svg role=\"img\""), count_of(html, "<desc id="));
    EXPECT_EQ(count_of(html, "<table>"), count_of(html, "</caption>"));
    std::set<std::string> ids;
    for (std::size_t at = html.find(" id=\""); at != std::string::npos; at = html.find(" id=\"", at + 1)) {
      EXPECT_TRUE(ids.insert(html.substr(at + 5, html.find('"', at + 5) - at - 5)).second)
          << html.substr(at, 40);
    }
  }
}

TEST(ReportHtml, ShowsTheVerdictWithItsGrounds) {
  const auto has = [](const Results& results, const std::string& text) {
    return report_html(results).find(text) != std::string::npos;
  };
  EXPECT_TRUE(has(passed_run(), R"(<section id="verdict" class="pass">)"));
  EXPECT_TRUE(has(killed_run(), R"(<section id="verdict" class="warn">)"));
  EXPECT_TRUE(has(failed_run(), R"(<section id="verdict" class="fail">)"));
  EXPECT_TRUE(has(invalid_run(), R"(<section id="verdict" class="invalid">)"));
  EXPECT_TRUE(has(invalid_run(), "proves nothing about the server"));
  EXPECT_TRUE(has(invalid_run(), "The run was ended before its time."));
  EXPECT_TRUE(has(invalid_run(), "measured in a run that does not count"));
  EXPECT_FALSE(has(failed_run(), "measured in a run that does not count"));
  EXPECT_FALSE(has(passed_run(), "The run was ended before its time."));
  EXPECT_TRUE(has(failed_run(), "<li>An invariant was violated: exactly N winners.</li>"));
  EXPECT_TRUE(has(failed_run(), R"(<span class="badge bad">violated</span>)"));
  EXPECT_TRUE(has(failed_run(), R"(<span class="badge bad">not shown</span>)"));
  EXPECT_FALSE(has(passed_run(), R"(class="badge bad")"));
  EXPECT_TRUE(has(failed_run(), R"(<span class="badge bad">not in this run</span>)"));
}

TEST(ReportHtml, ShowsTheFigures) {
  const std::string html = report_html(killed_run());
  EXPECT_NE(html.find("<dt>Requests</dt><dd>150,000</dd><dd class=\"more\">37,500 iterations</dd>"),
            std::string::npos);
  EXPECT_NE(html.find("<dt>Rate</dt><dd>250 /s</dd>"), std::string::npos);
  EXPECT_NE(html.find("<dt>Failed</dt><dd>0.94%</dd>"), std::string::npos);
  EXPECT_NE(html.find("2026-11-21 15:20:56 UTC"), std::string::npos);
  EXPECT_NE(html.find(">620 (1.55%)</td>"), std::string::npos) << "failed requests of a step";
  EXPECT_NE(html.find("p95 at most 40 ms"), std::string::npos) << "the bound in the chart";
  EXPECT_NE(html.find(">0.94%</td>"), std::string::npos) << "a rate of a threshold is a share";
  EXPECT_NE(html.find("Queue active size"), std::string::npos);
}

TEST(ReportHtml, SaysWhatTheOtherReportsSay) {
  Results run = killed_run();
  run.self.bytes_per_vu = 2300;
  const std::string html = report_html(run);
  for (const char* part :
       {"<dt>Generator</dt><dd>2 x Xeon 2.1 GHz, 8 GB, Debian 12</dd>", ">2.3 kB</td>", ">p99.99</th>",
        R"(<th scope="row">login</th><td>service</td>)", R"(<th scope="row">login</th><td>response</td>)",
        R"(<th scope="row">all requests</th><td>response</td>)"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
}

TEST(ReportHtml, LeavesOutWhatNobodyReads) {
  const std::string html = report_html(long_run());
  EXPECT_NE(html.find("Drawn from 15,000 points: of every 50 the smallest and the largest."),
            std::string::npos);
  EXPECT_NE(html.find("The 8 slowest of 15 steps."), std::string::npos);
  EXPECT_LT(html.size(), 1'000'000u);
  HtmlTable table("Rows", {{"Row"}});
  for (std::size_t i = 0; i < HtmlTable::kMaxRows + 3; ++i) table.add({{"row"}});
  EXPECT_EQ(count_of(table.html(), "<tr>"), HtmlTable::kMaxRows + 1);
  EXPECT_NE(table.html().find("3 more are left out."), std::string::npos);
}

/// For people to look at: in the folder that SPILLWAY_REPORTS names, else where temporary files are.
TEST(ReportHtml, LeavesReportsToLookAt) {
  const char* const given = std::getenv("SPILLWAY_REPORTS");
  const std::string folder = given != nullptr ? given : testing::TempDir();
  const auto leave = [&](const char* name, const Results& results) {
    std::ofstream file(folder + "/" + name + ".html", std::ios::binary);
    file << report_html(results);
    EXPECT_TRUE(file.flush().good()) << name;
  };
  leave("pass", passed_run());
  leave("warn", killed_run());
  leave("fail", failed_run());
  leave("invalid", invalid_run());
  leave("long", long_run());
  leave("empty", {});
  leave("hostile", hostile_run("<script>alert(1)</script>"));
}

}  // namespace
}  // namespace spillway::load
