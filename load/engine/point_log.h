#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "load/measure/metrics.h"

namespace spillway::load {

/// Every single value as a line of JSON, in the form of `k6 run --out json`. Expensive, and meant for small
/// runs. Thread-safe.
class PointLog {
 public:
  /// Errors: invalid_argument (the file cannot be written).
  static Result<std::unique_ptr<PointLog>> make(const std::string& file);
  ~PointLog();

  void add(const Metric&, const Tags&, double value);
  /// Writes what is left. Errors: storage_full.
  Status finish();

 private:
  explicit PointLog(std::FILE* file) : file_(file) {}

  std::mutex mutex_;
  std::FILE* file_;
  std::set<std::string> told_;  // metrics whose "Metric" line is there
};

}  // namespace spillway::load
