// Planted bugs of webhooks.

#include <map>
#include <string>

#include "plants.h"

namespace spillway::intake::sim {
namespace {

/// Each tenth end is durable without its delivery.
class LostOnFinish final : public Plant {
  void proposed(Events& events, const Machine& m) override {
    for (const Event& event : events) {
      if (const auto* put = std::get_if<EventPut>(&event)) index_[std::string(put->id)] = put->event;
    }
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto* completed = std::get_if<Completed>(&events[i]);
      if (completed == nullptr || completed->items.size() != 1) continue;
      const auto& item = completed->items.front();
      if (item.ending != Ending::kSucceeded || ++seen_ % 10 != 0) continue;
      const std::string id = m.view_of(item.number).event_id;
      const auto event = m.event(id, completed->at);
      if (!event.ok() || event->webhook.url.empty() || !index_.contains(id)) continue;
      kept_ = event->webhook;
      const Timestamp at = completed->at;
      events.insert(events.begin() + static_cast<std::ptrdiff_t>(i), WebhookSet{at, index_.at(id), "", ""});
      events.insert(events.begin() + static_cast<std::ptrdiff_t>(i) + 2,
                    WebhookSet{at, index_.at(id), kept_.url, kept_.secret_name});
      i += 2;
    }
  }
  std::map<std::string, std::uint32_t> index_;
  Webhook kept_;
  std::uint64_t seen_ = 0;
};

/// Spoils what became of tries.
class TriesSpoiled : public Plant {
 protected:
  virtual void spoil(WebhooksTried::Item&, Timestamp at) = 0;

 private:
  void proposed(Events& events, const Machine&) override {
    for (Event& event : events) {
      auto* tried = std::get_if<WebhooksTried>(&event);
      if (tried == nullptr) continue;
      for (auto& item : tried->items) spoil(item, tried->at);
    }
  }
};
class TakenIsToldAgain final : public TriesSpoiled {
  void spoil(WebhooksTried::Item& item, Timestamp at) override {
    if (item.result != WebhookResult::kDelivered || item.id % 8 != 0) return;
    item.result = WebhookResult::kRetry;
    item.due = at;
  }
};
class GivenUpTooEarly final : public TriesSpoiled {
  void spoil(WebhooksTried::Item& item, Timestamp) override {
    if (item.result == WebhookResult::kRetry && item.attempt >= 3) item.result = WebhookResult::kGiveUp;
  }
};
class TriedAgainAtOnce final : public TriesSpoiled {
  void spoil(WebhooksTried::Item& item, Timestamp at) override {
    if (item.result == WebhookResult::kRetry) item.due = at;
  }
};

class NeverTooOld final : public Plant {
  void at_start(MachineConfig& c) override { c.webhook_max_age_us *= 1'000; }
};

/// That a receiver has taken it is not in the journal, so that the next start has it told again.
class TakenIsForgottenAfterRestart final : public Plant {
  void recovered(std::vector<JournalRecord>& records) override {
    std::vector<JournalRecord> kept;
    for (const JournalRecord& record : records) {
      auto event = decode(record.type, kVersion, record.payload);
      auto* tried = event.ok() ? std::get_if<WebhooksTried>(&*event) : nullptr;
      if (tried == nullptr) {
        kept.push_back(record);
        continue;
      }
      std::erase_if(tried->items, [](const auto& item) { return item.result == WebhookResult::kDelivered; });
      if (tried->items.empty()) continue;
      JournalRecord& rest = kept.emplace_back();
      rest.type = record.type;
      encode(*event, rest.payload);
    }
    records = std::move(kept);
  }
};

template <class P>
std::unique_ptr<Plant> make() {
  return std::make_unique<P>();
}

constexpr PlantEntry kPlants[] = {
    {"webhook-lost-on-finish", make<LostOnFinish>},
    {"webhook-taken-is-told-again", make<TakenIsToldAgain>},
    {"webhook-given-up-too-early", make<GivenUpTooEarly>},
    {"webhook-tried-again-at-once", make<TriedAgainAtOnce>},
    {"webhook-never-too-old", make<NeverTooOld>},
    {"webhook-taken-is-forgotten-after-restart", make<TakenIsForgottenAfterRestart>},
};

}  // namespace

std::span<const PlantEntry> webhook_plants() { return kPlants; }

}  // namespace spillway::intake::sim
