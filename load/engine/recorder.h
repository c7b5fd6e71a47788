#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/measure/metrics.h"

namespace spillway::load {

class PointLog;

/// How long the parts of one request took, in nanoseconds. k6's parts, and its sum: sending + waiting +
/// receiving is the service time.
struct RequestTimes {
  std::int64_t connecting_ns = 0, tls_ns = 0, sending_ns = 0, waiting_ns = 0, receiving_ns = 0;
  std::int64_t response_ns = 0;  ///< from when the request was due
};

/// What one thread measures. Adding costs no allocation once everything was seen. Not thread-safe.
class Recorder {
 public:
  using StepId = std::uint32_t;
  using SeriesId = std::uint32_t;

  /// `points`: may be null; else every value is written there as well.
  explicit Recorder(PointLog* points = nullptr) : points_(points) {}

  /// A request that journeys make: its cells differ by status from there on. `tags`: of the scenario.
  StepId add_step(std::string_view step, std::string_view method, const Tags& tags);
  SeriesId add_series(const Metric&, Tags);

  /// Of add_series().
  std::vector<Metric> metrics() const;

  /// `status` 0: no answer. `expected`: as k6 has it, and the opposite of failed.
  void request(StepId, int status, bool expected, const RequestTimes&);
  /// Counter: adds. Gauge: is. Rate: not 0 is true. Trend: a value, a time in ms.
  void add(SeriesId, double value);
  void bytes(std::uint64_t sent, std::uint64_t received);

  /// Everything since the last call.
  Measurements drain();

 private:
  struct Cell {  // of a step, by status
    int status = 0;
    bool expected = true;
    Tags tags;
    std::uint64_t requests = 0;
    Histogram duration, response, blocked, connecting, tls, sending, waiting, receiving;
  };
  struct Step {
    Tags tags;  // "name", "method", those of the scenario
    std::vector<Cell> cells;
  };
  struct Plain {
    Metric metric;
    Tags tags;
    Sink sink;
  };

  Cell& cell_of(Step&, int status, bool expected);
  void drain(Measurements&, Cell&) const;

  PointLog* points_;
  std::vector<Step> steps_;
  std::vector<Plain> plain_;
  std::uint64_t sent_ = 0, received_ = 0;
};

}  // namespace spillway::load
