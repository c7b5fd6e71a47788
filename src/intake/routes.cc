#include "intake/routes.h"

#include <charconv>
#include <memory>

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/text.h"
#include "intake/routes_held.h"
#include "intake/routes_shared.h"

namespace spillway::intake {
namespace {

using http::Exchange;
using http::Method;
using http::Request;
using http::Response;

constexpr int kPollAgainSeconds = 1;

// ---- What is answered -------------------------------------------------------------------------------------

void append_view(JsonWriter& json, const RequestView& view) {
  json.member("requestId", view.request_id)
      .member("eventId", view.event_id)
      .member("status", name(view.status));
  if (view.result_code != ResultCode::kNone) json.member("resultCode", name(view.result_code));
  if (view.position) json.member("position", *view.position);
  json.member("queuedAt", view.queued_at);
  if (view.started_at) json.member("startedAt", view.started_at);
  if (view.finished_at) json.member("finishedAt", view.finished_at);
}

std::string to_json(const RequestDetail& detail) {
  std::string out;
  JsonWriter json(out);
  append_detail(json, detail, true);
  return out;
}

void append_event(JsonWriter& json, const EventView& event) {
  json.open_object().member("eventId", event.event_id).member("title", event.title);
  json.member("capacityTotal", event.capacity_total).member("capacityRemaining", event.capacity_remaining);
  json.member("taken", event.taken());
  if (event.opens_at) json.member("opensAt", event.opens_at);
  if (event.closes_at) json.member("closesAt", event.closes_at);
  json.member("policy", name(event.policy)).member("work", name(event.work));
  append_webhook(json, event.webhook);
  json.member("state", name(event.phase)).close_object();
}

std::string to_json(const EventView& event) {
  std::string out;
  JsonWriter json(out);
  append_event(json, event);
  return out;
}

std::string to_json(const EventPage& page) {
  std::string out;
  JsonWriter json(out);
  json.open_object().key("items").open_array();
  for (const EventView& event : page.items) append_event(json, event);
  json.close_array();
  if (!page.next_cursor.empty()) json.member("nextCursor", page.next_cursor);
  json.close_object();
  return out;
}

std::string to_json(const RequestPage& page) {
  std::string out;
  JsonWriter json(out);
  json.open_object().key("counts").open_object();
  const std::uint64_t counts[] = {page.counts.received,  page.counts.queued,   page.counts.processing,
                                  page.counts.succeeded, page.counts.rejected, page.counts.failed_final};
  for (std::size_t i = 0; i < kAllStatuses.size(); ++i) json.member(name(kAllStatuses[i]), counts[i]);
  json.close_object().key("items").open_array();
  for (const RequestDetail& item : page.items) append_detail(json, item, false);
  json.close_array();
  if (!page.next_cursor.empty()) json.member("nextCursor", page.next_cursor);
  json.close_object();
  return out;
}

std::string to_json(const QueueStats& queue, std::size_t workers) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("visible", queue.visible).member("inFlight", queue.in_flight);
  json.member("delayed", queue.delayed);
  json.member("oldestAgeSeconds", static_cast<double>(queue.oldest_age_us) / kSecond);
  json.member("deadLetters", queue.dead_letters).key("workers").open_object();
  json.member("running", queue.paused ? 0 : workers).member("paused", queue.paused ? workers : 0);
  json.close_object().key("redrive");
  if (queue.redrive) {
    append_redrive(json, *queue.redrive);
  } else {
    json.raw("null");
  }
  json.close_object();
  return out;
}

// ---- What is asked ----------------------------------------------------------------------------------------

/// "20s", "1500ms" or "20" (seconds); at most limits::kMaxWait.
Result<Micros> parse_wait(std::string_view text) {
  const Error bad = invalid_argument("wait must be a time from 0s to 30s, as 20s or 1500ms");
  std::int64_t amount = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), amount);
  const std::string_view unit(end, text.data() + text.size() - end);
  if (failed != std::errc() || amount < 0 || amount > limits::kMaxWait) return bad;
  if (unit == "ms") {
    amount *= kMillisecond;
  } else if (unit == "s" || unit.empty()) {
    amount *= kSecond;
  } else {
    return bad;
  }
  if (amount > limits::kMaxWait) return bad;
  return amount;
}

/// `application/json`, with parameters or without.
bool is_json(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.ends_with(' ') || content_type.ends_with('\t')) content_type.remove_suffix(1);
  constexpr std::string_view kJson = "application/json";
  return std::equal(content_type.begin(), content_type.end(), kJson.begin(), kJson.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; });
}

Status check_body(const Request& request) {
  if (request.body().empty()) return Ok{};
  if (!is_json(request.header("Content-Type"))) {
    return Error{ErrorCode::kUnsupportedMediaType, "a body must come with Content-Type: application/json"};
  }
  return check_json(request.body());
}

Result<PutEvent> read_event(const RouteContext& context, const Request& request) {
  if (!is_path_id(request.param(0)))
    return invalid_argument("eventId must be 1 to 128 of A-Z a-z 0-9 . _ ~ -");
  JsonReader body(request.body());
  PutEvent command;
  command.event_id = request.param(0);
  command.title = body.required_string("title", 1, limits::kMaxTitleBytes);
  if (has_control_characters(command.title)) body.refuse("title must have no control characters");
  command.capacity_total = body.required_uint("capacityTotal", 0, limits::kMaxCapacity);
  command.opens_at = body.optional_time("opensAt");
  command.closes_at = body.optional_time("closesAt");
  const auto policy = parse_policy(body.optional_string("policy", 32, std::string(name(Policy::kFirstCome))));
  if (!policy) body.refuse("policy must be FIRST_COME");
  const std::string work = body.optional_string("work", 32, "");
  command.work = parse_work(work);
  if (!work.empty() && !command.work) body.refuse("work must be capacity or http");
  if (command.work == WorkKind::kHttp && !context.has_http_work) {
    body.refuse("work cannot be http: this server was started without --work-url");
  }
  command.webhook = read_webhook(context, body);
  if (Status read = body.status(); !read) return read.error();
  command.policy = *policy;
  return command;
}

Result<ListRequests> read_list(const Request& request) {
  ListRequests command;
  command.event_id = request.param(0);
  auto status = read_status(request);
  if (!status) return status.error();
  command.status = *status;
  if (Status page = read_page(request, command.limit, command.cursor); !page) return page.error();
  return command;
}

// ---- For people -------------------------------------------------------------------------------------------

void participate(const RouteContext& context, const Request& request, Exchange exchange) {
  auto caller = context.gate.uncounted_caller(request);
  if (!caller) return exchange.fail(caller.error());
  // Who repeats himself gets the answer that he had before, however often: only what is new is limited.
  const bool only_repeat = !request.count_for(caller->user_id).ok();
  if (Status body = check_body(request); !body) return exchange.fail(body.error());
  Participate command{std::string(request.param(0)), std::move(caller->user_id), std::string(request.body()),
                      only_repeat};
  context.service.participate(
      std::move(command), [exchange = std::move(exchange)](Result<Participation> taken) mutable {
        if (!taken) return exchange.fail(taken.error());
        Response response;
        response.status = 202;
        response.content_type = "application/json";
        response.location.reserve(64);
        response.location.append("/requests/").append(taken->request_id);
        response.retry_after_s = kPollAgainSeconds;
        response.body.reserve(64);
        response.body.append(R"({"requestId":")").append(taken->request_id).append(R"("})");
        exchange.reply(std::move(response));
      });
}

AskRequest asks(const RouteContext& context) {
  return [&service = context.service](GetRequest command, Reply<RequestView> reply) {
    service.get_request(std::move(command), std::move(reply));
  };
}

void get_request(const RouteContext& context, const Request& request, Exchange exchange) {
  auto caller = context.gate.caller(request);
  if (!caller) return exchange.fail(caller.error());
  GetRequest command{std::string(request.param(0)), caller->user_id, 0, {}};
  if (const auto wait = request.query("wait")) {
    const auto parsed = parse_wait(*wait);
    if (!parsed) return exchange.fail(parsed.error());
    command.wait_us = *parsed;
  }
  if (command.wait_us > 0) {
    return hold_view(context.gate, asks(context), std::move(*caller), std::move(command),
                     std::move(exchange));
  }
  context.service.get_request(std::move(command),
                              [exchange = std::move(exchange)](Result<RequestView> view) mutable {
                                if (!view) return exchange.fail(view.error());
                                exchange.reply(view_response(*view));
                              });
}

void stream_request(const RouteContext& context, const Request& request, Exchange exchange) {
  auto caller = context.gate.caller(request);
  if (!caller) return exchange.fail(caller.error());
  GetRequest command{std::string(request.param(0)), caller->user_id, 0, {}};
  stream_view(context.gate, asks(context), std::move(*caller), std::move(command), std::move(exchange));
}

// ---- For operators ----------------------------------------------------------------------------------------

void put_event(const RouteContext& context, const Request& request, Actor actor, Exchange exchange) {
  auto command = read_event(context, request);
  if (!command) return exchange.fail(command.error());
  command->actor = std::move(actor);
  context.service.put_event(std::move(*command),
                            [exchange = std::move(exchange)](Result<EventView> event) mutable {
                              if (!event) return exchange.fail(event.error());
                              exchange.reply(Response::json(event->created ? 201 : 200, to_json(*event)));
                            });
}

void list_requests(const RouteContext& context, const Request& request, Exchange exchange) {
  auto command = read_list(request);
  if (!command) return exchange.fail(command.error());
  context.service.list_requests(
      std::move(*command),
      answer<RequestPage>(std::move(exchange), [](const auto& page) { return to_json(page); }));
}

void list_events(const RouteContext& context, const Request& request, Exchange exchange) {
  ListEvents command;
  if (Status page = read_page(request, command.limit, command.cursor); !page) {
    return exchange.fail(page.error());
  }
  context.service.list_events(
      std::move(command),
      answer<EventPage>(std::move(exchange), [](const auto& page) { return to_json(page); }));
}

void add_admin_routes(http::Router& router, const RouteContext& context) {
  router.add(Method::kGet, "/admin/events", for_readers(context, list_events));
  router.add(Method::kPut, "/admin/events/{eventId}", for_admins(context, put_event));
  router.add(Method::kGet, "/admin/events/{eventId}",
             for_readers(context, [](const RouteContext& c, const Request& request, Exchange exchange) {
               c.service.get_event(
                   std::string(request.param(0)),
                   answer<EventView>(std::move(exchange), [](const auto& e) { return to_json(e); }));
             }));
  router.add(Method::kGet, "/admin/events/{eventId}/requests", for_readers(context, list_requests));
  router.add(
      Method::kGet, "/admin/requests/{requestId}",
      for_readers(context, [](const RouteContext& c, const Request& request, Exchange exchange) {
        c.service.get_request_detail(
            std::string(request.param(0)),
            answer<RequestDetail>(std::move(exchange), [](const auto& detail) { return to_json(detail); }));
      }));
  const auto queue_answer = [](const RouteContext& c, Exchange exchange) {
    return answer<QueueStats>(std::move(exchange),
                              [workers = c.workers](const auto& queue) { return to_json(queue, workers); });
  };
  router.add(Method::kGet, "/admin/queues/participations",
             for_readers(context, [queue_answer](const RouteContext& c, const Request&, Exchange exchange) {
               c.service.queue_stats(queue_answer(c, std::move(exchange)));
             }));
  for (const bool paused : {true, false}) {
    router.add(Method::kPost,
               paused ? "/admin/queues/participations/pause" : "/admin/queues/participations/resume",
               for_admins(context, [queue_answer, paused](const RouteContext& c, const Request&, Actor actor,
                                                          Exchange exchange) {
                 c.service.set_paused(paused, std::move(actor), queue_answer(c, std::move(exchange)));
               }));
  }
}

}  // namespace

void append_detail(JsonWriter& json, const RequestDetail& detail, bool whole) {
  json.open_object();
  append_view(json, detail.view);
  json.member("userId", detail.user_id).member("receiveCount", detail.receive_count);
  if (detail.failure_class != FailureClass::kNone) json.member("failureClass", name(detail.failure_class));
  if (detail.redrives != 0) json.member("redrives", detail.redrives);
  if (whole) {
    if (!detail.body.empty()) json.key("body").raw(detail.body);
    append_attempts(json, detail.attempts);
    append_status_log(json, detail.status_log);
    if (detail.webhook) append_webhook(json, *detail.webhook);
  }
  json.close_object();
}

Result<std::optional<RequestStatus>> read_status(const Request& request) {
  const auto text = request.query("status");
  if (!text || text->empty()) return std::optional<RequestStatus>();
  const auto status = parse_status(*text);
  if (!status) {
    return invalid_argument(
        "status must be one of RECEIVED QUEUED PROCESSING SUCCEEDED REJECTED FAILED_FINAL");
  }
  return status;
}

std::string to_json(const RequestView& view) {
  std::string out;
  out.reserve(320);  // one allocation: this is the reply of the most frequent read
  JsonWriter json(out);
  json.open_object();
  append_view(json, view);
  json.close_object();
  return out;
}

Response view_response(const RequestView& view) {
  Response response = Response::json(200, to_json(view));
  if (!is_final(view.status)) response.retry_after_s = kPollAgainSeconds;
  response.no_store = true;
  return response;
}

Status read_page(const Request& request, std::uint32_t& limit, std::string& cursor) {
  if (const auto text = request.query("limit")) {
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), limit);
    if (failed != std::errc() || end != text->data() + text->size() || limit < 1 ||
        limit > limits::kMaxPage) {
      return invalid_argument("limit must be a whole number from 1 to " + std::to_string(limits::kMaxPage));
    }
  }
  if (auto text = request.query("cursor")) cursor = std::move(*text);
  return Ok{};
}

void add_routes(http::Router& router, RouteContext context) {
  const auto with = [&context](auto handle) {
    return [context, handle](const Request& request, Exchange exchange) {
      handle(context, request, std::move(exchange));
    };
  };
  router.add(Method::kPost, "/events/{eventId}/participations", with(participate),
             {.max_body_bytes = limits::kMaxParticipationBodyBytes});
  router.add(Method::kGet, "/requests/{requestId}", with(get_request));
  router.add(Method::kGet, "/requests/{requestId}/stream", with(stream_request));
  add_admin_routes(router, context);
  add_search_routes(router, context);
  add_dead_letter_routes(router, context);
  add_webhook_routes(router, context);
}

}  // namespace spillway::intake
