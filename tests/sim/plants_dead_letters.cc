// Planted bugs of redrives and discards.

#include <algorithm>
#include <optional>
#include <set>

#include "plants.h"

namespace spillway::intake::sim {
namespace {

/// What comes first in the line is passed over once somebody new can be served instead.
class RedrivenLosesItsOrder final : public Plant {
  void proposed(Events& events, const Machine& m) override {
    passed_over_.clear();
    for (Event& event : events) {
      auto* received = std::get_if<Received>(&event);
      if (received == nullptr) continue;
      std::set<std::string> has_newcomer;
      for (const auto& item : received->items) {
        if (m.summary_of(item.number).receive_count == 0)
          has_newcomer.insert(m.view_of(item.number).event_id);
      }
      std::erase_if(received->items, [&](const Received::Item& item) {
        const RequestView view = m.view_of(item.number);
        if (view.status != RequestStatus::kQueued || m.summary_of(item.number).receive_count == 0 ||
            item.verdict != Verdict::kDelivered || !has_newcomer.contains(view.event_id)) {
          return false;
        }
        passed_over_.insert(view.request_id);
        return true;
      });
    }
  }
  void reply(std::vector<Delivery>& deliveries) override {
    std::erase_if(deliveries, [&](const Delivery& d) { return passed_over_.contains(d.receipt.request_id); });
  }
  std::set<std::string> passed_over_;
};

/// What fails again under a redrive is put back at once, by nobody.
class FinalStateLeftByItself final : public Plant {
  void proposed(Events& events, const Machine& m) override {
    Events more;
    for (const Event& event : events) {
      if (const auto* redriven = std::get_if<Redriven>(&event)) last_ = *redriven;
      if (std::holds_alternative<RedriveStarted>(event)) last_ = {};
      const auto* completed = std::get_if<Completed>(&event);
      const auto redrive = m.redrive();
      if (completed == nullptr || !redrive.ok() || redrive->state != RedriveState::kRunning) continue;
      Redriven back = last_;
      back.at = completed->at;
      back.numbers.clear();
      for (const auto& item : completed->items) {
        if (item.ending == Ending::kDeadLetter) back.numbers.push_back(item.number);
      }
      if (!back.numbers.empty()) more.emplace_back(back);
    }
    events.insert(events.end(), more.begin(), more.end());
  }
  Redriven last_;
};

/// Another chance of one try.
class RedrivenHasNoNewTries final : public Plant {
  void proposed(Events& events, const Machine& m) override {
    for (Event& event : events) {
      auto* completed = std::get_if<Completed>(&event);
      if (completed == nullptr) continue;
      for (auto& item : completed->items) {
        if (item.ending == Ending::kRetry && m.summary_of(item.number).redriven) {
          item.ending = Ending::kDeadLetter;
        }
      }
    }
  }
};

/// What was discarded comes back at the next redrive.
class DiscardedIsRedriven final : public Plant {
  void proposed(Events& events, const Machine&) override {
    std::erase_if(events, [](const Event& event) { return std::holds_alternative<Discarded>(event); });
  }
};

/// Does something else than it was told, and tells what it was told.
class RedriveDisobeys : public Plant {
 protected:
  virtual void spoil(Redrive&) = 0;

 private:
  void command(Redrive& c, Timestamp&, const Machine&) override {
    told_ = c;
    spoil(c);
  }
  void reply(RedriveView& view) override {
    if (!told_) return;
    view.rate_per_second = told_->rate_per_second;
    view.stop_after_failures = told_->stop_after_failures;
  }
  std::optional<Redrive> told_;
};
class RedriveIgnoresItsRate final : public RedriveDisobeys {
  void spoil(Redrive& c) override { c.rate_per_second *= 10; }
};
class RedriveNeverStops final : public RedriveDisobeys {
  void spoil(Redrive& c) override { c.stop_after_failures = 1'000'000; }
};
class RedriveIgnoresItsFilter final : public RedriveDisobeys {
  void spoil(Redrive& c) override { c.filter.reason.clear(); }
};

class RedriveCannotBeStopped final : public Plant {
  void proposed(Events& events, const Machine&) override {
    std::erase_if(events, [](const Event& event) {
      const auto* ended = std::get_if<RedriveEnded>(&event);
      return ended != nullptr && ended->state == RedriveState::kStopped;
    });
  }
};

/// After a crash the rest of it is forgotten.
class RedriveForgottenAfterRestart final : public Plant {
  void recovered(std::vector<JournalRecord>& records) override {
    static const std::uint8_t kRuns[] = {type(RedriveStarted{}), type(Redriven{})};
    bool runs = false;
    for (const JournalRecord& record : records) {
      if (std::find(std::begin(kRuns), std::end(kRuns), record.type) != std::end(kRuns)) runs = true;
      if (record.type == type(RedriveEnded{})) runs = false;
    }
    if (!runs) return;
    JournalRecord& end = records.emplace_back();
    end.type = type(RedriveEnded{});
    encode(RedriveEnded{Timestamp{1}, RedriveState::kStopped}, end.payload);
  }
};

template <class P>
std::unique_ptr<Plant> make() {
  return std::make_unique<P>();
}

constexpr PlantEntry kPlants[] = {
    {"redriven-loses-its-order", make<RedrivenLosesItsOrder>},
    {"final-state-left-by-itself", make<FinalStateLeftByItself>},
    {"redriven-has-no-new-tries", make<RedrivenHasNoNewTries>},
    {"discarded-is-redriven", make<DiscardedIsRedriven>},
    {"redrive-ignores-its-rate", make<RedriveIgnoresItsRate>},
    {"redrive-never-stops", make<RedriveNeverStops>},
    {"redrive-ignores-its-filter", make<RedriveIgnoresItsFilter>},
    {"redrive-cannot-be-stopped", make<RedriveCannotBeStopped>},
    {"redrive-forgotten-after-restart", make<RedriveForgottenAfterRestart>},
};

}  // namespace

std::span<const PlantEntry> dead_letter_plants() { return kPlants; }

}  // namespace spillway::intake::sim
