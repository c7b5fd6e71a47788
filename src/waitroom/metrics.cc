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
  const auto each = [&](std::string_view name, std::string_view kind, std::string_view help, bool other,
                        auto value) {
    append_metric_head(out, name, kind, help);
    for (const Metrics::Concert& c : metrics.concerts) {
      if (!other && &c == &metrics.concerts.front()) continue;
      fmt::format_to(to, "{}{{concert_id=\"{}\"}} {}\n", name, c.concert_id, std::uint64_t{value(c)});
    }
  };
  using C = Metrics::Concert;
  each("queue_wait_size", "gauge", "People who wait.", true, [](const C& c) { return c.waiting; });
  each("queue_active_size", "gauge", "People who are READY or ACTIVE.", true,
       [](const C& c) { return c.occupied; });
  // Of many concerts together these would mean nothing, so "other" has none.
  each("spillway_waitroom_present_size", "gauge", "Of those who wait, those who have asked lately.", false,
       [](const C& c) { return c.present; });
  each("spillway_waitroom_max_active", "gauge", "The cap of READY and ACTIVE.", false,
       [](const C& c) { return c.max_active; });
  each("spillway_waitroom_admitted_total", "counter", "People who were let in.", false,
       [](const C& c) { return c.admitted; });
  each("spillway_waitroom_paused", "gauge", "1 while it is paused.", false,
       [](const C& c) { return c.paused ? 1U : 0U; });
  each("spillway_waitroom_admitting", "gauge", "1 while people are let in as there is room.", false,
       [](const C& c) { return c.admitting ? 1U : 0U; });
  append_histogram(out, "activation_wait_time_seconds", "Time from entering to activation.", kWaitBounds,
                   metrics.activation_wait);
  append_histogram(out, "active_usage_time_seconds", "Time from activation to the end.",
                   Metrics::kUsageBounds, metrics.active_usage);
}

}  // namespace spillway::waitroom
