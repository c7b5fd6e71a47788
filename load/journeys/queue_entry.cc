// A person takes a place in a line, and that is all: how many can come at once.

#include <memory>

#include "load/journeys/line.h"

namespace spillway::load {
namespace {

class QueueEntry final : public LineJourney {
 public:
  explicit QueueEntry(const JourneyContext& context) : LineJourney(context, false) {}

  Task<> iterate(User& user) override {
    Place place;
    const bool entered = co_await enter(user, place);
    if (!entered) co_await come_back_later(user);
  }
};

const JourneyRegistration kRegistration({
    "queue-entry",
    "take a place in a line (waiting room)",
    LineJourney::steps(),
    LineJourney::errands(),
    LineJourney::settings(),
    {"queue_active_size", "queue_wait_size", "queue_exit_per_entry", "server_cpu", "server_memory_mb"},
    LineJourney::invariants(false),
    [](const JourneyContext& context) -> std::unique_ptr<Journey> {
      return std::make_unique<QueueEntry>(context);
    },
});

}  // namespace
}  // namespace spillway::load
