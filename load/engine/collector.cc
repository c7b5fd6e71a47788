#include "load/engine/collector.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <utility>

namespace spillway::load {
namespace {

constexpr std::size_t kWindowSeconds = 10;

std::uint64_t count_of(const Measurements& m, std::string_view name) {
  return static_cast<std::uint64_t>(m.select(name).sum);
}

TimelinePoint::Percentiles percentiles(const Sink& sink) {
  return {sink.quantile(0.5), sink.quantile(0.95), sink.quantile(0.99), sink.largest()};
}

void add_gauge(Measurements& into, std::string_view name, double value) {
  Sink sink;
  sink.last = sink.min = sink.max = value;
  sink.samples = 1;
  into.add(into.metric({std::string(name), MetricType::kGauge}), {}, sink);
}

}  // namespace

void Collector::add(std::size_t slice, SliceSecond second) {
  {
    const std::lock_guard lock(mutex_);
    slices_[slice].waiting.push_back(std::move(second));
  }
  changed_.notify_all();
}

void Collector::end(std::size_t slice, SliceEvidence evidence) {
  {
    const std::lock_guard lock(mutex_);
    slices_[slice].ended = true;
    slices_[slice].evidence = std::move(evidence);
  }
  changed_.notify_all();
}

void Collector::fail(std::size_t slice, std::string why) {
  {
    const std::lock_guard lock(mutex_);
    if (slices_[slice].ended) return;
    slices_[slice].ended = true;
    slices_[slice].failure = std::move(why);
  }
  changed_.notify_all();
}

std::optional<std::uint32_t> Collector::next_complete() const {
  std::optional<std::uint32_t> next;
  for (const SliceState& slice : slices_) {
    if (slice.waiting.empty()) {
      if (!slice.ended) return std::nullopt;
      continue;
    }
    next = std::min(next.value_or(UINT32_MAX), slice.waiting.front().second);
  }
  return next;
}

std::optional<RunSecond> Collector::take(std::int64_t until_ns) {
  std::unique_lock lock(mutex_);
  const std::chrono::steady_clock::time_point until{std::chrono::nanoseconds(until_ns)};
  std::optional<std::uint32_t> next;
  changed_.wait_until(lock, until, [&] {
    next = next_complete();
    return next || std::all_of(slices_.begin(), slices_.end(), [](const auto& s) { return s.ended; });
  });
  if (!next) return std::nullopt;
  RunSecond all;
  all.second = *next;
  for (SliceState& slice : slices_) {
    if (slice.waiting.empty() || slice.waiting.front().second != *next) continue;
    const SliceSecond one = std::move(slice.waiting.front());
    slice.waiting.pop_front();
    all.measured.add(one.measured);
    all.vus += one.vus;
    all.made_vus += one.made_vus;
    all.cpu_s += one.cpu_s;
    all.busiest_s = std::max(all.busiest_s, one.cpu_s);
    all.lag.add(one.lag);
    all.socket_errors += one.socket_errors;
  }
  return all;
}

bool Collector::all_ended() const {
  const std::lock_guard lock(mutex_);
  return std::all_of(slices_.begin(), slices_.end(),
                     [](const auto& slice) { return slice.ended && slice.waiting.empty(); });
}

std::vector<SliceEvidence> Collector::evidence() {
  const std::lock_guard lock(mutex_);
  std::vector<SliceEvidence> all;
  for (SliceState& slice : slices_) all.push_back(std::move(slice.evidence));
  return all;
}

std::vector<std::string> Collector::failures() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const SliceState& slice : slices_) {
    if (!slice.failure.empty()) all.push_back(slice.failure);
  }
  return all;
}

const TimelinePoint& Timeline::add(const RunSecond& second, const std::map<std::string, double>& gauges) {
  const Measurements& m = second.measured;
  TimelinePoint point;
  point.at_s = second.second + 1;
  point.vus = second.vus;
  point.vus_max = second.made_vus;
  point.requests = count_of(m, metric::kHttpReqs);
  point.failed = count_of(m, metric::kHttpReqFailed);
  point.iterations = count_of(m, metric::kIterations);
  point.dropped = count_of(m, metric::kDroppedIterations);
  const Sink duration = m.select(metric::kHttpReqDuration);
  point.service = percentiles(duration);
  point.response = percentiles(m.select(metric::kHttpReqResponseTime));
  last_durations_.push_back(duration.values ? *duration.values : Histogram());
  if (last_durations_.size() > kWindowSeconds) last_durations_.pop_front();
  Histogram window;
  for (const Histogram& one : last_durations_) window.add(one);
  point.p95_of_10s = window.quantile_us(0.95) / 1e3;
  for (const std::string& step : m.tag_values(metric::kHttpReqDuration, "name"))
    point.steps[step] = m.select(metric::kHttpReqDuration, {{"name", step}}).quantile(0.95);
  point.gauges = gauges;
  point.generator_cpu = second.cpu_s;
  point.lag_p99_ms = second.lag.quantile_us(0.99) / 1e3;

  measured_.add(m);
  add_gauge(measured_, metric::kVus, static_cast<double>(point.vus));
  add_gauge(measured_, metric::kVusMax, static_cast<double>(point.vus_max));
  for (const auto& [name, value] : gauges) add_gauge(measured_, name, value);
  lag_.add(second.lag);
  cpu_s_ += second.cpu_s;
  last_busiest_.push_back(second.busiest_s);
  if (last_busiest_.size() > kWindowSeconds) last_busiest_.pop_front();
  const double busy = std::accumulate(last_busiest_.begin(), last_busiest_.end(), 0.0);
  if (last_busiest_.size() == kWindowSeconds)
    worst_busiest_ = std::max(worst_busiest_, busy / kWindowSeconds);
  socket_errors_ += second.socket_errors;
  points_.push_back(std::move(point));
  return points_.back();
}

SelfWatch Timeline::self(double seconds) const {
  SelfWatch self;
  self.cpu_cores = cpu_s_ / seconds;
  // Of a run that was shorter: the whole of it.
  const double all = std::accumulate(last_busiest_.begin(), last_busiest_.end(), 0.0) / seconds;
  self.busiest_thread = points_.size() < kWindowSeconds ? all : worst_busiest_;
  self.lag_p99_ms = lag_.quantile_us(0.99) / 1e3;
  self.lag_max_ms = static_cast<double>(lag_.max_ns()) / 1e6;
  self.dropped_iterations = count_of(measured_, metric::kDroppedIterations);
  self.socket_errors = socket_errors_;
  return self;
}

}  // namespace spillway::load
