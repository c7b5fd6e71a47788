#include "plants.h"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>

namespace spillway::intake::sim {
namespace {

/// A late worker's word counts as the latest one's.
class NoFencing final : public Plant {
  void command(Complete& c, Timestamp&, const Machine& m) override {
    for (Outcome& o : c.outcomes) forge(o.receipt, m);
  }
  void command(Extend& c, Timestamp&, const Machine& m) override {
    for (Receipt& receipt : c.receipts) forge(receipt, m);
  }
  static void forge(Receipt& receipt, const Machine& m) {
    if (const auto number = m.number_of(receipt.request_id))
      receipt.receive_count = m.summary_of(*number).receive_count;
  }
};

/// One place too many, and the books say otherwise.
class Oversell final : public Plant {
  void command(PutEvent& c, Timestamp&, const Machine&) override { ++c.capacity_total; }
  void reply(EventView& view) override {
    --view.capacity_total;
    if (view.capacity_remaining > 0) --view.capacity_remaining;
  }
};

/// With each ending that `matches` so many places are lost (or made, when negative), and the books say
/// otherwise.
class PlaceMiscounted final : public Plant {
 public:
  using Matches = bool (*)(const Completed::Item&, const Machine&);
  PlaceMiscounted(Matches matches, std::int64_t lost) : matches_(matches), lost_each_(lost) {}

  void proposed(Events& events, const Machine& m) override {
    Events more;
    for (const Event& event : events) {
      if (const auto* put = std::get_if<EventPut>(&event)) {
        texts_.push_back(std::string(put->id));
        EventPut copy = *put;
        copy.id = texts_.back();
        texts_.push_back(std::string(put->title));
        copy.title = texts_.back();
        puts_[std::string(put->id)] = copy;
        lost_.erase(std::string(put->id));  // the operator has set it right
      }
      const auto* completed = std::get_if<Completed>(&event);
      if (completed == nullptr) continue;
      for (const auto& item : completed->items) {
        if (!matches_(item, m)) continue;
        EventPut& put = puts_.at(m.view_of(item.number).event_id);
        if (!has_one_left(put, item.ending, m)) continue;
        put.capacity_total -= static_cast<std::uint64_t>(lost_each_);
        lost_[std::string(put.id)] += lost_each_;
        more.emplace_back(put);
      }
    }
    events.insert(events.end(), more.begin(), more.end());
  }
  void reply(EventView& view) override {
    const auto lost = lost_.find(view.event_id);
    if (lost == lost_.end() || puts_.at(view.event_id).capacity_total != view.capacity_total) return;
    view.capacity_total += static_cast<std::uint64_t>(lost->second);
    view.capacity_remaining += static_cast<std::uint64_t>(lost->second);
  }

 private:
  /// Whoever fails gives one back. For whoever does not there must be another.
  static bool has_one_left(const EventPut& put, Ending ending, const Machine& m) {
    if (ending != Ending::kSucceeded) return true;
    const PutEvent less{std::string(put.id), std::string(put.title), put.capacity_total - 1,
                        put.opens_at,        put.closes_at,          put.policy};
    Events ignored;
    return put.capacity_total > 0 && m.decide(less, put.at, ignored).ok();
  }

  Matches matches_;
  std::int64_t lost_each_;
  std::map<std::string, EventPut> puts_;
  std::map<std::string, std::int64_t> lost_;
  std::deque<std::string> texts_;
};

class NewestFirst final : public Plant {
  void reply(std::vector<Delivery>& deliveries) override {
    std::reverse(deliveries.begin(), deliveries.end());
  }
};

/// The oldest of a batch reaches no worker, and is overtaken.
class OvertakesTheOldest final : public Plant {
  void reply(std::vector<Delivery>& deliveries) override {
    if (deliveries.size() > 1) deliveries.erase(deliveries.begin());
  }
};

class DuplicateForgottenAfterRestart final : public Plant {
  void command(Participate& c, Timestamp&, const Machine&) override {
    if (forgotten_.contains(c.event_id + "/" + c.user_id)) c.user_id += "~";
    known_.insert(c.event_id + "/" + c.user_id);
  }
  void recovered(std::vector<JournalRecord>&) override { forgotten_ = known_; }
  std::set<std::string> known_, forgotten_;
};

class RetryResetsReceiveCount final : public Plant {
  void reply(std::vector<Delivery>& deliveries) override {
    for (Delivery& d : deliveries) {
      real_[d.receipt.request_id] = d.receipt.receive_count;
      d.receipt.receive_count = 1;
    }
  }
  void command(Complete& c, Timestamp&, const Machine&) override {
    for (Outcome& o : c.outcomes) restore(o.receipt);
  }
  void command(Extend& c, Timestamp&, const Machine&) override {
    for (Receipt& receipt : c.receipts) restore(receipt);
  }
  void restore(Receipt& receipt) {
    const auto real = real_.find(receipt.request_id);
    if (real != real_.end() && receipt.receive_count == 1) receipt.receive_count = real->second;
  }
  std::map<std::string, std::uint32_t> real_;
};

class NeverDead final : public Plant {
  void proposed(Events& events, const Machine&) override {
    for (Event& event : events) {
      if (auto* completed = std::get_if<Completed>(&event)) {
        for (auto& item : completed->items) {
          if (item.ending == Ending::kDeadLetter) {
            item.ending = Ending::kRetry;
            item.due = completed->at;
          }
        }
      } else if (auto* due = std::get_if<Due>(&event)) {
        for (auto& item : due->items) {
          if (item.kind == DueKind::kExpiredDead) item.kind = DueKind::kExpiredVisible;
          if (item.kind == DueKind::kRestartDead) item.kind = DueKind::kRestartVisible;
        }
      }
    }
  }
};

/// What was not tried counts as a try.
class ReturnCountsAsTry final : public Plant {
  void command(Complete& c, Timestamp&, const Machine&) override {
    for (Outcome& o : c.outcomes) {
      if (o.result != WorkResult::kReturn) continue;
      o.result = WorkResult::kRetry;
      if (o.reason.empty()) o.reason = "returned without a try";
    }
  }
};

/// A worker is handed what only the other kind can do.
class AnyKindOfWork final : public Plant {
  void command(Receive& c, Timestamp&, const Machine&) override { c.work.reset(); }
};

/// While its retry waits a request is shown as QUEUED again.
class StatusGoesBack final : public Plant {
  void reply(RequestView& view) override {
    if (view.status == RequestStatus::kProcessing) view.status = RequestStatus::kQueued;
  }
};

class ClosedAccepts final : public Plant {
  void command(Participate& c, Timestamp& now, const Machine& m) override {
    const auto event = m.event(c.event_id, now);
    if (event.ok() && event->closes_at && now >= event->closes_at) now = event->closes_at - 1;
  }
};

class OpensEarly final : public Plant {
  void command(Participate& c, Timestamp& now, const Machine& m) override {
    const auto event = m.event(c.event_id, now);
    if (event.ok() && now < event->opens_at) now = event->opens_at;
  }
};

class LostOnReplay final : public Plant {
  void recovered(std::vector<JournalRecord>& records) override {
    if (!records.empty()) records.pop_back();
  }
};

class PositionOff final : public Plant {
  void reply(RequestView& view) override {
    if (view.position && *view.position > 1) ++*view.position;
  }
};

/// Drops what `matches`.
class Drops final : public Plant {
 public:
  explicit Drops(std::function<bool(const Event&, const Machine&)> matches) : matches_(std::move(matches)) {}
  void proposed(Events& events, const Machine& m) override {
    std::erase_if(events, [&](const Event& event) { return matches_(event, m); });
  }

 private:
  std::function<bool(const Event&, const Machine&)> matches_;
};

class ForgetsEarly final : public Plant {
  void at_start(MachineConfig& config) override { config.retention_us /= 2; }
};

using Entry = PlantEntry;
template <class P>
std::unique_ptr<Plant> make() {
  return std::make_unique<P>();
}
/// Who fails keeps the place.
std::unique_ptr<Plant> place_not_given_back() {
  return std::make_unique<PlaceMiscounted>(
      [](const Completed::Item& item, const Machine&) { return item.ending == Ending::kInvalid; }, 1);
}
bool refused_by_work(const Completed::Item& item, const Machine&) {
  return item.ending == Ending::kRejectedByWork;
}
std::unique_ptr<Plant> place_not_given_back_by_work() {
  return std::make_unique<PlaceMiscounted>(refused_by_work, 1);
}
std::unique_ptr<Plant> place_given_back_twice() {
  return std::make_unique<PlaceMiscounted>(refused_by_work, -1);
}
/// So that who is redriven and gets another has two.
std::unique_ptr<Plant> dead_letter_keeps_its_place() {
  return std::make_unique<PlaceMiscounted>(
      [](const Completed::Item& item, const Machine&) { return item.ending == Ending::kDeadLetter; }, 1);
}
std::unique_ptr<Plant> redriven_takes_two_places() {
  return std::make_unique<PlaceMiscounted>(
      [](const Completed::Item& item, const Machine& m) {
        return item.ending == Ending::kSucceeded && m.summary_of(item.number).redriven;
      },
      1);
}
std::unique_ptr<Plant> pause_ignored() {
  return std::make_unique<Drops>([](const Event& event, const Machine&) {
    const auto* paused = std::get_if<Paused>(&event);
    return paused != nullptr && paused->paused;
  });
}
std::unique_ptr<Plant> lease_not_extended() {
  return std::make_unique<Drops>(
      [](const Event& event, const Machine&) { return std::holds_alternative<Extended>(event); });
}
std::unique_ptr<Plant> capacity_cannot_grow() {
  return std::make_unique<Drops>([](const Event& event, const Machine& m) {
    const auto* put = std::get_if<EventPut>(&event);
    if (put == nullptr) return false;
    const auto before = m.event(put->id, put->at);
    return before.ok() && put->capacity_total > before->capacity_total;
  });
}
std::unique_ptr<Plant> never_expires() {
  return std::make_unique<Drops>(
      [](const Event& event, const Machine&) { return std::holds_alternative<Due>(event); });
}

constexpr Entry kPlants[] = {
    {"no-fencing", make<NoFencing>},
    {"oversell-by-one", make<Oversell>},
    {"place-not-given-back", place_not_given_back},
    {"place-not-given-back-by-work", place_not_given_back_by_work},
    {"place-given-back-twice", place_given_back_twice},
    {"return-counts-as-try", make<ReturnCountsAsTry>},
    {"any-kind-of-work", make<AnyKindOfWork>},
    {"dead-letter-keeps-its-place", dead_letter_keeps_its_place},
    {"redriven-takes-two-places", redriven_takes_two_places},
    {"newest-first", make<NewestFirst>},
    {"overtakes-the-oldest", make<OvertakesTheOldest>},
    {"duplicate-forgotten-after-restart", make<DuplicateForgottenAfterRestart>},
    {"retry-resets-receive-count", make<RetryResetsReceiveCount>},
    {"never-dead", make<NeverDead>},
    {"never-expires", never_expires},
    {"status-goes-back", make<StatusGoesBack>},
    {"closed-accepts", make<ClosedAccepts>},
    {"opens-early", make<OpensEarly>},
    {"lost-on-replay", make<LostOnReplay>},
    {"position-off", make<PositionOff>},
    {"pause-ignored", pause_ignored},
    {"lease-not-extended", lease_not_extended},
    {"capacity-cannot-grow", capacity_cannot_grow},
    {"forgets-early", make<ForgetsEarly>},
};

}  // namespace

std::vector<std::string_view> plant_names() {
  std::vector<std::string_view> names;
  for (const Entry& entry : kPlants) names.emplace_back(entry.name);
  for (const Entry& entry : dead_letter_plants()) names.emplace_back(entry.name);
  for (const Entry& entry : webhook_plants()) names.emplace_back(entry.name);
  return names;
}

std::unique_ptr<Plant> make_plant(std::string_view name) {
  if (name.empty()) return std::make_unique<Plant>();
  for (const Entry& entry : kPlants) {
    if (entry.name == name) return entry.make();
  }
  for (const Entry& entry : dead_letter_plants()) {
    if (entry.name == name) return entry.make();
  }
  for (const Entry& entry : webhook_plants()) {
    if (entry.name == name) return entry.make();
  }
  return nullptr;
}

}  // namespace spillway::intake::sim
