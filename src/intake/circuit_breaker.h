#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/limits.h"

namespace spillway::intake {

struct BreakerOptions {
  std::uint32_t failures = limits::kBreakerFailures;  ///< in a row, after which the circuit opens; at least 1
  Micros open_us = limits::kBreakerOpen;              ///< how long at first
  Micros max_open_us = limits::kMaxBreakerOpen;
};

/// Stops calling what does not work.
///
/// Operation: closed, calls go through, and so many failures in a row open it. Open, none does, until the
/// time is over; then one call at a time probes (half-open). A good probe closes the circuit, a bad one opens
/// it for twice as long, up to the limit. What calls from before the circuit opened report later changes
/// nothing. Pure: the steady time comes in. Concurrency: none.
class CircuitBreaker {
 public:
  enum class State : std::uint8_t { kClosed, kOpen, kHalfOpen };
  /// Names the calls of one phase.
  using Ticket = std::uint64_t;

  explicit CircuitBreaker(BreakerOptions options) : options_(options), open_us_(options.open_us) {}

  State state(Micros now_us) const {
    return !open_ ? State::kClosed : now_us < open_until_us_ ? State::kOpen : State::kHalfOpen;
  }
  /// Nothing: no call may be made now. Each call that is made must be reported.
  std::optional<Ticket> admit(Micros now_us) {
    switch (state(now_us)) {
      case State::kOpen:
        return std::nullopt;
      case State::kHalfOpen:
        if (probing_) return std::nullopt;
        probing_ = true;
        return phase_;
      case State::kClosed:
        break;
    }
    return phase_;
  }
  /// How the call ended. True when that opened or closed the circuit.
  bool succeeded(Ticket ticket) {
    if (ticket != phase_) return false;
    failures_ = 0;
    if (!open_) return false;
    open_ = probing_ = false;
    open_us_ = options_.open_us;
    ++phase_;
    return true;
  }
  bool failed(Ticket ticket, Micros now_us) {
    if (ticket != phase_) return false;
    if (!open_ && ++failures_ < options_.failures) return false;
    if (open_) open_us_ = open_us_ > options_.max_open_us / 2 ? options_.max_open_us : open_us_ * 2;
    const bool was_closed = !open_;
    open_ = true;
    probing_ = false;
    failures_ = 0;
    open_until_us_ = now_us + open_us_;
    ++phase_;
    return was_closed;
  }
  /// The call said nothing about the other side.
  void told_nothing(Ticket ticket) {
    if (ticket == phase_) probing_ = false;
  }
  Micros open_until_us() const { return open_until_us_; }
  /// As one that is new.
  bool is_untroubled() const { return !open_ && failures_ == 0; }

 private:
  BreakerOptions options_;
  bool open_ = false;
  bool probing_ = false;
  std::uint32_t failures_ = 0;
  Micros open_us_;
  Micros open_until_us_ = 0;
  Ticket phase_ = 1;
};

}  // namespace spillway::intake
