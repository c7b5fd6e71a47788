#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/limits.h"
#include "base/loop.h"
#include "base/unique_function.h"
#include "http/client_address.h"
#include "http/message.h"
#include "http/rate_limits.h"
#include "http/router.h"

namespace spillway::http {

/// What the server tells about itself, per route; see ops. Written by each http thread without locks, read by
/// any.
struct RequestObserver {
  virtual ~RequestObserver() = default;
  /// loop: index of the http thread, from 0; route: index in Router::routes(), or -1. `took_us` is from the
  /// round of the loop in which the request was complete to the round in which it was answered; the clock is
  /// read once a round, so a reply from within the handler counts 0.
  virtual void on_request(std::size_t loop, int route, int status, Micros took_us) = 0;
};

/// One answered request; the views are good during the call.
struct AccessEntry {
  Timestamp at;  ///< of the answer
  std::string_view method;
  std::string_view path;  ///< as it was sent, without the query (which may hold what no log should)
  std::string_view remote_address;
  std::string_view trace_id;
  int status = 0;
  Micros took_us = 0;
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0: a free one
  std::size_t threads = 1;
  std::size_t first_loop =
      0;                 ///< index of the first Loop; a second server in the process begins after the first
  bool io_uring = true;  ///< false, or where the kernel does not let us: epoll
  std::size_t max_connections = limits::kMaxConnections;
  /// Null: none, until set_limits(). For routes that Router::classify() has given a class.
  std::shared_ptr<const RateLimits> rate_limits = {};
  TrustedProxies trusted_proxies = {};
  std::string tls_certificate_file = {}, tls_key_file = {};  ///< PEM; both or neither
  /// Off when empty. Called on the http threads, at once; must not block.
  std::function<void(const AccessEntry&)> access_log = {};
  Micros header_timeout_us = limits::kHeaderTimeout;
  Micros body_timeout_us = limits::kBodyTimeout;
  Micros idle_timeout_us = limits::kIdleTimeout;
  Micros write_timeout_us = limits::kWriteTimeout;
  Micros tls_handshake_timeout_us = limits::kTlsHandshakeTimeout;
  Micros stream_ping_us = limits::kStreamPing;
};

/// Sums over the http threads, good enough for metrics and tests: each is exact, not all of the same moment.
struct ServerStats {
  std::uint64_t accepted = 0;          ///< connections, the refused ones too
  std::uint64_t refused = 0;           ///< connections past the limit
  std::uint64_t accept_failures = 0;   ///< no descriptor or memory for a connection; tried again later
  std::uint64_t connections = 0;       ///< open now
  std::uint64_t requests = 0;          ///< answered
  std::uint64_t sends = 0;             ///< system calls that carried answers
  std::uint64_t handler_failures = 0;  ///< handlers that let an exception out
};

/// An HTTP/1.1 server: n threads, each a base::Loop with its own listening socket (SO_REUSEPORT).
///
/// Operation: each round of a loop handles what has arrived and the delivered nodes, then hands
/// over what was staged, then sends: all replies a connection has by then leave in one write. Concurrency:
/// handlers run on the loop's thread. listen(), start(), drain() and the destructor belong to one thread that
/// is not a loop's; stats(), port() and post() to any. At the end: nobody may deliver() to a loop after the
/// server is destroyed. Exchanges left over may be dropped later; they are gone().
class Server {
 public:
  /// `clock` and `observer` (may be null) must outlive the server. Errors: invalid_argument (options,
  /// certificate), internal (the address is taken, ...), with a message that is one clear line.
  static Result<std::unique_ptr<Server>> listen(ServerOptions, const Clock& clock, Router,
                                                RequestObserver* observer);
  /// Closes what is still open.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start();
  std::uint16_t port() const;
  std::size_t threads() const;
  bool io_uring() const;  ///< what ServerOptions::io_uring came to
  Loop& loop(std::size_t thread);
  /// Runs `work` on that loop's thread; work that was posted after the end is dropped.
  void post(std::size_t thread, UniqueFunction<void()> work);
  /// Other limits, each thread from its next round on. Any thread.
  void set_limits(std::shared_ptr<const RateLimits>);
  ServerStats stats() const;

  /// Stops accepting, answers what is in the works (with Connection: close), ends streams, closes idle
  /// connections, and returns when all are closed or after `limit_us`. True if all were answered. May be
  /// called once.
  bool drain(Micros limit_us);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::http
