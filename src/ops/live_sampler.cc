#include "ops/live_sampler.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/thread.h"

namespace spillway::ops {

void LiveSampling::tick() {
  if (std::exchange(open_, false)) {  // the second before is over, and its answer has not come
    publish_(series_.point(at_, steady_us_, {}, http_then_, steady_us_));
  }
  open_ = true;
  at_ = clock_.wall();
  steady_us_ = clock_.steady_us();
  http_then_ = http_();
  ++ticks_;
  if (waiting_) return;
  waiting_ = true;
  source_([this, tick = ticks_](std::optional<LiveSample> sample) { answered(tick, std::move(sample)); });
}

void LiveSampling::answered(std::uint64_t tick, std::optional<LiveSample> sample) {
  waiting_ = false;
  const Micros now = clock_.steady_us();
  if (tick == ticks_ && open_) {
    open_ = false;
    publish_(series_.point(at_, now, sample, http_then_, steady_us_));
  } else if (sample) {
    series_.late(std::move(*sample), now);
  }
}

void LiveSampler::start() {
  thread_ = std::thread([this] { run(); });
}

void LiveSampler::stop() {
  if (!thread_.joinable()) return;
  stop_ = true;
  loop_.wake();
  thread_.join();
}

void LiveSampler::run() {
  name_this_thread("live");
  Micros next = clock_.steady_us() + kSecond;
  while (!stop_) {
    const Micros now = clock_.steady_us();
    const bool due = now >= next;
    if (due) next = now - next >= kSecond ? now + kSecond : next + kSecond;  // seconds slept through are gone
    Micros wait = next - now;
    if (work_.wanted()) wait = std::min(wait, limits::kLivePieceEvery);
    loop_.run_until([this] { return stop_.load(); }, std::max<Micros>(wait, 0),
                    [&] {
                      if (due) {
                        work_.tick();
                      } else {
                        work_.between();
                      }
                    });
  }
  loop_.run_until([this] { return !work_.waiting(); });
}

}  // namespace spillway::ops
