#pragma once

// What can happen to the waiting room: the only things that change a Machine for good, and what the journal
// keeps. This is a durable format: a type's number is never reused, a field's meaning never changed; what
// must change gets a new number or a greater version, and old ones stay readable.
//
// Layout of a payload (base/bytes.h: integers little-endian; `varint` LEB128; `str` a varint length and the
// bytes; `time` 8 bytes, microseconds since 1970, signed; `bytes[n]` as they are):
//   1 Seeded       bytes[16] seed
//   2 ConcertMade  time at, varint concert, str id
//   3 ConcertPut   time at, varint concert, varint max active, varint admit per second, varint ready us,
//                  varint active us, u8 idle extends (0 or 1), u8 mode, time opens
//   4 LotterySet   time at, varint concert, u8 gathering (0 or 1), bytes[32] seed
//   5 Drawn        time at, varint concert, varint gathered
//   6 Entered      time at, varint concert, varint number, u8 key, bytes[16] person, time until (0: WAITING)
//   7 Admitted     time at, varint concert, time until, varint n, n * number
//   8 Activated    time at, varint concert, varint number, time until
//   9 Left         time at, varint concert, varint number
//  10 Expired      time at, varint n, n * (varint concert, varint number, u8 why)
//  11 Extended     time at, varint n, n * (varint concert, varint number, time until)
//  12 KeyTaken     time at, u8 key
//  13 Forgotten    time at, varint concert, varint n, n * number: chunks of gone tickets; none: the concert
// `n * number`: varints, zigzag of the difference to the one before, the first to 0; at most
// limits::kMaxItemsPerRecord long when written, any length when read.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/person_key.h"
#include "base/result.h"
#include "waitroom/commands.h"

namespace spillway::waitroom {

inline constexpr std::uint8_t kVersion = 1;

/// The first event of a journal.
struct Seeded {
  Seed seed{};
};
/// A concert was named for the first time; `concert` is the next free index. It has the defaults.
struct ConcertMade {
  Timestamp at;
  std::uint32_t concert = 0;
  std::string_view id;
};
struct ConcertPut {
  Timestamp at;
  std::uint32_t concert = 0;
  Settings settings;
};
/// A lottery is announced: from now on people gather without a place. Or it is called off.
struct LotterySet {
  Timestamp at;
  std::uint32_t concert = 0;
  bool gathering = true;
  DrawSeed seed{};
};
/// The order of the first `gathered` tickets is drawn: lottery.h says how.
struct Drawn {
  Timestamp at;
  std::uint32_t concert = 0;
  std::uint32_t gathered = 0;
};
struct Entered {
  Timestamp at;
  TicketRef ticket;
  std::uint8_t key = 0;
  PersonKey person;
  Timestamp until;  ///< set: READY at once
};
struct Admitted {
  Timestamp at;
  std::uint32_t concert = 0;
  Timestamp until;
  std::vector<std::uint32_t> numbers;
};
struct Activated {
  Timestamp at;
  TicketRef ticket;
  Timestamp until;
};
struct Left {
  Timestamp at;
  TicketRef ticket;
};
struct Expired {
  struct Item {
    TicketRef ticket;
    Expiry why = Expiry::kNone;
  };
  Timestamp at;
  std::vector<Item> items;
};
struct Extended {
  struct Item {
    TicketRef ticket;
    Timestamp until;
  };
  Timestamp at;
  std::vector<Item> items;
};
/// New tokens are signed with this key from now on.
struct KeyTaken {
  Timestamp at;
  std::uint8_t key = 0;
};
struct Forgotten {
  Timestamp at;
  std::uint32_t concert = 0;
  std::vector<std::uint32_t> chunks;  ///< none: the whole concert
};

/// Texts are views: into the command that an event was decided from, or into the payload it was decoded from.
/// An event lives no longer than those.
using Event = std::variant<Seeded, ConcertMade, ConcertPut, LotterySet, Drawn, Entered, Admitted, Activated,
                           Left, Expired, Extended, KeyTaken, Forgotten>;
using Events = std::vector<Event>;

/// The durable number of the type.
inline std::uint8_t type(const Event& event) { return static_cast<std::uint8_t>(event.index() + 1); }

/// Appends the payload.
void encode(const Event&, std::string& out);
/// Total: any bytes give an event or an error; an event that is given encodes to the same bytes again,
/// provided they came from encode().
Result<Event> decode(std::uint8_t type, std::uint8_t version, std::string_view payload);

}  // namespace spillway::waitroom
