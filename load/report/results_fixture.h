#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "load/measure/results.h"

namespace spillway::load {

/// Two steps: 100 logins and 1,000 entries, of which 4 failed.
inline Measurements sample_measurements() {
  Measurements m;
  const auto add = [&](std::string_view name, MetricType type, Contains contains, const Tags& tags,
                       const Sink& sink) {
    m.add(m.metric({std::string(name), type, contains}), tags, sink);
  };
  const auto number = [](double sum, std::uint64_t samples) {
    Sink sink;
    sink.sum = sum;
    sink.samples = samples;
    return sink;
  };
  const auto times = [](int from_ms, int to_ms) {
    Sink sink;
    sink.values = std::make_shared<Histogram>();
    for (int ms = from_ms; ms <= to_ms; ++ms) sink.values->record(std::int64_t{ms} * 1'000'000);
    sink.samples = sink.values->count();
    return sink;
  };
  const Tags login = {{"name", "login"}, {"expected_response", "true"}};
  const Tags enter = {{"name", "enter"}, {"expected_response", "true"}};
  const Tags refused = {{"name", "enter"}, {"expected_response", "false"}};
  add("http_reqs", MetricType::kCounter, Contains::kDefault, login, number(100, 100));
  add("http_reqs", MetricType::kCounter, Contains::kDefault, enter, number(1000, 1000));
  add("http_req_failed", MetricType::kRate, Contains::kDefault, login, number(0, 100));
  add("http_req_failed", MetricType::kRate, Contains::kDefault, enter, number(4, 1000));
  add("http_req_duration", MetricType::kTrend, Contains::kTime, login, times(1, 100));
  add("http_req_duration", MetricType::kTrend, Contains::kTime, enter, times(1, 996));
  add("http_req_duration", MetricType::kTrend, Contains::kTime, refused, times(997, 1000));
  add("http_req_response_time", MetricType::kTrend, Contains::kTime, enter, times(2, 1001));
  add("iterations", MetricType::kCounter, Contains::kDefault, {}, number(1e6, 1'000'000));
  add("checks", MetricType::kRate, Contains::kDefault, {}, number(1098, 1100));
  add("data_sent", MetricType::kCounter, Contains::kData, {}, number(243'500, 1100));
  add("people_let_in", MetricType::kCounter, Contains::kDefault, {}, number(7, 7));
  Sink vus = number(0, 3);
  vus.last = 2;
  vus.min = 1;
  vus.max = 5;
  add("vus", MetricType::kGauge, Contains::kDefault, {}, vus);
  return m;
}

/// For tests of reports: a run of 60 s with a fault and one threshold missed.
inline Results sample_results() {
  Results r;
  r.measured = sample_measurements();
  r.plan = "stage-0";
  r.title = "Baseline | on this machine";
  r.command = "spillway load run stage-0";
  r.environment = {{"generator", "2 cores, 4 GB"}, {"target", "http://127.0.0.1:8080"}};
  r.started_at = Timestamp{1'800'000'000 * kSecond};
  r.duration_s = 60;
  for (int second = 1; second <= 60; ++second) {
    TimelinePoint point;
    point.at_s = second;
    point.requests = 18;
    point.p95_of_10s = second < 30 ? 900 : 950;
    point.steps = {{"enter", 900}};
    point.gauges = {{"queue_active_size", 12.5}};
    r.timeline.push_back(point);
  }
  r.checks = {{"is 200", 550, 0}, {"is 404", 548, 2}};
  r.thresholds = {{"http_req_duration{name:enter}", "p(95)<2000", true, 950, "p(95)<100", false, true},
                  {"http_req_failed", "rate<0.01", true, 4.0 / 1100, "", true, true},
                  {"http_reqs{name:none}", "count>0", false, 0}};
  r.invariants = {{"exactly N winners", true, 100, 0, "100 winners of 100 places"}};
  r.faults = {{"kill -9 the server", 20, 25, 1.5, 4, "started again after 5 s"}};
  r.self.cpu_cores = 0.75;
  r.self.busiest_thread = 0.5;
  r.self.lag_p99_ms = 0.25;
  r.self.bytes_per_vu = 2300;
  r.errors_steady = true;
  r.verdict = Verdict::kWarn;
  r.grounds = {"http_reqs{name:none} missed count>0: it was 0"};
  r.action_items = {"Find out why http_reqs{name:none} missed count>0."};
  return r;
}

}  // namespace spillway::load
