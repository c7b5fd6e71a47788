#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "http/message.h"
#include "http/router.h"
#include "identity/gate.h"
#include "ops/live_feed.h"
#include "waitroom/service.h"

namespace spillway::app {

/// The live figures of lines: for each of limits::kLiveConcerts concerts the last points, one a second, and
/// those who listen.
///
/// Operation: a concert gets a place when somebody listens to it, or when it is among the busiest that were
/// looked at, so that whoever opens its page finds the last minutes there; it may lose the place to another
/// while nobody listens. A point's counts are those of its second, null where they would be of another time.
/// Concurrency: listen() on the loops of connections; tick(), waiting(), serve() and behind() on one thread
/// with a Loop. To be destroyed after the http server.
class WaitroomLive {
 public:
  /// Both outlive this.
  WaitroomLive(const Clock&, waitroom::Service&);

  /// Answers the exchange: with the stream; not_found; overloaded.
  void listen(http::Exchange, std::string concert_id, std::string bearer, const identity::Gate&);
  /// Once a second: asks how things stand, and makes a point of each answer.
  void tick();
  bool waiting() const { return in_works_ > 0; }
  /// As LiveFeed.
  void serve();
  bool behind() const;

 private:
  struct Place {
    explicit Place(const Clock& clock) : feed(clock, limits::kMaxConcertListeners) {}
    std::string concert_id;        ///< empty: free
    std::uint64_t generation = 0;  ///< how many concerts have had it
    std::uint64_t people = 0;      ///< in its line and let in, at the last look
    bool asked = false;            ///< and not answered
    bool open = false;             ///< the point of `at` is not published yet
    Timestamp at;
    std::optional<waitroom::ConcertView> last;
    Micros last_us = 0;
    ops::LiveFeed feed;
  };

  /// All under the mutex.
  Place* place_of(const std::string& concert_id);
  /// A free one, or one without listeners in which there are fewer than `people`; else null.
  Place* take(const waitroom::ConcertView&, std::uint64_t people);
  void close_second(Place&);
  void ask(Place&, std::uint64_t generation, const std::string& concert_id);
  void answered(Place&, std::uint64_t generation, std::uint64_t tick, const Result<waitroom::ConcertView>&);
  void look_for_busy();

  const Clock& clock_;
  waitroom::Service& service_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Place>> places_;  ///< all of them from the start
  // The sampling thread's own.
  std::uint64_t ticks_ = 0;
  std::size_t in_works_ = 0;
  bool looking_ = false;
  std::string cursor_;
};

/// `GET /admin/queues/waitroom/{concertId}/live`. Both must outlive the router.
void add_waitroom_live_routes(http::Router&, WaitroomLive&, const identity::Gate&);

}  // namespace spillway::app
