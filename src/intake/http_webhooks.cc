#include "intake/http_webhooks.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/json_writer.h"
#include "base/log.h"
#include "base/thread.h"
#include "clients/signature.h"

namespace spillway::intake {
namespace {

constexpr Micros kLook = kSecond;                 ///< how long the thread sleeps at most
constexpr Micros kAskAgain = 200 * kMillisecond;  ///< after the engine refused or failed
constexpr int kGone = 410;

std::string_view secret_name(const Webhook& to) {
  return to.secret_name.empty() ? kDefaultSecretName : std::string_view(to.secret_name);
}

/// Seconds or a date; 0 for anything else.
Micros retry_after_us(const std::string& text, Timestamp now) {
  Micros after = 0;
  std::int64_t seconds = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (failed == std::errc() && end == text.data() + text.size()) {
    after = std::clamp<Micros>(seconds, 0, limits::kMaxWebhookBackoff / kSecond) * kSecond;
  } else {
    std::tm date{};
    const char* rest = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
    if (rest != nullptr && *rest == '\0') after = std::int64_t{::timegm(&date)} * kSecond - now.us;
  }
  return std::clamp<Micros>(after, 0, limits::kMaxWebhookBackoff);
}

}  // namespace

Result<std::map<std::string, std::string>> parse_webhook_secrets(std::string_view text) {
  std::map<std::string, std::string> secrets;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || !is_path_id(line.substr(0, equals)))
      return invalid_argument(fmt::format("line {} is not NAME=SECRET", number));
    if (line.size() - equals - 1 < limits::kMinSecretBytes)
      return invalid_argument(
          fmt::format("line {}: a secret has {} characters or more", number, limits::kMinSecretBytes));
    if (!secrets.emplace(line.substr(0, equals), line.substr(equals + 1)).second)
      return invalid_argument(fmt::format("line {}: the name is there twice", number));
    if (secrets.size() > limits::kMaxWebhookSecrets) return invalid_argument("there are too many secrets");
  }
  if (secrets.empty()) return invalid_argument("there is no NAME=SECRET in it");
  return secrets;
}

WebhookOutcome judge_webhook(const WebhookJob& job, const clients::HttpAnswer& answer,
                             std::uint32_t max_attempts, Timestamp now) {
  WebhookOutcome outcome;
  outcome.id = job.id;
  outcome.attempt = job.attempt;
  outcome.status = answer.status;
  const bool gone = answer.ok() && answer.status == kGone;
  const bool taken = answer.ok() && answer.status >= 200 && answer.status < 300;
  outcome.receiver_is_well = taken || gone;
  if (taken) return outcome;
  outcome.result = gone || job.tries >= max_attempts ? WebhookResult::kGiveUp : WebhookResult::kRetry;
  outcome.reason = answer.summary();
  if (answer.ok()) outcome.retry_after_us = retry_after_us(std::string(answer.header("Retry-After")), now);
  return outcome;
}

std::string webhook_body(const WebhookJob& job) {
  std::string out;
  JsonWriter json(out);
  const RequestView& r = job.request;
  json.open_object().member("deliveryId", job.delivery_id).member("requestId", r.request_id);
  json.member("eventId", r.event_id).member("userId", job.user_id).member("status", name(r.status));
  json.member("resultCode", name(r.result_code)).member("queuedAt", r.queued_at);
  if (r.started_at) json.member("startedAt", r.started_at);
  json.member("finishedAt", r.finished_at).member("attempt", job.attempt).close_object();
  return out;
}

/// The way of an answer from the client's thread to ours.
class HttpWebhooks::Answered final : public Node {
 public:
  Answered(HttpWebhooks& by, WebhookJob job) : by_(by), job_(std::move(job)) {}
  void finish() override {
    by_.ended(job_, answer);
    delete this;
  }
  clients::HttpAnswer answer;

 private:
  HttpWebhooks& by_;
  WebhookJob job_;
};

Result<std::unique_ptr<HttpWebhooks>> HttpWebhooks::make(WebhookOptions options,
                                                         clients::AddressPolicy policy, Service& service,
                                                         const Clock& clock, std::size_t loop_index) {
  for (const auto& [secret, value] : options.secrets)
    if (value.size() < limits::kMinSecretBytes)
      return invalid_argument(
          fmt::format("the secret {} must have {} characters or more", secret, limits::kMinSecretBytes));
  clients::HttpClientOptions http;
  http.thread_name = "webhook-client";
  http.max_running = limits::kWebhookConcurrency;
  http.max_waiting = limits::kWebhookConcurrency;
  http.timeout_us = options.timeout_us;
  http.connect_timeout_us = std::min(http.connect_timeout_us, options.timeout_us);
  http.max_body_bytes = limits::kMaxWebhookAnswerBytes;
  http.ca_file = options.ca_file;
  auto client = clients::HttpClient::make(std::move(http), std::move(policy));
  if (!client) return client.error();
  return std::unique_ptr<HttpWebhooks>(
      new HttpWebhooks(std::move(options), std::move(*client), service, clock, loop_index));
}

HttpWebhooks::HttpWebhooks(WebhookOptions options, std::unique_ptr<clients::HttpClient> client,
                           Service& service, const Clock& clock, std::size_t loop_index)
    : options_(std::move(options)),
      service_(service),
      clock_(clock),
      loop_(loop_index),
      random_(options_.random_seed),
      client_(std::move(client)) {}

HttpWebhooks::~HttpWebhooks() { stop(); }

Status HttpWebhooks::check(const Webhook& to) const {
  if (Status allowed = client_->check_confidential(to.url); !allowed)
    return invalid_argument("webhook." + allowed.error().message);
  if (!options_.secrets.contains(std::string(secret_name(to))))
    return invalid_argument(fmt::format("webhook.secretName: there is no secret \"{}\"", secret_name(to)));
  return Ok{};
}

void HttpWebhooks::start() {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this] { run(); });
}

void HttpWebhooks::stop() {
  stopping_ = true;
  client_->stop();
  loop_.wake();
  if (thread_.joinable()) thread_.join();
}

void HttpWebhooks::run() {
  name_this_thread("webhooks");
  // Calls that were ended by stop() come back as well.
  const auto is_idle = [this] { return calls_ == 0 && running_ == 0; };
  while (!stopping_ || !is_idle()) {
    const bool stopping = stopping_;
    const Micros now = clock_.steady_us();
    const Micros sleep = again_at_us_ > now ? std::min(again_at_us_ - now, kLook) : kLook;
    loop_.run_until([&] { return stopping_ != stopping || (stopping && is_idle()); }, sleep,
                    [this, stopping] {
                      send_outcomes();
                      ask();
                      if (!stopping || ending_) return;
                      ending_ = true;
                      ++calls_;
                      service_.end_receives(loop_.index(), [this](Result<Ok>) { --calls_; });
                    });
  }
}

void HttpWebhooks::ask() {
  // Enough of them unsaid: the engine does not take what became of those before.
  const std::size_t in_hand = running_ + outcomes_.size();
  if (stopping_ || asking_ || in_hand >= limits::kWebhookConcurrency || clock_.steady_us() < again_at_us_)
    return;
  asking_ = true;
  ++calls_;
  const ReceiveWebhooks command{static_cast<std::uint32_t>(limits::kWebhookConcurrency - in_hand),
                                limits::kLongPoll, loop_.index()};
  service_.receive_webhooks(command, [this](Result<std::vector<WebhookJob>> jobs) {
    --calls_;
    asking_ = false;
    if (!jobs) {
      again_at_us_ = clock_.steady_us() + kAskAgain;
      log::warn("webhooks cannot be received", {{"error", jobs.error().message}});
      return;
    }
    for (WebhookJob& job : *jobs) tell(std::move(job));
    ask();
  });
}

void HttpWebhooks::not_told(const WebhookJob& job, WebhookResult result, std::string reason) {
  WebhookOutcome outcome;
  outcome.id = job.id;
  outcome.attempt = job.attempt;
  outcome.result = result;
  outcome.reason = std::move(reason);
  if (result == WebhookResult::kRetry) outcome.retry_after_us = backoff_us(job.tries);
  outcomes_.push_back(std::move(outcome));
  send_outcomes();
}

void HttpWebhooks::tell(WebhookJob job) {
  if (job.to.url.empty()) return not_told(job, WebhookResult::kGiveUp, "the event has no webhook any more");
  const auto secret = options_.secrets.find(std::string(secret_name(job.to)));
  if (secret == options_.secrets.end()) {
    // It may be put back into the file: as a receiver that does not answer.
    return not_told(job, job.tries >= options_.max_attempts ? WebhookResult::kGiveUp : WebhookResult::kRetry,
                    fmt::format("there is no secret \"{}\"", secret_name(job.to)));
  }
  clients::HttpRequest request;
  request.method = "POST";
  request.url = job.to.url;
  request.body = webhook_body(job);
  const std::int64_t timestamp_s = clock_.wall().us / kSecond;
  request.headers = {
      {"Content-Type", "application/json"},
      {"Idempotency-Key", job.delivery_id},
      {"traceparent", clients::trace_parent(job.request.request_id, std::uint64_t{1} << 32 | job.attempt)},
      {"Spillway-Timestamp", fmt::format("{}", timestamp_s)},
      {"Spillway-Signature", clients::signature_v1(secret->second, timestamp_s, request.body)}};
  ++running_;
  auto answered = std::make_unique<Answered>(*this, std::move(job));
  Answered* raw = answered.get();
  const Status taken = client_->call(std::move(request), [this, raw](clients::HttpAnswer answer) {
    raw->answer = std::move(answer);
    NodeList nodes;
    nodes.push(raw);
    loop_.deliver(std::move(nodes));
  });
  if (taken) {
    static_cast<void>(answered.release());  // travels with the call
    return;
  }
  // Stopped, or no longer a host that may be called.
  const bool stopped = taken.error().code == ErrorCode::kDraining;
  answered->answer.failure = stopped ? clients::HttpFailure::kStopped : clients::HttpFailure::kAddress;
  answered->answer.reason = taken.error().message;
  answered.release()->finish();
}

void HttpWebhooks::ended(const WebhookJob& job, const clients::HttpAnswer& answer) {
  --running_;
  if (answer.failure == clients::HttpFailure::kStopped) return;  // told again after the next start
  WebhookOutcome outcome = judge_webhook(job, answer, options_.max_attempts, clock_.wall());
  if (outcome.result == WebhookResult::kRetry)
    outcome.retry_after_us = std::max(outcome.retry_after_us, backoff_us(job.tries));
  if (outcome.result == WebhookResult::kGiveUp)
    log::warn("a webhook was given up", {{"deliveryId", job.delivery_id}, {"reason", outcome.reason}});
  outcomes_.push_back(std::move(outcome));
  send_outcomes();
  ask();
}

void HttpWebhooks::send_outcomes() {
  if (outcomes_.empty() || completing_ || clock_.steady_us() < again_at_us_) return;
  completing_ = true;
  ++calls_;
  CompleteWebhooks command{outcomes_};
  service_.complete_webhooks(std::move(command), [this, sent = outcomes_.size()](Result<Ok> taken) {
    --calls_;
    completing_ = false;
    if (!taken) {
      // Kept, and said again: nobody else knows.
      again_at_us_ = clock_.steady_us() + kAskAgain;
      log::warn("what became of webhooks was not taken", {{"error", taken.error().message}});
      return;
    }
    outcomes_.erase(outcomes_.begin(), outcomes_.begin() + static_cast<std::ptrdiff_t>(sent));
    send_outcomes();
    ask();
  });
}

Micros HttpWebhooks::backoff_us(std::uint32_t tries) {
  const Micros longest =
      std::min(options_.backoff_cap_us, options_.backoff_base_us << std::min<std::uint32_t>(tries - 1, 20));
  return std::uniform_int_distribution<Micros>(0, longest)(random_);
}

}  // namespace spillway::intake
