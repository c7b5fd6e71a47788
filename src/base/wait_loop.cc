#include "base/wait_loop.h"

#include <chrono>

namespace spillway {

void WaitLoop::deliver(NodeList nodes) {
  const std::lock_guard lock(mutex_);
  delivered_.append(std::move(nodes));
  arrived_.notify_one();
}

void WaitLoop::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  arrived_.notify_one();
}

bool WaitLoop::run_until(const std::function<bool()>& done, Micros timeout_us,
                         const std::function<void()>& first) {
  const Scope scope(this);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(timeout_us);
  if (first) first();
  while (true) {
    flush_staged();
    if (done()) return true;
    NodeList arrived;
    {
      std::unique_lock lock(mutex_);
      const auto ready = [this] { return woken_ || !delivered_.empty(); };
      if (timeout_us < 0) {
        arrived_.wait(lock, ready);
      } else if (!arrived_.wait_until(lock, deadline, ready)) {
        return false;
      }
      woken_ = false;
      arrived = std::move(delivered_);
    }
    run_all(std::move(arrived));
    if (timeout_us >= 0 && std::chrono::steady_clock::now() >= deadline) {
      flush_staged();
      return done();
    }
  }
}

}  // namespace spillway
