#pragma once

// Replies as text: what the machine and the model say is compared, and shown when it differs.

#include <fmt/core.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "intake/commands.h"

namespace spillway::intake::sim {

inline std::string text(const Error& e) { return std::string(error_info(e.code).code); }
inline std::string text(const Participation& p) { return p.request_id + (p.duplicate ? " again" : " new"); }
inline std::string text(const EventView& e) {
  return fmt::format(
      "{} '{}' {}/{} {}..{} {}{}", e.event_id, e.title, e.capacity_remaining, e.capacity_total, e.opens_at.us,
      e.closes_at.us,
      fmt::format("{} {} {} {}", name(e.work), name(e.phase), e.webhook.url, e.webhook.secret_name),
      e.created ? " created" : "");
}
inline std::string text(const std::vector<Delivery>& deliveries) {
  std::string out = "delivered";
  for (const Delivery& d : deliveries) {
    out += fmt::format(" {}#{} {} {} '{}' {};", d.receipt.request_id, d.receipt.receive_count, d.event_id,
                       d.user_id, d.body, d.queued_at.us);
  }
  return out;
}
inline std::string text(const Acks& acks) {
  std::string out = "acks ";
  for (const Ack ack : acks.acks) out += "AS?"[static_cast<std::size_t>(ack)];
  return out;
}
inline std::string text(const QueueStats& s) {
  return fmt::format("visible {} in flight {} delayed {} oldest {} dead {} {}", s.visible, s.in_flight,
                     s.delayed, s.oldest_age_us, s.dead_letters, s.paused ? "paused" : "running");
}
inline std::string text(const RequestView& v) {
  return fmt::format("{} {} {} {} at {} {} {} {}", v.request_id, v.event_id, name(v.status),
                     name(v.result_code), v.position.value_or(0), v.queued_at.us, v.started_at.us,
                     v.finished_at.us);
}
inline std::string text(const std::vector<Attempt>& attempts) {
  std::string out;
  for (const Attempt& a : attempts) {
    out += fmt::format(" {}# {}..{} {} '{}'", a.attempt, a.started_at.us, a.ended_at.us,
                       static_cast<int>(a.outcome), a.reason);
  }
  return out;
}
/// Without ids of deliveries, which the machine gives.
inline std::string text(const WebhookView& w) {
  return fmt::format("{} of {} by {}: {} {} {} x{} {} '{}' {} {} {}", w.request_id, w.event_id, w.user_id,
                     name(w.status), name(w.result_code), name(w.state), w.attempts, w.last_status,
                     w.last_reason, w.created_at.us, w.next_attempt_at.us, w.ended_at.us);
}
inline std::string text(const WebhookJob& j) {
  return fmt::format("{} by {} #{} try {} to {} {}", text(j.request), j.user_id, j.attempt, j.tries, j.to.url,
                     j.to.secret_name);
}
inline std::string text(const RedeliverResult& r) { return fmt::format("{} and {}", r.redelivered, r.left); }
inline std::string text(const RequestDetail& d) {
  std::string out = fmt::format("{} {} '{}' x{} r{} {}{}", text(d.view), d.user_id, d.body, d.receive_count,
                                d.redrives, name(d.failure_class), text(d.attempts));
  for (const StatusLogEntry& e : d.status_log)
    out += fmt::format(" | {} {} {}", name(e.status), e.at.us, e.reason);
  if (d.webhook) out += " told: " + text(*d.webhook);
  return out;
}
inline std::string text(const DeadLetter& d) {
  return fmt::format("{} {} {} dead {} x{} r{} {} {} '{}'", d.request_id, d.event_id, d.user_id, d.dead_at.us,
                     d.receive_count, d.redrives, name(d.failure_class), name(d.result_code), d.last_reason);
}
inline std::string text(const DeadLetterFilter& f) {
  std::string out =
      fmt::format("{} {} '{}' {}", f.event_id, name(f.failure_class), f.reason, f.dead_before.us);
  for (const std::string& id : f.request_ids) out += " " + id;
  return out;
}
inline std::string text(const RedriveView& r) {
  return fmt::format("{} {} of {} redriven {} = {} + {} + {}.. {}..{} [{}] {}/s until {}", r.redrive_id,
                     name(r.state), r.matching, r.redriven, r.succeeded, r.rejected, r.failed_again,
                     r.started_at.us, r.finished_at.us, text(r.filter), r.rate_per_second,
                     r.stop_after_failures);
}
inline std::string text(const DiscardResult& d) { return fmt::format("discarded {}", d.discarded); }
inline std::string text(const StatusCounts& c) {
  return fmt::format("{} {} {} {} {} {}", c.received, c.queued, c.processing, c.succeeded, c.rejected,
                     c.failed_final);
}
template <class T>
std::string text(const Result<T>& result) {
  return result.ok() ? text(*result) : text(result.error());
}

}  // namespace spillway::intake::sim
