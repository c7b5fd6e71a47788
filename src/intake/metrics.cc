#include <fmt/format.h>

#include <iterator>

#include "base/prometheus.h"
#include "intake/routes.h"

namespace spillway::intake {

void append_metrics(std::string& out, const Metrics& metrics) {
  auto to = std::back_inserter(out);
  append_metric_head(out, "spillway_intake_requests_total", "counter",
                     "Participations asked for, by what became of it.");
  fmt::format_to(to,
                 "spillway_intake_requests_total{{result=\"accepted\"}} {}\n"
                 "spillway_intake_requests_total{{result=\"duplicate\"}} {}\n"
                 "spillway_intake_requests_total{{result=\"refused\"}} {}\n",
                 metrics.accepted, metrics.duplicate, metrics.refused);
  append_metric_head(out, "spillway_intake_finished_total", "counter",
                     "Requests that reached a final state.");
  for (const Metrics::Finished& finished : metrics.finished) {
    fmt::format_to(to, "spillway_intake_finished_total{{status=\"{}\",result_code=\"{}\"}} {}\n",
                   name(finished.status), name(finished.result_code), finished.count);
  }
  append_metric(out, "spillway_intake_queue_visible", "gauge", "Requests waiting for a worker.",
                metrics.queue.visible);
  append_metric(out, "spillway_intake_queue_in_flight", "gauge", "Requests with a worker.",
                metrics.queue.in_flight);
  append_metric(out, "spillway_intake_queue_delayed", "gauge", "Requests waiting for their retry.",
                metrics.queue.delayed);
  append_metric(out, "spillway_intake_queue_paused", "gauge", "1 while the workers are paused.",
                metrics.queue.paused ? 1 : 0);
  append_metric(out, "spillway_intake_queue_oldest_age_seconds", "gauge",
                "Age of the oldest waiting request.",
                static_cast<double>(metrics.queue.oldest_age_us) / kSecond);
  append_metric(out, "spillway_intake_dead_letters", "gauge", "Requests whose tries are used up.",
                metrics.queue.dead_letters);
  append_metric(out, "spillway_intake_webhooks_pending", "gauge", "Final states that have still to be told.",
                metrics.webhooks_pending);
  append_metric(out, "spillway_intake_webhooks_delivered_total", "counter",
                "Final states that a webhook took.", metrics.webhooks_delivered);
  append_metric(out, "spillway_intake_webhooks_failed_total", "counter",
                "Tries to tell a final state that failed.", metrics.webhooks_failed);
  append_metric(out, "spillway_intake_webhooks_given_up_total", "counter",
                "Final states whose telling was given up.", metrics.webhooks_given_up);
  append_metric(out, "spillway_intake_redriven_total", "counter", "Dead letters put back into the queue.",
                metrics.redriven);
  append_metric(out, "spillway_intake_discarded_total", "counter", "Dead letters discarded.",
                metrics.discarded);
  append_metric(out, "spillway_intake_redrives_stopped_by_failures_total", "counter",
                "Redrives that stopped because too many failed again.", metrics.redrives_stopped_by_failures);
  append_metric(out, "spillway_intake_redrive_running", "gauge", "1 while a redrive runs.",
                metrics.queue.redrive ? 1 : 0);

  append_metric_head(out, "spillway_intake_decision_latency_seconds", "histogram",
                     "Time from queued to final.");
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < Metrics::kLatencyBounds.size(); ++i) {
    below += metrics.latency_counts[i];
    fmt::format_to(to, "spillway_intake_decision_latency_seconds_bucket{{le=\"{}\"}} {}\n",
                   Metrics::kLatencyBounds[i], below);
  }
  below += metrics.latency_counts.back();
  fmt::format_to(to,
                 "spillway_intake_decision_latency_seconds_bucket{{le=\"+Inf\"}} {0}\n"
                 "spillway_intake_decision_latency_seconds_count {0}\n"
                 "spillway_intake_decision_latency_seconds_sum {1}\n",
                 below, metrics.latency_sum_seconds);

  append_metric_head(out, "spillway_intake_capacity_remaining", "gauge", "Places left, by event.");
  for (const Metrics::Remaining& event : metrics.remaining) {
    fmt::format_to(to, "spillway_intake_capacity_remaining{{event_id=\"{}\"}} {}\n", event.event_id,
                   event.capacity_remaining);
  }
}

}  // namespace spillway::intake
