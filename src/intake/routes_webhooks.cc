// HTTP <-> commands about webhooks.

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/text.h"
#include "intake/routes_shared.h"

namespace spillway::intake {
namespace {

using http::Exchange;
using http::Method;
using http::Request;

/// What the list and the story of a request have in common.
void append_state(JsonWriter& json, const WebhookView& w) {
  json.member("state", name(w.state)).member("attempts", w.attempts);
  if (w.last_status != 0) json.member("lastStatus", w.last_status);
  if (!w.last_reason.empty()) json.member("lastReason", w.last_reason);
  if (w.next_attempt_at) json.member("nextAttemptAt", w.next_attempt_at);
  if (w.ended_at) json.member("endedAt", w.ended_at);
}

std::string to_json(const WebhookPage& page) {
  std::string out;
  JsonWriter json(out);
  json.open_object().key("items").open_array();
  for (const WebhookView& w : page.items) {
    json.open_object().member("deliveryId", w.delivery_id).member("requestId", w.request_id);
    json.member("eventId", w.event_id).member("userId", w.user_id).member("status", name(w.status));
    json.member("resultCode", name(w.result_code)).member("createdAt", w.created_at);
    append_state(json, w);
    json.close_object();
  }
  json.close_array();
  if (!page.next_cursor.empty()) json.member("nextCursor", page.next_cursor);
  json.close_object();
  return out;
}

std::string to_json(const RedeliverResult& result) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("redelivered", result.redelivered).member("left", result.left).close_object();
  return out;
}

Result<ListWebhooks> read_list(const Request& request) {
  ListWebhooks command;
  if (auto event = request.query("eventId")) command.event_id = std::move(*event);
  if (const auto state = request.query("state"); state && !state->empty()) {
    command.state = parse_webhook_state(*state);
    if (!command.state) return invalid_argument("state must be one of PENDING DELIVERED GIVEN_UP");
  }
  if (Status page = read_page(request, command.limit, command.cursor); !page) return page.error();
  return command;
}

void list_webhooks(const RouteContext& context, const Request& request, Exchange exchange) {
  auto command = read_list(request);
  if (!command) return exchange.fail(command.error());
  context.service.list_webhooks(
      std::move(*command),
      answer<WebhookPage>(std::move(exchange), [](const auto& page) { return to_json(page); }));
}

void redeliver(const RouteContext& context, const Request& request, Actor actor, Exchange exchange) {
  JsonReader body(request.body());
  RedeliverWebhooks command{body.required_string("eventId", 1, limits::kMaxIdBytes), std::move(actor)};
  if (Status read = body.status(); !read) return exchange.fail(read.error());
  context.service.redeliver_webhooks(
      std::move(command),
      answer<RedeliverResult>(std::move(exchange), [](const auto& result) { return to_json(result); }));
}

}  // namespace

void append_webhook(JsonWriter& json, const Webhook& webhook) {
  if (webhook.url.empty()) return;
  json.key("webhook").open_object().member("url", webhook.url);
  if (!webhook.secret_name.empty()) json.member("secretName", webhook.secret_name);
  json.close_object();
}

void append_webhook(JsonWriter& json, const WebhookView& w) {
  json.key("webhook").open_object().member("deliveryId", w.delivery_id);
  append_state(json, w);
  json.close_object();
}

std::optional<Webhook> read_webhook(const RouteContext& context, JsonReader& body) {
  if (body.is_null("webhook")) return Webhook{};
  if (!body.has("webhook")) return std::nullopt;
  Webhook webhook;
  body.optional_object("webhook", [&](JsonReader& members) {
    webhook.url = members.required_string("url", 1, limits::kHttpUrlBytes);
    if (has_control_characters(webhook.url)) members.refuse("url must have no control characters");
    webhook.secret_name = members.optional_string("secretName", limits::kMaxIdBytes);
    if (!webhook.secret_name.empty() && !is_path_id(webhook.secret_name))
      members.refuse("secretName must be 1 to 128 of A-Z a-z 0-9 . _ ~ -");
  });
  if (body.status() && !webhook.url.empty()) {
    if (Status allowed = context.check_webhook(webhook); !allowed) body.refuse(allowed.error().message);
  }
  return webhook;
}

void add_webhook_routes(http::Router& router, const RouteContext& context) {
  router.add(Method::kGet, "/admin/webhooks", for_readers(context, list_webhooks));
  router.add(Method::kPost, "/admin/webhooks/redeliver", for_admins(context, redeliver));
}

}  // namespace spillway::intake
