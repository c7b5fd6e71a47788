#pragma once

// Private to routes*.cc.

#include <string>
#include <string_view>
#include <utility>

#include "base/json_writer.h"
#include "waitroom/queue_token.h"
#include "waitroom/routes.h"

namespace spillway::waitroom {

/// {"data": what `fill` writes as members}
template <class F>
std::string data_json(F&& fill) {
  std::string out;
  out.reserve(384);  // one allocation: this is the reply of the most frequent calls
  JsonWriter json(out);
  json.open_object().key("data").open_object();
  fill(json);
  json.close_object().close_object();
  return out;
}
/// Of a 200 that nobody may keep.
http::Response data_response(std::string body);

/// The members that every answer about a ticket has. `token` may be empty: then it is not told.
void append_ticket(JsonWriter&, const TicketView&, std::string_view token, Timestamp now);

/// The queue token of a request: of its X-Queue-Token, or, where `anywhere`, else of `?token=` or of the
/// cookie `queue_token`. queue_token_invalid: none, or one that is no good; ticket_expired.
Result<QueueToken> token_of(const RouteContext&, const http::Request&, bool anywhere = false);

void add_admin_routes(http::Router&, const RouteContext&);

}  // namespace spillway::waitroom
