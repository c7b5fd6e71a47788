// What of the proxy's loop is about toxics and time.

#include <sys/timerfd.h>

#include <algorithm>
#include <chrono>

#include "load/faults/proxy_loop.h"

namespace spillway::load {
namespace {

constexpr double kNsPerMs = 1e6;
constexpr std::int64_t kNsPerS = 1'000'000'000;
constexpr std::uint64_t kNoConnection = 0;  // of a timer: the listener's

std::size_t index(ToxicKind kind) { return static_cast<std::size_t>(kind); }

}  // namespace

void ProxyLoop::set_timer(std::uint64_t id, std::int64_t* current_ns, std::int64_t at_ns) {
  // A later one is set when the earlier one has come; so of each connection few are waiting.
  if (at_ns >= *current_ns) return;
  *current_ns = at_ns;
  timers_.emplace(at_ns, id);
}

void ProxyLoop::arm_timer() {
  const std::int64_t at = timers_.empty() ? kNever : timers_.top().first;
  if (at == armed_ns_) return;
  armed_ns_ = at;
  itimerspec when{};
  if (at != kNever) {
    when.it_value.tv_sec = at / kNsPerS;
    when.it_value.tv_nsec = at % kNsPerS;
  }
  static_cast<void>(::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr));
}

void ProxyLoop::handle_timers() {
  const std::int64_t now = steady_ns();
  while (!timers_.empty() && timers_.top().first <= now) {
    const auto [at, id] = timers_.top();
    timers_.pop();
    if (id == kNoConnection) {
      if (at != listen_again_ns_) continue;
      listen_again_ns_ = kNever;
      watch_listener();
      continue;
    }
    const auto found = connections_.find(id);
    if (found == connections_.end() || found->second->timer_ns != at) continue;
    found->second->timer_ns = kNever;
    settle(*found->second);
  }
}

Status ProxyLoop::change(const std::function<void(Toxics&)>& edit) {
  const std::lock_guard one_at_a_time(change_mutex_);
  std::unique_lock lock(mutex_);
  edit(wanted_);
  change_waits_ = true;
  wake();
  changed_.wait(lock, [&] { return !change_waits_; });
  return outcome_;
}

void ProxyLoop::take_change() {
  std::unique_lock lock(mutex_);
  if (!change_waits_) return;
  const Toxics wanted = wanted_;
  lock.unlock();
  Status outcome = put_in_force(wanted);
  lock.lock();
  outcome_ = std::move(outcome);
  change_waits_ = false;
  changed_.notify_all();
}

Status ProxyLoop::put_in_force(const Toxics& wanted) {
  const Toxics before = std::exchange(toxics_, wanted);
  any_toxic_ = std::any_of(wanted.begin(), wanted.end(), [](const auto& toxic) { return toxic.has_value(); });
  const bool down = wanted[index(ToxicKind::kDown)].has_value();
  if (down) {
    forget_listener();
    listener_.close();
  }
  std::vector<std::uint64_t> ids;  // since some will be gone
  ids.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) ids.push_back(id);
  const std::int64_t now = steady_ns();
  for (const std::uint64_t id : ids) {
    Connection& c = *connections_.at(id);
    if (down) {
      counts_.resets.fetch_add(1, std::memory_order_relaxed);
      close(c, true);
      continue;
    }
    for (int kind = 0; kind < kToxicKinds; ++kind) {
      const auto k = static_cast<std::size_t>(kind);
      if (before[k] != wanted[k]) draw(c, static_cast<ToxicKind>(kind), now);
    }
    for (Flow& flow : c.flows) flow.plan_anew(now, toxics_of(c), random_);
    settle(c);
  }
  return down || listener_ ? Status(Ok{}) : listen();
}

void ProxyLoop::draw(Connection& c, ToxicKind kind, std::int64_t now_ns) {
  const std::size_t k = index(kind);
  c.cut_at_ns[k] = kNever;
  c.hit[k] = toxics_[k] && std::uniform_real_distribution<double>(0, 100)(random_) < toxics_[k]->percent;
  if (!c.hit[k]) return;
  const auto after_ns = static_cast<std::int64_t>(toxics_[k]->timeout_ms * kNsPerMs);
  if (kind == ToxicKind::kResetPeer || (kind == ToxicKind::kTimeout && after_ns > 0))
    c.cut_at_ns[k] = now_ns + after_ns;
}

Toxics ProxyLoop::toxics_of(const Connection& c) const {
  Toxics own = toxics_;
  for (std::size_t k = 0; k < own.size(); ++k)
    if (!c.hit[k]) own[k].reset();
  return own;
}

std::size_t ProxyLoop::room(const Flow& flow) const {
  const std::size_t most =
      counts_.held.load(std::memory_order_relaxed) > kManyHeldBytes ? kFewHeldBytes : kMostHeldBytes;
  return most - std::min(most, flow.held());
}

void ProxyLoop::hold(std::int64_t bytes) {
  const auto held = static_cast<std::uint64_t>(
      static_cast<std::int64_t>(counts_.held.load(std::memory_order_relaxed)) + bytes);
  counts_.held.store(held, std::memory_order_relaxed);
  if (held > counts_.most_held.load(std::memory_order_relaxed))
    counts_.most_held.store(held, std::memory_order_relaxed);
}

ProxyCounts ProxyLoop::counts() const {
  const auto now = [](const std::atomic<std::uint64_t>& c) { return c.load(std::memory_order_relaxed); };
  return {now(counts_.connections),
          now(counts_.open),
          now(counts_.bytes_up),
          now(counts_.bytes_down),
          now(counts_.resets),
          now(counts_.broken),
          now(counts_.connect_failures),
          now(counts_.accept_failures),
          now(counts_.held),
          now(counts_.most_held)};
}

}  // namespace spillway::load
