#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::waitroom {

/// The secret of one journal that people's keys are made with. Drawn once, by its first event.
using Seed = std::array<std::uint8_t, 16>;

/// The states of a ticket. The numbers are durable: never reuse one.
enum class TicketStatus : std::uint8_t {
  kWaiting = 1,
  kReady = 2,   ///< may go in, until a deadline
  kActive = 3,  ///< is in, until a deadline
  kLeft = 4,    ///< gone, of their own will
  kExpired = 5  ///< gone, for the reason that goes with it
};

/// Why a ticket is EXPIRED. Durable numbers.
enum class Expiry : std::uint8_t {
  kNone = 0,
  kNotActivated = 1,  ///< READY, and did not come in time
  kIdle = 2,          ///< ACTIVE for as long as one may be
  kTooOld = 3,        ///< WAITING for longer than a token lives
};

/// How a line lets people through. Durable numbers.
enum class Mode : std::uint8_t {
  kFifo = 1,
  kLottery = 2,  ///< those who gather before opensAt are drawn; whoever comes later stands behind them
  kPaused = 3,   ///< nobody new is let in, nor into the line
  kOpen = 4,     ///< everybody at once, up to the cap, whatever opensAt and admitPerSecond say
};

/// How far a lottery is. Durable numbers.
enum class DrawState : std::uint8_t {
  kNone = 0,
  kGathering = 1,  ///< its seed is committed to
  kDrawn = 2,      ///< its seed is public, and the order fixed
};

constexpr bool is_gone(TicketStatus s) { return s == TicketStatus::kLeft || s == TicketStatus::kExpired; }

/// The one table of allowed transitions. Every change of a status asks it.
constexpr bool may_become(TicketStatus from, TicketStatus to) {
  switch (from) {
    case TicketStatus::kWaiting:
      return to == TicketStatus::kReady || is_gone(to);
    case TicketStatus::kReady:
      return to == TicketStatus::kActive || is_gone(to);
    case TicketStatus::kActive:
      return is_gone(to);
    default:
      return false;
  }
}

/// Which ticket: the concert's index, which is never used again, and the arrival number, from 1.
struct TicketRef {
  std::uint32_t concert = 0;
  std::uint32_t number = 0;

  std::uint64_t packed() const { return std::uint64_t{concert} << 32 | number; }
  static TicketRef unpack(std::uint64_t packed) {
    return {static_cast<std::uint32_t>(packed >> 32), static_cast<std::uint32_t>(packed)};
  }
  friend auto operator<=>(const TicketRef&, const TicketRef&) = default;
};

/// The names of the API: "WAITING", "fifo", "GATHERING".
std::string_view name(TicketStatus);
std::string_view name(Mode);
std::string_view name(DrawState);
/// "not_activated", "idle", "too_old": for people who ask why.
std::string_view name(Expiry);
std::optional<Mode> parse_mode(std::string_view);

/// 1 to 128 of `A-Z a-z 0-9 . _ ~ -`: what may stand in a path.
bool is_concert_id(std::string_view);
/// 1 to 128 bytes of UTF-8, known to be that, without control characters.
bool is_user_id(std::string_view utf8);

}  // namespace spillway::waitroom
