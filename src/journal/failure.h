#pragma once

#include <atomic>
#include <functional>
#include <string>

namespace spillway::journal {

/// Set once, never taken back: storage cannot be trusted any more. Any thread.
class Failure {
 public:
  /// Before any thread runs.
  void on_failure(std::function<void(const std::string& why)> callback) { callback_ = std::move(callback); }
  bool failed() const { return failed_.load(std::memory_order_acquire); }
  /// What is called first, when something has to wake up to notice. Before any thread runs.
  void wake_with(std::function<void()> wake) { wake_ = std::move(wake); }
  /// Holding no lock. Only the first call has an effect.
  void fail(const std::string& why) {
    if (failed_.exchange(true, std::memory_order_acq_rel)) return;
    if (wake_) wake_();
    if (callback_) callback_(why);
  }

 private:
  std::atomic<bool> failed_{false};
  std::function<void(const std::string&)> callback_;
  std::function<void()> wake_;
};

}  // namespace spillway::journal
