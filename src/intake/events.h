#pragma once

// What can happen to intake: the only things that change a Machine, and what the journal keeps. This is a
// durable format: a type's number is never reused, a field's meaning never changed; what must change gets a
// new number or a greater version, and old ones stay readable.
//
// Layout of a payload (base/bytes.h: integers little-endian; `varint` LEB128; `str` a varint length and the
// bytes; `time` 8 bytes, microseconds since 1970, signed):
//   1 Seeded     seed[16]
//   2 EventPut   time at, varint event, str id, str title, varint capacity, time opens, time closes,
//                u8 policy
//   3 Accepted   time at, varint number, varint event, str user, str body
//   4 Paused     time at, u8 paused (0 or 1)
//   5 Received   time at, time until, varint n, n * item            kind: Verdict, 2 bits
//   6 Completed  time at, varint n, n * item                        kind: Ending, 3 bits, then 1 bit
//                after it, kRetry and kReturned: time due;          has_reason
//                has_reason: str reason
//   7 Due        time at, varint n, n * item                        kind: DueKind, 3 bits
//   8 Extended   time at, time until, varint n, n * item            kind: none
//   9 Retired    time at, varint event, varint n
//  10 RedriveStarted  time at, varint id, varint event + 1 or 0, u8 named (0 or 1), varint n, n * item,
//                     u8 failure class, str reason, time dead before, varint rate, varint stop after,
//                     varint matching, time until, varint until's number            kind of items: none
//  11 Redriven   time at, time looked at up to, varint its number, varint n, n * item     kind: none
//  12 RedriveEnded    time at, u8 state
//  13 Discarded  time at, str by, str reason, varint n, n * item          kind: none
//  14 WorkSet    time at, varint event, u8 work
//  15 WebhookSet time at, varint event, str url, str secret name
//  16 WebhooksTried   time at, varint n, n * (item, varint attempt, varint status, str reason, and with
//                     kRetry: time due)                                    kind: WebhookResult, 2 bits
//  17 WebhooksPutBack time at, varint n, n * item                            kind: none
// An item starts with a varint (zigzag(number - number before) << bits of kind) | kind, the number before the
// first being 0; lists are at most limits::kMaxItemsPerRecord long when written, any length when read.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "intake/request_id.h"
#include "intake/types.h"

namespace spillway::intake {

inline constexpr std::uint8_t kVersion = 1;

/// The first event of a journal.
struct Seeded {
  Seed seed{};
};
/// A participation event was made (`event` is the next free index) or changed.
struct EventPut {
  Timestamp at;
  std::uint32_t event = 0;
  std::string_view id;
  std::string_view title;
  std::uint64_t capacity_total = 0;
  Timestamp opens_at;
  Timestamp closes_at;
  Policy policy = Policy::kFirstCome;
};
/// A request was made: RECEIVED and QUEUED in one step.
struct Accepted {
  Timestamp at;
  std::uint64_t number = 0;
  std::uint32_t event = 0;
  std::string_view user_id;
  std::string_view body;
  PersonKey person{};  ///< not written: decide() has it at hand; zero after decode(), then computed anew
};
struct Paused {
  Timestamp at;
  bool paused = false;
};
/// What one receive did, by ascending number.
enum class Verdict : std::uint8_t {
  kDelivered = 0,         ///< to a worker, with a place kept: PROCESSING, in flight
  kRejectedCapacity = 1,  ///< QUEUED, PROCESSING, REJECTED in one step
  kRejectedClosed = 2,    ///< the same; or a retry whose event was closed at an earlier time meanwhile
};
struct Received {
  struct Item {
    std::uint64_t number = 0;
    Verdict verdict = Verdict::kDelivered;
  };
  Timestamp at;
  Timestamp until;  ///< when the delivered ones become visible again
  std::vector<Item> items;
};
/// What workers reported, in the order in which they did.
enum class Ending : std::uint8_t {
  kSucceeded = 0,
  kRejectedCapacity = 1,
  kRejectedClosed = 2,
  kInvalid = 3,
  kDeadLetter = 4,  ///< to be retried, but the last try is used up
  kRetry = 5,       ///< delayed until `due`; the place stays kept
  kRejectedByWork = 6,
  kReturned = 7,  ///< as kRetry, but it does not count as a try
};
struct Completed {
  struct Item {
    std::uint64_t number = 0;
    Ending ending = Ending::kSucceeded;
    Timestamp due;
    std::string_view reason;
  };
  Timestamp at;
  std::vector<Item> items;
};
/// What came due by the clock, or by a restart.
enum class DueKind : std::uint8_t {
  kExpiredVisible = 0,  ///< not completed in time: visible again
  kExpiredDead = 1,     ///< the same, and it was the last try
  kRestartVisible = 2,  ///< its worker is gone
  kRestartDead = 3,
  kRetry = 4,  ///< a delayed one is visible again
};
struct Due {
  struct Item {
    std::uint64_t number = 0;
    DueKind kind = DueKind::kExpiredVisible;
  };
  Timestamp at;
  std::vector<Item> items;
};
struct Extended {
  Timestamp at;
  Timestamp until;
  std::vector<std::uint64_t> numbers;
};
/// The `count` oldest requests of an event were forgotten, with the locks of their persons.
struct Retired {
  Timestamp at;
  std::uint32_t event = 0;
  std::uint64_t count = 0;
};

/// An administrator has dead letters put back. One at a time; the numbers of redrives count from 1.
struct RedriveStarted {
  Timestamp at;
  std::uint64_t id = 0;
  std::uint32_t event = UINT32_MAX;  ///< UINT32_MAX: any
  bool named = false;                ///< only those in `numbers`
  std::vector<std::uint64_t> numbers;
  FailureClass failure = FailureClass::kNone;
  std::string_view reason;
  Timestamp dead_before;
  std::uint32_t rate = 1;
  std::uint32_t stop_after = 1;
  std::uint64_t matching = 0;
  Timestamp until;  ///< the newest dead letter that it is about, and its number
  std::uint64_t until_number = 0;
};
/// Dead letters are QUEUED again; those up to the one that is named have been looked at.
struct Redriven {
  Timestamp at;
  Timestamp looked_up_to;
  std::uint64_t looked_up_to_number = 0;
  std::vector<std::uint64_t> numbers;  ///< may be empty
};
struct RedriveEnded {
  Timestamp at;
  RedriveState state = RedriveState::kDone;
};
/// Dead letters left the list. They stay FAILED_FINAL.
struct Discarded {
  Timestamp at;
  std::string_view by;
  std::string_view reason;
  std::vector<std::uint64_t> numbers;
};

/// What is done for those who get a place of an event; kCapacity until said otherwise. Deliveries that are
/// out are not changed by it.
struct WorkSet {
  Timestamp at;
  std::uint32_t event = 0;
  WorkKind work = WorkKind::kCapacity;
};

/// Where final states of an event are told from now on; an empty URL: nowhere. What is final before is not
/// told.
struct WebhookSet {
  Timestamp at;
  std::uint32_t event = 0;
  std::string_view url;
  std::string_view secret_name;
};
/// What became of attempts to tell. That there is something to tell needs no event: it follows from those
/// that make a request final, so that the one is durable when the other is.
struct WebhooksTried {
  struct Item {
    std::uint64_t id = 0;  ///< of the delivery; they are counted like requests, by themselves
    WebhookResult result = WebhookResult::kDelivered;
    std::uint32_t attempt = 1;  ///< with kExpired: of the last one, or 0
    std::uint32_t status = 0;
    std::string_view reason;
    Timestamp due;  ///< with kRetry
  };
  Timestamp at;
  std::vector<Item> items;
};
/// Deliveries that had been given up are pending again, with all their tries.
struct WebhooksPutBack {
  Timestamp at;
  std::vector<std::uint64_t> ids;
};

/// Texts are views: into the command that an event was decided from, or into the payload it was decoded from.
/// An event lives no longer than those.
using Event = std::variant<Seeded, EventPut, Accepted, Paused, Received, Completed, Due, Extended, Retired,
                           RedriveStarted, Redriven, RedriveEnded, Discarded, WorkSet, WebhookSet,
                           WebhooksTried, WebhooksPutBack>;
/// decide() appends. Clear and use it again, and deciding allocates nothing for it.
using Events = std::vector<Event>;

/// The durable number of the type.
inline std::uint8_t type(const Event& event) { return static_cast<std::uint8_t>(event.index() + 1); }

/// Appends the payload.
void encode(const Event&, std::string& out);
/// Total: any bytes give an event or an error; an event that is given encodes to the same bytes again,
/// provided they came from encode().
Result<Event> decode(std::uint8_t type, std::uint8_t version, std::string_view payload);

/// Calls `visit(std::uint64_t number)` for each request whose status or delivery the event changed. Not for
/// the retired ones, which are gone.
template <class F>
void for_each_changed(const Event& event, F&& visit) {
  if (const auto* accepted = std::get_if<Accepted>(&event)) return visit(accepted->number);
  const auto each = [&](const auto& items) {
    for (const auto& item : items) visit(item.number);
  };
  if (const auto* received = std::get_if<Received>(&event)) return each(received->items);
  if (const auto* completed = std::get_if<Completed>(&event)) return each(completed->items);
  if (const auto* due = std::get_if<Due>(&event)) return each(due->items);
  if (const auto* extended = std::get_if<Extended>(&event)) {
    for (const std::uint64_t number : extended->numbers) visit(number);
  }
  if (const auto* redriven = std::get_if<Redriven>(&event)) {
    for (const std::uint64_t number : redriven->numbers) visit(number);
  }
}

}  // namespace spillway::intake
