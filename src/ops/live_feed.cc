#include "ops/live_feed.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace spillway::ops {

/// Goes to a loop and serves its listeners there.
class LiveFeed::Visit final : public Node {
 public:
  Visit(LiveFeed& feed, Room& room) : feed_(feed), room_(room) {}
  void finish() override {
    feed_.serve_room(room_);
    delete this;
  }

 private:
  LiveFeed& feed_;
  Room& room_;
};

LiveFeed::~LiveFeed() = default;

void LiveFeed::listen(http::Exchange exchange, std::string bearer, const identity::Gate& gate) {
  if (count_.fetch_add(1, std::memory_order_relaxed) >= max_listeners_) {
    count_.fetch_sub(1, std::memory_order_relaxed);
    return exchange.fail({ErrorCode::kOverloaded, "too many are listening already", 10});
  }
  Loop* const loop = Loop::current();
  CHECK(loop != nullptr && loop->index() < rooms_.size());
  Room* room = nullptr;
  Listener listener;
  {
    const std::lock_guard lock(mutex_);
    auto& place = rooms_[loop->index()];
    if (place == nullptr) {
      place = std::make_unique<Room>();
      place->loop = loop;
    }
    room = place.get();
    listener.next = first_;
  }
  listener.stream = exchange.stream();
  listener.bearer = std::move(bearer);
  listener.gate = &gate;
  listener.checked_us = clock_.steady_us();
  behind_.fetch_add(1, std::memory_order_relaxed);
  room->listeners.push_back(std::move(listener));
  serve_room(*room);
}

void LiveFeed::clear() {
  const std::lock_guard lock(mutex_);
  first_ += points_.size();
  points_.clear();
}

void LiveFeed::publish(std::string point) {
  {
    const std::lock_guard lock(mutex_);
    points_.push_back(std::make_shared<const std::string>(std::move(point)));
    if (points_.size() > limits::kLivePoints) {
      points_.pop_front();
      ++first_;
    }
  }
  serve();
}

void LiveFeed::serve() {
  if (listeners() == 0) return;
  const std::lock_guard lock(mutex_);
  for (const auto& room : rooms_) {
    if (room == nullptr) continue;
    NodeList nodes;
    nodes.push(new Visit(*this, *room));
    room->loop->deliver(std::move(nodes));
  }
}

void LiveFeed::serve_room(Room& room) {
  std::erase_if(room.listeners, [this](Listener& listener) {
    const bool was_behind = listener.in_history;
    const bool over = !advance(listener);
    if (was_behind && (over || !listener.in_history)) behind_.fetch_sub(1, std::memory_order_relaxed);
    if (over) {
      listener.stream.close();
      count_.fetch_sub(1, std::memory_order_relaxed);
    }
    return over;
  });
}

bool LiveFeed::advance(Listener& listener) {
  if (listener.stream.closed()) return false;
  if (const Micros now = clock_.steady_us(); now - listener.checked_us >= limits::kLiveTokenCheckEvery) {
    listener.checked_us = now;
    const auto caller = listener.gate->caller_of(listener.bearer);
    if (!caller || caller->role == identity::Role::kUser) return false;
  }
  // History comes as fast as the link takes it; only the new, a point a second, is what a peer must keep up
  // with.
  if (listener.in_history && listener.stream.unsent() > limits::kLivePieceBytes) return true;
  bool last = true;
  const std::vector<Text> points = points_from(listener.next, last);
  if (!listener.in_history) {
    return std::all_of(points.begin(), points.end(),
                       [&](const Text& text) { return listener.stream.send("point", *text); });
  }
  std::string history = R"({"points":[)";
  for (const Text& text : points) history.append(text == points.front() ? "" : ",").append(*text);
  history.append(last ? R"(],"last":true})" : R"(],"last":false})");
  listener.in_history = !last;
  return listener.stream.send("history", history);
}

std::vector<LiveFeed::Text> LiveFeed::points_from(std::uint64_t& next, bool& last) {
  const std::lock_guard lock(mutex_);
  std::vector<Text> found;
  next = std::max(next, first_);  // one that was left behind for longer than points are kept goes on there
  std::size_t bytes = 0;
  while (next - first_ < points_.size() && bytes < limits::kLivePieceBytes) {
    found.push_back(points_[next - first_]);
    bytes += found.back()->size();
    ++next;
  }
  last = next - first_ == points_.size();
  return found;
}

void add_live_routes(http::Router& router, LiveFeed& feed, const identity::Gate& gate) {
  router.add(http::Method::kGet, "/admin/live",
             [&feed, &gate](const http::Request& request, http::Exchange exchange) {
               if (auto caller = gate.reader(request); !caller) return exchange.fail(caller.error());
               feed.listen(std::move(exchange), std::string(request.bearer()), gate);
             });
}

}  // namespace spillway::ops
