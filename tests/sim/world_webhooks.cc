// Receivers of webhooks, the operator who sends again, and what must hold then.

#include <algorithm>

#include "text.h"
#include "world.h"

namespace spillway::intake::sim {
namespace {

std::string end_of(const WebhookJob& job) {
  return fmt::format("{} at {}", name(job.request.status), job.request.finished_at.us);
}

}  // namespace

Webhook World::some_webhook() {
  return {fmt::format("https://{}.example/", random(3)), one_in(2) ? "" : "shop"};
}

/// All that is due is handed out; what is not answered comes again.
void World::receivers_take() {
  due(10'000);
  const auto jobs = subject_.due_webhooks(now_);
  std::vector<std::string> taken;
  for (const WebhookJob& job : jobs) taken.push_back(text(job));
  std::vector<std::string> expected = model_.hooks_due(now_);
  std::sort(taken.begin(), taken.end());
  std::sort(expected.begin(), expected.end());
  note(fmt::format("{} webhooks are due", jobs.size()));
  if (taken.size() != expected.size())
    fail(fmt::format("{} webhooks are due, not {}", taken.size(), expected.size()));
  for (std::size_t i = 0; i < taken.size(); ++i) expect_same("webhook", taken[i], expected[i]);
  std::erase_if(held_hooks_, [&](const HeldHook&) { return !calm_ && one_in(20); });  // never heard of again
  for (const WebhookJob& job : jobs) {
    if (!is_final(job.request.status)) fail("tells what is not final: " + job.request.request_id);
    const std::uint64_t number = *request_number(seed_, job.request.request_id);
    model_.hook_taken(number, job.id);
    log([number, id = job.id](Model& m) { m.hook_taken(number, id); });
    if (calm_ || one_in(2)) held_hooks_.push_back({job, subject_.written()});
  }
}

void World::receivers_answer() {
  CompleteWebhooks command;
  std::vector<HeldHook> kept;
  for (HeldHook& held : held_hooks_) {
    if (held.written > subject_.durable() || !(calm_ || one_in(3))) {
      kept.push_back(std::move(held));
      continue;
    }
    WebhookOutcome outcome;
    outcome.id = held.job.id;
    outcome.attempt = held.job.attempt;
    outcome.status = 204;
    if (!calm_ && !one_in(3)) {
      outcome.result = one_in(6) ? WebhookResult::kGiveUp : WebhookResult::kRetry;
      outcome.status = one_in(3) ? 0 : 503;
      outcome.reason = outcome.status == 0 ? "no answer" : "HTTP 503";
      outcome.retry_after_us = static_cast<Micros>(random(20 * kSecond));
    } else {
      ++(told_.emplace(held.job.request.request_id, end_of(held.job)).second ? tally_.told
                                                                             : tally_.told_again);
    }
    command.outcomes.push_back(outcome);
    if (!calm_ && one_in(10)) kept.push_back(held);  // says it again, much later
  }
  held_hooks_ = std::move(kept);
  subject_.complete(command, now_);
  note(fmt::format("{} webhooks answered", command.outcomes.size()));
  model_.complete(command, now_);
  log([command, now = now_](Model& m) { m.complete(command, now); });
}

void World::operator_redelivers() {
  const RedeliverWebhooks command{some_event(), {"ada", "127.0.0.1"}};
  const auto reply = subject_.decide(command, now_);
  note(fmt::format("redeliver {}: {}", command.event_id, text(reply)));
  expect_same("redeliver", text(reply), text(model_.redeliver(command, now_)));
  log([command, now = now_](Model& m) { (void)m.redeliver(command, now); });
  if (reply.ok()) tally_.redelivered_hooks += reply->redelivered;
}

/// The whole log, page by page; and that nobody claims to have told what no receiver has taken.
void World::check_webhooks() {
  const Machine& machine = subject_.machine();
  if (machine.webhooks_pending() != model_.hooks_pending()) fail("another number of webhooks is pending");
  std::map<std::uint64_t, std::vector<std::string>> listed;
  ListWebhooks query;
  query.limit = static_cast<std::uint32_t>(1 + random(50));
  std::size_t all = 0;
  do {
    const auto page = machine.list(query);
    if (!page.ok()) fail("webhooks: " + text(page.error()));
    for (const WebhookView& item : page->items) {
      auto& of = listed[*request_number(seed_, item.request_id)];
      of.insert(of.begin(), text(item));
      ++all;
      const std::string end = fmt::format("{} at {}", name(item.status), item.created_at.us);
      if (item.state == WebhookState::kDelivered && !told_.contains({item.request_id, end}))
        fail("nobody was told of " + text(item));
    }
    query.cursor = page->next_cursor;
  } while (!query.cursor.empty());
  std::size_t expected = 0;
  for (const auto& [number, r] : model_.requests()) {
    const std::vector<std::string> hooks = model_.hooks(number);
    expected += hooks.size();
    const auto& of = listed[number];
    if (of.size() != hooks.size())
      fail(fmt::format("{} webhooks of {}, not {}", of.size(), number, hooks.size()));
    for (std::size_t i = 0; i < hooks.size(); ++i) expect_same("webhook in the log", of[i], hooks[i]);
  }
  if (all != expected) fail(fmt::format("{} webhooks in the log, not {}", all, expected));
}

}  // namespace spillway::intake::sim
