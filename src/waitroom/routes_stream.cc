#include "waitroom/routes_stream.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/thread.h"
#include "waitroom/routes_shared.h"

namespace spillway::waitroom {
namespace {

constexpr std::size_t kEnoughUnsent = 4 * 1024;  // bytes: then it is told the next position instead
constexpr int kRetryWhenFullSeconds = 10;

std::string id_of(const TicketView& view) {
  if (view.status != TicketStatus::kWaiting) return fmt::format("{}-{}", name(view.status), view.until.us);
  return fmt::format("{}-{}{}", view.paused ? "PAUSED" : name(view.status), view.position.value_or(0),
                     view.opens_at ? "-SOON" : "");
}

}  // namespace

struct QueueStreams::Listener {
  http::EventStream stream;
  TicketRef ticket;
  std::string told{};  ///< the id of the last event; empty: nothing yet
};

/// One http thread's listeners. `loop` is written once, under the mutex; the rest is that thread's own.
struct QueueStreams::Room {
  Loop* loop = nullptr;
  std::array<std::vector<Listener>, limits::kQueueStreamPhases> phases;
  std::array<std::size_t, limits::kQueueStreamPhases> being_looked_up{};
  std::size_t next_phase = 0;
};

/// Goes to a loop and visits its listeners there.
class QueueStreams::Visit final : public Node {
 public:
  Visit(QueueStreams& streams, std::shared_ptr<Room> room, std::size_t phase)
      : streams_(streams), room_(std::move(room)), phase_(phase) {}
  void finish() override {
    streams_.visit(*room_, phase_);
    delete this;
  }

 private:
  QueueStreams& streams_;
  std::shared_ptr<Room> room_;
  std::size_t phase_;
};

QueueStreams::QueueStreams(Service& service, const Clock& clock, std::size_t max_listeners)
    : service_(service), clock_(clock), max_listeners_(max_listeners) {}
QueueStreams::~QueueStreams() { stop(); }

void QueueStreams::start() {
  thread_ = std::thread([this] { run(); });
}

void QueueStreams::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void QueueStreams::run() {
  name_this_thread("queue-streams");
  constexpr auto kEvery = std::chrono::microseconds(limits::kQueueStreamEvery / limits::kQueueStreamPhases);
  auto next = std::chrono::steady_clock::now() + kEvery;
  std::unique_lock lock(mutex_);
  for (std::size_t phase = 0; !stopping_; phase = (phase + 1) % limits::kQueueStreamPhases) {
    if (wake_.wait_until(lock, next, [this] { return stopping_; })) return;
    next = std::max(next + kEvery, std::chrono::steady_clock::now());
    if (listeners() != 0) wake_rooms(phase);
  }
}

void QueueStreams::wake_rooms(std::size_t phase) {
  for (const auto& room : rooms_) {
    if (room == nullptr) continue;
    NodeList nodes;
    nodes.push(new Visit(*this, room, phase));
    room->loop->deliver(std::move(nodes));
  }
}

QueueStreams::Room& QueueStreams::room_of(Loop& loop) {
  CHECK(loop.index() < rooms_.size());
  const std::lock_guard lock(mutex_);
  auto& room = rooms_[loop.index()];
  if (room == nullptr) {
    room = std::make_shared<Room>();
    room->loop = &loop;
  }
  return *room;
}

void QueueStreams::listen(http::Exchange exchange, TicketRef ticket) {
  if (count_.fetch_add(1, std::memory_order_relaxed) >= max_listeners_) {
    count_.fetch_sub(1, std::memory_order_relaxed);
    return exchange.fail({ErrorCode::kOverloaded, "too many are listening already", kRetryWhenFullSeconds});
  }
  Loop* const loop = Loop::current();
  CHECK(loop != nullptr);
  service_.status(ticket,
                  [this, loop, ticket, exchange = std::move(exchange)](Result<TicketView> view) mutable {
                    if (!view) {
                      count_.fetch_sub(1, std::memory_order_relaxed);
                      return exchange.fail(view.error());
                    }
                    Listener listener{exchange.stream(), ticket};
                    if (!tell(listener, view)) {
                      listener.stream.close();
                      count_.fetch_sub(1, std::memory_order_relaxed);
                      return;
                    }
                    Room& room = room_of(*loop);
                    room.phases[room.next_phase].push_back(std::move(listener));
                    room.next_phase = (room.next_phase + 1) % room.phases.size();
                  });
}

void QueueStreams::visit(Room& room, std::size_t phase) {
  auto& listeners = room.phases[phase];
  // Only here, where no answer is awaited that counts on their order.
  if (room.being_looked_up[phase] != 0) return;
  std::erase_if(listeners, [this](Listener& listener) {
    if (!listener.stream.closed()) return false;
    listener.stream.close();
    count_.fetch_sub(1, std::memory_order_relaxed);
    return true;
  });
  for (std::size_t from = 0; from < listeners.size(); from += limits::kMaxLooksPerTask) {
    std::vector<TicketRef> tickets;
    const std::size_t to = std::min(from + limits::kMaxLooksPerTask, listeners.size());
    for (std::size_t i = from; i < to; ++i) tickets.push_back(listeners[i].ticket);
    ++room.being_looked_up[phase];
    service_.look(std::move(tickets),
                  [this, &room, phase, from](Result<std::vector<Result<TicketView>>> views) {
                    --room.being_looked_up[phase];
                    if (!views) return;  // refused for now: the next time
                    for (std::size_t i = 0; i < views->size(); ++i) {
                      Listener& listener = room.phases[phase][from + i];
                      if (!tell(listener, (*views)[i]))
                        listener.stream.close();  // and gone at the next visit
                    }
                  });
  }
}

bool QueueStreams::tell(Listener& listener, const Result<TicketView>& view) {
  if (listener.stream.closed()) return false;
  if (!view) {
    const bool left = view.error().code == ErrorCode::kTicketLeft;
    const bool expired = view.error().code == ErrorCode::kTicketExpired;
    if (!left && !expired) return false;  // it comes again and is told why
    std::string out;
    JsonWriter(out)
        .open_object()
        .member("status", left ? "LEFT" : "EXPIRED")
        .member("reason", view.error().message)
        .close_object();
    listener.stream.send(left ? "LEFT" : "EXPIRED", out, left ? "LEFT" : "EXPIRED");
    return false;
  }
  const std::string id = id_of(*view);
  const bool first = listener.told.empty();
  if (id == listener.told) return true;
  if (view->status == TicketStatus::kWaiting && listener.stream.unsent() > kEnoughUnsent) return true;
  std::string out;
  JsonWriter json(out);
  json.open_object();
  append_ticket(json, *view, {}, clock_.wall());
  json.close_object();
  listener.told = id;
  return listener.stream.send(view->status == TicketStatus::kWaiting ? "position" : name(view->status), out,
                              id, first ? limits::kQueueStreamRetryMs : 0);
}

}  // namespace spillway::waitroom
