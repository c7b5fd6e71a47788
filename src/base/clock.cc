#include "base/clock.h"

#include <ctime>

namespace spillway {
namespace {

Micros read(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return static_cast<Micros>(t.tv_sec) * kSecond + t.tv_nsec / 1'000;
}

}  // namespace

Timestamp SystemClock::wall() const { return {read(CLOCK_REALTIME)}; }
Micros SystemClock::steady_us() const { return read(CLOCK_MONOTONIC); }

}  // namespace spillway
