#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http/server.h"
#include "ops/live_series.h"

namespace spillway::ops {

/// Counts requests by method, route and status, with OpenTelemetry's duration buckets.
///
/// Concurrency: each http thread writes its own table, so that counting costs a few plain stores; render()
/// may run on any thread and sees each number whole, though not all of one instant.
class HttpMetrics final : public http::RequestObserver {
 public:
  HttpMetrics(const std::vector<http::Router::Route>& routes, std::size_t loops);
  ~HttpMetrics() override;

  void on_request(std::size_t loop, int route, int status, Micros took_us) override;
  /// Appends `http_server_request_duration_seconds` in Prometheus' text format.
  void render(std::string& out) const;
  /// What was counted so far, over all routes and threads.
  HttpTotals totals() const;

 private:
  static constexpr std::array<Micros, 14> kBoundsUs = {5'000,     10'000,    25'000,    50'000,    75'000,
                                                       100'000,   250'000,   500'000,   750'000,   1'000'000,
                                                       2'500'000, 5'000'000, 7'500'000, 10'000'000};
  static constexpr std::size_t kStatusesPerRoute = 16;  ///< past it the last one counts for the others
  struct Histogram {
    std::atomic<int> status{0};
    std::atomic<std::uint64_t> sum_us{0};
    std::array<std::atomic<std::uint64_t>, kBoundsUs.size() + 1> counts{};
  };
  using RouteTable = std::array<Histogram, kStatusesPerRoute>;

  std::vector<http::Router::Route> routes_;  ///< and one more at the end, for what matched none
  std::vector<std::unique_ptr<RouteTable[]>> loops_;
};

}  // namespace spillway::ops
