#include "app/waitroom_live.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/json_writer.h"
#include "base/limits.h"
#include "ops/live_series.h"
#include "waitroom/routes.h"

namespace spillway::app {
namespace {

using waitroom::ConcertView;

std::uint64_t people_in(const ConcertView& concert) {
  return concert.waiting + concert.ready + concert.active;
}

/// `before`: what to count from, or null when there is nothing to compare with.
std::string point(Timestamp at, const ConcertView& now, const ConcertView* before) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("at", at).member("health", waitroom::health(now, at));
  json.member("mode", waitroom::name(now.settings.mode)).member("maxActive", now.settings.max_active);
  json.member("waiting", now.waiting).member("absent", now.absent);
  json.member("ready", now.ready).member("active", now.active);
  json.member("oldestWaitSeconds", static_cast<double>(now.oldest_wait_us) / kSecond);
  const auto counted = [&](std::string_view name, std::uint64_t ConcertView::*count) {
    json.key(name);
    before != nullptr ? json.value(now.*count - before->*count) : json.raw("null");
  };
  counted("entered", &ConcertView::all_entered);
  counted("admitted", &ConcertView::all_admitted);
  counted("gone", &ConcertView::all_gone);
  json.key("waits");
  if (before == nullptr) {
    json.raw("null");
  } else {
    json.open_array();
    for (std::size_t i = 0; i < now.waits.size(); ++i) {
      json.value(static_cast<std::uint32_t>(now.waits[i] - before->waits[i]));
    }
    json.close_array();
  }
  json.close_object();
  return out;
}

/// A second of which nothing is known.
std::string empty_point(Timestamp at) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("at", at);
  for (const char* name : {"health", "mode", "maxActive", "waiting", "absent", "ready", "active",
                           "oldestWaitSeconds", "entered", "admitted", "gone", "waits"}) {
    json.key(name).raw("null");
  }
  json.close_object();
  return out;
}

}  // namespace

WaitroomLive::WaitroomLive(const Clock& clock, waitroom::Service& service)
    : clock_(clock), service_(service) {
  for (std::size_t i = 0; i < limits::kLiveConcerts; ++i) places_.push_back(std::make_unique<Place>(clock));
}

void WaitroomLive::listen(http::Exchange exchange, std::string concert_id, std::string bearer,
                          const identity::Gate& gate) {
  service_.get_concert(concert_id, [this, concert_id, bearer = std::move(bearer), &gate,
                                    exchange = std::move(exchange)](Result<ConcertView> view) mutable {
    if (!view) return exchange.fail(view.error());
    const std::lock_guard lock(mutex_);  // until it listens: then nobody takes the place away
    Place* place = place_of(concert_id);
    if (place == nullptr) place = take(*view, std::numeric_limits<std::uint64_t>::max());
    if (place == nullptr) {
      return exchange.fail({ErrorCode::kOverloaded, "too many concerts are being watched", 10});
    }
    place->feed.listen(std::move(exchange), std::move(bearer), gate);
  });
}

void WaitroomLive::tick() {
  ++ticks_;
  struct Question {
    Place* place;
    std::uint64_t generation;
    std::string concert_id;
  };
  std::vector<Question> questions;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& place : places_) {
      if (place->concert_id.empty()) continue;
      close_second(*place);
      place->open = true;
      place->at = clock_.wall();
      if (std::exchange(place->asked, true)) continue;
      questions.push_back({place.get(), place->generation, place->concert_id});
    }
  }
  // Not under the mutex: an answer may come before the call returns.
  for (const Question& question : questions) ask(*question.place, question.generation, question.concert_id);
  look_for_busy();
}

void WaitroomLive::serve() {
  for (const auto& place : places_) place->feed.serve();
}

bool WaitroomLive::behind() const {
  return std::any_of(places_.begin(), places_.end(), [](const auto& place) { return place->feed.behind(); });
}

WaitroomLive::Place* WaitroomLive::place_of(const std::string& concert_id) {
  const auto found = std::find_if(places_.begin(), places_.end(),
                                  [&](const auto& place) { return place->concert_id == concert_id; });
  return found == places_.end() ? nullptr : found->get();
}

WaitroomLive::Place* WaitroomLive::take(const ConcertView& concert, std::uint64_t people) {
  Place* quietest = nullptr;
  for (const auto& place : places_) {
    const bool free = place->concert_id.empty();
    if (!free && (place->feed.listeners() > 0 || place->people >= people)) continue;
    if (quietest == nullptr || free || place->people < quietest->people) quietest = place.get();
    if (free) break;
  }
  if (quietest == nullptr) return nullptr;
  quietest->concert_id = concert.concert_id;
  ++quietest->generation;
  quietest->people = people_in(concert);
  quietest->asked = quietest->open = false;
  quietest->last.reset();
  quietest->feed.clear();
  return quietest;
}

void WaitroomLive::close_second(Place& place) {
  if (std::exchange(place.open, false)) place.feed.publish(empty_point(place.at));
}

void WaitroomLive::ask(Place& place, std::uint64_t generation, const std::string& concert_id) {
  ++in_works_;
  service_.get_concert(concert_id,
                       [this, &place, generation, tick = ticks_](const Result<ConcertView>& view) {
                         --in_works_;
                         answered(place, generation, tick, view);
                       });
}

void WaitroomLive::answered(Place& place, std::uint64_t generation, std::uint64_t tick,
                            const Result<ConcertView>& view) {
  const std::lock_guard lock(mutex_);
  if (place.generation != generation) return;  // another concert has the place by now
  place.asked = false;
  const Micros now = clock_.steady_us();
  if (tick == ticks_ && std::exchange(place.open, false)) {
    const bool known = place.last && ops::about_a_second(place.last_us, now);
    place.feed.publish(view ? point(place.at, *view, known ? &*place.last : nullptr) : empty_point(place.at));
  }
  place.people = view ? people_in(*view) : 0;
  place.last = view ? std::optional(*view) : std::nullopt;
  place.last_us = now;
}

void WaitroomLive::look_for_busy() {
  if (std::exchange(looking_, true)) return;
  ++in_works_;
  service_.list_concerts({limits::kLiveConcertsLookedAt, cursor_},
                         [this](Result<waitroom::ConcertPage> page) {
                           --in_works_;
                           looking_ = false;
                           cursor_ = page ? page->next_cursor : "";
                           if (!page) return;
                           const std::lock_guard lock(mutex_);
                           for (const ConcertView& concert : page->items) {
                             const std::uint64_t people = people_in(concert);
                             // Another one only gives way to twice as many: what was kept of it is lost.
                             if (people > 0 && place_of(concert.concert_id) == nullptr)
                               take(concert, (people + 1) / 2);
                           }
                         });
}

void add_waitroom_live_routes(http::Router& router, WaitroomLive& live, const identity::Gate& gate) {
  router.add(http::Method::kGet, "/admin/queues/waitroom/{concertId}/live",
             [&live, &gate](const http::Request& request, http::Exchange exchange) {
               if (auto caller = gate.reader(request); !caller) return exchange.fail(caller.error());
               live.listen(std::move(exchange), std::string(request.param(0)), std::string(request.bearer()),
                           gate);
             });
}

}  // namespace spillway::app
