// save() and load(). Layout: blocks (base/blocks.h) of entries. First the header, then each concert by index,
// with its tickets by number behind it, then the digest of it all. Lines, places, counts and indexes are made
// anew, the draws carried out again.

#include <fmt/core.h>

#include "base/blocks.h"
#include "waitroom/machine_state.h"

namespace spillway::waitroom {
namespace {

constexpr std::uint8_t kSnapshotVersion = 1;

void write_concert(ByteWriter w, std::uint32_t index, const Concert& c) {
  w.varint(index);
  w.string(c.id);
  w.u8(c.configured ? 1 : 0);
  const Settings& set = c.settings;
  w.varint(set.max_active);
  w.varint(set.admit_per_second);
  w.i64(set.ready_us);
  w.i64(set.active_us);
  w.u8(set.idle_extends ? 1 : 0);
  w.u8(static_cast<std::uint8_t>(set.mode));
  w.i64(set.opens_at.us);
  w.u8(static_cast<std::uint8_t>(c.draw));
  w.u8(c.has_seed ? 1 : 0);
  for (const std::uint8_t b : c.seed) w.u8(b);
  w.varint(c.gathered);
  w.i64(c.paid_until_ns);
  w.varint(c.tickets.last());
  w.varint(c.tickets.size());
}

void write_ticket(ByteWriter w, std::uint32_t number, const Ticket& t) {
  w.varint(number);
  w.u64(t.person.low);
  w.u64(t.person.high);
  w.i64(t.entered_at_us);
  w.i64(t.until_us);
  w.u8(static_cast<std::uint8_t>(t.status));
  w.u8(static_cast<std::uint8_t>(t.expiry));
  w.u8(t.key);
  w.varint(t.status == TicketStatus::kActive ? t.place : 0);
}

/// Everything but the digest, which is compared at the end: what is checked here is what would break on the
/// way.
class Loader {
 public:
  Loader(MachineState& s, BlockReader& blocks) : s_(s), blocks_(blocks) {}

  bool run() {
    ByteReader& header = blocks_.entry();
    version_ = header.u8();
    if (version_ != kSnapshotVersion) return false;
    s_.seeded = flag(header);
    for (std::uint8_t& b : s_.seed) b = header.u8();
    s_.signing_key = header.u8();
    const std::uint64_t indexes = header.varint();
    const std::uint64_t concerts = header.varint();
    if (!ok() || concerts > indexes || indexes > UINT32_MAX) return false;
    for (std::uint64_t i = 0; i < concerts; ++i) {
      if (!concert(blocks_.entry(), indexes)) return false;
    }
    while (s_.concerts.size() < indexes) s_.concerts.emplace_back();
    s_.digest = blocks_.entry().u64();
    return ok() && blocks_.at_end();
  }
  std::uint8_t version() const { return version_; }

 private:
  bool ok() const { return valid_ && blocks_.ok(); }
  bool flag(ByteReader& r) {
    const std::uint8_t value = r.u8();
    valid_ = valid_ && value <= 1;
    return value == 1;
  }

  bool concert(ByteReader& r, std::uint64_t indexes) {
    const std::uint64_t index = r.varint();
    auto made = std::make_unique<Concert>();
    Concert& c = *made;
    c.id = r.string();
    c.configured = flag(r);
    c.settings.max_active = r.varint();
    const std::uint64_t rate = r.varint();
    c.settings.admit_per_second = static_cast<std::uint32_t>(rate);
    c.settings.ready_us = r.i64();
    c.settings.active_us = r.i64();
    c.settings.idle_extends = flag(r);
    const std::uint8_t mode = r.u8();
    c.settings.mode = static_cast<Mode>(mode);
    c.settings.opens_at = {r.i64()};
    const std::uint8_t draw = r.u8();
    c.draw = static_cast<DrawState>(draw);
    c.has_seed = flag(r);
    for (std::uint8_t& b : c.seed) b = r.u8();
    const std::uint64_t gathered = r.varint();
    c.gathered = static_cast<std::uint32_t>(gathered);
    c.paid_until_ns = r.i64();
    const std::uint64_t last = r.varint(), tickets = r.varint();
    if (!ok() || index >= indexes || index < s_.concerts.size() || mode < 1 || mode > 4 || draw > 2 ||
        rate > 1'000'000'000 || last > UINT32_MAX || gathered > last || tickets > last || c.id.empty()) {
      return false;
    }
    while (s_.concerts.size() < index) s_.concerts.emplace_back();
    if (!s_.concert_index.emplace(c.id, static_cast<std::uint32_t>(index)).second) return false;
    s_.concerts.push_back(std::move(made));
    if (!c.configured) ++s_.unconfigured;
    return these_tickets(c, static_cast<std::uint32_t>(index), tickets, static_cast<std::uint32_t>(last));
  }

  bool these_tickets(Concert& c, std::uint32_t index, std::uint64_t count, std::uint32_t last) {
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!ticket(c, index, last)) return false;
    }
    c.tickets.set_last(last);
    if (c.draw == DrawState::kDrawn) {
      s_.start_draw(index);
      while (c.drawing != nullptr) s_.advance_draw(index, limits::kDrawPerTick);
    }
    std::int64_t last_went = 0;
    for (std::uint32_t chunk = 0; chunk < c.tickets.chunks(); ++chunk) {
      std::int64_t went = 0;
      if (!c.tickets.all_gone(chunk)) continue;
      c.tickets.for_each_of(chunk,
                            [&](std::uint32_t, const Ticket& t) { went = std::max(went, t.until_us); });
      last_went = std::max(last_went, went);
      if (chunk != TicketStore::chunk_of(last)) s_.list_to_forget(index, chunk, went);
    }
    s_.index_idle(index, std::max<std::int64_t>(last_went, 1));
    s_.reindex(index);
    return true;
  }

  bool ticket(Concert& c, std::uint32_t index, std::uint32_t last) {
    ByteReader& r = blocks_.entry();
    const std::uint64_t number = r.varint();
    PersonKey person;
    person.low = r.u64();
    person.high = r.u64();
    const std::int64_t entered_at = r.i64(), until = r.i64();
    const std::uint8_t status = r.u8(), expiry = r.u8(), key = r.u8();
    const std::uint64_t place = r.varint();
    if (!ok() || number <= c.tickets.last() || number > last || status < 1 || status > 5 || expiry > 3 ||
        place > UINT32_MAX || (place != 0 && status != static_cast<std::uint8_t>(TicketStatus::kActive))) {
      return false;
    }
    const TicketRef ref{index, static_cast<std::uint32_t>(number)};
    Ticket& t = c.tickets.add(ref.number);
    t.person = person;
    t.entered_at_us = entered_at;
    t.until_us = until;
    t.status = static_cast<TicketStatus>(status);
    t.expiry = static_cast<Expiry>(expiry);
    t.key = key;
    ++s_.kept;
    if (is_gone(t.status)) {
      c.tickets.went(ref.number);
      return true;
    }
    if (s_.find_person(person) != 0) return false;
    s_.people.add(person, ref.packed());
    if (t.status == TicketStatus::kWaiting) {
      if (c.waiting == 0) c.oldest = ref.number;
      ++c.waiting;
      ++s_.waiting;
      s_.watch(ref, {entered_at});
      const bool has_lot =
          c.draw == DrawState::kGathering || (c.draw == DrawState::kDrawn && ref.number <= c.gathered);
      if (!has_lot) s_.put_in_line(c, t, ref.number);
      return true;
    }
    ++(t.status == TicketStatus::kReady ? c.ready : c.active);
    ++s_.occupied;
    t.place = static_cast<std::uint32_t>(place);
    return s_.deadlines.insert({until, ref.packed()}).second;
  }

  MachineState& s_;
  BlockReader& blocks_;
  bool valid_ = true;
  std::uint8_t version_ = 0;
};

}  // namespace

void Machine::save(const std::function<void(std::string_view)>& write) const {
  const MachineState& s = *state_;
  BlockWriter blocks(write);
  ByteWriter header = blocks.entry();
  header.u8(kSnapshotVersion);
  header.u8(s.seeded ? 1 : 0);
  for (const std::uint8_t b : s.seed) header.u8(b);
  header.u8(s.signing_key);
  header.varint(s.concerts.size());
  header.varint(s.concert_index.size());
  for (std::uint32_t index = 0; index < s.concerts.size(); ++index) {
    if (s.concerts[index] == nullptr) continue;
    const Concert& c = *s.concerts[index];
    write_concert(blocks.entry(), index, c);
    c.tickets.for_each(
        [&](std::uint32_t number, const Ticket& t) { write_ticket(blocks.entry(), number, t); });
  }
  blocks.entry().u64(s.digest);
  blocks.flush();
}

Status Machine::load(const std::function<bool(char*, std::size_t)>& read) {
  MachineState& s = *state_;
  CHECK(!s.seeded && s.concerts.empty());
  BlockReader blocks(read);
  Loader loader(s, blocks);
  if (!loader.run()) {
    if (blocks.ok() && loader.version() != kSnapshotVersion) {
      return Error{ErrorCode::kInternal,
                   fmt::format("waitroom: snapshot version {} is not known to this program, which knows {}",
                               loader.version(), kSnapshotVersion)};
    }
    return Error{ErrorCode::kInternal, "waitroom: the snapshot cannot be read by this program"};
  }
  if (recompute_digest() != s.digest) {
    return Error{ErrorCode::kInternal, "waitroom: the snapshot is not what was saved: its digest differs"};
  }
  return Ok{};
}

}  // namespace spillway::waitroom
