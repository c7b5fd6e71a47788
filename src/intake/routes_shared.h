#pragma once

// Private to routes*.cc.

#include <utility>

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "intake/routes.h"

namespace spillway::intake {

/// A route of /admin that only reads: refuses whoever may not, then runs `handle(context, request,
/// exchange)`.
template <class Handle>
http::Handler for_readers(const RouteContext& context, Handle handle) {
  return [context, handle](const http::Request& request, http::Exchange exchange) {
    if (auto caller = context.gate.reader(request); !caller) return exchange.fail(caller.error());
    handle(context, request, std::move(exchange));
  };
}

/// A route of /admin that changes something: refuses whoever is no admin, then runs
/// `handle(context, request, actor, exchange)`.
template <class Handle>
http::Handler for_admins(const RouteContext& context, Handle handle) {
  return [context, handle](const http::Request& request, http::Exchange exchange) {
    auto caller = context.gate.admin(request);
    if (!caller) return exchange.fail(caller.error());
    handle(context, request, identity::actor_of(request, *caller), std::move(exchange));
  };
}

/// Replies with what `body(value)` makes of a good result.
template <class T, class Body>
Reply<T> answer(http::Exchange exchange, Body body) {
  return [exchange = std::move(exchange), body](Result<T> result) mutable {
    if (!result) return exchange.fail(result.error());
    exchange.reply(http::Response::json(200, body(*result)));
  };
}

/// The members of a query that ask for a page: `limit`, from 1 to limits::kMaxPage, and `cursor`.
Status read_page(const http::Request&, std::uint32_t& limit, std::string& cursor);
Result<std::optional<RequestStatus>> read_status(const http::Request&);
/// `whole`: with body, attempts and status log.
void append_detail(JsonWriter&, const RequestDetail&, bool whole);
std::string to_json(const RequestView&);
/// The answer to whoever reads his own request.
http::Response view_response(const RequestView&);
/// The members "attempts" and "statusLog".
void append_attempts(JsonWriter&, const std::vector<Attempt>&);
void append_status_log(JsonWriter&, const std::vector<StatusLogEntry>&);
void append_redrive(JsonWriter&, const RedriveView&);

/// The member "webhook" of an event; nothing when it has none.
void append_webhook(JsonWriter&, const Webhook&);
/// The member "webhook" of a request.
void append_webhook(JsonWriter&, const WebhookView&);
/// The member "webhook" of what is to be an event. What is wrong becomes the body's error.
std::optional<Webhook> read_webhook(const RouteContext&, JsonReader& body);

void add_search_routes(http::Router&, const RouteContext&);
void add_dead_letter_routes(http::Router&, const RouteContext&);
void add_webhook_routes(http::Router&, const RouteContext&);

}  // namespace spillway::intake
