#pragma once

#include <cstdint>
#include <optional>

#include "waitroom/commands.h"

namespace spillway::waitroom {

/// When to ask again, in milliseconds: a second near the head, up to fifteen far from it, and no sooner than
/// a line opens. `jitter`, any number, spreads people who would come at the same moment.
std::uint32_t poll_after_ms(const TicketView&, Timestamp now, std::uint32_t jitter);
/// With a jitter that is another for each ticket and moment.
std::uint32_t poll_after_ms(const TicketView&, Timestamp now);

/// An honest range: what is ahead at half as much again as the rate of late, and at two thirds of it, after
/// the opening if that is still to come. Nothing while there is no place, or nobody is let in.
struct WaitRange {
  std::uint64_t low_s = 0, high_s = 0;
};
std::optional<WaitRange> estimated_wait(const TicketView&, Timestamp now);

}  // namespace spillway::waitroom
