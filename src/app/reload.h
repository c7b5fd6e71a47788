#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "app/options.h"
#include "http/server.h"
#include "ops/audit_log.h"

namespace spillway::app {

/// The limits in force, and their change while the server runs.
///
/// Operation: reload() reads all options again, as at the start, and takes the limits of them; nothing else
/// changes. What is refused is logged and changes nothing; what is accepted is in the audit log before it
/// holds. Concurrency: reload() on the main thread; current() on any.
class LimitReload {
 public:
  /// `read_again`: null: there is no file to read.
  LimitReload(const http::RateLimitSettings&, std::function<Result<ServeOptions>()> read_again);

  /// `main_loop`: an index for a loop of the calling thread. `server` and `audit` are running.
  void reload(http::Server& server, ops::AuditLog& audit, std::size_t main_loop);
  std::shared_ptr<const http::RateLimits> current() const { return current_.load(); }
  /// current() for http::Server: null when there is no limit at all, so that none is asked about.
  std::shared_ptr<const http::RateLimits> in_force() const;

 private:
  std::function<Result<ServeOptions>()> read_again_;
  std::atomic<std::shared_ptr<const http::RateLimits>> current_;
};

}  // namespace spillway::app
