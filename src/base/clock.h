#pragma once

#include <compare>
#include <cstdint>

namespace spillway {

/// A span of time in microseconds.
using Micros = std::int64_t;

inline constexpr Micros kMillisecond = 1'000;
inline constexpr Micros kSecond = 1'000'000;

/// A point in time: microseconds since 1970-01-01T00:00:00Z. Zero means "not set" where a field is optional.
struct Timestamp {
  Micros us = 0;

  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
  friend Timestamp operator+(Timestamp t, Micros d) { return {t.us + d}; }
  friend Timestamp operator-(Timestamp t, Micros d) { return {t.us - d}; }
  friend Micros operator-(Timestamp a, Timestamp b) { return a.us - b.us; }
  explicit operator bool() const { return us != 0; }
};

/// Where time comes from. Thread-safe. Passed in through constructors; never read inside a machine.
class Clock {
 public:
  virtual ~Clock() = default;
  /// The wall clock; may be stepped in either direction by the operating system.
  virtual Timestamp wall() const = 0;
  /// Never goes back; its zero means nothing.
  virtual Micros steady_us() const = 0;
};

class SystemClock final : public Clock {
 public:
  Timestamp wall() const override;
  Micros steady_us() const override;
};

/// Makes of both clocks one that never goes back: it follows the wall clock forward, and while the wall clock
/// is behind (somebody set it back) it goes on at the pace of the steady one. Not thread-safe.
class MonotonicTime {
 public:
  explicit MonotonicTime(const Clock& clock) : clock_(clock), last_steady_us_(clock.steady_us()) {}
  /// Never answers earlier than this from now on (the last time found in a journal).
  void at_least(Timestamp t) {
    if (now_ < t) now_ = t;
  }
  Timestamp now() {
    const Micros steady = clock_.steady_us();
    const Timestamp paced = now_ + (steady > last_steady_us_ ? steady - last_steady_us_ : 0);
    last_steady_us_ = steady;
    const Timestamp wall = clock_.wall();
    now_ = wall > paced ? wall : paced;
    return now_;
  }

 private:
  const Clock& clock_;
  Micros last_steady_us_;
  Timestamp now_{};
};

}  // namespace spillway
