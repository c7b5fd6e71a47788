#pragma once

// What can be asked of the waiting room, and what is answered. Engine-neutral: ids are text, tickets are
// numbers, times are Timestamps. Values are checked by whoever makes the command (routes*.cc); a machine may
// rely on that.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/audit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "waitroom/types.h"

namespace spillway::waitroom {

/// 32 random bytes, secret until the draw.
using DrawSeed = std::array<std::uint8_t, 32>;

// ---- For people -------------------------------------------------------------------------------------------

struct Enter {
  std::string concert_id;
  std::string user_id;
};

/// A ticket as it is now. What it tells of other people is only how many.
struct TicketView {
  TicketRef ref;
  std::uint8_t key = 0;  ///< which key signs its token, always the same one
  Timestamp entered_at;
  TicketStatus status = TicketStatus::kWaiting;
  Expiry expiry = Expiry::kNone;
  std::optional<std::uint64_t> position;  ///< while WAITING, counts from 1; none before a lottery's draw
  std::uint64_t total_waiting = 0;
  Timestamp until;      ///< READY: activate by; ACTIVE: expires
  Timestamp opens_at;   ///< while that is still to come, else unset
  bool paused = false;  ///< WAITING: nobody is let in at the moment
  /// While WAITING: seconds of being open until it is their turn, as things go; none: nobody knows.
  std::optional<double> expected_wait_s;
  Timestamp at;  ///< when all this was so
};

/// A ticket and whose it is: for what is signed.
struct TicketDetail {
  TicketView view;
  std::string concert_id;
};

struct LotteryView {
  std::string concert_id;
  DrawState state = DrawState::kNone;
  bool order_ready = false;                   ///< drawn, and everybody has been put in place
  std::array<std::uint8_t, 32> commitment{};  ///< SHA-256 of the seed
  DrawSeed seed{};                            ///< zero until drawn
  std::uint32_t gathered = 0;                 ///< drawn: arrival numbers 1 to this took part
  Timestamp opens_at;
};

// ---- For operators ----------------------------------------------------------------------------------------

struct Settings {
  std::uint64_t max_active = limits::kDefaultMaxActive;  ///< READY and ACTIVE together: a hard cap
  std::uint32_t admit_per_second = 0;                    ///< 0: as slots come free
  Micros ready_us = limits::kDefaultReady;
  Micros active_us = limits::kDefaultActive;
  bool idle_extends = false;  ///< ACTIVE lasts active_us from the last call, not from the activation
  Mode mode = Mode::kFifo;
  Timestamp opens_at;  ///< unset: open from the start

  friend bool operator==(const Settings&, const Settings&) = default;
};

struct PutConcert {
  std::string concert_id;
  Settings settings;
  DrawSeed seed{};  ///< random: used when this makes a lottery
  Actor actor{};
};

/// Upper bounds of the buckets in which waits are counted, in seconds; the last bucket has none.
inline constexpr std::array<double, 14> kWaitBounds = {0.1, 0.5, 1,   2.5, 5,    10,   30,
                                                       60,  120, 300, 600, 1800, 3600, 7200};
using WaitCounts = std::array<std::uint32_t, kWaitBounds.size() + 1>;

struct ConcertView {
  std::string concert_id;
  bool configured = false;  ///< by an operator; else it has the defaults
  bool created = false;     ///< put_concert: by this call
  Settings settings;
  DrawState draw = DrawState::kNone;
  bool order_ready = false;
  std::uint64_t waiting = 0, absent = 0, ready = 0, active = 0;                 ///< absent: of the waiting
  std::uint32_t entered = 0;                                                    ///< ever
  double entered_per_second = 0, admitted_per_second = 0, gone_per_second = 0;  ///< lately
  Micros oldest_wait_us = 0;
  // Of some time: only what lies between two looks means anything, and not across a restart.
  std::uint64_t all_entered = 0, all_admitted = 0, all_gone = 0;
  WaitCounts waits{};  ///< of those who were admitted, from entering to READY
};

struct ListConcerts {
  std::uint32_t limit = 100;  ///< 1 to limits::kMaxPage
  std::string cursor{};       ///< empty: from the start; else next_cursor of the page before
};
struct ConcertPage {
  std::vector<ConcertView> items;  ///< the newest first
  std::string next_cursor;         ///< empty: this was the last page. A page may be short and have a next
};

struct Metrics {
  /// As kWaitBounds, for the time from activation to the end.
  static constexpr std::array<double, 10> kUsageBounds = {1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600};
  template <std::size_t n>
  struct Histogram {
    std::array<std::uint64_t, n + 1> counts{};
    double sum_seconds = 0;
  };
  struct Concert {
    std::string concert_id;  ///< "other" for those without a label of their own
    std::uint64_t entered = 0;
    std::uint64_t left = 0, not_activated = 0, idle = 0, too_old = 0;
    std::uint64_t waiting = 0, occupied = 0;
    // Of those with a label of their own.
    std::uint64_t present = 0, max_active = 0, admitted = 0;
    bool paused = false, admitting = false;
  };
  std::vector<Concert> concerts;
  Histogram<kWaitBounds.size()> activation_wait;
  Histogram<kUsageBounds.size()> active_usage;
};

}  // namespace spillway::waitroom
