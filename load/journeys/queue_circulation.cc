// A person enters a line, asks where they stand as often as they are told to, goes in, stays for a while,
// leaves.

#include <algorithm>
#include <memory>

#include "load/journeys/line.h"
#include "load/wire/clock.h"

namespace spillway::load {
namespace {

class QueueCirculation final : public LineJourney {
 public:
  explicit QueueCirculation(const JourneyContext& context) : LineJourney(context, true) {}

  Task<> iterate(User& user) override {
    Place place;
    const std::int64_t arrived_ns = user.now_ns();
    const bool entered = co_await enter(user, place);
    if (!entered) {
      co_await come_back_later(user);
      co_return;
    }
    int unanswered = 0;
    while (place.status == "WAITING") {
      co_await user.pause(place.poll_after_s);
      const bool heard = co_await ask(user, place, kPoll);
      unanswered = heard ? 0 : unanswered + 1;
      if (unanswered > kMaxUnanswered) co_return;
    }
    const bool activated = co_await ask(user, place, kActivate);
    if (!activated) {
      recorder().add(removal_success(), 0);  // refused on the way: never got as far
      co_return;
    }
    recorder().add(activation_wait(), static_cast<double>(user.now_ns() - arrived_ns) / 1e6);
    co_await stay(user, place);
    const bool left = co_await ask(user, place, kRemove);
    recorder().add(removal_success(), left);
  }

 private:
  static constexpr int kMaxUnanswered = 20;  // polls in a row; then this person gives up

  /// Inside, asking as often as told until it is time to go.
  Task<> stay(User& user, Place& place) {
    const double stay_s = stay_min_s() + user.random() * (stay_max_s() - stay_min_s());
    const std::int64_t leaves_ns = user.now_ns() + ns_of(stay_s);
    const auto left_s = [&] { return static_cast<double>(leaves_ns - user.now_ns()) / 1e9; };
    while (place.poll_after_s < left_s()) {
      co_await user.pause(place.poll_after_s);
      const bool heard = co_await ask(user, place, kPoll);
      static_cast<void>(heard);  // whether or not: they stay as long as they meant to
    }
    co_await user.pause(std::max(0.0, left_s()));
  }
};

const JourneyRegistration kRegistration({
    "queue-circulation",
    "enter a line, poll as told, activate, stay, leave (waiting room)",
    LineJourney::steps(),
    LineJourney::errands(),
    LineJourney::settings(),
    {"queue_active_size", "queue_wait_size", "queue_exit_per_entry", "server_cpu", "server_memory_mb"},
    LineJourney::invariants(true),
    [](const JourneyContext& context) -> std::unique_ptr<Journey> {
      return std::make_unique<QueueCirculation>(context);
    },
});

}  // namespace
}  // namespace spillway::load
