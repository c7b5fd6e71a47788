#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "base/log.h"
#include "base/result.h"
#include "http/client_address.h"
#include "http/rate_limits.h"
#include "identity/types.h"

namespace spillway::app {

/// For identity oidc.
struct OidcOptions {
  std::string issuer, audience;
  std::string role_claim = "roles";
  std::vector<std::string> operators, admins;  ///< values of that claim
  std::string ca_file;                         ///< empty: the system's
};

/// What `spillway serve` can be told.
struct ServeOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  std::string data_dir = "./data";
  bool demo = false;
  identity::Mode identity = identity::Mode::kNone;
  bool i_know_login_is_open = false;
  OidcOptions oidc;
  std::size_t password_threads = 0;  ///< 0: half the cores, at least 1
  std::size_t workers = 4;
  bool waitroom = true;          ///< that service runs too
  bool start_paused = false;     ///< --workers 0
  std::size_t http_threads = 0;  ///< 0: cores - 1, at least 1
  bool io_uring = true;
  std::size_t max_connections = limits::kMaxConnections;
  std::size_t max_in_works = limits::kInboxTasks;
  std::string tls_certificate_file, tls_key_file;
  bool access_log = false;
  http::RateLimitSettings limits = http::RateLimitSettings::defaults();
  http::TrustedProxies trusted_proxies;
  log::Level log_level = log::Level::kInfo;
  bool log_json = false;
  std::string admin_secret;
  Micros retention_us = limits::kRetention;
  Micros visibility_us = limits::kVisibility;
  std::uint32_t max_receive_count = 5;
  std::size_t snapshot_every_bytes = limits::kSnapshotEveryBytes;

  // The http worker; off when there is no URL.
  std::string work_url;
  std::string work_secret, work_secret_file;  ///< one of them
  std::vector<std::string> work_allow, work_allow_private;
  std::string work_ca_file;
  std::size_t work_concurrency = limits::kWorkConcurrency;
  Micros work_timeout_us = limits::kWorkTimeout;
  std::uint32_t work_breaker_failures = limits::kBreakerFailures;
  Micros work_breaker_open_us = limits::kBreakerOpen;

  // Webhooks; off when there is no secret. Where they may go: as the http worker.
  std::string webhook_secret, webhook_secrets_file;  ///< one, the other, or both
  Micros webhook_timeout_us = limits::kWebhookTimeout;
  std::uint32_t webhook_attempts = limits::kWebhookAttempts;
  Micros webhook_backoff_us = limits::kWebhookBackoff;
  Micros webhook_max_age_us = limits::kWebhookMaxAge;
};

/// One row of the one table that makes the flags, the environment variables, the keys of the configuration
/// file and docs/configuration.md.
struct OptionRow {
  std::string_view name;         ///< "http-threads": --http-threads, SPILLWAY_HTTP_THREADS, http-threads
  std::string_view placeholder;  ///< "N"; empty: a flag, which is true or false elsewhere
  std::string_view fallback;     ///< as text
  std::string_view help;
  /// Errors are sentences without the name.
  std::function<Status(ServeOptions&, const std::string& value)> set;
  bool repeatable = false;  ///< may be given several times in one place; `set` takes each
};
const std::vector<OptionRow>& option_table();

/// "SPILLWAY_HTTP_THREADS".
std::string environment_name(std::string_view option);

/// The table as Markdown.
std::string options_markdown();

/// A value that somebody gave, and where.
struct GivenOption {
  std::string name;
  std::string value;
};
/// Puts together the command line, the environment and the file, in this order of precedence. Errors name the
/// option and where it came from. `environment` answers null for what is not set.
Result<ServeOptions> resolve_options(const std::vector<GivenOption>& command_line,
                                     const std::function<const char*(const char*)>& environment,
                                     const std::string& config_file);

}  // namespace spillway::app
