#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/loop.h"
#include "http/message.h"
#include "http/router.h"
#include "identity/gate.h"

namespace spillway::ops {

/// The last points of the live series, and those who listen.
///
/// Operation: a listener has a place in the series and is sent what follows it: the points kept so far in one
/// or more `history` events of bounded size (what a peer may leave unread is bounded), then a `point` for
/// each new one. The text of a point is made once and shared. A listener that does not read is cut off by the
/// http server; one whose token is no longer good is closed within limits::kLiveTokenCheckEvery. Concurrency:
/// listeners belong to the loop of their connection; publish() and serve() may be called by one other thread,
/// and never after the loops have gone. To be destroyed after the http server.
class LiveFeed {
 public:
  explicit LiveFeed(const Clock& clock, std::size_t max_listeners = limits::kMaxLiveListeners)
      : clock_(clock), max_listeners_(max_listeners) {}
  ~LiveFeed();

  /// On a loop's thread. Answers the exchange: with the stream, or 503.
  void listen(http::Exchange, std::string bearer, const identity::Gate&);
  /// Forgets the points: what follows is another series. Only while nobody listens.
  void clear();
  /// Adds a point (JSON) and sends it to all.
  void publish(std::string point);
  /// Sends those who are still reading history their next piece.
  void serve();
  /// Whether there is anybody to serve() before the next point.
  bool behind() const { return behind_.load(std::memory_order_relaxed) > 0; }
  std::size_t listeners() const { return count_.load(std::memory_order_relaxed); }

 private:
  using Text = std::shared_ptr<const std::string>;
  struct Listener {
    http::EventStream stream;
    std::uint64_t next = 0;  ///< number of the first point it does not have
    bool in_history = true;
    std::string bearer;
    const identity::Gate* gate = nullptr;
    Micros checked_us = 0;
  };
  /// One http thread's listeners. `loop` is written once, under the mutex; the rest is that thread's own.
  struct Room {
    Loop* loop = nullptr;
    std::vector<Listener> listeners;
  };
  class Visit;

  /// On the room's loop.
  void serve_room(Room&);
  /// False when it is over with this listener.
  bool advance(Listener&);
  /// From number `next` on, at most limits::kLivePieceBytes; `next` moves on.
  std::vector<Text> points_from(std::uint64_t& next, bool& last);

  const Clock& clock_;
  const std::size_t max_listeners_;
  std::atomic<std::size_t> count_{0}, behind_{0};

  std::mutex mutex_;
  std::deque<Text> points_;
  std::uint64_t first_ = 0;  ///< number of points_.front()
  std::array<std::unique_ptr<Room>, limits::kMaxLoops> rooms_;
};

/// `GET /admin/live`. Both must outlive the router.
void add_live_routes(http::Router&, LiveFeed&, const identity::Gate&);

}  // namespace spillway::ops
