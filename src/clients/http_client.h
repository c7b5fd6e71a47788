#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/unique_function.h"
#include "clients/address_policy.h"

namespace spillway::clients {

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  std::string method = "GET";            ///< GET, HEAD, POST, PUT, PATCH or DELETE
  std::string url;                       ///< http or https, without user and password
  std::vector<HttpHeader> headers = {};  ///< not Host, Content-Length, Transfer-Encoding: those are ours
  std::string body = {};                 ///< sent when not empty, and always by POST, PUT and PATCH
  Micros timeout_us = 0;                 ///< of this call; 0: HttpClientOptions::timeout_us
  /// Takes the body of a 2xx answer in pieces, as they come, instead of HttpAnswer::body, and without its
  /// limit. Answers false when there was enough: the call then ends with kStopped. On the client's thread.
  std::function<bool(std::string_view)> on_piece = nullptr;
  /// When not 0, instead of a limit of the whole call: how long nothing may come, in whole seconds. For
  /// answers that go on.
  Micros max_silence_us = 0;
};

enum class HttpFailure : std::uint8_t {
  kNone,
  kAddress,     ///< the host resolved to addresses only that the policy does not allow
  kUnresolved,  ///< the host's name has no address, or nobody could be asked
  kRefused,     ///< no connection
  kTls,         ///< no trust: the certificate, its name, the handshake
  kTimeout,
  kTooLarge,  ///< the answer's fields or body went past the limit
  kBroken,    ///< the connection ended early, or what came was no HTTP
  kStopped,   ///< the client was stopped first, or on_piece had enough
};
/// One word, stable, for logs and metrics: "refused".
std::string_view name(HttpFailure);

struct HttpAnswer {
  HttpFailure failure = HttpFailure::kNone;  ///< kNone: a whole answer came, of whatever status
  std::string reason;                        ///< of a failure, one line for people
  int status = 0;
  std::vector<HttpHeader> headers;
  std::string body;

  bool ok() const { return failure == HttpFailure::kNone; }
  /// The first field of that name (in any case); empty when there is none.
  std::string_view header(std::string_view name) const;
  /// "HTTP 503", "call failed (timeout): ...": one printable line, the library's own words cut to
  /// limits::kMaxCallReasonBytes.
  std::string summary() const;
};

struct HttpClientOptions {
  std::string thread_name = "http-client";  ///< at most 15 characters
  std::size_t max_running = limits::kHttpCallsRunning;
  std::size_t max_waiting = limits::kHttpCallsWaiting;  ///< past it: call() answers overloaded
  Micros max_wait_us = limits::kHttpCallWait;           ///< for a running one to end; past it: kTimeout
  Micros timeout_us = limits::kHttpCallTimeout;         ///< from the name's look-up to the last byte
  Micros connect_timeout_us = limits::kHttpConnectTimeout;
  std::size_t max_body_bytes = limits::kHttpAnswerBytes;          ///< of an answer; past it: kTooLarge
  std::size_t max_header_bytes = limits::kHttpAnswerHeaderBytes;  ///< likewise
  std::string ca_file = {};  ///< PEM, instead of the system's authorities; empty: those
  std::string user_agent = "spillway";
  std::vector<std::string> resolve = {};  ///< "HOST:PORT:ADDRESS" instead of asking the name service
};

/// Calls HTTP servers: HTTP/1.1, connections kept alive, certificates verified (TLS 1.2 or newer), no
/// redirects, no cookies, no proxies, no compression.
///
/// Where a call may go is judged twice: the URL's host by call(), and each address at the moment when a
/// socket to it would be opened, so that a name that resolves to something else than a moment ago gains
/// nothing.
///
/// Concurrency: call() and stop() from any thread; callbacks run on the client's own thread, must not block,
/// and may call call().
class HttpClient {
 public:
  using Callback = UniqueFunction<void(HttpAnswer)>;

  /// Errors: invalid_argument (the file with authorities cannot be read, a limit is 0), internal.
  static Result<std::unique_ptr<HttpClient>> make(HttpClientOptions, AddressPolicy);
  /// stop().
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Takes a call, whose callback then runs exactly once. Errors, after which it does not: invalid_argument
  /// (the URL or a header, with its name), forbidden (a host that the policy does not know), overloaded (too
  /// many wait), draining (stopped).
  Status call(HttpRequest, Callback);
  /// What call() would say about this URL.
  Status check(std::string_view url) const;
  /// The same, and invalid_argument for plain http to a host that is out on the public network.
  Status check_confidential(std::string_view url) const;

  /// Ends calls that run or wait with kStopped, and returns when the last callback has. Not from a callback.
  void stop();

 private:
  struct Impl;
  explicit HttpClient(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::clients
