#include "app/reload.h"

#include <optional>

#include "base/log.h"
#include "base/wait_loop.h"

namespace spillway::app {
namespace {

/// Waits until the record is durable, or refused.
Status record(ops::AuditLog& audit, const http::RateLimitSettings& before,
              const http::RateLimitSettings& after, std::size_t main_loop) {
  AuditEntry entry{{"sighup", ""}, "limits.reload", "limits", before.to_json(), after.to_json()};
  std::optional<Result<Ok>> recorded;
  WaitLoop loop(main_loop);
  loop.run_until(
      [&recorded] { return recorded.has_value(); }, -1,
      [&] { audit.add(std::move(entry), [&recorded](Result<Ok> result) { recorded = std::move(result); }); });
  return *recorded;
}

}  // namespace

LimitReload::LimitReload(const http::RateLimitSettings& settings,
                         std::function<Result<ServeOptions>()> read_again)
    : read_again_(std::move(read_again)), current_(std::make_shared<const http::RateLimits>(settings)) {}

std::shared_ptr<const http::RateLimits> LimitReload::in_force() const {
  auto limits = current();
  return limits->settings().empty() ? nullptr : limits;
}

void LimitReload::reload(http::Server& server, ops::AuditLog& audit, std::size_t main_loop) {
  const auto refuse = [](const std::string& why) {
    log::error("limits not reloaded; the old ones stay", {{"why", why}});
  };
  if (!read_again_) return refuse("there is no --config file");
  const auto options = read_again_();
  if (!options) return refuse(options.error().message);
  const auto before = current();
  if (options->limits == before->settings()) {
    log::info("limits reloaded; nothing changed", {{"limits", before->settings().text()}});
    return;
  }
  if (Status recorded = record(audit, before->settings(), options->limits, main_loop); !recorded) {
    return refuse("the audit log cannot take it: " + recorded.error().message);
  }
  const auto after = std::make_shared<const http::RateLimits>(options->limits, before.get());
  current_.store(after);
  server.set_limits(in_force());
  log::info("limits reloaded", {{"before", before->settings().text()}, {"after", after->settings().text()}});
}

}  // namespace spillway::app
