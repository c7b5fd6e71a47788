#pragma once

#include <chrono>
#include <functional>

#include "base/limits.h"

namespace spillway {

/// While it lives, the calling thread works a quarter of the time: for work that nobody waits for and others
/// should not notice.
///
/// Operation: long loops, and files of a PacedFileSystem, call breathe(). Once the thread has worked for
/// limits::kPaceWork, that calls `rest` with how long to leave processor and disk alone: three times as long
/// as it worked, at most limits::kMaxPaceRest. `rest` may return early. A low priority is not enough:
/// measured, a core that is never idle keeps the kernel's own threads from the disk's commits for up to 100
/// ms. Concurrency: one thread, on which it is made, used and destroyed; one at a time.
class Pace {
 public:
  using Rest = std::function<void(std::chrono::nanoseconds)>;
  explicit Pace(Rest rest);
  ~Pace();
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  /// Where the calling thread may pause. Nothing when it has no Pace.
  static void breathe() {
    if (current_ != nullptr) current_->rest_when_due();
  }

 private:
  void rest_when_due();

  static inline thread_local Pace* current_ = nullptr;
  const Rest rest_;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

}  // namespace spillway
