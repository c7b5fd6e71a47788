#include "load/engine/recorder.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "load/engine/point_log.h"

namespace spillway::load {
namespace {

Metric time_metric(std::string_view name) { return {std::string(name), MetricType::kTrend, Contains::kTime}; }

void drain_trend(Measurements& into, std::string_view name, const Tags& tags, Histogram& values) {
  Sink sink;
  sink.samples = values.count();
  sink.values = std::make_shared<Histogram>(std::move(values));
  values = Histogram();
  into.add(into.metric(time_metric(name)), tags, sink);
}

double ms(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

}  // namespace

Recorder::StepId Recorder::add_step(std::string_view step, std::string_view method, const Tags& tags) {
  Step made{tags, {}};
  made.tags["name"] = step;
  made.tags["method"] = method;
  steps_.push_back(std::move(made));
  return static_cast<StepId>(steps_.size() - 1);
}

Recorder::SeriesId Recorder::add_series(const Metric& metric, Tags tags) {
  plain_.push_back({metric, std::move(tags), {}});
  return static_cast<SeriesId>(plain_.size() - 1);
}

std::vector<Metric> Recorder::metrics() const {
  std::vector<Metric> all;
  for (const Plain& series : plain_) all.push_back(series.metric);
  return all;
}

Recorder::Cell& Recorder::cell_of(Step& step, int status, bool expected) {
  for (Cell& cell : step.cells) {
    if (cell.status == status && cell.expected == expected) return cell;
  }
  Cell& made = step.cells.emplace_back();
  made.status = status;
  made.expected = expected;
  made.tags = step.tags;
  made.tags["status"] = std::to_string(status);
  made.tags["expected_response"] = expected ? "true" : "false";
  return made;
}

void Recorder::request(StepId id, int status, bool expected, const RequestTimes& times) {
  Cell& cell = cell_of(steps_[id], status, expected);
  const std::int64_t duration_ns = times.sending_ns + times.waiting_ns + times.receiving_ns;
  ++cell.requests;
  cell.duration.record(duration_ns);
  cell.response.record(times.response_ns);
  cell.blocked.record(0);  // a virtual user has its own connection and never waits for one
  cell.connecting.record(times.connecting_ns);
  cell.tls.record(times.tls_ns);
  cell.sending.record(times.sending_ns);
  cell.waiting.record(times.waiting_ns);
  cell.receiving.record(times.receiving_ns);
  if (points_ == nullptr) return;
  points_->add({std::string(metric::kHttpReqs), MetricType::kCounter}, cell.tags, 1);
  points_->add({std::string(metric::kHttpReqFailed), MetricType::kRate}, cell.tags, expected ? 0 : 1);
  points_->add(time_metric(metric::kHttpReqDuration), cell.tags, ms(duration_ns));
  points_->add(time_metric(metric::kHttpReqResponseTime), cell.tags, ms(times.response_ns));
}

void Recorder::add(SeriesId id, double value) {
  Plain& series = plain_[id];
  Sink& sink = series.sink;
  switch (series.metric.type) {
    case MetricType::kCounter:
      sink.sum += value;
      break;
    case MetricType::kRate:
      sink.sum += value != 0 ? 1 : 0;
      break;
    case MetricType::kGauge:
      sink.last = value;
      sink.min = sink.samples == 0 ? value : std::min(sink.min, value);
      sink.max = sink.samples == 0 ? value : std::max(sink.max, value);
      break;
    case MetricType::kTrend:
      if (!sink.values) sink.values = std::make_shared<Histogram>();
      sink.values->record(static_cast<std::int64_t>(value * 1e6));
      break;
  }
  ++sink.samples;
  if (points_ != nullptr) points_->add(series.metric, series.tags, value);
}

void Recorder::bytes(std::uint64_t sent, std::uint64_t received) {
  sent_ += sent;
  received_ += received;
}

void Recorder::drain(Measurements& into, Cell& cell) const {
  if (cell.requests == 0) return;
  Sink count;
  count.sum = static_cast<double>(cell.requests);
  count.samples = cell.requests;
  into.add(into.metric({std::string(metric::kHttpReqs), MetricType::kCounter}), cell.tags, count);
  Sink failed;
  failed.samples = cell.requests;
  failed.sum = cell.expected ? 0 : static_cast<double>(cell.requests);
  into.add(into.metric({std::string(metric::kHttpReqFailed), MetricType::kRate}), cell.tags, failed);
  drain_trend(into, metric::kHttpReqDuration, cell.tags, cell.duration);
  drain_trend(into, metric::kHttpReqResponseTime, cell.tags, cell.response);
  drain_trend(into, "http_req_blocked", cell.tags, cell.blocked);
  drain_trend(into, "http_req_connecting", cell.tags, cell.connecting);
  drain_trend(into, "http_req_tls_handshaking", cell.tags, cell.tls);
  drain_trend(into, "http_req_sending", cell.tags, cell.sending);
  drain_trend(into, "http_req_waiting", cell.tags, cell.waiting);
  drain_trend(into, "http_req_receiving", cell.tags, cell.receiving);
  cell.requests = 0;
}

Measurements Recorder::drain() {
  Measurements out;
  for (Step& step : steps_) {
    for (Cell& cell : step.cells) drain(out, cell);
  }
  for (Plain& series : plain_) {
    const std::size_t metric = out.metric(series.metric);  // also without values: it is known
    if (series.sink.samples != 0) out.add(metric, series.tags, series.sink);
    series.sink = {};
  }
  const auto count = [&out](std::string_view name, std::uint64_t& bytes) {
    Sink sink;
    sink.sum = static_cast<double>(bytes);
    sink.samples = 1;
    if (bytes != 0) out.add(out.metric({std::string(name), MetricType::kCounter, Contains::kData}), {}, sink);
    bytes = 0;
  };
  count("data_sent", sent_);
  count("data_received", received_);
  return out;
}

}  // namespace spillway::load
