#include "ops/routes.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/prometheus.h"

namespace spillway::ops {
namespace {

http::Response text(int status, std::string body) {
  http::Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  response.no_store = true;
  return response;
}

void ready(const RouteContext& context, const http::Request& request, http::Exchange exchange) {
  const std::vector<Check> checks = context.readiness();
  const bool good = std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.ok; });
  std::string body = good ? "ready\n" : "not ready\n";
  if (request.query("verbose")) {
    body.clear();
    for (const Check& check : checks) {
      body += fmt::format("[{}] {}{}{}\n", check.ok ? '+' : '-', check.name, check.detail.empty() ? "" : ": ",
                          check.detail);
    }
    body += good ? "ready\n" : "not ready\n";
  }
  auto response = text(good ? 200 : 503, std::move(body));
  if (!good) response.retry_after_s = 1;
  exchange.reply(std::move(response));
}

/// Asks every source in turn and answers when the last one has.
class MetricsPage : public std::enable_shared_from_this<MetricsPage> {
 public:
  MetricsPage(const std::vector<MetricsSource>& sources, http::Exchange exchange)
      : sources_(sources), exchange_(std::move(exchange)) {}

  void next() {
    if (asked_ == sources_.size()) {
      auto response = text(200, std::move(body_));
      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
      return exchange_.reply(std::move(response));
    }
    const MetricsSource& source = sources_[asked_++];
    source([self = shared_from_this()](std::string part) {
      self->body_ += part;
      self->next();
    });
  }

 private:
  const std::vector<MetricsSource>& sources_;
  http::Exchange exchange_;
  std::string body_;
  std::size_t asked_ = 0;
};

/// The resident set in bytes, from the second number of /proc/self/statm; 0 where there is no /proc.
std::uint64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  unsigned long long total = 0, resident = 0;
  if (std::fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
  std::fclose(file);
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t open_files() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  std::uint64_t count = 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count > 3 ? count - 3 : 0;  // ".", ".." and the directory itself
}

}  // namespace

void add_routes(http::Router& router, RouteContext context) {
  auto shared = std::make_shared<const RouteContext>(std::move(context));
  router.add(http::Method::kGet, "/livez", [](const http::Request& request, http::Exchange exchange) {
    exchange.reply(text(200, request.query("verbose") ? "[+] process\nlive\n" : "live\n"));
  });
  router.add(http::Method::kGet, "/readyz", [shared](const http::Request& request, http::Exchange exchange) {
    ready(*shared, request, std::move(exchange));
  });
  router.add(http::Method::kGet, "/metrics", [shared](const http::Request&, http::Exchange exchange) {
    std::make_shared<MetricsPage>(shared->metrics, std::move(exchange))->next();
  });
}

void append_process_metrics(std::string& out, Micros uptime_us, Timestamp wall) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / kSecond;
  };
  append_metric(out, "process_cpu_seconds_total", "counter", "User and system CPU time.",
                seconds(usage.ru_utime) + seconds(usage.ru_stime));
  append_metric(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
  append_metric(out, "process_open_fds", "gauge", "Open file descriptors.", open_files());
  append_metric(out, "spillway_uptime_seconds", "gauge", "Time since the server started.",
                static_cast<double>(uptime_us) / kSecond);
  append_metric(out, "spillway_time_seconds", "gauge", "The wall clock, by which events open and close.",
                static_cast<double>(wall.us) / kSecond);
}

void append_readiness_metric(std::string& out, const std::vector<Check>& checks) {
  const bool ready = std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.ok; });
  append_metric(out, "spillway_ready", "gauge", "1 while /readyz answers 200.", ready ? 1 : 0);
}

void append_disk_metrics(std::string& out, const std::string& directory) {
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) != 0) return;
  const auto bytes = [&disk](fsblkcnt_t blocks) {
    return static_cast<std::uint64_t>(blocks) * disk.f_frsize;
  };
  append_metric(out, "spillway_data_size_bytes", "gauge", "Of the file system that holds the data directory.",
                bytes(disk.f_blocks));
  append_metric(out, "spillway_data_free_bytes", "gauge", "Of it, free for the server.",
                bytes(disk.f_bavail));
}

void append_engine_metrics(std::string& out, const journal::EngineStats& stats,
                           const journal::RecoveryReport& recovery) {
  append_metric(out, "spillway_journal_durable_sequence", "gauge",
                "Events made durable since the journal began.", stats.durable_sequence);
  append_metric(out, "spillway_journal_commits_total", "counter", "Groups written.", stats.groups);
  append_metric(out, "spillway_journal_written_bytes_total", "counter", "Bytes written, with padding.",
                stats.bytes_written);
  append_metric(out, "spillway_journal_segments", "gauge", "Segment files.", stats.segments);
  append_metric(out, "spillway_journal_snapshots_total", "counter", "Snapshots made since the start.",
                stats.snapshots);
  append_metric(out, "spillway_journal_snapshot_failures_total", "counter",
                "Snapshots that could not be made, since the start.", stats.snapshot_failures);
  append_metric(out, "spillway_journal_failed", "gauge",
                "1 from a write that failed to the end of the process.", static_cast<int>(stats.failed));
  append_metric(out, "spillway_journal_storage_full", "gauge", "1 while there is no room for more.",
                static_cast<int>(stats.storage_full));
  append_metric(out, "spillway_engine_tasks_in_works", "gauge", "Tasks taken and not yet answered.",
                stats.in_works);
  append_metric(out, "spillway_engine_longest_turn_seconds", "gauge",
                "The longest time that eight tasks in a row held the state thread.",
                static_cast<double>(stats.longest_turn_us) / kSecond);
  append_metric(out, "spillway_recovery_seconds", "gauge", "How long the last start took to recover.",
                static_cast<double>(recovery.took_us) / kSecond);
  append_metric(out, "spillway_recovery_records", "gauge", "Events replayed by the last start.",
                recovery.records);
}

}  // namespace spillway::ops
