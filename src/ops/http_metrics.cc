#include "ops/http_metrics.h"

#include <fmt/format.h>

#include <iterator>
#include <map>

namespace spillway::ops {
namespace {

/// One writer: a load and a store, no locked instruction.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

}  // namespace

HttpMetrics::HttpMetrics(const std::vector<http::Router::Route>& routes, std::size_t loops)
    : routes_(routes) {
  for (std::size_t i = 0; i < loops; ++i) loops_.push_back(std::make_unique<RouteTable[]>(routes.size() + 1));
}
HttpMetrics::~HttpMetrics() = default;

void HttpMetrics::on_request(std::size_t loop, int route, int status, Micros took_us) {
  RouteTable& table = loops_[loop][route < 0 ? routes_.size() : static_cast<std::size_t>(route)];
  std::size_t slot = 0;
  while (slot + 1 < kStatusesPerRoute) {
    const int taken = table[slot].status.load(std::memory_order_relaxed);
    if (taken == status) break;
    if (taken == 0) {
      table[slot].status.store(status, std::memory_order_relaxed);
      break;
    }
    ++slot;
  }
  Histogram& histogram = table[slot];
  std::size_t bucket = 0;
  while (bucket < kBoundsUs.size() && took_us > kBoundsUs[bucket]) ++bucket;
  add(histogram.counts[bucket], 1);
  add(histogram.sum_us, static_cast<std::uint64_t>(took_us));
}

void HttpMetrics::render(std::string& out) const {
  constexpr std::string_view kName = "http_server_request_duration_seconds";
  auto to = std::back_inserter(out);
  fmt::format_to(to, "# HELP {0} Time from the whole request to the reply.\n# TYPE {0} histogram\n", kName);
  for (std::size_t route = 0; route <= routes_.size(); ++route) {
    struct Sum {
      std::array<std::uint64_t, kBoundsUs.size() + 1> counts{};
      std::uint64_t sum_us = 0;
    };
    std::map<int, Sum> by_status;
    for (const auto& loop : loops_) {
      for (const Histogram& histogram : loop[route]) {
        std::uint64_t any = 0;
        for (const auto& count : histogram.counts) any += count.load(std::memory_order_relaxed);
        if (any == 0) continue;
        Sum& sum = by_status[histogram.status.load(std::memory_order_relaxed)];
        for (std::size_t i = 0; i < sum.counts.size(); ++i) {
          sum.counts[i] += histogram.counts[i].load(std::memory_order_relaxed);
        }
        sum.sum_us += histogram.sum_us.load(std::memory_order_relaxed);
      }
    }
    const bool known = route < routes_.size();
    const std::string_view method = known ? name(routes_[route].method) : "other";
    const std::string_view pattern = known ? std::string_view(routes_[route].pattern) : "none";
    for (const auto& [status, sum] : by_status) {
      const std::string labels = fmt::format("method=\"{}\",route=\"{}\",status=\"{}\"", method, pattern,
                                             status == 0 ? std::string("other") : std::to_string(status));
      std::uint64_t below = 0;
      for (std::size_t i = 0; i < kBoundsUs.size(); ++i) {
        below += sum.counts[i];
        fmt::format_to(to, "{}_bucket{{{},le=\"{}\"}} {}\n", kName, labels,
                       static_cast<double>(kBoundsUs[i]) / kSecond, below);
      }
      below += sum.counts.back();
      fmt::format_to(to, "{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_count{{{1}}} {2}\n{0}_sum{{{1}}} {3}\n",
                     kName, labels, below, static_cast<double>(sum.sum_us) / kSecond);
    }
  }
}

HttpTotals HttpMetrics::totals() const {
  HttpTotals totals;
  for (const auto& loop : loops_) {
    for (std::size_t route = 0; route <= routes_.size(); ++route) {
      for (const Histogram& histogram : loop[route]) {
        std::uint64_t here = 0;
        for (const auto& count : histogram.counts) here += count.load(std::memory_order_relaxed);
        totals.requests += here;
        if (histogram.status.load(std::memory_order_relaxed) >= 500) totals.errors += here;
      }
    }
  }
  return totals;
}

}  // namespace spillway::ops
