// Dead letters over HTTP.

#include "base/json_reader.h"
#include "base/limits.h"
#include "intake/routes_shared.h"

namespace spillway::intake {
namespace {

using http::Exchange;
using http::Method;
using http::Request;
using http::Response;

constexpr std::string_view kLetters = "/admin/queues/participations/dead-letters";

// ---- What is answered -------------------------------------------------------------------------------------

std::string_view name(AttemptOutcome outcome) {
  switch (outcome) {
    case AttemptOutcome::kRunning:
      return "RUNNING";
    case AttemptOutcome::kSucceeded:
      return "SUCCEEDED";
    case AttemptOutcome::kRejected:
      return "REJECTED";
    case AttemptOutcome::kFailed:
      return "FAILED";
    case AttemptOutcome::kTimedOut:
      return "TIMED_OUT";
    case AttemptOutcome::kWorkerStopped:
      return "WORKER_STOPPED";
    case AttemptOutcome::kReturned:
      return "RETURNED";
  }
  CHECK(false);
}

void append_members(JsonWriter& json, const DeadLetter& letter) {
  json.member("requestId", letter.request_id).member("eventId", letter.event_id);
  json.member("userId", letter.user_id).member("deadAt", letter.dead_at);
  json.member("receiveCount", letter.receive_count);
  json.member("failureClass", intake::name(letter.failure_class));
  json.member("resultCode", intake::name(letter.result_code));
  json.member("lastReason", letter.last_reason).member("redrives", letter.redrives);
}

std::string to_json(const DeadLetterPage& page) {
  std::string out;
  JsonWriter json(out);
  json.open_object().key("items").open_array();
  for (const DeadLetter& letter : page.items) {
    json.open_object();
    append_members(json, letter);
    json.close_object();
  }
  json.close_array();
  if (!page.next_cursor.empty()) json.member("nextCursor", page.next_cursor);
  json.member("total", page.total).close_object();
  return out;
}

std::string to_json(const DeadLetterDetail& detail) {
  std::string out;
  JsonWriter json(out);
  json.open_object();
  append_members(json, detail.letter);
  if (!detail.body.empty()) json.key("body").raw(detail.body);
  append_attempts(json, detail.attempts);
  append_status_log(json, detail.status_log);
  json.close_object();
  return out;
}

std::string to_json(const RedriveView& redrive) {
  std::string out;
  JsonWriter json(out);
  append_redrive(json, redrive);
  return out;
}

std::string to_json(const RedrivePreview& preview) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("matching", preview.matching).key("sample").open_array();
  for (const std::string& id : preview.sample) json.value(id);
  json.close_array().close_object();
  return out;
}

// ---- What is asked ----------------------------------------------------------------------------------------

FailureClass read_failure_class(const std::string& text, bool& good) {
  if (text.empty()) return FailureClass::kNone;
  const auto parsed = parse_failure_class(text);
  good = good && parsed.has_value();
  return parsed.value_or(FailureClass::kNone);
}
constexpr const char* kBadFailureClass = "failureClass must be RETRYABLE or NON_RETRYABLE";

Result<ListDeadLetters> read_list(const Request& request) {
  ListDeadLetters command;
  command.filter.event_id = request.query("eventId").value_or("");
  command.filter.reason = request.query("reason").value_or("");
  bool good = true;
  command.filter.failure_class = read_failure_class(request.query("failureClass").value_or(""), good);
  if (!good) return invalid_argument(kBadFailureClass);
  if (Status page = read_page(request, command.limit, command.cursor); !page) return page.error();
  return command;
}

DeadLetterFilter read_filter(JsonReader& body) {
  DeadLetterFilter filter;
  filter.event_id = body.optional_string("eventId", limits::kMaxIdBytes);
  filter.request_ids = body.optional_strings("requestIds", limits::kMaxNamedRequests, limits::kMaxIdBytes);
  bool good = true;
  filter.failure_class = read_failure_class(body.optional_string("failureClass", 32), good);
  if (!good) body.refuse(kBadFailureClass);
  filter.reason = body.optional_string("reason", limits::kMaxReasonBytes);
  filter.dead_before = body.optional_time("deadBefore");
  // An empty list names nobody, which is not the same as not naming: better refused than taken for all.
  if (body.has("requestIds") && filter.request_ids.empty()) body.refuse("requestIds must not be empty");
  return filter;
}

// ---- The routes -------------------------------------------------------------------------------------------

void list_letters(const RouteContext& context, const Request& request, Exchange exchange) {
  auto command = read_list(request);
  if (!command) return exchange.fail(command.error());
  context.service.list_dead_letters(
      std::move(*command),
      answer<DeadLetterPage>(std::move(exchange), [](const auto& page) { return to_json(page); }));
}

void get_letter(const RouteContext& context, const Request& request, Exchange exchange) {
  context.service.get_dead_letter(
      std::string(request.param(0)),
      answer<DeadLetterDetail>(std::move(exchange), [](const auto& detail) { return to_json(detail); }));
}

void get_redrive(const RouteContext& context, const Request&, Exchange exchange) {
  context.service.get_redrive(
      answer<RedriveView>(std::move(exchange), [](const auto& redrive) { return to_json(redrive); }));
}

void start_redrive(const RouteContext& context, const Request& request, Actor actor, Exchange exchange) {
  JsonReader body(request.body().empty() ? std::string_view("{}") : request.body());
  Redrive command;
  body.optional_object("filter", [&command](JsonReader& inner) { command.filter = read_filter(inner); });
  command.rate_per_second = static_cast<std::uint32_t>(
      body.optional_uint("ratePerSecond", 1, limits::kMaxRedriveRate, limits::kRedriveRate));
  command.stop_after_failures = static_cast<std::uint32_t>(
      body.optional_uint("stopAfterFailures", 1, 1'000'000, limits::kRedriveStopAfter));
  const bool dry_run = body.optional_bool("dryRun").value_or(false);
  if (Status read = body.status(); !read) return exchange.fail(read.error());
  if (dry_run) {
    return context.service.preview_redrive(
        std::move(command.filter),
        answer<RedrivePreview>(std::move(exchange), [](const auto& preview) { return to_json(preview); }));
  }
  command.actor = std::move(actor);
  context.service.redrive(std::move(command),
                          [exchange = std::move(exchange)](Result<RedriveView> redrive) mutable {
                            if (!redrive) return exchange.fail(redrive.error());
                            exchange.reply(Response::json(202, to_json(*redrive)));
                          });
}

void stop_redrive(const RouteContext& context, const Request&, Actor actor, Exchange exchange) {
  context.service.stop_redrive(
      std::move(actor),
      answer<RedriveView>(std::move(exchange), [](const auto& redrive) { return to_json(redrive); }));
}

void discard(const RouteContext& context, const Request& request, Actor actor, Exchange exchange) {
  JsonReader body(request.body());
  DiscardDeadLetters command;
  body.optional_object("filter", [&command](JsonReader& inner) { command.filter = read_filter(inner); });
  auto ids = body.optional_strings("requestIds", limits::kMaxNamedRequests, limits::kMaxIdBytes);
  if (body.has("filter") == !ids.empty()) body.refuse("either requestIds or filter must say which");
  if (!ids.empty()) command.filter.request_ids = std::move(ids);
  command.reason = body.required_string("reason", 1, limits::kMaxDiscardReasonBytes);
  if (Status read = body.status(); !read) return exchange.fail(read.error());
  command.actor = std::move(actor);
  context.service.discard_dead_letters(
      std::move(command), answer<DiscardResult>(std::move(exchange), [](const auto& result) {
        std::string out;
        JsonWriter(out).open_object().member("discarded", result.discarded).close_object();
        return out;
      }));
}

}  // namespace

void append_attempts(JsonWriter& json, const std::vector<Attempt>& attempts) {
  json.key("attempts").open_array();
  for (const Attempt& attempt : attempts) {
    json.open_object().member("attempt", attempt.attempt);
    if (attempt.started_at) json.member("startedAt", attempt.started_at);
    if (attempt.ended_at) json.member("endedAt", attempt.ended_at);
    json.member("outcome", name(attempt.outcome));
    if (!attempt.reason.empty()) json.member("reason", attempt.reason);
    json.close_object();
  }
  json.close_array();
}

void append_status_log(JsonWriter& json, const std::vector<StatusLogEntry>& log) {
  json.key("statusLog").open_array();
  for (const StatusLogEntry& entry : log) {
    json.open_object().member("status", intake::name(entry.status)).member("at", entry.at);
    if (!entry.reason.empty()) json.member("reason", entry.reason);
    json.close_object();
  }
  json.close_array();
}

void append_redrive(JsonWriter& json, const RedriveView& redrive) {
  json.open_object().member("redriveId", redrive.redrive_id).member("state", intake::name(redrive.state));
  json.member("matching", redrive.matching).member("redriven", redrive.redriven);
  json.member("succeeded", redrive.succeeded).member("rejected", redrive.rejected);
  json.member("failedAgain", redrive.failed_again).member("startedAt", redrive.started_at);
  if (redrive.finished_at) json.member("finishedAt", redrive.finished_at);
  json.key("filter").open_object();
  const DeadLetterFilter& filter = redrive.filter;
  if (!filter.event_id.empty()) json.member("eventId", filter.event_id);
  if (!filter.request_ids.empty()) {
    json.key("requestIds").open_array();
    for (const std::string& id : filter.request_ids) json.value(id);
    json.close_array();
  }
  if (filter.failure_class != FailureClass::kNone) {
    json.member("failureClass", intake::name(filter.failure_class));
  }
  if (!filter.reason.empty()) json.member("reason", filter.reason);
  if (filter.dead_before) json.member("deadBefore", filter.dead_before);
  json.close_object().member("ratePerSecond", redrive.rate_per_second);
  json.member("stopAfterFailures", redrive.stop_after_failures).close_object();
}

void add_dead_letter_routes(http::Router& router, const RouteContext& context) {
  const std::string letters(kLetters);
  router.add(Method::kGet, letters, for_readers(context, list_letters));
  router.add(Method::kGet, letters + "/redrive", for_readers(context, get_redrive));
  router.add(Method::kPost, letters + "/redrive", for_admins(context, start_redrive));
  router.add(Method::kPost, letters + "/redrive/stop", for_admins(context, stop_redrive));
  router.add(Method::kPost, letters + "/discard", for_admins(context, discard));
  router.add(Method::kGet, letters + "/{requestId}", for_readers(context, get_letter));
}

}  // namespace spillway::intake
