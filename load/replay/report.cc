#include "load/replay/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

namespace spillway::load::replay {
namespace {

constexpr double kSaturated = 0.97;  // above this the client was the bottleneck

std::string latency_json(const Latency& latency, bool open_loop) {
  const std::string response = to_json(latency.response);
  return fmt::format(R"({{"response_us":{},"service_us":{}}})", response,
                     open_loop ? to_json(latency.service) : response);
}

std::string statuses(const Report& report) {
  std::string out;
  for (std::size_t status = 0; status < report.status.size(); ++status) {
    if (report.status[status] == 0) continue;
    fmt::format_to(std::back_inserter(out), R"({}"{}":{})", out.empty() ? "" : ",", status,
                   report.status[status]);
  }
  return "{" + out + "}";
}

std::uint64_t of_class(const Report& report, std::size_t hundreds) {
  std::uint64_t sum = 0;
  for (std::size_t status = hundreds * 100; status < (hundreds + 1) * 100; ++status)
    sum += report.status[status];
  return sum;
}

std::string server_use(const Plan& plan, const Report& report) {
  const auto answered = static_cast<double>(std::max<std::uint64_t>(report.answered, 1));
  const auto per_request_us = [&](std::int64_t ns) { return static_cast<double>(ns) / 1e3 / answered; };
  std::string threads;
  for (const auto& [name, ns] : report.server_after.by_thread) {
    const auto before = report.server_before.by_thread.find(name);
    const std::int64_t used = ns - (before == report.server_before.by_thread.end() ? 0 : before->second);
    fmt::format_to(std::back_inserter(threads), "{}{}:{:.3f}", threads.empty() ? "" : ",", quoted(name),
                   per_request_us(used));
  }
  const auto ticks =
      static_cast<double>(std::max<std::int64_t>(1, report.core_after.total - report.core_before.total));
  return fmt::format(
      R"({{"pid":{},"cpu_us_per_request":{:.3f},"threads_us_per_request":{{{}}},"core_busy":{:.3f},)"
      R"("core_stolen":{:.3f},"resident_before":{},"resident_after":{}}})",
      plan.server_pid, per_request_us(report.server_after.cpu_ns - report.server_before.cpu_ns), threads,
      static_cast<double>(report.core_after.busy - report.core_before.busy) / ticks,
      static_cast<double>(report.core_after.steal - report.core_before.steal) / ticks,
      report.server_before.resident_bytes, report.server_after.resident_bytes);
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) > 0x7e) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string to_json(const Histogram& h) {
  return fmt::format(
      R"({{"count":{},"mean":{:.1f},"p50":{:.1f},"p90":{:.1f},"p99":{:.1f},"p999":{:.1f},"max":{:.1f}}})",
      h.count(), h.mean_us(), h.quantile_us(0.5), h.quantile_us(0.9), h.quantile_us(0.99),
      h.quantile_us(0.999), static_cast<double>(h.max_ns()) / 1e3);
}

std::string to_json(const Plan& plan, const Report& report) {
  const bool open_loop = plan.rate > 0;
  const double seconds = std::max(report.seconds, 1e-9);
  std::string out = "{";
  const auto add = [&](std::string_view name, const std::string& json) {
    fmt::format_to(std::back_inserter(out), R"({}"{}":{})", out.size() == 1 ? "" : ",", name, json);
  };
  const std::uint64_t accepted = of_class(report, 2);
  const std::uint64_t refused = report.status[429] + report.status[503];
  add("mode", open_loop ? "\"open\"" : "\"closed\"");
  add("connections", fmt::format("{}", plan.connections));
  add("seconds", fmt::format("{:.3f}", report.seconds));
  add("target_rate", fmt::format("{:.0f}", plan.rate));
  add("sent_rate", fmt::format("{:.0f}", static_cast<double>(report.asked) / seconds));
  add("rate", fmt::format("{:.0f}", static_cast<double>(report.answered) / seconds));
  add("accepted_rate", fmt::format("{:.0f}", static_cast<double>(accepted) / seconds));
  add("refused_rate", fmt::format("{:.0f}", static_cast<double>(refused) / seconds));
  add("sent", fmt::format("{}", report.asked));
  add("answered", fmt::format("{}", report.answered));
  add("accepted_total", fmt::format("{}", report.accepted_total));
  add("status", statuses(report));
  add("classes", fmt::format(R"({{"2xx":{},"3xx":{},"4xx":{},"5xx":{},"429":{},"503":{}}})", accepted,
                             of_class(report, 3), of_class(report, 4), of_class(report, 5),
                             report.status[429], report.status[503]));
  add("accepted", latency_json(report.accepted, open_loop));
  add("refused", latency_json(report.refused, open_loop));
  add("other", latency_json(report.other, open_loop));
  add("schedule_lag_us", to_json(report.lag));
  add("not_sent", fmt::format("{}", report.not_sent));
  add("unanswered", fmt::format("{}", report.unanswered));
  add("closed_connections", fmt::format("{}", report.closed_connections));
  add("malformed", fmt::format("{}", report.malformed));
  add("retry_after", fmt::format(R"({{"checked":{},"missing":{}}})", report.retry_after_checked,
                                 report.retry_after_missing));
  add("body", fmt::format(R"({{"checked":{},"wrong":{}}})", report.body_checked, report.body_wrong));
  add("ran_dry", report.ran_dry ? "true" : "false");
  add("client",
      fmt::format(R"({{"busy":{:.3f},"on_cpu":{:.3f},"cpu_us_per_request":{:.3f},"bottleneck":{}}})",
                  report.client_busy, report.client_on_cpu, report.client_cpu_us,
                  report.client_busy >= kSaturated ? "true" : "false"));
  add("server", server_use(plan, report));
  add("sample", quoted(report.sample));
  return out + "}";
}

}  // namespace spillway::load::replay
