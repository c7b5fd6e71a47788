#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "model.h"
#include "subject.h"

namespace spillway::intake::sim {

/// A promise that was broken.
struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Tally {
  std::uint64_t steps = 0, accepted = 0, duplicates = 0, refused = 0, overloaded = 0, delivered = 0,
                redelivered = 0, applied = 0, stale = 0, crashes = 0, lost_events = 0, snapshots = 0,
                comparisons = 0, events = 0, winners = 0, dead_letters = 0, forgotten = 0, redrives = 0,
                redriven = 0, redriven_winners = 0, stopped_by_failures = 0, discarded = 0, told = 0,
                told_again = 0, redelivered_hooks = 0;
};

/// Everybody around the machine: people who come, repeat themselves and ask; workers who work, hang, die and
/// wake up again; an operator who changes his mind; a clock that jumps; a machine room where the power fails.
/// Every reply is compared with the model's, every promise is checked for itself as well.
class World {
 public:
  World(std::uint64_t seed, Plant& plant);

  void step();
  /// Faults stop, and everything must come to its end.
  void finish();
  const Tally& tally() const { return tally_; }
  /// What happened last, for the one who must find out why.
  std::string trace() const;

 private:
  struct Held {
    Delivery delivery;
    std::size_t written = 0;  ///< how much must be durable for the worker to have it
  };
  struct HeldHook {
    WebhookJob job;
    std::size_t written = 0;
  };
  struct Shown {
    RequestStatus status;
    std::uint64_t position;
    std::uint64_t left_by = 0;   ///< the redrive by which it was last seen to leave FAILED_FINAL
    std::uint64_t put_back = 0;  ///< how many of its event had been put back by then, perhaps ahead of it
  };
  struct EventPlan {
    std::string id;
    std::uint64_t first_capacity = 0;
    bool capacity_changed = false;
    std::uint64_t people = 0;  ///< how many names sign up for it
  };

  // Steps
  void people_join();
  void operator_puts_event();
  void open_another();
  void workers_receive();
  void workers_complete();
  void workers_extend();
  void clock_moves();
  void someone_asks();
  void operator_lists();
  void power_fails();
  void backend_breaks();
  void operator_redrives();
  void operator_stops_redrive();
  void operator_discards();
  void operator_looks_at_dead_letters();
  void receivers_take();
  void receivers_answer();
  void operator_redelivers();
  DeadLetterFilter some_filter();
  void set_paused(bool paused);
  void due(std::size_t max_items);
  void sync();

  // Checks
  /// `first`: who was QUEUED before.
  void check_delivered(const std::vector<Delivery>&, const std::set<std::uint64_t>& first);
  void check_shown(std::uint64_t number);
  void check_everything();
  void check_event(const Model::Event&);
  void check_dead_letters(const DeadLetterFilter&);
  void check_webhooks();
  void check_pages(const std::string& event, std::optional<RequestStatus> status);
  void expect_same(const std::string& what, const std::string& machine, const std::string& model);
  [[noreturn]] void fail(const std::string& what);

  void remember_begun();
  void note(std::string line);
  void log(std::function<void(Model&)> command);
  std::uint64_t random(std::uint64_t below) { return random_() % below; }
  bool one_in(std::uint64_t n) { return random(n) == 0; }
  Outcome some_outcome(const Delivery&);
  std::string some_event();
  Webhook some_webhook();

  std::mt19937_64 random_;
  Timestamp now_;
  Seed seed_;
  Rules rules_;
  Subject subject_;
  Model model_;

  // To take the model back to what was durable: as it was once, and what was asked since.
  Model base_;
  std::vector<std::pair<std::size_t, std::function<void(Model&)>>> since_base_;

  std::vector<EventPlan> events_;  ///< the open ones and some closed
  std::uint64_t next_event_ = 0;
  std::vector<Held> held_;
  std::vector<HeldHook> held_hooks_;
  std::set<std::pair<std::string, std::string>> told_;  ///< (request, end) that a receiver has seen
  std::map<std::uint64_t, Shown> shown_;                ///< what somebody has seen
  std::map<std::pair<std::string, std::string>, std::string> given_;  ///< ids that somebody has been given
  std::map<std::string, std::uint64_t> begun_;                        ///< by event: the last one begun
  std::uint64_t redrives_ = 0;                                        ///< started
  bool broken_ = false;                                               ///< most work fails
  bool calm_ = false;                                                 ///< no faults any more
  Tally tally_;
  std::vector<std::string> trace_;
};

}  // namespace spillway::intake::sim
