#include <fmt/format.h>

#include <iterator>

#include "base/prometheus.h"
#include "waitroom/routes.h"

namespace spillway::waitroom {
namespace {

template <class Bounds, class H>
void append_histogram(std::string& out, std::string_view name, std::string_view help, const Bounds& bounds,
                      const H& histogram) {
  append_metric_head(out, name, "histogram", help);
  auto to = std::back_inserter(out);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    below += histogram.counts[i];
    fmt::format_to(to, "{}_bucket{{le=\"{}\"}} {}\n", name, bounds[i], below);
  }
  below += histogram.counts.back();
  fmt::format_to(to, "{0}_bucket{{le=\"+Inf\"}} {1}\n{0}_count {1}\n{0}_sum {2}\n", name, below,
                 histogram.sum_seconds);
}

}  // namespace

void append_metrics(std::string& out, const Metrics& metrics) {
  auto to = std::back_inserter(out);
  append_metric_head(out, "queue_entry_count_total", "counter", "People who entered a line.");
  for (const Metrics::Concert& c : metrics.concerts) {
    fmt::format_to(to, "queue_entry_count_total{{concert_id=\"{}\"}} {}\n", c.concert_id, c.entered);
  }
  append_metric_head(out, "queue_exit_count_total", "counter", "People who are gone, by why.");
  for (const Metrics::Concert& c : metrics.concerts) {
    const std::pair<const char*, std::uint64_t> reasons[] = {
        {"left", c.left}, {"not_activated", c.not_activated}, {"idle", c.idle}, {"too_old", c.too_old}};
    for (const auto& [reason, count] : reasons) {
      fmt::format_to(to, "queue_exit_count_total{{concert_id=\"{}\",reason=\"{}\"}} {}\n", c.concert_id,
                     reason, count);
    }
  }
  append_metric_head(out, "queue_wait_size", "gauge", "People who wait.");
  for (const Metrics::Concert& c : metrics.concerts) {
    fmt::format_to(to, "queue_wait_size{{concert_id=\"{}\"}} {}\n", c.concert_id, c.waiting);
  }
  append_metric_head(out, "queue_active_size", "gauge", "People who are READY or ACTIVE.");
  for (const Metrics::Concert& c : metrics.concerts) {
    fmt::format_to(to, "queue_active_size{{concert_id=\"{}\"}} {}\n", c.concert_id, c.occupied);
  }
  append_histogram(out, "activation_wait_time_seconds", "Time from entering to activation.", kWaitBounds,
                   metrics.activation_wait);
  append_histogram(out, "active_usage_time_seconds", "Time from activation to the end.",
                   Metrics::kUsageBounds, metrics.active_usage);
}

}  // namespace spillway::waitroom
