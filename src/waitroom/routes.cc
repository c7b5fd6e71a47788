#include "waitroom/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/json_reader.h"
#include "base/limits.h"
#include "base/rfc3339.h"
#include "base/text.h"
#include "waitroom/pacing.h"
#include "waitroom/routes_shared.h"

namespace spillway::waitroom {
namespace {

using http::Exchange;
using http::Method;
using http::Request;
using http::Response;

constexpr std::string_view kTokenCookie = "queue_token";

/// In the key that it was signed with; whoever's key was taken out of force is given one of the new key.
const QueueKey& key_for(const QueueKeys& keys, std::uint8_t id) {
  const QueueKey* key = keys.find(id);
  return key == nullptr ? keys.signing() : *key;
}

/// Whose place is asked for: under open login whom the body names, else whom the access token names.
Result<Enter> read_enter(const RouteContext& c, const Request& request) {
  JsonReader body(request.body());
  Enter command;
  command.concert_id = body.required_string("concertId", 1, limits::kMaxIdBytes);
  const bool open = c.identity == identity::Mode::kOpen;
  command.user_id = open ? body.required_string("userId", 1, limits::kMaxIdBytes)
                         : body.optional_string("userId", limits::kMaxIdBytes);
  if (!is_concert_id(command.concert_id)) {
    body.refuse("concertId must be 1 to 128 of A-Z a-z 0-9 . _ ~ -");
  }
  if (!command.user_id.empty() && !is_user_id(command.user_id)) {
    body.refuse("userId must have no control characters");
  }
  if (open) {
    if (Status read = body.status(); !read) return read.error();
    return command;
  }
  auto caller = c.gate.caller(request);
  if (!caller) return caller.error();
  if (Status read = body.status(); !read) return read.error();
  if (!command.user_id.empty() && command.user_id != caller->user_id) {
    return Error{ErrorCode::kForbidden, "userId is another than the access token's"};
  }
  command.user_id = std::move(caller->user_id);
  return command;
}

void enter(const RouteContext& c, const Request& request, Exchange exchange) {
  auto command = read_enter(c, request);
  if (!command) return exchange.fail(command.error());
  std::string user = command->user_id;
  c.service.enter(std::move(*command), [&c, user = std::move(user),
                                        exchange = std::move(exchange)](Result<TicketView> view) mutable {
    if (!view) return exchange.fail(view.error());
    exchange.reply(ticket_response(*view, token_for(c.keys, *view, user), view->at));
  });
}

void status(const RouteContext& c, const Request& request, Exchange exchange) {
  auto token = token_of(c, request);
  if (!token) return exchange.fail(token.error());
  const TicketRef ticket = token->ticket;
  c.service.status(ticket, [&c, text = std::string(request.header("X-Queue-Token")),
                            exchange = std::move(exchange)](Result<TicketView> view) mutable {
    if (!view) return exchange.fail(view.error());
    exchange.reply(ticket_response(*view, text, view->at));
  });
}

void stream(const RouteContext& c, const Request& request, Exchange exchange) {
  auto token = token_of(c, request, true);
  if (!token) return exchange.fail(token.error());
  c.streams.listen(std::move(exchange), token->ticket);
}

/// What other systems check offline: that this person is in, and until when.
std::string entry_pass(const RouteContext& c, const TicketDetail& detail, const QueueToken& token,
                       Timestamp now) {
  std::string claims;
  JsonWriter json(claims);
  json.open_object().member("iss", "spillway").member("aud", detail.concert_id).member("sub", token.user_id);
  json.member("jti", fmt::format("{}-{}", token.ticket.concert, token.ticket.number));
  json.member("iat", now.us / kSecond).member("exp", detail.view.until.us / kSecond).close_object();
  return make_statement(c.keys.signing(), "spillway-pass+jwt", claims);
}

void activate(const RouteContext& c, const Request& request, Exchange exchange) {
  auto token = token_of(c, request);
  if (!token) return exchange.fail(token.error());
  const TicketRef ticket = token->ticket;
  c.service.activate(ticket,
                     [&c, token = std::move(*token), text = std::string(request.header("X-Queue-Token")),
                      exchange = std::move(exchange)](Result<TicketDetail> detail) mutable {
                       if (!detail) return exchange.fail(detail.error());
                       const Timestamp now = c.clock.wall();
                       exchange.reply(data_response(data_json([&](JsonWriter& json) {
                         append_ticket(json, detail->view, text, now);
                         json.member("entryPass", entry_pass(c, *detail, token, now));
                       })));
                     });
}

void leave(const RouteContext& c, const Request& request, Exchange exchange) {
  auto token = token_of(c, request);
  if (!token) {
    if (token.error().code != ErrorCode::kTicketExpired) return exchange.fail(token.error());
    return exchange.reply(data_response(R"({"data":{"status":"EXPIRED"}})"));  // its place went with it
  }
  c.service.leave(token->ticket, [exchange = std::move(exchange)](Result<Ok> done) mutable {
    if (!done) return exchange.fail(done.error());
    exchange.reply(data_response(R"({"data":{"status":"LEFT"}})"));
  });
}

/// What is asked of authorize, beside the token.
struct Door {
  std::string concert;    ///< empty: any will do
  std::string returns{};  ///< where the visitor wanted to go, as the proxy in front was asked for it
};

Door door_of(const Request& request) {
  Door door{request.query("concertId").value_or("")};
  door.returns = checked_return(request.header("X-Forwarded-Uri"));
  return door;
}

/// For nginx's auth_request, which knows 2xx, 401 and 403 alone.
void refuse_entry(const Door& door, Exchange& exchange, std::string_view reason) {
  Response response =
      http::problem({ErrorCode::kNotAdmitted, fmt::format("reason: {}", reason)}, "/api/v1/queue/authorize");
  response.headers.push_back({"X-Queue-Reason", std::string(reason)});
  if (is_concert_id(door.concert)) {
    // Here because a proxy cannot write one address into another's query.
    std::string waits = fmt::format("/wait/{}", door.concert);
    if (!door.returns.empty()) percent_encode(waits.append("?return="), door.returns);
    response.headers.push_back({"X-Queue-Wait", std::move(waits)});
  }
  response.no_store = true;
  exchange.reply(std::move(response));
}

void authorize(const RouteContext& c, const Request& request, Exchange exchange) {
  Door door = door_of(request);
  auto token = token_of(c, request, true);
  if (!token) {
    const bool expired = token.error().code == ErrorCode::kTicketExpired;
    return refuse_entry(door, exchange, expired ? "EXPIRED" : "NO_VALID_TOKEN");
  }
  const TicketRef ticket = token->ticket;
  c.service.detail(
      ticket, [door = std::move(door), exchange = std::move(exchange)](Result<TicketDetail> detail) mutable {
        if (!detail) {
          const ErrorCode code = detail.error().code;
          if (code == ErrorCode::kTicketExpired) return refuse_entry(door, exchange, "EXPIRED");
          if (code == ErrorCode::kNotFound) return refuse_entry(door, exchange, "NO_VALID_TOKEN");
          return exchange.fail(detail.error());
        }
        if (!door.concert.empty() && door.concert != detail->concert_id) {
          return refuse_entry(door, exchange, "ANOTHER_CONCERT");
        }
        if (detail->view.status != TicketStatus::kActive) {
          return refuse_entry(door, exchange, name(detail->view.status));
        }
        Response response;
        response.status = 204;
        response.no_store = true;
        exchange.reply(std::move(response));
      });
}

void receipt(const RouteContext& c, const Request& request, Exchange exchange) {
  auto token = token_of(c, request);
  if (!token) return exchange.fail(token.error());
  const TicketRef ticket = token->ticket;
  c.service.detail(ticket, [&c, token = std::move(*token),
                            exchange = std::move(exchange)](Result<TicketDetail> detail) mutable {
    if (!detail) return exchange.fail(detail.error());
    const Timestamp at = detail->view.entered_at;
    std::string claims;
    JsonWriter(claims)
        .open_object()
        .member("iss", "spillway")
        .member("sub", token.user_id)
        .member("concertId", detail->concert_id)
        .member("arrivalNumber", token.ticket.number)
        .member("arrivedAt", at)
        .member("iat", at.us / kSecond)
        .close_object();
    // In the key of its ticket, so that whoever asks again is given the same statement.
    const std::string signed_text =
        make_statement(key_for(c.keys, detail->view.key), "spillway-receipt+jwt", claims);
    exchange.reply(data_response(data_json([&](JsonWriter& json) {
      json.member("concertId", detail->concert_id).member("arrivalNumber", token.ticket.number);
      json.member("arrivedAt", at).member("receipt", signed_text);
    })));
  });
}

void lottery(const RouteContext& c, const Request& request, Exchange exchange) {
  c.service.lottery(std::string(request.param(0)),
                    [exchange = std::move(exchange)](Result<LotteryView> found) mutable {
                      if (!found) return exchange.fail(found.error());
                      const auto text = [](const auto& bytes) {
                        return hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
                      };
                      exchange.reply(data_response(data_json([&](JsonWriter& json) {
                        json.member("concertId", found->concert_id).member("state", name(found->state));
                        json.member("commitment", text(found->commitment));
                        if (found->opens_at) json.member("opensAt", found->opens_at);
                        if (found->state != DrawState::kDrawn) return;
                        json.member("seed", text(found->seed)).member("gathered", found->gathered);
                        json.member("orderReady", found->order_ready);
                      })));
                    });
}

}  // namespace

std::string_view checked_return(std::string_view path) {
  if (path.size() > limits::kMaxReturnBytes || !path.starts_with('/') || path.starts_with("//")) return {};
  // Browsers read a backslash as a slash, and drop tabs and line breaks.
  const bool plain =
      std::all_of(path.begin(), path.end(), [](char c) { return c > ' ' && c < 0x7f && c != '\\'; });
  return plain ? path : std::string_view();
}

std::string token_for(const QueueKeys& keys, const TicketView& view, std::string_view user_id) {
  return make_token(key_for(keys, view.key), view.ref, view.entered_at, user_id);
}

Response ticket_response(const TicketView& view, std::string_view token, Timestamp now) {
  return data_response(data_json([&](JsonWriter& json) { append_ticket(json, view, token, now); }));
}

Response data_response(std::string body) {
  Response response = Response::json(200, std::move(body));
  response.no_store = true;
  return response;
}

void append_ticket(JsonWriter& json, const TicketView& view, std::string_view token, Timestamp now) {
  if (!token.empty()) json.member("token", token);
  json.member("status", name(view.status));
  const bool waits = view.status == TicketStatus::kWaiting;
  if (waits && !view.position) {
    json.key("position").raw("null").key("ahead").raw("null");
  } else {
    json.member("position", waits ? *view.position : 0).member("ahead", waits ? *view.position - 1 : 0);
  }
  json.member("totalWaiting", view.total_waiting).key("estimatedWaitSeconds");
  if (const auto range = estimated_wait(view, now)) {
    json.open_object().member("low", range->low_s).member("high", range->high_s).close_object();
  } else {
    json.raw("null");
  }
  json.member("pollAfterMs", poll_after_ms(view, now));
  if (view.opens_at) json.member("opensAt", view.opens_at);
  if (view.paused) json.member("paused", true);
  if (view.status == TicketStatus::kReady) json.member("activateBy", view.until);
  if (view.status == TicketStatus::kActive) json.member("expiresAt", view.until);
}

Result<QueueToken> token_of(const RouteContext& c, const Request& request, bool anywhere) {
  std::string_view text = request.header("X-Queue-Token");
  std::optional<std::string> given;
  if (anywhere && text.empty()) {
    given = request.query("token");
    text = given ? std::string_view(*given) : http::cookie(request.header("Cookie"), kTokenCookie);
  }
  if (text.empty()) return Error{ErrorCode::kQueueTokenInvalid, "X-Queue-Token is missing"};
  return verify_token(c.keys, text, request.arrived());
}

void add_routes(http::Router& router, RouteContext context) {
  auto shared = std::make_shared<const RouteContext>(context);
  const auto with = [&shared](auto handle) {
    return [shared, handle](const Request& request, Exchange exchange) {
      handle(*shared, request, std::move(exchange));
    };
  };
  router.add(Method::kPost, "/api/v1/queue/enter", with(enter));
  router.add(Method::kGet, "/api/v1/queue/status", with(status));
  router.add(Method::kGet, "/api/v1/queue/stream", with(stream));
  router.add(Method::kPost, "/api/v1/queue/activate", with(activate));
  router.add(Method::kDelete, "/api/v1/queue/token", with(leave));
  router.add(Method::kDelete, "/api/v1/queue/remove", with(leave));
  router.add(Method::kGet, "/api/v1/queue/authorize", with(authorize));
  router.add(Method::kGet, "/api/v1/queue/receipt", with(receipt));
  router.add(Method::kGet, "/api/v1/queue/lottery/{concertId}", with(lottery));
  router.add(
      Method::kGet, "/api/v1/queue/keys", with([](const RouteContext& c, const Request&, Exchange exchange) {
        const std::string keys = public_keys_json(c.keys);
        // As every answer here, and as the JSON Web Key Set that libraries look for.
        exchange.reply(Response::json(200, fmt::format(R"({{"data":{{"keys":{0}}},"keys":{0}}})", keys)));
      }));
  add_admin_routes(router, *shared);
}

}  // namespace spillway::waitroom
