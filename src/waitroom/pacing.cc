#include "waitroom/pacing.h"

#include <algorithm>
#include <cmath>

#include "base/limits.h"

namespace spillway::waitroom {
namespace {

constexpr double kSooner = 1 / 1.5, kLater = 1.5;
constexpr double kLongestTold = 7 * 24 * 3600.0;  // seconds: nobody keeps a place for longer

std::uint64_t whole_seconds(double seconds) {
  return static_cast<std::uint64_t>(std::ceil(std::min(seconds, kLongestTold)));
}

}  // namespace

std::uint32_t poll_after_ms(const TicketView& view, Timestamp now, std::uint32_t jitter) {
  Micros base = limits::kPollNear;
  if (view.status == TicketStatus::kActive) base = limits::kPollFar;
  if (view.status == TicketStatus::kWaiting) {
    const std::uint64_t ahead = view.position ? *view.position - 1 : limits::kPollFarAhead;
    base += static_cast<Micros>(std::min(ahead, limits::kPollFarAhead)) *
            (limits::kPollFar - limits::kPollNear) / static_cast<Micros>(limits::kPollFarAhead);
    if (view.opens_at > now) base = std::max(base, std::min(view.opens_at - now, limits::kPollFar));
  }
  // Within a quarter around it, and never outside the range that is promised.
  const Micros spread = base / 4;
  const Micros at = base - spread / 2 + static_cast<Micros>(jitter % 1024) * spread / 1023;
  const Micros least = limits::kPollNear;
  return static_cast<std::uint32_t>(
      std::clamp(at < least ? least + (least - at) : at, least, limits::kPollFar) / kMillisecond);
}

std::uint32_t poll_after_ms(const TicketView& view, Timestamp now) {
  const std::uint64_t mixed = (view.ref.packed() ^ static_cast<std::uint64_t>(now.us)) * 0x9e3779b97f4a7c15;
  return poll_after_ms(view, now, static_cast<std::uint32_t>(mixed >> 40));
}

std::optional<WaitRange> estimated_wait(const TicketView& view, Timestamp now) {
  if (view.status != TicketStatus::kWaiting) return WaitRange{};
  if (view.paused || !view.position || !view.expected_wait_s) return std::nullopt;
  const double opening = view.opens_at > now ? static_cast<double>(view.opens_at - now) / kSecond : 0;
  return WaitRange{whole_seconds(opening + *view.expected_wait_s * kSooner),
                   whole_seconds(opening + *view.expected_wait_s * kLater)};
}

}  // namespace spillway::waitroom
