#include "intake/http_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/prometheus.h"
#include "base/text.h"
#include "clients/signature.h"

namespace spillway::intake {
namespace {

using Class = WorkVerdict::Class;

constexpr std::array<std::string_view, 4> kClassNames = {"succeeded", "rejected", "non_retryable",
                                                         "retryable"};
constexpr Micros kProbeLook = kSecond;

WorkVerdict retry(std::string reason) {
  return {Class::kRetryable, {WorkResult::kRetry, {}, std::move(reason)}};
}

bool is_code(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

/// A 2xx.
WorkVerdict judge_body(const clients::HttpAnswer& answer) {
  JsonReader body(answer.body);
  const std::string result = body.required_string("result", 1, 32);
  std::string code = body.optional_string("resultCode", limits::kMaxWorkCodeBytes);
  std::string reason = body.optional_string("reason", limits::kMaxWorkReasonBytes);
  if (!code.empty() && !is_code(code)) body.refuse("resultCode must be of A-Z a-z 0-9 _ - .");
  if (has_control_characters(reason)) body.refuse("reason must have no control characters");
  if (result != "SUCCEEDED" && result != "REJECTED") body.refuse("result must be SUCCEEDED or REJECTED");
  if (Status read = body.status(); !read)
    return retry(fmt::format("HTTP {}, but {}", answer.status, read.error().message));
  if (result == "SUCCEEDED") return {Class::kSucceeded, {WorkResult::kSucceed, {}, std::move(reason)}};
  WorkEnd end{WorkResult::kReject, ResultCode::kRejectedByWork, std::move(reason)};
  if (code == name(ResultCode::kRejectedCapacity)) end.result_code = ResultCode::kRejectedCapacity;
  if (code == name(ResultCode::kRejectedClosed)) end.result_code = ResultCode::kRejectedClosed;
  // A code of the backend's own is told where people look for why.
  if (end.result_code == ResultCode::kRejectedByWork && !code.empty() && code != name(end.result_code))
    end.reason = end.reason.empty() ? code : code + ": " + end.reason;
  return {Class::kRejected, std::move(end)};
}

bool asks_for_another_try(int status) { return status == 408 || status == 425 || status == 429; }

}  // namespace

WorkVerdict judge(const clients::HttpAnswer& answer) {
  if (!answer.ok()) return retry(answer.summary());
  if (answer.status >= 200 && answer.status < 300) return judge_body(answer);
  std::string reason = answer.summary();
  if (answer.status >= 400 && answer.status < 500 && !asks_for_another_try(answer.status))
    return {Class::kNonRetryable, {WorkResult::kInvalid, {}, std::move(reason)}};
  return retry(std::move(reason));
}

std::string work_body(const Delivery& delivery) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("requestId", delivery.receipt.request_id).member("eventId", delivery.event_id);
  json.member("userId", delivery.user_id).member("attempt", delivery.receipt.receive_count);
  if (!delivery.body.empty()) json.key("body").raw(delivery.body);
  json.close_object();
  return out;
}

/// The way of an answer from the client's thread to the workers' loop.
class HttpWork::Answered final : public Node {
 public:
  Answered(HttpWork& work, CircuitBreaker::Ticket ticket, UniqueFunction<void(WorkEnd)> done)
      : work_(work), ticket_(ticket), done_(std::move(done)), began_us_(work.clock_.steady_us()) {}
  void finish() override {
    done_(work_.finished(ticket_, answer, work_.clock_.steady_us() - began_us_));
    delete this;
  }

  clients::HttpAnswer answer;

 private:
  HttpWork& work_;
  CircuitBreaker::Ticket ticket_;
  UniqueFunction<void(WorkEnd)> done_;
  Micros began_us_;
};

Result<std::unique_ptr<HttpWork>> HttpWork::make(HttpWorkOptions options, clients::AddressPolicy policy,
                                                 const Clock& clock) {
  if (options.secret.size() < limits::kMinSecretBytes)
    return invalid_argument(
        fmt::format("the secret of the work must have {} characters or more", limits::kMinSecretBytes));
  clients::HttpClientOptions http;
  http.thread_name = "work-client";
  http.max_running = options.concurrency;
  http.max_waiting = options.concurrency;
  http.timeout_us = options.timeout_us;
  http.connect_timeout_us = std::min(http.connect_timeout_us, options.timeout_us);
  http.max_body_bytes = limits::kMaxWorkAnswerBytes;
  http.ca_file = options.ca_file;
  auto client = clients::HttpClient::make(std::move(http), std::move(policy));
  if (!client) return client.error();
  if (Status allowed = (*client)->check(options.url); !allowed) return allowed.error();
  return std::unique_ptr<HttpWork>(new HttpWork(std::move(options), std::move(*client), clock));
}

HttpWork::HttpWork(HttpWorkOptions options, std::unique_ptr<clients::HttpClient> client, const Clock& clock)
    : options_(std::move(options)), clock_(clock), breaker_(options_.breaker), client_(std::move(client)) {}

WorkRoom HttpWork::room(Micros now_us) {
  switch (breaker_.state(now_us)) {
    case CircuitBreaker::State::kClosed:
      return {};
    case CircuitBreaker::State::kOpen:
      return {0, breaker_.open_until_us()};
    case CircuitBreaker::State::kHalfOpen:
      break;
  }
  return {1, now_us + kProbeLook};  // the probe
}

void HttpWork::perform(const Delivery& delivery, UniqueFunction<void(WorkEnd)> done) {
  Loop* home = Loop::current();
  CHECK(home != nullptr);
  const auto ticket = breaker_.admit(clock_.steady_us());
  show_state();
  if (!ticket) {
    ++counters_.returned;
    return done({WorkResult::kReturn, {}, "not called: the circuit breaker is open"});
  }
  clients::HttpRequest request;
  request.method = "POST";
  request.url = options_.url;
  request.body = work_body(delivery);
  const std::int64_t timestamp_s = clock_.wall().us / kSecond;
  const std::string trace =
      clients::trace_parent(delivery.receipt.request_id, delivery.receipt.receive_count);
  request.headers = {
      {"Content-Type", "application/json"},
      {"Accept", "application/json"},
      {"Idempotency-Key", delivery.receipt.request_id},
      {"traceparent", trace},
      {"Spillway-Timestamp", fmt::format("{}", timestamp_s)},
      {"Spillway-Signature", clients::signature_v1(options_.secret, timestamp_s, request.body)}};
  log::debug("work called", {{"requestId", delivery.receipt.request_id},
                             {"attempt", delivery.receipt.receive_count},
                             {"traceparent", trace}});
  ++counters_.running;
  auto answered = std::make_unique<Answered>(*this, *ticket, std::move(done));
  Answered* raw = answered.get();
  const Status taken = client_->call(std::move(request), [raw, home](clients::HttpAnswer answer) {
    raw->answer = std::move(answer);
    NodeList nodes;
    nodes.push(raw);
    home->deliver(std::move(nodes));
  });
  if (taken) {
    static_cast<void>(answered.release());  // travels with the call
    return;
  }
  answered->answer.failure = clients::HttpFailure::kStopped;
  answered->answer.reason = taken.error().message;
  answered.release()->finish();
}

WorkEnd HttpWork::finished(CircuitBreaker::Ticket ticket, const clients::HttpAnswer& answer, Micros took_us) {
  --counters_.running;
  if (answer.failure == clients::HttpFailure::kStopped) {
    breaker_.told_nothing(ticket);
    ++counters_.returned;
    return {WorkResult::kReturn, {}, "not called: " + answer.reason.substr(0, limits::kMaxWorkReasonBytes)};
  }
  WorkVerdict verdict = judge(answer);
  ++counters_.ended[static_cast<std::size_t>(verdict.is)];
  const double seconds = static_cast<double>(took_us) / kSecond;
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++counters_.took[static_cast<std::size_t>(bound - kBounds.begin())];
  counters_.took_us += static_cast<std::uint64_t>(std::max<Micros>(took_us, 0));
  if (verdict.is != Class::kRetryable) {
    if (breaker_.succeeded(ticket)) log::info("the work's backend answers again: circuit closed");
  } else if (breaker_.failed(ticket, clock_.steady_us())) {
    ++counters_.opened;
    log::warn("the work's backend fails: circuit open", {{"reason", verdict.end.reason}});
  }
  show_state();
  return std::move(verdict.end);
}

void HttpWork::show_state() { counters_.state = static_cast<int>(breaker_.state(clock_.steady_us())); }

void HttpWork::append_metrics(std::string& out) const {
  auto to = std::back_inserter(out);
  append_metric_head(out, "spillway_intake_work_calls_total", "counter",
                     "Calls of the operator's backend, by what its answer meant.");
  for (std::size_t i = 0; i < kClassNames.size(); ++i)
    fmt::format_to(to, "spillway_intake_work_calls_total{{result=\"{}\"}} {}\n", kClassNames[i],
                   counters_.ended[i].load());
  append_metric(out, "spillway_intake_work_returned_total", "counter",
                "Deliveries returned without a call, for the circuit was open.", counters_.returned.load());
  append_metric(out, "spillway_intake_work_running", "gauge", "Calls of the backend that run.",
                counters_.running.load());
  append_metric(out, "spillway_intake_work_circuit_state", "gauge",
                "The circuit breaker: 0 closed, 1 open, 2 half-open.", counters_.state.load());
  append_metric(out, "spillway_intake_work_circuit_opened_total", "counter",
                "How often the circuit has opened.", counters_.opened.load());
  append_metric_head(out, "spillway_intake_work_duration_seconds", "histogram", "Time that calls took.");
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBounds.size(); ++i) {
    below += counters_.took[i].load();
    fmt::format_to(to, "spillway_intake_work_duration_seconds_bucket{{le=\"{}\"}} {}\n", kBounds[i], below);
  }
  below += counters_.took.back().load();
  fmt::format_to(to,
                 "spillway_intake_work_duration_seconds_bucket{{le=\"+Inf\"}} {0}\n"
                 "spillway_intake_work_duration_seconds_count {0}\n"
                 "spillway_intake_work_duration_seconds_sum {1}\n",
                 below, static_cast<double>(counters_.took_us.load()) / kSecond);
}

}  // namespace spillway::intake
