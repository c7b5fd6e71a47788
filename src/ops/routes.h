#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_function.h"
#include "http/server.h"
#include "journal/engine.h"

namespace spillway::ops {

/// One line of `/readyz?verbose`.
struct Check {
  std::string name;
  bool ok = false;
  std::string detail;  ///< for people; empty when there is nothing to say
};

/// A part of `/metrics`: answers once with lines in Prometheus' text format, on the loop that asked, perhaps
/// later.
using MetricsSource = std::function<void(UniqueFunction<void(std::string)>)>;

struct RouteContext {
  std::function<std::vector<Check>()> readiness;  ///< any http thread
  std::vector<MetricsSource> metrics;             ///< in the order of the page
};

/// `/livez`, `/readyz`, `/metrics`.
void add_routes(http::Router&, RouteContext);

void append_process_metrics(std::string& out, Micros uptime_us, Timestamp wall);
void append_readiness_metric(std::string& out, const std::vector<Check>&);
/// Of the file system that holds `directory`. Nothing when it cannot be asked.
void append_disk_metrics(std::string& out, const std::string& directory);
void append_engine_metrics(std::string& out, const journal::EngineStats&, const journal::RecoveryReport&);

}  // namespace spillway::ops
