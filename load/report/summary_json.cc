#include <openssl/evp.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <string_view>

#include "base/json_writer.h"
#include "base/text.h"
#include "load/report/figures.h"
#include "load/report/summary.h"
#include "load/verdict/verdict.h"

namespace spillway::load {
namespace {

constexpr int kFormat = 1;                          // of the key "spillway"
constexpr double kLargestExact = 9007199254740992;  // 2^53

/// k6's ids of groups and checks: only for telling them apart.
std::string md5_hex(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr) != 1) return {};
  return hex({reinterpret_cast<const char*>(digest), size});
}

/// Whole numbers as such: to_chars would write 1e+06.
void put(JsonWriter& json, std::string_view key, double number) {
  json.key(key);
  if (std::trunc(number) == number && std::abs(number) < kLargestExact) {
    json.value(static_cast<std::int64_t>(number));
  } else {
    json.value(number);
  }
}

void write_checks(JsonWriter& json, const Results& results) {
  json.key("root_group").open_object();
  json.member("name", "").member("path", "").member("id", md5_hex(""));
  json.key("groups").open_array().close_array();
  json.key("checks").open_array();
  for (const CheckResult& check : results.checks) {
    const std::string path = "::" + check.name;
    json.open_object().member("name", check.name).member("path", path).member("id", md5_hex(path));
    json.member("passes", check.passes).member("fails", check.fails).close_object();
  }
  json.close_array().close_object();
}

void write_values(JsonWriter& json, const SummaryMetric& one, double duration_s) {
  json.key("values").open_object();
  switch (one.type) {
    case MetricType::kCounter:
      put(json, "count", one.sink.sum);
      put(json, "rate", duration_s > 0 ? one.sink.sum / duration_s : 0);
      break;
    case MetricType::kGauge:
      put(json, "value", one.sink.last);
      put(json, "min", one.sink.min);
      put(json, "max", one.sink.max);
      break;
    case MetricType::kRate:
      put(json, "rate", one.sink.rate());
      put(json, "passes", one.sink.sum);
      put(json, "fails", static_cast<double>(one.sink.samples) - one.sink.sum);
      break;
    case MetricType::kTrend: {
      const auto figures = trend_figures(one.sink);
      for (std::size_t i = 0; i < figures.size(); ++i) put(json, kTrendStats[i], figures[i]);
      break;
    }
  }
  json.close_object();
}

void write_metrics(JsonWriter& json, const Results& results) {
  json.key("metrics").open_object();
  for (const SummaryMetric& one : summary_metrics(results)) {
    json.key(one.name).open_object().member("type", name(one.type)).member("contains", name(one.contains));
    write_values(json, one, results.duration_s);
    if (!one.thresholds.empty()) {
      json.key("thresholds").open_object();
      std::set<std::string_view> written;  // a plan may say the same twice, an object may not
      for (const ThresholdResult* threshold : one.thresholds) {
        if (!written.insert(threshold->expression).second) continue;
        json.key(threshold->expression).open_object().member("ok", threshold->ok).close_object();
      }
      json.close_object();
    }
    json.close_object();
  }
  json.close_object();
}

void write_texts(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.key(key).open_array();
  for (const std::string& text : texts) json.value(text);
  json.close_array();
}

void write_times(JsonWriter& json, std::string_view key, const StepFigures::Times& t) {
  json.key(key).open_object();
  put(json, "p50", t.p50);
  put(json, "p90", t.p90);
  put(json, "p95", t.p95);
  put(json, "p99", t.p99);
  put(json, "p99.9", t.p999);
  put(json, "p99.99", t.p9999);
  put(json, "max", t.max);
  json.close_object();
}

void write_judged(JsonWriter& json, const Results& results) {
  json.key("thresholds").open_array();
  for (const ThresholdResult& one : results.thresholds) {
    json.open_object().member("metric", one.metric).member("expression", one.expression).member("ok", one.ok);
    put(json, "value", one.value);
    if (!one.warn.empty()) json.member("warn", one.warn).member("warn_ok", one.warn_ok);
    json.member("core", one.core).close_object();
  }
  json.close_array().key("invariants").open_array();
  for (const InvariantResult& one : results.invariants) {
    json.open_object().member("name", one.name).member("ok", one.ok).member("looked_at", one.looked_at);
    json.member("violations", one.violations).member("detail", one.detail).close_object();
  }
  json.close_array().key("faults").open_array();
  for (const FaultResult& one : results.faults) {
    json.open_object().member("name", one.name);
    put(json, "from_s", one.from_s);
    put(json, "until_s", one.until_s);
    if (one.recovery_s < 0) {
      json.key("recovery_s").raw("null");
    } else {
      put(json, "recovery_s", one.recovery_s);
    }
    json.member("failed_requests", one.failed_requests).member("detail", one.detail).close_object();
  }
  json.close_array();
}

void write_self(JsonWriter& json, const SelfWatch& self) {
  json.key("self").open_object();
  put(json, "cpu_cores", self.cpu_cores);
  put(json, "busiest_thread", self.busiest_thread);
  put(json, "lag_p99_ms", self.lag_p99_ms);
  put(json, "lag_max_ms", self.lag_max_ms);
  json.member("dropped_iterations", self.dropped_iterations).member("socket_errors", self.socket_errors);
  json.member("bytes_per_vu", self.bytes_per_vu);
  write_texts(json, "grounds", self.grounds);
  json.close_object();
}

void write_point(JsonWriter& json, const TimelinePoint& point) {
  json.open_object();
  put(json, "at_s", point.at_s);
  json.member("vus", point.vus).member("vus_max", point.vus_max).member("requests", point.requests);
  json.member("failed", point.failed).member("iterations", point.iterations).member("dropped", point.dropped);
  const auto percentiles = [&](std::string_view key, const TimelinePoint::Percentiles& p) {
    json.key(key).open_object();
    put(json, "p50", p.p50);
    put(json, "p95", p.p95);
    put(json, "p99", p.p99);
    put(json, "max", p.max);
    json.close_object();
  };
  percentiles("service", point.service);
  percentiles("response", point.response);
  put(json, "p95_of_10s", point.p95_of_10s);
  const auto map = [&](std::string_view key, const std::map<std::string, double>& values) {
    json.key(key).open_object();
    for (const auto& [what, value] : values) put(json, what, value);
    json.close_object();
  };
  map("steps", point.steps);
  map("gauges", point.gauges);
  put(json, "generator_cpu", point.generator_cpu);
  put(json, "lag_p99_ms", point.lag_p99_ms);
  json.close_object();
}

void write_ours(JsonWriter& json, const Results& results) {
  json.key("spillway").open_object().member("format", kFormat).member("verdict", name(results.verdict));
  json.member("exit_code", exit_code(results));
  write_texts(json, "grounds", results.grounds);
  write_texts(json, "action_items", results.action_items);
  json.member("aborted", results.aborted).member("errors_steady", results.errors_steady);
  json.key("spikes_at_s").open_array();
  for (const double at : results.spikes_at_s) json.value(at);
  json.close_array();
  json.key("plan").open_object().member("name", results.plan).member("title", results.title);
  json.member("description", results.description).close_object();
  json.member("command", results.command).member("started_at", results.started_at);
  put(json, "duration_s", results.duration_s);
  json.key("environment").open_object();
  std::set<std::string_view> written;
  for (const auto& [what, value] : results.environment) {
    if (written.insert(what).second) json.member(what, value);
  }
  json.close_object();
  write_judged(json, results);
  write_self(json, results.self);
  json.key("steps").open_array();
  for (const StepFigures& step : step_figures(results)) {
    json.open_object().member("name", step.name).member("count", step.count).member("failed", step.failed);
    write_times(json, "service", step.service);
    write_times(json, "response", step.response);
    json.close_object();
  }
  json.close_array().key("timeline").open_array();
  for (const TimelinePoint& point : results.timeline) write_point(json, point);
  json.close_array().close_object();
}

}  // namespace

std::string summary_json(const Results& results) {
  std::string out;
  JsonWriter json(out);
  json.open_object();
  write_checks(json, results);
  json.key("options").open_object().key("summaryTrendStats").open_array();
  for (const std::string_view stat : kTrendStats) json.value(stat);
  json.close_array().member("summaryTimeUnit", "").member("noColor", true).close_object();
  json.key("state").open_object().member("isStdOutTTY", false).member("isStdErrTTY", false);
  put(json, "testRunDurationMs", results.duration_s * 1000);
  json.close_object();
  write_metrics(json, results);
  write_ours(json, results);
  json.close_object();
  out += '\n';
  return out;
}

}  // namespace spillway::load
