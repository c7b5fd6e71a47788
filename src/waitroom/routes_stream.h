#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/loop.h"
#include "http/message.h"
#include "waitroom/queue_token.h"
#include "waitroom/service.h"

namespace spillway::waitroom {

/// Those who listen to what becomes of their ticket.
///
/// Operation: each listener is looked up once a second (a tenth of them every tenth of a second, many in one
/// task), and told when its position or status is another. Positions are absolute, so whoever reads slowly
/// misses some and no more is queued for it than a few; one that does not read at all is cut off by the http
/// server, and comes again where it was: the first thing that it was told is how soon, and each thing has an
/// id. Listening counts as being present. Concurrency: listeners belong to the loop of their connection; one
/// thread of its own wakes the loops, between start() and stop(), which must be before the loops go. To be
/// destroyed after the http server.
class QueueStreams {
 public:
  QueueStreams(Service& service, const Clock& clock, std::size_t max_listeners = limits::kMaxQueueListeners);
  ~QueueStreams();

  void start();
  void stop();

  /// On a loop's thread. Answers the exchange: with the stream, which begins with how things stand, or an
  /// error.
  void listen(http::Exchange, TicketRef);
  std::size_t listeners() const { return count_.load(std::memory_order_relaxed); }

 private:
  struct Listener;
  struct Room;
  class Visit;

  void run();
  void wake_rooms(std::size_t phase);
  void visit(Room&, std::size_t phase);
  /// False when it is over with this listener.
  bool tell(Listener&, const Result<TicketView>&);
  Room& room_of(Loop&);

  Service& service_;
  const Clock& clock_;
  const std::size_t max_listeners_;
  std::atomic<std::size_t> count_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::array<std::shared_ptr<Room>, limits::kMaxLoops> rooms_;
  std::thread thread_;
};

}  // namespace spillway::waitroom
