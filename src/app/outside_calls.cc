#include "app/outside_calls.h"

#include <fmt/format.h>

#include <fstream>

#include "base/limits.h"

namespace spillway::app {
namespace {

/// All of a small file.
Result<std::string> read_small_file(const std::string& path, std::size_t max_bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string text(max_bytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || file.gcount() == 0)
    return Error{ErrorCode::kInternal, fmt::format("cannot read {}", path)};
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > max_bytes) return invalid_argument(fmt::format("{} is too large", path));
  return text;
}

/// A secret that stands on the one line of a file.
Result<std::string> read_secret(const std::string& path) {
  auto read = read_small_file(path, limits::kMaxSecretFileBytes);
  if (!read) return read.error();
  std::string secret = *std::move(read);
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.find('\n') != std::string::npos)
    return invalid_argument(fmt::format("{} has several lines", path));
  return secret;
}

Result<clients::AddressPolicy> where_calls_may_go(const ServeOptions& options) {
  auto policy = clients::AddressPolicy::make(options.work_allow, options.work_allow_private);
  if (!policy) return Error{policy.error().code, "work-allow: " + policy.error().message};
  return policy;
}

/// By name. Errors name the option, and no secret.
Result<std::map<std::string, std::string>> webhook_secrets(const ServeOptions& options) {
  std::map<std::string, std::string> secrets;
  if (!options.webhook_secrets_file.empty()) {
    const auto text = read_small_file(options.webhook_secrets_file, limits::kMaxWebhookSecretsFileBytes);
    auto read = text ? intake::parse_webhook_secrets(*text) : text.error();
    if (!read) return Error{read.error().code, "webhook-secrets-file: " + read.error().message};
    secrets = *std::move(read);
  }
  const std::string& secret = options.webhook_secret;
  if (!secret.empty() && !secrets.emplace(intake::kDefaultSecretName, secret).second) {
    return invalid_argument(fmt::format("webhook-secret: webhook-secrets-file has a secret \"{}\" too",
                                        intake::kDefaultSecretName));
  }
  return secrets;
}

}  // namespace

Result<std::unique_ptr<intake::HttpWork>> make_http_work(const ServeOptions& options, const Clock& clock) {
  if (options.work_url.empty()) return std::unique_ptr<intake::HttpWork>();
  intake::HttpWorkOptions work;
  work.url = options.work_url;
  work.secret = options.work_secret;
  if (!options.work_secret_file.empty()) {
    auto secret = read_secret(options.work_secret_file);
    if (!secret) return Error{secret.error().code, "work-secret-file: " + secret.error().message};
    work.secret = std::move(*secret);
  }
  work.concurrency = options.work_concurrency;
  work.timeout_us = options.work_timeout_us;
  work.ca_file = options.work_ca_file;
  work.breaker.failures = options.work_breaker_failures;
  work.breaker.open_us = options.work_breaker_open_us;
  auto policy = where_calls_may_go(options);
  if (!policy) return policy.error();
  auto made = intake::HttpWork::make(std::move(work), *std::move(policy), clock);
  if (!made) return Error{made.error().code, "the http worker cannot start: " + made.error().message};
  return made;
}

Result<std::unique_ptr<intake::HttpWebhooks>> make_webhooks(const ServeOptions& options,
                                                            intake::Service& service, const Clock& clock,
                                                            std::size_t loop_index) {
  auto secrets = webhook_secrets(options);
  if (!secrets) return secrets.error();
  if (secrets->empty()) return std::unique_ptr<intake::HttpWebhooks>();
  intake::WebhookOptions webhooks;
  webhooks.secrets = *std::move(secrets);
  webhooks.ca_file = options.work_ca_file;
  webhooks.max_attempts = options.webhook_attempts;
  webhooks.timeout_us = options.webhook_timeout_us;
  webhooks.backoff_base_us = options.webhook_backoff_us;
  webhooks.random_seed = static_cast<std::uint64_t>(clock.wall().us) + 2;
  auto policy = where_calls_may_go(options);
  if (!policy) return policy.error();
  auto made = intake::HttpWebhooks::make(std::move(webhooks), *std::move(policy), service, clock, loop_index);
  if (!made) return Error{made.error().code, "webhooks cannot be told: " + made.error().message};
  return made;
}

}  // namespace spillway::app
