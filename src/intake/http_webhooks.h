#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/wait_loop.h"
#include "clients/http_client.h"
#include "intake/service.h"

namespace spillway::intake {

/// The name of the secret for webhooks that name none.
inline constexpr std::string_view kDefaultSecretName = "default";

struct WebhookOptions {
  std::map<std::string, std::string> secrets;  ///< by name; each of limits::kMinSecretBytes at least
  std::string ca_file;                         ///< as in clients::HttpClientOptions
  std::uint32_t max_attempts = limits::kWebhookAttempts;
  Micros timeout_us = limits::kWebhookTimeout;
  Micros backoff_base_us =
      limits::kWebhookBackoff;  ///< before the second attempt: between 0 and this; doubled ...
  Micros backoff_cap_us = limits::kMaxWebhookBackoff;  ///< ... up to this (full jitter)
  std::uint64_t random_seed = 1;
};

/// Reads "NAME=SECRET" lines; empty ones and those that begin with # are passed over. Errors name the line,
/// and no secret.
Result<std::map<std::string, std::string>> parse_webhook_secrets(std::string_view text);

/// What one answer means: 2xx is delivered, 410 is given up, all else is tried again unless this was the last
/// of `max_attempts`. `retry_after_us` is what the answer asks for (RFC 9110, 10.2.3), at most
/// limits::kMaxWebhookBackoff.
WebhookOutcome judge_webhook(const WebhookJob&, const clients::HttpAnswer&, std::uint32_t max_attempts,
                             Timestamp now);

/// The JSON that is sent: {deliveryId, requestId, eventId, userId, status, resultCode, queuedAt, startedAt?,
/// finishedAt, attempt}.
std::string webhook_body(const WebhookJob&);

/// Tells final states to whom events name, at least once, all through the port.
///
/// Operation: asks for what is due, calls, and says what became of it; the engine remembers. A crash in
/// between has it told again. At most limits::kWebhookConcurrency calls run at once; the engine sees to it
/// that no receiver has them all. Concurrency: a thread of its own; check() from any thread; start() and
/// stop() from the owner's.
class HttpWebhooks {
 public:
  /// Errors: invalid_argument (a secret that is too short), internal.
  static Result<std::unique_ptr<HttpWebhooks>> make(WebhookOptions, clients::AddressPolicy, Service&,
                                                    const Clock&, std::size_t loop_index);
  ~HttpWebhooks();  ///< stops
  HttpWebhooks(const HttpWebhooks&) = delete;
  HttpWebhooks& operator=(const HttpWebhooks&) = delete;

  /// Whether an event may name this. Errors are invalid_argument and name the member.
  Status check(const Webhook&) const;
  void start();
  /// Ends the calls that run, and says nothing about them: they are told again after the next start.
  void stop();

 private:
  class Answered;
  HttpWebhooks(WebhookOptions, std::unique_ptr<clients::HttpClient>, Service&, const Clock&,
               std::size_t loop_index);

  void run();
  void ask();
  void tell(WebhookJob);
  void not_told(const WebhookJob&, WebhookResult, std::string reason);
  void ended(const WebhookJob&, const clients::HttpAnswer&);
  void send_outcomes();
  Micros backoff_us(std::uint32_t tries);

  WebhookOptions options_;
  Service& service_;
  const Clock& clock_;
  WaitLoop loop_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  // The thread's only.
  std::mt19937_64 random_;
  std::vector<WebhookOutcome> outcomes_;
  std::size_t calls_ = 0;    ///< to the service, not yet answered
  std::size_t running_ = 0;  ///< to others
  bool asking_ = false;
  bool completing_ = false;
  bool ending_ = false;
  Micros again_at_us_ = 0;  ///< steady; after the engine refused
  std::unique_ptr<clients::HttpClient> client_;
};

}  // namespace spillway::intake
