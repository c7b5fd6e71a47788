// Final states and their telling.

#include <algorithm>

#include "model.h"
#include "text.h"

namespace spillway::intake::sim {

void Model::supersede_hook(Request& r) {
  if (r.hooks.empty()) return;
  if (r.hooks.back().state == WebhookState::kPending) {
    r.hooks.pop_back();
  } else {
    r.hooks.back().superseded = true;
  }
}

void Model::hook_taken(std::uint64_t number, std::uint64_t id) { requests_.at(number).hooks.back().id = id; }

void Model::complete(const CompleteWebhooks& c, Timestamp now) {
  for (const WebhookOutcome& o : c.outcomes) {
    for (auto& [number, r] : requests_) {
      if (r.hooks.empty()) continue;
      Hook& hook = r.hooks.back();
      if (hook.id != o.id || hook.state != WebhookState::kPending || hook.attempts + 1 != o.attempt) continue;
      ++hook.attempts;
      ++hook.tries;
      hook.last_status = o.status;
      hook.last_reason = o.reason;
      hook.until = o.result == WebhookResult::kRetry ? now + o.retry_after_us : now;
      if (o.result == WebhookResult::kDelivered) hook.state = WebhookState::kDelivered;
      if (o.result == WebhookResult::kGiveUp) hook.state = WebhookState::kGivenUp;
    }
  }
}

Result<RedeliverResult> Model::redeliver(const RedeliverWebhooks& c, Timestamp now) {
  const auto event = events_.find(c.event_id);
  if (event == events_.end()) return not_found("");
  RedeliverResult result;
  for (const std::uint64_t number : event->second.requests) {
    auto& hooks = requests_.at(number).hooks;
    if (hooks.empty() || hooks.back().state != WebhookState::kGivenUp || hooks.back().superseded) continue;
    if (event->second.webhook.url.empty()) return Error{ErrorCode::kInvalidArgument, ""};
    ++result.redelivered;
    hooks.back().state = WebhookState::kPending;
    hooks.back().tries = 0;
    hooks.back().since = hooks.back().until = now;
  }
  return result;
}

bool Model::expire_hooks(Timestamp now) {
  bool any = false;
  for (auto& [number, r] : requests_) {
    if (r.hooks.empty()) continue;
    Hook& hook = r.hooks.back();
    if (hook.state != WebhookState::kPending || hook.since + rules_.webhook_max_age_us > now) continue;
    any = true;
    hook.state = WebhookState::kGivenUp;
    hook.last_reason = "could not be told in time";
    hook.until = now;
  }
  return any;
}

WebhookView Model::view(std::uint64_t number, const Hook& hook) const {
  const Request& r = requests_.at(number);
  const bool pending = hook.state == WebhookState::kPending;
  return {"",
          request_id(seed_, number),
          r.event,
          r.user,
          hook.status,
          hook.result,
          hook.state,
          hook.attempts,
          hook.last_status,
          hook.last_reason,
          hook.created_at,
          pending ? hook.until : Timestamp{},
          pending ? Timestamp{} : hook.until};
}

std::vector<std::string> Model::hooks(std::uint64_t number) const {
  std::vector<std::string> all;
  for (const Hook& hook : requests_.at(number).hooks) all.push_back(text(view(number, hook)));
  return all;
}

std::vector<std::string> Model::hooks_due(Timestamp now) const {
  std::vector<std::string> all;
  for (const auto& [number, r] : requests_) {
    if (r.hooks.empty()) continue;
    const Hook& hook = r.hooks.back();
    if (hook.state != WebhookState::kPending || hook.until > now) continue;
    WebhookJob job;
    job.attempt = hook.attempts + 1;
    job.tries = hook.tries + 1;
    job.to = events_.at(r.event).webhook;
    job.user_id = r.user;
    job.request = detail(number).view;
    all.push_back(text(job));
  }
  return all;
}

std::uint64_t Model::hooks_pending() const {
  std::uint64_t pending = 0;
  for (const auto& [number, r] : requests_)
    pending += !r.hooks.empty() && r.hooks.back().state == WebhookState::kPending ? 1 : 0;
  return pending;
}

}  // namespace spillway::intake::sim
