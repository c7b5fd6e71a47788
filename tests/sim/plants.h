#pragma once

// Planted bugs: each stands between the world and the machine and spoils one thing. A simulation that does
// not notice is worth nothing.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "intake/machine.h"

namespace spillway::intake::sim {

/// An encoded event, as a journal keeps it.
struct JournalRecord {
  std::uint8_t type = 0;
  std::string payload;
};

/// Changes nothing. Each bug changes something.
class Plant {
 public:
  virtual ~Plant() = default;

  virtual void at_start(MachineConfig&) {}

  // What is asked, before the machine sees it.
  virtual void command(Participate&, Timestamp& now, const Machine&) { (void)now; }
  virtual void command(PutEvent&, Timestamp&, const Machine&) {}
  virtual void command(Receive&, Timestamp&, const Machine&) {}
  virtual void command(Complete&, Timestamp&, const Machine&) {}
  virtual void command(Extend&, Timestamp&, const Machine&) {}
  virtual void command(Redrive&, Timestamp&, const Machine&) {}
  virtual void command(DiscardDeadLetters&, Timestamp&, const Machine&) {}
  virtual void command(RedeliverWebhooks&, Timestamp&, const Machine&) {}

  /// What the machine proposes, before it is written and applied.
  virtual void proposed(Events&, const Machine&) {}

  // What is answered.
  virtual void reply(std::vector<Delivery>&) {}
  virtual void reply(RequestView&) {}
  virtual void reply(EventView&) {}
  virtual void reply(RedriveView&) {}

  /// What is read back after a crash: all that was durable.
  virtual void recovered(std::vector<JournalRecord>&) {}
};

struct PlantEntry {
  const char* name;
  std::unique_ptr<Plant> (*make)();
};
std::span<const PlantEntry> dead_letter_plants();
std::span<const PlantEntry> webhook_plants();
std::vector<std::string_view> plant_names();
/// Null when there is none of that name; "" is the one that changes nothing.
std::unique_ptr<Plant> make_plant(std::string_view name);

}  // namespace spillway::intake::sim
