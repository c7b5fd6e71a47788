#include "identity/issuer_keys.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <chrono>

#include "base/json_reader.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/thread.h"

namespace spillway::identity {
namespace {

constexpr std::string_view kHttps = "https://";
constexpr std::string_view kHttp = "http://";

/// Up to a tenth less, so that servers that were started together do not ask together.
Micros about(Micros time) {
  return time -
         static_cast<Micros>(randombytes_uniform(static_cast<std::uint32_t>(time / kMillisecond / 10))) *
             kMillisecond;
}

/// The host of what follows the scheme; IPv6 with its brackets.
std::string_view host_of(std::string_view rest) {
  rest = rest.substr(0, rest.find('/'));
  if (rest.starts_with('[')) return rest.substr(0, rest.find(']') + 1);
  return rest.substr(0, rest.find(':'));
}

/// "127." and three more numbers, not a name that begins so.
bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "[::1]") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

Status check_issuer_url(std::string_view url) {
  if (url.size() > limits::kHttpUrlBytes) {
    return invalid_argument(fmt::format("must not be longer than {} bytes", limits::kHttpUrlBytes));
  }
  const bool plain = url.starts_with(kHttp);
  if (!plain && !url.starts_with(kHttps)) return invalid_argument("must begin with https://");
  const std::string_view rest = url.substr(plain ? kHttp.size() : kHttps.size());
  const bool odd = std::any_of(rest.begin(), rest.end(), [](char c) {
    return c <= ' ' || c >= '\x7f' || c == '?' || c == '#' || c == '@' || c == '\\';
  });
  if (odd) return invalid_argument("must be a URL without user, query and fragment");
  const std::string_view host = host_of(rest);
  if (host.empty()) return invalid_argument("must name a host");
  if (plain && !is_loopback(host)) {
    return invalid_argument("must begin with https://, unless the issuer is on this machine (127.0.0.1)");
  }
  return Ok{};
}

IssuerKeys::IssuerKeys(std::string issuer, DocumentSource& source, const Clock& clock)
    : issuer_(std::move(issuer)),
      source_(source),
      clock_(clock),
      next_us_(clock.steady_us()),
      gap_us_(clock.steady_us()) {
  CHECK(sodium_init() >= 0);
  snapshot_.epoch = epoch_;
}

IssuerKeys::~IssuerKeys() { stop(); }

void IssuerKeys::start() {
  CHECK(!thread_.joinable());
  thread_ = std::thread([this] { run(); });
}

void IssuerKeys::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  woken_.notify_one();
  source_.cancel();
  if (thread_.joinable()) thread_.join();
}

void IssuerKeys::run() {
  name_this_thread("issuer-keys");
  while (true) {
    const Micros wait = turn();
    std::unique_lock lock(mutex_);
    if (!stopping_ && due(clock_.steady_us()) > 0) woken_.wait_for(lock, std::chrono::microseconds(wait));
    if (stopping_) return;
  }
}

IssuerKeys::Snapshot IssuerKeys::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

IssuerKeys::Stats IssuerKeys::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void IssuerKeys::ask_for_refresh() {
  if (wanted_.exchange(true)) return;
  { const std::lock_guard lock(mutex_); }  // so that a thread about to sleep is woken
  woken_.notify_one();
}

Micros IssuerKeys::due(Micros now) const {
  // An issuer that does not answer is not asked more often because of those who ask for it.
  const bool sooner = wanted_ && failures_ == 0;
  return (sooner ? std::min(next_us_.load(), gap_us_.load()) : next_us_.load()) - now;
}

int IssuerKeys::retry_after_s() const {
  const Micros wait = std::clamp(due(clock_.steady_us()), kSecond, limits::kOidcLastRetry);
  return static_cast<int>((wait + kSecond - 1) / kSecond);
}

Micros IssuerKeys::turn() {
  const Micros started = clock_.steady_us();
  if (const Micros wait = due(started); wait > 0) return wait;
  const Timestamp asked_at = clock_.wall();
  wanted_ = false;  // before: a key id that is seen from now on may be too new for what we get
  gap_us_ = started + limits::kOidcRefreshGap;
  auto keys = fetch();
  const Micros now = clock_.steady_us();
  Micros pause = about(limits::kOidcRefresh);
  if (keys) {
    failures_ = 0;
    fetched_us_ = now;
    publish(std::move(*keys), asked_at);
  } else {
    pause = after_failure(keys.error());
    give_up_old_keys(now);
  }
  next_us_ = now + pause;
  return std::max<Micros>(due(now), 0);
}

Micros IssuerKeys::after_failure(const Error& why) {
  const std::uint32_t failures = failures_.fetch_add(1);
  const Micros pause = std::min(limits::kOidcFirstRetry << std::min(failures, 16U), limits::kOidcLastRetry);
  const std::lock_guard lock(mutex_);
  ++stats_.failed;
  if (!stopping_) {
    log::warn("the issuer's keys could not be fetched",
              {{"issuer", issuer_}, {"why", why.message}, {"failures", failures + 1}, {"keys", stats_.keys}});
  }
  return about(pause);
}

void IssuerKeys::give_up_old_keys(Micros now) {
  if (!has_keys_ || now - fetched_us_ < limits::kOidcKeysMaxAge) return;
  log::error("the issuer's keys are too old to be trusted any longer", {{"issuer", issuer_}});
  const std::lock_guard lock(mutex_);
  has_keys_ = false;
  snapshot_.keys = nullptr;
  snapshot_.epoch = ++epoch_;
  stats_.keys = 0;
}

void IssuerKeys::publish(KeySet keys, Timestamp asked_at) {
  auto shared = std::make_shared<const KeySet>(std::move(keys));
  const std::lock_guard lock(mutex_);
  const bool same =
      snapshot_.keys != nullptr && shared->has_all_of(*snapshot_.keys) && snapshot_.keys->has_all_of(*shared);
  if (!same) {
    log::info("the issuer's keys",
              {{"issuer", issuer_}, {"keys", shared->size()}, {"passedOver", shared->passed_over()}});
  }
  if (snapshot_.keys != nullptr && !shared->has_all_of(*snapshot_.keys)) ++epoch_;
  ++stats_.fetched;
  stats_.keys = shared->size();
  stats_.fetched_at = clock_.wall();
  snapshot_ = {std::move(shared), epoch_, asked_at};
  has_keys_ = true;
}

Result<std::string> IssuerKeys::find_key_set_url() {
  // OpenID Connect Discovery 1.0, 4.1: a slash at the end goes before the path is added.
  std::string url = issuer_;
  if (url.ends_with('/')) url.pop_back();
  const auto document = source_.get(url + "/.well-known/openid-configuration", limits::kMaxDiscoveryBytes);
  if (!document) return document.error();
  JsonReader json(*document);
  const std::string issuer = json.required_string("issuer", 1, limits::kHttpUrlBytes);
  std::string keys = json.required_string("jwks_uri", 1, limits::kHttpUrlBytes);
  if (Status read = json.status(); !read) {
    return invalid_argument("the discovery document: " + read.error().message);
  }
  if (issuer != issuer_) {
    return invalid_argument(
        fmt::format("the discovery document is that of \"{}\", not of the issuer", issuer));
  }
  if (Status checked = check_issuer_url(keys.substr(0, keys.find('?'))); !checked) {
    return invalid_argument("the discovery document: jwks_uri " + checked.error().message);
  }
  if (keys.starts_with(kHttp) && !issuer_.starts_with(kHttp)) {
    return invalid_argument("the discovery document: jwks_uri must begin with https://");
  }
  return keys;
}

Result<KeySet> IssuerKeys::fetch() {
  const auto url = find_key_set_url();
  if (!url) return url.error();
  const auto document = source_.get(*url, limits::kMaxJwksBytes);
  if (!document) return document.error();
  return KeySet::parse(*document);
}

}  // namespace spillway::identity
