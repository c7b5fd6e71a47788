#include <memory>

#include "base/json_reader.h"
#include "base/random.h"
#include "http/query_number.h"
#include "waitroom/routes_shared.h"

namespace spillway::waitroom {
namespace {

using http::Exchange;
using http::Method;
using http::Request;
using http::Response;

void append_concert(JsonWriter& json, const ConcertView& concert, Timestamp now) {
  const Settings& s = concert.settings;
  json.member("concertId", concert.concert_id).member("configured", concert.configured);
  json.member("health", health(concert, now));
  json.key("sizes").open_object().member("waiting", concert.waiting).member("absent", concert.absent);
  json.member("ready", concert.ready).member("active", concert.active);
  json.member("entered", concert.entered).close_object();
  json.key("ratesPerSecond").open_object().member("entered", concert.entered_per_second);
  json.member("admitted", concert.admitted_per_second).member("gone", concert.gone_per_second).close_object();
  json.member("oldestWaitSeconds", static_cast<double>(concert.oldest_wait_us) / kSecond);
  json.key("settings").open_object().member("maxActive", s.max_active);
  if (s.admit_per_second != 0) json.member("admitPerSecond", s.admit_per_second);
  json.member("readySeconds", s.ready_us / kSecond).member("activeSeconds", s.active_us / kSecond);
  json.member("idleExtends", s.idle_extends).member("mode", name(s.mode));
  if (s.opens_at) json.member("opensAt", s.opens_at);
  json.close_object().member("lottery", name(concert.draw));
}

std::string concert_json(const ConcertView& concert, Timestamp now) {
  return data_json([&](JsonWriter& json) {
    append_concert(json, concert, now);
    json.key("waitBoundsSeconds").open_array();
    for (const double bound : kWaitBounds) json.value(bound);
    json.close_array();
  });
}

Result<PutConcert> read_concert(const Request& request) {
  if (!is_concert_id(request.param(0))) {
    return invalid_argument("concertId must be 1 to 128 of A-Z a-z 0-9 . _ ~ -");
  }
  JsonReader body(request.body());
  PutConcert command;
  command.concert_id = request.param(0);
  Settings& s = command.settings;
  s.max_active = body.required_uint("maxActive", 0, limits::kMaxMaxActive);
  s.admit_per_second =
      static_cast<std::uint32_t>(body.optional_uint("admitPerSecond", 1, limits::kMaxAdmitRate, 0));
  const auto seconds = [&body](std::string_view member, Micros max, Micros fallback) {
    return static_cast<Micros>(body.optional_uint(member, 1, static_cast<std::uint64_t>(max / kSecond),
                                                  static_cast<std::uint64_t>(fallback / kSecond))) *
           kSecond;
  };
  s.ready_us = seconds("readySeconds", limits::kMaxReady, limits::kDefaultReady);
  s.active_us = seconds("activeSeconds", limits::kMaxActive, limits::kDefaultActive);
  s.idle_extends = body.optional_bool("idleExtends").value_or(false);
  const auto mode = parse_mode(body.optional_string("mode", 32, std::string(name(Mode::kFifo))));
  if (!mode) body.refuse("mode must be fifo, lottery, paused or open");
  s.opens_at = body.optional_time("opensAt");
  if (Status read = body.status(); !read) return read.error();
  s.mode = *mode;
  fill_random(command.seed.data(), command.seed.size());
  return command;
}

void put_concert(const RouteContext& c, const Request& request, Exchange exchange) {
  auto caller = c.gate.admin(request);
  if (!caller) return exchange.fail(caller.error());
  auto command = read_concert(request);
  if (!command) return exchange.fail(command.error());
  command->actor = identity::actor_of(request, *caller);
  c.service.put_concert(
      std::move(*command), [&c, exchange = std::move(exchange)](Result<ConcertView> view) mutable {
        if (!view) return exchange.fail(view.error());
        exchange.reply(Response::json(view->created ? 201 : 200, concert_json(*view, c.clock.wall())));
      });
}

void get_concert(const RouteContext& c, const Request& request, Exchange exchange) {
  if (auto caller = c.gate.reader(request); !caller) return exchange.fail(caller.error());
  c.service.get_concert(std::string(request.param(0)),
                        [&c, exchange = std::move(exchange)](Result<ConcertView> view) mutable {
                          if (!view) return exchange.fail(view.error());
                          exchange.reply(data_response(concert_json(*view, c.clock.wall())));
                        });
}

void list_concerts(const RouteContext& c, const Request& request, Exchange exchange) {
  if (auto caller = c.gate.reader(request); !caller) return exchange.fail(caller.error());
  ListConcerts query;
  if (Status read = http::read_number<std::uint32_t>(request, "limit", 1, limits::kMaxPage, query.limit);
      !read) {
    return exchange.fail(read.error());
  }
  query.cursor = request.query("cursor").value_or("");
  c.service.list_concerts(std::move(query),
                          [&c, exchange = std::move(exchange)](Result<ConcertPage> page) mutable {
                            if (!page) return exchange.fail(page.error());
                            exchange.reply(data_response(data_json([&](JsonWriter& json) {
                              json.key("items").open_array();
                              for (const ConcertView& concert : page->items) {
                                json.open_object();
                                append_concert(json, concert, c.clock.wall());
                                json.close_object();
                              }
                              json.close_array();
                              if (!page->next_cursor.empty()) json.member("nextCursor", page->next_cursor);
                            })));
                          });
}

std::string keys_json(const RouteContext& c) {
  return data_json([&](JsonWriter& json) {
    json.key("keys").open_array();
    for (const QueueKey* key : c.keys.all()) {
      json.open_object().member("kid", key->name()).member("createdAt", key->created);
      json.member("signing", key->id == c.keys.signing().id).close_object();
    }
    json.close_array();
  });
}

void get_keys(const RouteContext& c, const Request& request, Exchange exchange) {
  if (auto caller = c.gate.reader(request); !caller) return exchange.fail(caller.error());
  exchange.reply(data_response(keys_json(c)));
}

/// Writes and syncs a small file on the http thread: seldom enough.
void rotate_keys(const RouteContext& c, const Request& request, Exchange exchange) {
  auto caller = c.gate.admin(request);
  if (!caller) return exchange.fail(caller.error());
  // The file first: a ticket must never belong to a key that a crash takes away.
  auto made = c.keys.rotate(c.clock.wall());
  if (!made) return exchange.fail(made.error());
  c.service.take_key(*made, identity::actor_of(request, *caller),
                     [&c, exchange = std::move(exchange)](Result<Ok> done) mutable {
                       if (!done) return exchange.fail(done.error());
                       exchange.reply(data_response(keys_json(c)));
                     });
}

}  // namespace

std::string_view health(const ConcertView& concert, Timestamp now) {
  const Settings& s = concert.settings;
  if (s.mode == Mode::kPaused) return "PAUSED";
  if (s.mode != Mode::kOpen && s.opens_at > now) return "GATHERING";
  if (concert.draw == DrawState::kDrawn && !concert.order_ready) return "DRAWING";
  if (concert.waiting > 0 && concert.ready + concert.active >= s.max_active) return "FULL";
  return "OK";
}

void add_admin_routes(http::Router& router, const RouteContext& context) {
  auto shared = std::make_shared<const RouteContext>(context);
  const auto with = [&shared](auto handle) {
    return [shared, handle](const Request& request, Exchange exchange) {
      handle(*shared, request, std::move(exchange));
    };
  };
  router.add(Method::kGet, "/admin/queues/waitroom", with(list_concerts));
  router.add(Method::kPut, "/admin/queues/waitroom/{concertId}", with(put_concert));
  router.add(Method::kGet, "/admin/queues/waitroom/{concertId}", with(get_concert));
  router.add(Method::kGet, "/admin/queues/waitroom-keys", with(get_keys));
  router.add(Method::kPost, "/admin/queues/waitroom-keys/rotate", with(rotate_keys));
}

}  // namespace spillway::waitroom
