#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "clients/http_client.h"
#include "intake/circuit_breaker.h"
#include "intake/work.h"

namespace spillway::intake {

struct HttpWorkOptions {
  std::string url;
  std::string secret;  ///< signs the calls; at least limits::kMinSecretBytes
  std::size_t concurrency = limits::kWorkConcurrency;
  Micros timeout_us = limits::kWorkTimeout;  ///< of one call, whole
  std::string ca_file;                       ///< as in clients::HttpClientOptions
  BreakerOptions breaker;
};

/// What an answer of the backend means.
struct WorkVerdict {
  enum class Class : std::uint8_t { kSucceeded, kRejected, kNonRetryable, kRetryable };
  Class is = Class::kRetryable;
  WorkEnd end;
};
/// 2xx with {"result":"SUCCEEDED|REJECTED","resultCode"?,"reason"?} decides. 4xx is NON_RETRYABLE, but for
/// 408, 425 and 429, which ask for another try. All else, the unreadable 2xx and redirects too, is RETRYABLE.
WorkVerdict judge(const clients::HttpAnswer&);

/// The JSON that the backend is sent: {requestId, eventId, userId, attempt, body?}.
std::string work_body(const Delivery&);

/// Work that an operator's backend does, called over HTTP: one signed POST a delivery, with the request's id
/// as Idempotency-Key, so that a repetition (after a crash, a timeout) is told from a new one.
///
/// Operation: a circuit breaker stands before the backend; while it is open nothing is called, there is no
/// room for deliveries, and those that were on their way are returned without counting as a try. Concurrency:
/// perform() and room() on the workers' loop; append_metrics() from any thread. stop() before that loop goes.
class HttpWork final : public Work {
 public:
  /// Errors: invalid_argument, forbidden (the URL's host is not one that may be called), internal.
  static Result<std::unique_ptr<HttpWork>> make(HttpWorkOptions, clients::AddressPolicy, const Clock&);

  void perform(const Delivery&, UniqueFunction<void(WorkEnd)> done) override;
  WorkRoom room(Micros now_us) override;
  /// Ends the calls; nobody is told of their end any more.
  void stop() { client_->stop(); }
  void append_metrics(std::string& out) const;

 private:
  class Answered;
  HttpWork(HttpWorkOptions, std::unique_ptr<clients::HttpClient>, const Clock&);
  WorkEnd finished(CircuitBreaker::Ticket, const clients::HttpAnswer&, Micros took_us);
  void show_state();

  /// OpenTelemetry's bounds, in seconds.
  static constexpr std::array<double, 14> kBounds = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                                     0.5,   0.75, 1,     2.5,  5,     7.5, 10};
  struct Counters {
    std::array<std::atomic<std::uint64_t>, 4> ended{};  ///< by WorkVerdict::Class
    std::atomic<std::uint64_t> returned{0}, opened{0}, running{0};
    std::atomic<int> state{0};
    std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> took{};
    std::atomic<std::uint64_t> took_us{0};
  };

  HttpWorkOptions options_;
  const Clock& clock_;
  CircuitBreaker breaker_;
  Counters counters_;
  std::unique_ptr<clients::HttpClient> client_;  ///< last: its end comes first
};

}  // namespace spillway::intake
