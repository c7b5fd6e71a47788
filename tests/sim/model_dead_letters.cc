// What the model has to say about dead letters.

#include <fmt/core.h>

#include <algorithm>

#include "model.h"

namespace spillway::intake::sim {

using S = RequestStatus;

std::set<Model::Death> Model::dead() const {
  std::set<Death> all;
  for (const auto& [number, r] : requests_) {
    if (is_dead(r)) all.emplace(r.finished_at, number);
  }
  return all;
}

bool Model::is_meant(const DeadLetterFilter& filter, std::uint64_t number) const {
  const Request& r = requests_.at(number);
  if (!filter.event_id.empty() && filter.event_id != r.event) return false;
  if (filter.failure_class != FailureClass::kNone && filter.failure_class != r.failure) return false;
  if (filter.dead_before && r.finished_at >= filter.dead_before) return false;
  if (r.last_reason.find(filter.reason) == std::string::npos) return false;
  const auto& ids = filter.request_ids;
  return ids.empty() || std::find(ids.begin(), ids.end(), request_id(seed_, number)) != ids.end();
}

std::vector<DeadLetter> Model::dead_letters(const DeadLetterFilter& filter) const {
  std::vector<DeadLetter> letters;
  for (const auto& [at, number] : dead()) {
    const Request& r = requests_.at(number);
    if (!is_meant(filter, number)) continue;
    letters.push_back({request_id(seed_, number), r.event, r.user, at, r.receive_count, r.failure, r.result,
                       r.last_reason, r.redrives});
  }
  return letters;
}

Result<RedriveView> Model::redriving() const {
  if (!redrive_) return not_found("");
  return redrive_->view;
}

Result<RedriveView> Model::redrive(const Redrive& c, Timestamp now) {
  if (redrive_runs()) return Error{ErrorCode::kRedriveRunning, ""};
  if (!c.filter.event_id.empty() && !events_.contains(c.filter.event_id)) return not_found("");
  Redriving next;
  next.id = redrive_ ? redrive_->id + 1 : 1;
  next.filter = c.filter;
  next.paid_until = now;
  if (const auto all = dead(); !all.empty()) next.newest = *all.rbegin();
  RedriveView& view = next.view;
  view.redrive_id = fmt::format("redrive-{}", next.id);
  view.matching = dead_letters(c.filter).size();
  view.started_at = now;
  view.rate_per_second = c.rate_per_second;
  view.stop_after_failures = c.stop_after_failures;
  view.filter = c.filter;
  std::set<std::uint64_t> named;
  for (const std::string& id : c.filter.request_ids) {
    if (const auto number = request_number(seed_, id)) named.insert(*number);
  }
  view.filter.request_ids.clear();
  for (const std::uint64_t number : named) view.filter.request_ids.push_back(request_id(seed_, number));
  redrive_ = next;
  return view;
}

Result<RedriveView> Model::stop_redrive(Timestamp now) {
  if (!redrive_) return not_found("");
  if (redrive_runs()) {
    redrive_->view.state = RedriveState::kStopped;
    redrive_->view.finished_at = now;
  }
  return redrive_->view;
}

Result<DiscardResult> Model::discard(const DiscardDeadLetters& c, Timestamp now) {
  if (!c.filter.event_id.empty() && !events_.contains(c.filter.event_id)) return not_found("");
  DiscardResult result;
  for (const auto& [at, number] : dead()) {
    if (!is_meant(c.filter, number)) continue;
    Request& r = requests_.at(number);
    r.discarded = true;
    r.log.push_back({S::kFailedFinal, now, fmt::format("discarded by {}: {}", c.actor.id, c.reason)});
    ++result.discarded;
  }
  return result;
}

bool Model::redrive_has_more() const {
  if (!redrive_runs()) return false;
  for (const Death& death : dead()) {
    if (death > redrive_->looked_up_to && death <= redrive_->newest) return true;
  }
  return false;
}

Model::RedriveStep Model::next_of_redrive(Timestamp now) const {
  RedriveStep step;
  if (!redrive_runs()) return step;
  const RedriveView& v = redrive_->view;
  if (v.failed_again >= v.stop_after_failures) {
    step.end = RedriveState::kStoppedByFailures;
    return step;
  }
  if (!redrive_has_more()) {
    const bool all_final = v.redriven == v.succeeded + v.rejected + v.failed_again;
    if (all_final) step.end = RedriveState::kDone;
    return step;
  }
  // Of each second what the rate gives; what was left over for longer than a second is gone.
  const Micros left = std::clamp<Micros>(now - redrive_->paid_until, 0, kSecond);
  const auto allowed = static_cast<std::size_t>(left * v.rate_per_second / kSecond);
  for (const Death& death : dead()) {
    if (step.put_back.size() >= allowed) break;
    if (death <= redrive_->looked_up_to || death > redrive_->newest) continue;
    step.looked_up_to = death;
    const bool had_its_turn = requests_.at(death.second).redriven_by == redrive_->id;
    if (!had_its_turn && is_meant(redrive_->filter, death.second)) step.put_back.push_back(death.second);
  }
  return step;
}

bool Model::apply(const RedriveStep& step, Timestamp now) {
  if (step.end) {
    redrive_->view.state = *step.end;
    redrive_->view.finished_at = now;
    return true;
  }
  if (!step.looked_up_to) return false;
  for (const std::uint64_t number : step.put_back) {
    Request& r = requests_.at(number);
    r.log.push_back({S::kQueued, now, redrive_->view.redrive_id});
    supersede_hook(r);
    r.status = S::kQueued;
    r.result = ResultCode::kNone;
    r.failure = FailureClass::kNone;
    r.phase = Phase::kLine;
    r.started_at = r.finished_at = r.until = {};
    r.tries = 0;
    ++r.redrives;
    r.redriven_by = redrive_->id;
    unfinished_.insert(number);
    ++events_.at(r.event).put_back;
  }
  const auto count = static_cast<Micros>(step.put_back.size());
  redrive_->view.redriven += step.put_back.size();
  redrive_->looked_up_to = *step.looked_up_to;
  redrive_->paid_until =
      std::max(redrive_->paid_until, now - 1 * kSecond) + count * kSecond / redrive_->view.rate_per_second;
  return true;
}

}  // namespace spillway::intake::sim
