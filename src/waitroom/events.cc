#include "waitroom/events.h"

#include <fmt/core.h>

#include <limits>
#include <utility>

#include "base/bytes.h"

namespace spillway::waitroom {
namespace {

// Each event's fields are named once, by pass(), for the writer and the reader alike.

class Writer {
 public:
  explicit Writer(std::string& out) : w_(out) {}

  void time(const Timestamp& t) { w_.i64(t.us); }
  void index(const std::uint32_t& n) { w_.varint(n); }
  void number(const std::uint32_t& n) { w_.varint(n); }
  template <class T>
  void amount(const T& n, std::uint64_t, std::uint64_t) {
    w_.varint(static_cast<std::uint64_t>(n));
  }
  void flag(const bool& b) { w_.u8(b ? 1 : 0); }
  template <class E>
  void one_of(const E& e, E, E) {
    w_.u8(static_cast<std::uint8_t>(e));
  }
  void byte(const std::uint8_t& b) { w_.u8(b); }
  template <std::size_t n>
  void bytes(const std::array<std::uint8_t, n>& all) {
    for (const std::uint8_t b : all) w_.u8(b);
  }
  void person(const PersonKey& p) {
    w_.u64(p.low);
    w_.u64(p.high);
  }
  void text(const std::string_view& s) { w_.string(s); }
  void numbers(const std::vector<std::uint32_t>& all, bool) {
    w_.varint(all.size());
    std::int64_t before = 0;
    for (const std::uint32_t each : all) {
      const std::int64_t delta = std::int64_t{each} - std::exchange(before, std::int64_t{each});
      w_.varint(static_cast<std::uint64_t>(delta) << 1 ^ static_cast<std::uint64_t>(delta >> 63));
    }
  }
  template <class T, class F>
  void items(const std::vector<T>& all, F&& each) {
    w_.varint(all.size());
    for (const T& item : all) each(item);
  }
  void require(bool) {}

 private:
  ByteWriter w_;
};

class Reader {
 public:
  explicit Reader(std::string_view payload) : r_(payload) {}
  bool done() const { return valid_ && r_.done(); }

  void time(Timestamp& t) { t.us = r_.i64(); }
  void index(std::uint32_t& n) { n = narrow(r_.varint()); }
  void number(std::uint32_t& n) {
    n = narrow(r_.varint());
    require(n >= 1);
  }
  template <class T>
  void amount(T& n, std::uint64_t min, std::uint64_t max) {
    const std::uint64_t value = r_.varint();
    require(value >= min && value <= max);
    n = static_cast<T>(valid_ ? value : min);
  }
  void flag(bool& b) {
    const std::uint8_t value = r_.u8();
    require(value <= 1);
    b = value == 1;
  }
  template <class E>
  void one_of(E& e, E min, E max) {
    const std::uint8_t value = r_.u8();
    require(value >= static_cast<std::uint8_t>(min) && value <= static_cast<std::uint8_t>(max));
    e = valid_ ? static_cast<E>(value) : min;
  }
  void byte(std::uint8_t& b) { b = r_.u8(); }
  template <std::size_t n>
  void bytes(std::array<std::uint8_t, n>& all) {
    for (std::uint8_t& b : all) b = r_.u8();
  }
  void person(PersonKey& p) {
    p.low = r_.u64();
    p.high = r_.u64();
  }
  void text(std::string_view& s) {
    s = r_.string();
    require(!s.empty() && s.size() <= std::numeric_limits<std::uint8_t>::max());
  }
  void numbers(std::vector<std::uint32_t>& all, bool may_be_empty) {
    all.resize(count(may_be_empty));
    std::int64_t before = 0;
    for (std::uint32_t& each : all) {
      const std::uint64_t coded = r_.varint();
      before += static_cast<std::int64_t>(coded >> 1 ^ (0 - (coded & 1)));
      require(before >= 0 && before <= std::numeric_limits<std::uint32_t>::max());
      if (!valid_) return;
      each = static_cast<std::uint32_t>(before);
    }
  }
  template <class T, class F>
  void items(std::vector<T>& all, F&& each) {
    all.resize(count(false));
    for (T& item : all) each(item);
  }
  void require(bool what) { valid_ = valid_ && what; }

 private:
  std::uint32_t narrow(std::uint64_t value) {
    require(value <= std::numeric_limits<std::uint32_t>::max());
    return static_cast<std::uint32_t>(value);
  }
  /// Of a list whose items take a byte at least, so that a lie about it cannot make us allocate much.
  std::size_t count(bool may_be_empty) {
    const std::uint64_t n = r_.varint();
    require((may_be_empty || n >= 1) && n <= r_.left());
    return valid_ ? n : 0;
  }
  ByteReader r_;
  bool valid_ = true;
};

constexpr std::uint64_t kAny = std::numeric_limits<std::int64_t>::max();

/// The event `T`, const for the writer.
template <class E, class T>
concept Is = std::is_same_v<std::remove_const_t<E>, T>;

template <class A, class T>
void ticket(A& a, T& ref) {
  a.index(ref.concert);
  a.number(ref.number);
}
template <class A, Is<Seeded> E>
void pass(A& a, E& e) {
  a.bytes(e.seed);
}
template <class A, Is<ConcertMade> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.index(e.concert);
  a.text(e.id);
}
template <class A, Is<ConcertPut> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.index(e.concert);
  auto& s = e.settings;
  a.amount(s.max_active, 0, kAny);
  a.amount(s.admit_per_second, 0, std::numeric_limits<std::uint32_t>::max());
  a.amount(s.ready_us, 1, kAny);
  a.amount(s.active_us, 1, kAny);
  a.flag(s.idle_extends);
  a.one_of(s.mode, Mode::kFifo, Mode::kOpen);
  a.time(s.opens_at);
}
template <class A, Is<LotterySet> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.index(e.concert);
  a.flag(e.gathering);
  a.bytes(e.seed);
}
template <class A, Is<Drawn> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.index(e.concert);
  a.index(e.gathered);
}
template <class A, Is<Entered> E>
void pass(A& a, E& e) {
  a.time(e.at);
  ticket(a, e.ticket);
  a.byte(e.key);
  a.person(e.person);
  a.time(e.until);
}
template <class A, Is<Admitted> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.index(e.concert);
  a.time(e.until);
  a.numbers(e.numbers, false);
}
template <class A, Is<Activated> E>
void pass(A& a, E& e) {
  a.time(e.at);
  ticket(a, e.ticket);
  a.time(e.until);
}
template <class A, Is<Left> E>
void pass(A& a, E& e) {
  a.time(e.at);
  ticket(a, e.ticket);
}
template <class A, Is<Expired> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.items(e.items, [&a](auto& item) {
    ticket(a, item.ticket);
    a.one_of(item.why, Expiry::kNotActivated, Expiry::kTooOld);
  });
}
template <class A, Is<Extended> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.items(e.items, [&a](auto& item) {
    ticket(a, item.ticket);
    a.time(item.until);
  });
}
template <class A, Is<KeyTaken> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.byte(e.key);
}
template <class A, Is<Forgotten> E>
void pass(A& a, E& e) {
  a.time(e.at);
  a.index(e.concert);
  a.numbers(e.chunks, true);
}

/// The event of that type, with its defaults.
template <std::size_t i = 0>
Event make(std::uint8_t type) {
  if constexpr (i + 1 < std::variant_size_v<Event>) {
    if (type != i + 1) return make<i + 1>(type);
  }
  return Event(std::in_place_index<i>);
}

}  // namespace

static_assert(std::variant_size_v<Event> == 13,
              "a new event: its number is its place, so it goes to the end");

void encode(const Event& event, std::string& out) {
  Writer writer(out);
  std::visit([&writer](const auto& e) { pass(writer, e); }, event);
}

Result<Event> decode(std::uint8_t type, std::uint8_t version, std::string_view payload) {
  if (type < 1 || type > std::variant_size_v<Event> || version != kVersion) {
    return Error{
        ErrorCode::kInternal,
        fmt::format("waitroom: event type {} version {} is not known to this program", type, version)};
  }
  Event event = make(type);
  Reader reader(payload);
  std::visit([&reader](auto& e) { pass(reader, e); }, event);
  if (!reader.done()) {
    return Error{ErrorCode::kInternal,
                 fmt::format("waitroom: a payload of {} bytes is not an event of type {} version {}",
                             payload.size(), type, version)};
  }
  return event;
}

}  // namespace spillway::waitroom
