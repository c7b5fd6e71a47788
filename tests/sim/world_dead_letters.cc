// What operators do about dead letters, and what must hold then.

#include <algorithm>

#include "text.h"
#include "world.h"

namespace spillway::intake::sim {

/// The work behind it fails for a while: only so do many die.
void World::backend_breaks() {
  broken_ = !broken_ && one_in(3);
  note(broken_ ? "the backend breaks" : "the backend works");
}

DeadLetterFilter World::some_filter() {
  DeadLetterFilter filter;
  if (one_in(3)) filter.event_id = some_event();
  if (one_in(4)) filter.reason = one_in(2) ? "gate" : "worker";
  if (one_in(8)) filter.failure_class = one_in(3) ? FailureClass::kNonRetryable : FailureClass::kRetryable;
  if (one_in(4)) filter.dead_before = now_ - static_cast<Micros>(random(60 * kSecond));
  if (one_in(6)) {
    filter.request_ids.push_back("no request at all");
    for (const DeadLetter& letter : model_.dead_letters({})) {
      if (one_in(2)) filter.request_ids.push_back(letter.request_id);
    }
    if (model_.last() != 0) filter.request_ids.push_back(request_id(seed_, 1 + random(model_.last())));
  }
  return filter;
}

void World::operator_redrives() {
  due(10'000);
  sync();  // what the one before has put back is seen as its doing
  if (const auto last = model_.redriving(); last.ok() && !model_.redrive_runs()) {
    if (last->state == RedriveState::kStoppedByFailures) ++tally_.stopped_by_failures;
    tally_.redriven = std::max(tally_.redriven, last->redriven);
  }
  const Redrive command{some_filter(),
                        static_cast<std::uint32_t>(1 + random(one_in(3) ? 100 : 4)),
                        static_cast<std::uint32_t>(1 + random(10)),
                        {"ada", "127.0.0.1"}};
  const auto reply = subject_.decide(command, now_);
  note(fmt::format("redrive: {}", text(reply)));
  expect_same("redrive", text(reply), text(model_.redrive(command, now_)));
  log([command, now = now_](Model& m) { (void)m.redrive(command, now); });
  if (!reply.ok()) return;
  ++tally_.redrives;
  ++redrives_;
}

void World::operator_stops_redrive() {
  due(10'000);
  const auto reply = subject_.stop_redrive(now_);
  note(fmt::format("stop redrive: {}", text(reply)));
  expect_same("stop redrive", text(reply), text(model_.stop_redrive(now_)));
  log([now = now_](Model& m) { (void)m.stop_redrive(now); });
}

void World::operator_discards() {
  const DiscardDeadLetters command{some_filter(), "nobody wants it", {"ada", "127.0.0.1"}};
  const auto reply = subject_.decide(command, now_);
  note(fmt::format("discard: {}", text(reply)));
  expect_same("discard", text(reply), text(model_.discard(command, now_)));
  log([command, now = now_](Model& m) { (void)m.discard(command, now); });
  if (reply.ok()) tally_.discarded += reply->discarded;
}

void World::operator_looks_at_dead_letters() {
  check_dead_letters(some_filter());
  expect_same("the redrive", text(subject_.redrive()), text(model_.redriving()));
}

/// All pages, each item by itself, and the preview.
void World::check_dead_letters(const DeadLetterFilter& filter) {
  const Machine& machine = subject_.machine();
  const auto preview = machine.preview_redrive(filter);
  if (!filter.event_id.empty() && !model_.events().contains(filter.event_id)) {
    if (preview.ok()) fail("a preview for no event");
    return;
  }
  const auto expected = model_.dead_letters(filter);
  if (!preview.ok() || preview->matching != expected.size()) {
    fail(fmt::format("preview of {} dead letters, not {}", preview.ok() ? preview->matching : 0,
                     expected.size()));
  }
  for (std::size_t i = 0; i < preview->sample.size(); ++i) {
    expect_same("sample", preview->sample[i], expected.at(i).request_id);
  }
  ListDeadLetters query{filter, static_cast<std::uint32_t>(1 + random(50)), ""};
  std::size_t at = 0;
  for (;;) {
    const auto page = machine.list(query);
    if (!page.ok()) fail("dead letters: " + text(page.error()));
    if (page->total != model_.stats(now_).dead_letters) fail("dead letters: another total");
    for (const DeadLetter& item : page->items) {
      if (at >= expected.size()) fail("dead letters: more than there are");
      expect_same("dead letter", text(item), text(expected[at]));
      const auto detail = machine.dead_letter(item.request_id);
      if (!detail.ok()) fail("a dead letter that cannot be inspected: " + item.request_id);
      const auto whole = model_.detail(*request_number(seed_, item.request_id));
      expect_same("its attempts", text(detail->attempts), text(whole.attempts));
      expect_same("its body", detail->body, whole.body);
      ++at;
    }
    if (page->next_cursor.empty()) break;
    query.cursor = page->next_cursor;
  }
  if (at != expected.size()) fail(fmt::format("dead letters: {} of {}", at, expected.size()));
}

}  // namespace spillway::intake::sim
