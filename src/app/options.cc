#include "app/options.h"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Error.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <map>

#include "clients/address_policy.h"
#include "identity/gate.h"
#include "identity/issuer_keys.h"

namespace spillway::app {
namespace {

Status set_bool(bool& into, const std::string& value) {
  if (value != "true" && value != "false") return invalid_argument("must be true or false");
  into = value == "true";
  return Ok{};
}

template <class T>
Status set_number(T& into, const std::string& value, std::uint64_t min, std::uint64_t max,
                  std::uint64_t unit = 1) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (failed != std::errc() || end != value.data() + value.size() || number < min || number > max) {
    return invalid_argument(fmt::format("must be a whole number from {} to {}", min, max));
  }
  into = static_cast<T>(number * unit);
  return Ok{};
}

Status set_listen(ServeOptions& options, const std::string& value) {
  const auto colon = value.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return invalid_argument("must be HOST:PORT, as 127.0.0.1:8080");
  options.host = value.substr(0, colon);
  if (options.host.size() > 2 && options.host.front() == '[' && options.host.back() == ']') {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  if (Status port = set_number(options.port, value.substr(colon + 1), 0, 65'535); !port) {
    return invalid_argument("must end in a port from 0 to 65535 (0: any free one)");
  }
  return Ok{};
}

Status set_identity(ServeOptions& options, const std::string& value) {
  const auto mode = identity::parse_mode(value);
  if (!mode) return invalid_argument("must be none, open, users or oidc");
  options.identity = *mode;
  return Ok{};
}

/// Values that commas part; an empty text has none.
Status set_list(std::vector<std::string>& into, const std::string& value) {
  into.clear();
  for (std::size_t begin = 0; begin < value.size();) {
    const std::size_t end = std::min(value.find(',', begin), value.size());
    if (end == begin || end + 1 == value.size()) return invalid_argument("must have no empty value");
    into.push_back(value.substr(begin, end - begin));
    begin = end + 1;
  }
  return Ok{};
}

Status set_workers(ServeOptions& options, const std::string& value) {
  std::size_t workers = 0;
  if (Status read = set_number(workers, value, 0, limits::kMaxWorkers); !read) return read;
  options.start_paused = workers == 0;
  options.workers = workers == 0 ? ServeOptions{}.workers : workers;
  return Ok{};
}

Status set_log_level(ServeOptions& options, const std::string& value) {
  const std::map<std::string, log::Level> levels = {{"debug", log::Level::kDebug},
                                                    {"info", log::Level::kInfo},
                                                    {"warn", log::Level::kWarn},
                                                    {"error", log::Level::kError}};
  const auto it = levels.find(value);
  if (it == levels.end()) return invalid_argument("must be debug, info, warn or error");
  options.log_level = it->second;
  return Ok{};
}

Status add_trusted_proxies(ServeOptions& options, const std::string& value) {
  for (std::string_view rest = value;;) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const auto network = IpNetwork::parse(rest.substr(0, comma));
    if (!network) return network.error();
    if (options.trusted_proxies.networks.size() >= limits::kMaxTrustedProxies) {
      return invalid_argument(fmt::format("may name {} networks at most", limits::kMaxTrustedProxies));
    }
    options.trusted_proxies.networks.push_back(*network);
    if (comma == rest.size()) return Ok{};
    rest.remove_prefix(comma + 1);
  }
}

Status set_proxy_header(ServeOptions& options, const std::string& value) {
  if (value != "x-forwarded-for" && value != "forwarded") {
    return invalid_argument("must be x-forwarded-for or forwarded");
  }
  options.trusted_proxies.header = value == "forwarded" ? http::TrustedProxies::Header::kForwarded
                                                        : http::TrustedProxies::Header::kXForwardedFor;
  return Ok{};
}

Status add_hosts(std::vector<std::string>& into, const std::string& value) {
  for (std::size_t from = 0; from <= value.size();) {
    const std::size_t comma = std::min(value.find(',', from), value.size());
    if (comma != from) into.push_back(value.substr(from, comma - from));
    from = comma + 1;
  }
  const auto sound = clients::AddressPolicy::make(into);
  return sound.ok() ? Status(Ok{}) : Status(sound.error());
}

std::vector<OptionRow> make_table() {
  using O = ServeOptions;
  using S = const std::string&;
  return {
      {"listen", "HOST:PORT", "127.0.0.1:8080", "Address to serve on; port 0 picks a free one.", set_listen},
      {"data", "DIR", "./data", "Where the journal and the keys are kept; made when it is not there.",
       [](O& o, S v) {
         return v.empty() ? Status(invalid_argument("must not be empty")) : (o.data_dir = v, Ok{});
       }},
      {"demo", "", "false",
       "Demonstration: open login, event EVT-009 with 100 places, an admin token, and a small crowd.",
       [](O& o, S v) { return set_bool(o.demo, v); }},
      {"identity", "MODE", "none",
       "Who may log in: none (only the admin secret counts), open (any user id, no password), users "
       "(accounts with passwords) or oidc (access tokens of an OpenID provider).",
       set_identity},
      {"i-know-login-is-open", "", "false", "Allow open login on an address that others can reach.",
       [](O& o, S v) { return set_bool(o.i_know_login_is_open, v); }},
      {"oidc-issuer", "URL", "",
       "The OpenID provider, as its discovery document spells it; https, or http on this machine.",
       [](O& o, S v) {
         if (Status checked = identity::check_issuer_url(v); !checked) return checked;
         o.oidc.issuer = v;
         return Status(Ok{});
       }},
      {"oidc-audience", "TEXT", "", "What `aud` of its tokens must be or contain.",
       [](O& o, S v) { return o.oidc.audience = v, Status(Ok{}); }},
      {"oidc-role-claim", "NAME", "roles",
       "The claim that tells roles, or a path to it, as realm_access.roles.",
       [](O& o, S v) {
         return v.empty() ? Status(invalid_argument("must not be empty")) : (o.oidc.role_claim = v, Ok{});
       }},
      {"oidc-operators", "LIST", "", "Values of that claim, separated by commas, that make an operator.",
       [](O& o, S v) { return set_list(o.oidc.operators, v); }},
      {"oidc-admins", "LIST", "", "Values of that claim, separated by commas, that make an admin.",
       [](O& o, S v) { return set_list(o.oidc.admins, v); }},
      {"oidc-ca-file", "FILE", "",
       "Authorities (PEM) that the provider's certificate must be from; else the system's.",
       [](O& o, S v) { return o.oidc.ca_file = v, Status(Ok{}); }},
      {"password-threads", "N", "0",
       "Threads that compare passwords, of 19 MiB each at work; 0 takes half the cores, at least one.",
       [](O& o, S v) { return set_number(o.password_threads, v, 0, limits::kMaxPasswordThreads); }},
      {"admin-token", "SECRET", "",
       "Bearer secret that counts as an admin, 32 characters or more. Better given as SPILLWAY_ADMIN_TOKEN.",
       [](O& o, S v) {
         if (!v.empty() && v.size() < identity::kMinAdminSecretBytes) {
           return Status(invalid_argument("must have 32 characters or more"));
         }
         o.admin_secret = v;
         return Status(Ok{});
       }},
      {"workers", "N", "4", "Workers of the queue; 0 starts with the workers paused.", set_workers},
      {"services", "LIST", "intake,waitroom",
       "Services to run, separated by commas; this version has intake, which is always there, and waitroom.",
       [](O& o, S v) {
         o.waitroom = v == "intake,waitroom" || v == "waitroom,intake";
         return o.waitroom || v == "intake" ? Status(Ok{})
                                            : Status(invalid_argument("must be intake or intake,waitroom"));
       }},
      {"http-threads", "N", "0", "Threads that serve HTTP; 0 takes the cores less one, at least one.",
       [](O& o, S v) { return set_number(o.http_threads, v, 0, limits::kMaxHttpThreads); }},
      {"io-uring", "BOOL", "true",
       "Networking with io_uring where the kernel lets us (Linux 6.1); false, or elsewhere: epoll.",
       [](O& o, S v) { return set_bool(o.io_uring, v); }},
      {"max-connections", "N", "20000", "Connections at once; past it new ones are answered 503.",
       [](O& o, S v) { return set_number(o.max_connections, v, 1, 1'000'000); }},
      {"max-in-works", "N", "65536",
       "Requests taken and not yet answered; past it new ones are answered 503.",
       [](O& o, S v) { return set_number(o.max_in_works, v, 1, 10'000'000); }},
      {"limit", "CLASS.BY=N/TIME", "participate.account=100/10s",
       "So many requests in any such time (s, m, h): login, participate, read, stream or admin, by account "
       "or by "
       "address; off removes it. May be repeated; each place changes what it names. Read again on SIGHUP.",
       [](O& o, S v) { return o.limits.set(v); }, true},
      {"trusted-proxy", "CIDR", "", "Network whose word about the client's address counts. May be repeated.",
       add_trusted_proxies, true},
      {"proxy-header", "NAME", "x-forwarded-for",
       "The one header that trusted proxies write it to: x-forwarded-for or forwarded.", set_proxy_header},
      {"tls-cert", "FILE", "", "Certificate chain in PEM; with --tls-key the listener speaks TLS.",
       [](O& o, S v) { return o.tls_certificate_file = v, Status(Ok{}); }},
      {"tls-key", "FILE", "", "Private key in PEM.",
       [](O& o, S v) { return o.tls_key_file = v, Status(Ok{}); }},
      {"retention-seconds", "N", "86400", "How long final requests of a closed event are kept.",
       [](O& o, S v) { return set_number(o.retention_us, v, 1, 10LL * 366 * 86'400, kSecond); }},
      {"visibility-seconds", "N", "30", "How long a delivery is kept from other workers without a heartbeat.",
       [](O& o, S v) { return set_number(o.visibility_us, v, 1, 12 * 3'600, kSecond); }},
      {"max-receive-count", "N", "5", "Tries of a request before it becomes a dead letter.",
       [](O& o, S v) { return set_number(o.max_receive_count, v, 3, 5); }},
      {"snapshot-every-mib", "N", "256", "Closed journal segments between two snapshots; 0: never.",
       [](O& o, S v) { return set_number(o.snapshot_every_bytes, v, 0, 1'000'000, 1024 * 1024); }},
      {"work-url", "URL", "",
       "What the http worker calls for each request of an event whose work is http; docs/http-worker.md.",
       [](O& o, S v) { return o.work_url = v, Status(Ok{}); }},
      {"work-secret", "SECRET", "",
       "Signs the calls of the http worker, 32 characters or more. Better given as SPILLWAY_WORK_SECRET or "
       "in a file.",
       [](O& o, S v) { return o.work_secret = v, Status(Ok{}); }},
      {"work-secret-file", "FILE", "", "File with that secret, on one line.",
       [](O& o, S v) { return o.work_secret_file = v, Status(Ok{}); }},
      {"work-allow", "LIST", "",
       "Hosts that the http worker and webhooks may call, HOST or HOST:PORT, separated by commas. A name "
       "must lead to a public address; an address given here may be any.",
       [](O& o, S v) { return add_hosts(o.work_allow, v); }, true},
      {"work-allow-private", "LIST", "",
       "Hosts that the http worker and webhooks may call at private, loopback and link-local addresses too.",
       [](O& o, S v) { return add_hosts(o.work_allow_private, v); }, true},
      {"work-ca-file", "FILE", "",
       "Certificates (PEM) that the http worker and webhooks trust instead of the system's.",
       [](O& o, S v) { return o.work_ca_file = v, Status(Ok{}); }},
      {"work-concurrency", "N", "16", "Calls of the http worker at once.",
       [](O& o, S v) { return set_number(o.work_concurrency, v, 1, limits::kMaxWorkConcurrency); }},
      {"work-timeout-ms", "N", "10000", "How long one call of the http worker may take.",
       [](O& o, S v) { return set_number(o.work_timeout_us, v, 10, 300'000, kMillisecond); }},
      {"work-breaker-failures", "N", "10",
       "Failed calls in a row after which the http worker stops calling for a while.",
       [](O& o, S v) { return set_number(o.work_breaker_failures, v, 1, 100'000); }},
      {"work-breaker-open-ms", "N", "5000",
       "How long at first; doubled by each failed probe, up to a minute.",
       [](O& o, S v) { return set_number(o.work_breaker_open_us, v, 10, 60'000, kMillisecond); }},
      {"webhook-secret", "SECRET", "",
       "Signs webhooks that name no secret, 32 characters or more; docs/webhooks.md. Better given as "
       "SPILLWAY_WEBHOOK_SECRET or in a file.",
       [](O& o, S v) { return o.webhook_secret = v, Status(Ok{}); }},
      {"webhook-secrets-file", "FILE", "",
       "File with secrets by name, a line NAME=SECRET each; the one named default is for webhooks that name "
       "none.",
       [](O& o, S v) { return o.webhook_secrets_file = v, Status(Ok{}); }},
      {"webhook-timeout-ms", "N", "10000", "How long one call of a webhook may take.",
       [](O& o, S v) { return set_number(o.webhook_timeout_us, v, 10, 300'000, kMillisecond); }},
      {"webhook-attempts", "N", "20", "Tries before the telling of a final state is given up.",
       [](O& o, S v) { return set_number(o.webhook_attempts, v, 1, limits::kMaxWebhookAttempts); }},
      {"webhook-backoff-ms", "N", "5000",
       "At most so long before the second try; doubled for each further one, up to an hour.",
       [](O& o, S v) { return set_number(o.webhook_backoff_us, v, 1, 3'600'000, kMillisecond); }},
      {"webhook-max-age-seconds", "N", "259200",
       "After so long without success the telling of a final state is given up.",
       [](O& o, S v) { return set_number(o.webhook_max_age_us, v, 1, 366LL * 86'400, kSecond); }},
      {"access-log", "", "false", "Log a line for every request.",
       [](O& o, S v) { return set_bool(o.access_log, v); }},
      {"log-level", "LEVEL", "info", "debug, info, warn or error.", set_log_level},
      {"log-format", "FORMAT", "text", "text or json; lines go to standard error.",
       [](O& o, S v) {
         if (v != "text" && v != "json") return Status(invalid_argument("must be text or json"));
         o.log_json = v == "json";
         return Status(Ok{});
       }},
  };
}

const OptionRow* find_row(std::string_view name) {
  for (const OptionRow& row : option_table()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

/// The `key = value` lines of a configuration file (TOML or INI, as CLI11 reads them).
Result<std::vector<GivenOption>> read_config(const std::string& path) {
  std::vector<GivenOption> given;
  try {
    for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_file(path)) {
      const OptionRow* row = find_row(item.name);
      if (!item.parents.empty() || row == nullptr || (item.inputs.size() != 1 && !row->repeatable)) {
        return invalid_argument(fmt::format("{}: there is no option {}", path, item.fullname()));
      }
      for (const std::string& value : item.inputs) given.push_back({item.name, value});
    }
  } catch (const CLI::Error& error) {
    return invalid_argument(fmt::format("{}: {}", path, error.what()));
  }
  return given;
}

Status check_together(const ServeOptions& options) {
  if (options.tls_certificate_file.empty() != options.tls_key_file.empty()) {
    return invalid_argument("tls-cert and tls-key go together");
  }
  const bool oidc = options.identity == identity::Mode::kOidc;
  if (oidc && (options.oidc.issuer.empty() || options.oidc.audience.empty())) {
    return invalid_argument("identity oidc needs oidc-issuer and oidc-audience");
  }
  if (!oidc && !options.oidc.issuer.empty()) {
    return invalid_argument("oidc-issuer goes with identity oidc");
  }
  if (options.demo && options.identity != identity::Mode::kOpen) {
    return invalid_argument("the demonstration needs identity open");
  }
  if (!options.work_secret.empty() && !options.work_secret_file.empty()) {
    return invalid_argument("work-secret and work-secret-file exclude each other");
  }
  if (!options.work_url.empty() && options.work_secret.empty() && options.work_secret_file.empty()) {
    return invalid_argument("work-url needs work-secret or work-secret-file: calls are signed");
  }
  return Ok{};
}

}  // namespace

const std::vector<OptionRow>& option_table() {
  static const std::vector<OptionRow> kTable = make_table();
  return kTable;
}

std::string environment_name(std::string_view option) {
  std::string name = "SPILLWAY_";
  for (const char c : option) name.push_back(c == '-' ? '_' : static_cast<char>(c - 'a' + 'A'));
  return name;
}

std::string options_markdown() {
  std::string out =
      "# Configuration\n\n"
      "`spillway serve` takes every option as a flag, as an environment variable or as a key in the file "
      "given by\n"
      "`--config FILE` (`key = value` lines, TOML); the first of these that names it counts. This page is "
      "printed by\n"
      "`spillway options`, and a test holds it against the program.\n\n"
      "| flag and key | environment | default | what it does |\n|---|---|---|---|\n";
  for (const OptionRow& row : option_table()) {
    out += fmt::format("| `--{}{}{}` | `{}` | {} | {} |\n", row.name, row.placeholder.empty() ? "" : " ",
                       row.placeholder, environment_name(row.name),
                       row.fallback.empty() ? "" : fmt::format("`{}`", row.fallback), row.help);
  }
  return out;
}

Result<ServeOptions> resolve_options(const std::vector<GivenOption>& command_line,
                                     const std::function<const char*(const char*)>& environment,
                                     const std::string& config_file) {
  ServeOptions options;
  // From the weakest to the strongest, so that the stronger overwrites.
  if (!config_file.empty()) {
    const auto given = read_config(config_file);
    if (!given) return given.error();
    for (const GivenOption& each : *given) {
      if (Status set = find_row(each.name)->set(options, each.value); !set) {
        return invalid_argument(fmt::format("{}: {} {}", config_file, each.name, set.error().message));
      }
    }
  }
  for (const OptionRow& row : option_table()) {
    const std::string name = environment_name(row.name);
    const char* value = environment(name.c_str());
    if (value == nullptr || *value == '\0') continue;
    if (Status set = row.set(options, value); !set) {
      return invalid_argument(fmt::format("{} {}", name, set.error().message));
    }
  }
  for (const GivenOption& each : command_line) {
    if (Status set = find_row(each.name)->set(options, each.value); !set) {
      return invalid_argument(fmt::format("--{} {}", each.name, set.error().message));
    }
  }
  if (options.demo && options.identity == identity::Mode::kNone) options.identity = identity::Mode::kOpen;
  if (Status together = check_together(options); !together) return together.error();
  return options;
}

}  // namespace spillway::app
