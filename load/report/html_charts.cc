#include "load/report/html_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <limits>
#include <set>

#include "load/report/charts.h"
#include "load/report/html_text.h"

namespace spillway::load {
namespace {

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMaxStepLines = 8;  // more of them nobody tells apart
constexpr std::array<const char*, kMaxStepLines> kStepLooks{"line-1", "line-2", "line-3", "line-4",
                                                            "line-5", "line-6", "line-7", "line-8"};
constexpr double kErrorsReach = 0.01;  // of the requests of the busiest second
constexpr std::size_t kMaxGaugeCharts = 24;
constexpr std::string_view kServerCpu = "server_cpu";

using Timeline = std::vector<TimelinePoint>;

std::vector<double> values_of(const Timeline& timeline,
                              const std::function<double(const TimelinePoint&)>& value) {
  std::vector<double> values;
  values.reserve(timeline.size());
  for (const TimelinePoint& point : timeline) values.push_back(value(point));
  return values;
}

/// Counts, of which a second without any has 0.
std::vector<double> counts_of(const Timeline& timeline, std::uint64_t TimelinePoint::*count) {
  return values_of(timeline,
                   [count](const TimelinePoint& point) { return static_cast<double>(point.*count); });
}

/// Times, of which a second without requests has none.
std::vector<double> times_of(const Timeline& timeline, TimelinePoint::Percentiles TimelinePoint::*which,
                             double TimelinePoint::Percentiles::*percentile) {
  return values_of(timeline, [=](const TimelinePoint& point) {
    return point.requests == 0 ? kGap : (point.*which).*percentile;
  });
}

std::vector<double> named_values(const Timeline& timeline, std::map<std::string, double> TimelinePoint::*of,
                                 const std::string& key) {
  return values_of(timeline, [&](const TimelinePoint& point) {
    const auto found = (point.*of).find(key);
    return found == (point.*of).end() ? kGap : found->second;
  });
}

std::set<std::string> keys_of(const Timeline& timeline, std::map<std::string, double> TimelinePoint::*of) {
  std::set<std::string> keys;
  for (const TimelinePoint& point : timeline) {
    for (const auto& [key, value] : point.*of) keys.insert(key);
  }
  return keys;
}

ChartTime chart_time(const Results& results) {
  ChartTime time;
  time.length_s = results.duration_s;
  for (const TimelinePoint& point : results.timeline) {
    time.at_s.push_back(point.at_s);
    time.length_s = std::max(time.length_s, point.at_s);
  }
  for (const FaultResult& fault : results.faults) {
    const double recovered = fault.recovery_s < 0 ? time.length_s : fault.until_s + fault.recovery_s;
    time.bands.push_back({fault.name, fault.from_s, fault.until_s, recovered});
  }
  time.spikes_s = results.spikes_at_s;
  return time;
}

/// "p(95)<200" of all requests is a level in the chart of the percentiles that it names.
std::vector<ChartBound> service_bounds(const Results& results) {
  constexpr std::string_view kP95 = "p(95)<", kP99 = "p(99)<", kMedian = "med<", kP50 = "p(50)<";
  std::vector<ChartBound> bounds;
  for (const ThresholdResult& threshold : results.thresholds) {
    if (threshold.metric != metric::kHttpReqDuration) continue;
    std::string text = threshold.expression;
    std::erase(text, ' ');
    for (const auto& [start, look] :
         {std::pair{kP95, "p95"}, {kP99, "p99"}, {kMedian, "p50"}, {kP50, "p50"}}) {
      if (!text.starts_with(start)) continue;
      const char* from = text.data() + start.size() + (text[start.size()] == '=' ? 1 : 0);
      double value = 0;
      const char* const end = text.data() + text.size();
      if (std::from_chars(from, end, value).ptr != end) continue;
      bounds.push_back({fmt::format("{} at most {}", look, ms_text(value)), value, look});
    }
  }
  return bounds;
}

Chart service_chart(const Results& results) {
  using Percentiles = TimelinePoint::Percentiles;
  const auto line = [&](const char* name, double Percentiles::*which) {
    return ChartLine{name, name, times_of(results.timeline, &TimelinePoint::service, which)};
  };
  return {"chart-service",
          "Service time",
          "From the send to the whole answer, in each second.",
          ChartUnit::kMs,
          true,
          true,
          {line("p99", &Percentiles::p99), line("p95", &Percentiles::p95), line("p50", &Percentiles::p50)},
          service_bounds(results)};
}

/// Two errors among thousands of requests shall not fill the chart.
Chart errors_chart(const Timeline& timeline) {
  std::uint64_t busiest = 0;
  for (const TimelinePoint& point : timeline) busiest = std::max(busiest, point.requests);
  return {"chart-errors",
          "Errors a second",
          "Requests that failed, and iterations that were dropped because no virtual user was free. The axis "
          "goes to "
          "1% of the busiest second, or beyond.",
          ChartUnit::kWhole,
          false,
          false,
          {{"failed requests", "failed", counts_of(timeline, &TimelinePoint::failed), true},
           {"dropped iterations", "line-5 dashed", counts_of(timeline, &TimelinePoint::dropped)}},
          {},
          kErrorsReach * static_cast<double>(busiest)};
}

Chart response_chart(const Timeline& timeline) {
  using Percentiles = TimelinePoint::Percentiles;
  return {
      "chart-response",
      "Response time against service time",
      "Response time counts from when a request was due. Where it lies above the service time people waited "
      "before their request was even sent (coordinated omission).",
      ChartUnit::kMs,
      true,
      false,
      {{"p99 response", "p99 dashed", times_of(timeline, &TimelinePoint::response, &Percentiles::p99)},
       {"p99 service", "p99", times_of(timeline, &TimelinePoint::service, &Percentiles::p99)},
       {"p95 response", "p95 dashed", times_of(timeline, &TimelinePoint::response, &Percentiles::p95)},
       {"p95 service", "p95", times_of(timeline, &TimelinePoint::service, &Percentiles::p95)}}};
}

/// The steps that were slowest at their worst, when there are too many for one chart.
Chart steps_chart(const Timeline& timeline) {
  Chart chart{"chart-steps",
              "Service time of each step",
              "p95 of each second, by step.",
              ChartUnit::kMs,
              true,
              false,
              {}};
  std::vector<std::pair<double, std::string>> worst;
  for (const std::string& step : keys_of(timeline, &TimelinePoint::steps)) {
    double most = 0;
    for (const double value : named_values(timeline, &TimelinePoint::steps, step))
      most = std::max(most, value);
    worst.emplace_back(most, step);
  }
  if (worst.size() > kMaxStepLines) {
    std::stable_sort(worst.begin(), worst.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    chart.about += fmt::format(" The {} slowest of {} steps.", kMaxStepLines, worst.size());
    worst.resize(kMaxStepLines);
  }
  for (std::size_t i = 0; i < worst.size(); ++i) {
    chart.lines.push_back(
        {worst[i].second, kStepLooks[i], named_values(timeline, &TimelinePoint::steps, worst[i].second)});
  }
  return chart;
}

Chart cpu_chart(const Timeline& timeline) {
  Chart chart{
      "chart-cpu", "CPU", "Cores in use by the server and by the load generator.", ChartUnit::kCores, false,
      false,       {}};
  const std::string server(kServerCpu);
  if (keys_of(timeline, &TimelinePoint::gauges).contains(server)) {
    chart.lines.push_back({"server", "line-1", named_values(timeline, &TimelinePoint::gauges, server)});
  }
  chart.lines.push_back({"generator", "line-5 dashed", values_of(timeline, [](const TimelinePoint& point) {
                           return point.generator_cpu;
                         })});
  return chart;
}

/// "queue_active_size": "Queue active size".
std::string spoken(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') name[0] = static_cast<char>(name[0] - 'a' + 'A');
  return name;
}

std::vector<Chart> gauge_charts(const Timeline& timeline) {
  std::vector<Chart> charts;
  for (const std::string& key : keys_of(timeline, &TimelinePoint::gauges)) {
    if (key == kServerCpu) continue;
    if (charts.size() == kMaxGaugeCharts) break;
    charts.push_back({fmt::format("chart-gauge-{}", charts.size() + 1),
                      spoken(key),
                      fmt::format("What the journey watched as {}.", key),
                      ChartUnit::kPlain,
                      false,
                      false,
                      {{key, "line-1", named_values(timeline, &TimelinePoint::gauges, key), true}}});
  }
  return charts;
}

std::vector<Chart> all_charts(const Results& results) {
  const Timeline& timeline = results.timeline;
  std::vector<Chart> charts;
  charts.push_back(service_chart(results));
  charts.push_back({"chart-rate",
                    "Requests a second",
                    "What was answered, and of that what failed.",
                    ChartUnit::kWhole,
                    false,
                    false,
                    {{"requests", "line-1", counts_of(timeline, &TimelinePoint::requests), true},
                     {"failed", "failed", counts_of(timeline, &TimelinePoint::failed), true}}});
  charts.push_back(errors_chart(timeline));
  charts.push_back(response_chart(timeline));
  charts.push_back(steps_chart(timeline));
  charts.push_back({"chart-vus",
                    "Virtual users",
                    "How many were at work, of how many there were.",
                    ChartUnit::kWhole,
                    false,
                    false,
                    {{"at work", "line-1", counts_of(timeline, &TimelinePoint::vus), true},
                     {"there", "line-5 dashed", counts_of(timeline, &TimelinePoint::vus_max)}}});
  for (Chart& chart : gauge_charts(timeline)) charts.push_back(std::move(chart));
  charts.push_back(cpu_chart(timeline));
  charts.push_back(
      {"chart-lag",
       "How late the generator was",
       "p99 of each second: from when something was due and could start until it started. High values "
       "make a run INVALID.",
       ChartUnit::kMs,
       true,
       false,
       {{"lag p99", "line-5",
         values_of(timeline, [](const TimelinePoint& point) { return point.lag_p99_ms; })}}});
  return charts;
}

std::string key_of_marks(const Results& results) {
  if (results.faults.empty() && results.spikes_at_s.empty()) return "";
  std::string out = R"(<p class="marks">)";
  if (!results.faults.empty()) {
    out += R"(<span><i class="fault"></i>a fault</span>)"
           R"(<span><i class="recovery"></i>until all was as before</span>)";
  }
  if (!results.spikes_at_s.empty()) {
    out += R"(<span><b class="spike-mark">▲</b>a spike: ten seconds with a p95 above three times )"
           R"(the run's</span>)";
  }
  for (std::size_t i = 0; i < std::min(results.faults.size(), kMaxBands); ++i) {
    out += fmt::format("<span><b>F{}</b>{} at {}</span>", i + 1, html_escape(results.faults[i].name),
                       clock_text(results.faults[i].from_s));
  }
  if (results.faults.size() > kMaxBands || results.spikes_at_s.size() > kMaxSpikes) {
    out +=
        fmt::format("<span>The charts show the first {} faults and {} spikes.</span>", kMaxBands, kMaxSpikes);
  }
  return out + "</p>";
}

}  // namespace

std::string charts_html(const Results& results) {
  std::string out =
      R"(<section id="charts"><h2>Over time</h2>)" + key_of_marks(results) + R"(<div class="charts">)";
  if (results.timeline.empty()) {
    return out + R"(<p class="nothing">There are no charts: the run ended before its first second did.</p>)"
                 "</div></section>\n";
  }
  const ChartTime time = chart_time(results);
  for (const Chart& chart : all_charts(results)) out += chart_html(chart, time);
  out += "</div>";
  std::size_t gauges = keys_of(results.timeline, &TimelinePoint::gauges).size();
  if (gauges > kMaxGaugeCharts + 1) {
    out += fmt::format(R"(<p class="note">{} more watched values have no chart here.</p>)",
                       gauges - kMaxGaugeCharts - 1);
  }
  return out + "</section>\n";
}

}  // namespace spillway::load
