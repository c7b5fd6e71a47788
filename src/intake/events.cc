#include "intake/events.h"

#include <fmt/core.h>

#include <limits>

#include "base/bytes.h"

namespace spillway::intake {
namespace {

// What a payload may say at most, whatever the limits of the day are: the widths of the fields in memory.
constexpr std::size_t kMaxUserBytes = std::numeric_limits<std::uint8_t>::max();
constexpr std::size_t kMaxBodyBytes = std::numeric_limits<std::uint16_t>::max();
constexpr std::uint64_t kLow32 = std::numeric_limits<std::uint32_t>::max();

std::uint64_t zigzag(std::uint64_t number, std::uint64_t before) {
  const auto delta = static_cast<std::int64_t>(number - before);
  return (static_cast<std::uint64_t>(delta) << 1) ^ static_cast<std::uint64_t>(delta >> 63);
}
std::uint64_t unzigzag(std::uint64_t coded, std::uint64_t before) {
  return before + ((coded >> 1) ^ (0 - (coded & 1)));
}

bool has_due(Ending ending) { return ending == Ending::kRetry || ending == Ending::kReturned; }

class Encoder {
 public:
  explicit Encoder(std::string& out) : w_(out) {}

  void operator()(const Seeded& e) {
    for (const std::uint8_t byte : e.seed) w_.u8(byte);
  }
  void operator()(const EventPut& e) {
    time(e.at);
    w_.varint(e.event);
    w_.string(e.id);
    w_.string(e.title);
    w_.varint(e.capacity_total);
    time(e.opens_at);
    time(e.closes_at);
    w_.u8(static_cast<std::uint8_t>(e.policy));
  }
  void operator()(const Accepted& e) {
    time(e.at);
    w_.varint(e.number);
    w_.varint(e.event);
    w_.string(e.user_id);
    w_.string(e.body);
  }
  void operator()(const Paused& e) {
    time(e.at);
    w_.u8(e.paused ? 1 : 0);
  }
  void operator()(const Received& e) {
    time(e.at);
    time(e.until);
    w_.varint(e.items.size());
    for (const auto& item : e.items) number(item.number, 2, static_cast<unsigned>(item.verdict));
  }
  void operator()(const Completed& e) {
    time(e.at);
    w_.varint(e.items.size());
    for (const auto& item : e.items) {
      number(item.number, 4, static_cast<unsigned>(item.ending) << 1 | (item.reason.empty() ? 0u : 1u));
      if (has_due(item.ending)) time(item.due);
      if (!item.reason.empty()) w_.string(item.reason);
    }
  }
  void operator()(const Due& e) {
    time(e.at);
    w_.varint(e.items.size());
    for (const auto& item : e.items) number(item.number, 3, static_cast<unsigned>(item.kind));
  }
  void operator()(const Extended& e) {
    time(e.at);
    time(e.until);
    w_.varint(e.numbers.size());
    for (const std::uint64_t each : e.numbers) number(each, 0, 0);
  }
  void operator()(const Retired& e) {
    time(e.at);
    w_.varint(e.event);
    w_.varint(e.count);
  }
  void operator()(const RedriveStarted& e) {
    time(e.at);
    w_.varint(e.id);
    w_.varint((std::uint64_t{e.event} + 1) & kLow32);
    w_.u8(e.named ? 1 : 0);
    numbers(e.numbers);
    w_.u8(static_cast<std::uint8_t>(e.failure));
    w_.string(e.reason);
    time(e.dead_before);
    w_.varint(e.rate);
    w_.varint(e.stop_after);
    w_.varint(e.matching);
    time(e.until);
    w_.varint(e.until_number);
  }
  void operator()(const Redriven& e) {
    time(e.at);
    time(e.looked_up_to);
    w_.varint(e.looked_up_to_number);
    numbers(e.numbers);
  }
  void operator()(const RedriveEnded& e) {
    time(e.at);
    w_.u8(static_cast<std::uint8_t>(e.state));
  }
  void operator()(const Discarded& e) {
    time(e.at);
    w_.string(e.by);
    w_.string(e.reason);
    numbers(e.numbers);
  }
  void operator()(const WorkSet& e) {
    time(e.at);
    w_.varint(e.event);
    w_.u8(static_cast<std::uint8_t>(e.work));
  }
  void operator()(const WebhookSet& e) {
    time(e.at);
    w_.varint(e.event);
    w_.string(e.url);
    w_.string(e.secret_name);
  }
  void operator()(const WebhooksTried& e) {
    time(e.at);
    w_.varint(e.items.size());
    for (const auto& item : e.items) {
      number(item.id, 2, static_cast<unsigned>(item.result));
      w_.varint(item.attempt);
      w_.varint(item.status);
      w_.string(item.reason);
      if (item.result == WebhookResult::kRetry) time(item.due);
    }
  }
  void operator()(const WebhooksPutBack& e) {
    time(e.at);
    numbers(e.ids);
  }

 private:
  void numbers(const std::vector<std::uint64_t>& all) {
    w_.varint(all.size());
    for (const std::uint64_t each : all) number(each, 0, 0);
  }
  void time(Timestamp t) { w_.i64(t.us); }
  void number(std::uint64_t value, unsigned bits, unsigned kind) {
    w_.varint(zigzag(value, before_) << bits | kind);
    before_ = value;
  }
  ByteWriter w_;
  std::uint64_t before_ = 0;
};

class Decoder {
 public:
  explicit Decoder(std::string_view payload) : r_(payload) {}

  Seeded seeded() {
    Seeded e;
    for (std::uint8_t& byte : e.seed) byte = r_.u8();
    return e;
  }
  EventPut event_put() {
    EventPut e;
    e.at = time();
    e.event = index();
    e.id = text(kMaxUserBytes);
    e.title = text(kMaxBodyBytes);
    e.capacity_total = r_.varint();
    e.opens_at = time();
    e.closes_at = time();
    const std::uint8_t policy = r_.u8();
    require(policy == static_cast<std::uint8_t>(Policy::kFirstCome) && !e.id.empty());
    e.policy = static_cast<Policy>(policy);
    return e;
  }
  Accepted accepted() {
    Accepted e;
    e.at = time();
    e.number = r_.varint();
    e.event = index();
    e.user_id = text(kMaxUserBytes);
    e.body = text(kMaxBodyBytes);
    require(e.number >= 1 && e.number <= kMaxRequestNumber && !e.user_id.empty());
    return e;
  }
  Paused paused() {
    Paused e;
    e.at = time();
    e.paused = flag();
    return e;
  }
  Received received() {
    Received e;
    e.at = time();
    e.until = time();
    e.items.resize(count());
    for (auto& item : e.items) {
      item.number = number(2, static_cast<unsigned>(Verdict::kRejectedClosed));
      item.verdict = static_cast<Verdict>(kind_);
    }
    return e;
  }
  Completed completed() {
    Completed e;
    e.at = time();
    e.items.resize(count());
    for (auto& item : e.items) {
      item.number = number(4, static_cast<unsigned>(Ending::kReturned) << 1 | 1);
      item.ending = static_cast<Ending>(kind_ >> 1);
      const bool has_reason = (kind_ & 1) != 0;
      if (has_due(item.ending)) item.due = time();
      if (has_reason) item.reason = text(kMaxBodyBytes);
      require(has_reason == !item.reason.empty());
    }
    return e;
  }
  Due due() {
    Due e;
    e.at = time();
    e.items.resize(count());
    for (auto& item : e.items) {
      item.number = number(3, static_cast<unsigned>(DueKind::kRetry));
      item.kind = static_cast<DueKind>(kind_);
    }
    return e;
  }
  Extended extended() {
    Extended e;
    e.at = time();
    e.until = time();
    e.numbers.resize(count());
    for (std::uint64_t& each : e.numbers) each = number(0, 0);
    return e;
  }
  Retired retired() {
    Retired e;
    e.at = time();
    e.event = index();
    e.count = r_.varint();
    require(e.count >= 1);
    return e;
  }
  RedriveStarted redrive_started() {
    RedriveStarted e;
    e.at = time();
    e.id = r_.varint();
    e.event = index() - 1;  // 0 gives "any"
    e.named = flag();
    e.numbers = numbers(0);
    const std::uint8_t failure = r_.u8();
    require(failure <= static_cast<std::uint8_t>(FailureClass::kNonRetryable) && e.id >= 1);
    e.failure = static_cast<FailureClass>(failure);
    e.reason = text(kMaxBodyBytes);
    e.dead_before = time();
    e.rate = index();
    e.stop_after = index();
    e.matching = r_.varint();
    e.until = time();
    e.until_number = r_.varint();
    require(e.rate >= 1 && e.stop_after >= 1);
    return e;
  }
  Redriven redriven() {
    Redriven e;
    e.at = time();
    e.looked_up_to = time();
    e.looked_up_to_number = r_.varint();
    e.numbers = numbers(0);
    return e;
  }
  RedriveEnded redrive_ended() {
    RedriveEnded e;
    e.at = time();
    const std::uint8_t state = r_.u8();
    require(state > static_cast<std::uint8_t>(RedriveState::kRunning) &&
            state <= static_cast<std::uint8_t>(RedriveState::kStopped));
    e.state = static_cast<RedriveState>(state);
    return e;
  }
  Discarded discarded() {
    Discarded e;
    e.at = time();
    e.by = text(kMaxBodyBytes);
    e.reason = text(kMaxBodyBytes);
    e.numbers = numbers(1);
    return e;
  }
  WorkSet work_set() {
    WorkSet e;
    e.at = time();
    e.event = index();
    const std::uint8_t work = r_.u8();
    require(work < kWorkKinds);
    e.work = static_cast<WorkKind>(work);
    return e;
  }
  WebhookSet webhook_set() {
    WebhookSet e;
    e.at = time();
    e.event = index();
    e.url = text(kMaxBodyBytes);
    e.secret_name = text(kMaxUserBytes);
    return e;
  }
  WebhooksTried webhooks_tried() {
    WebhooksTried e;
    e.at = time();
    e.items.resize(count());
    for (auto& item : e.items) {
      item.id = number(2, static_cast<unsigned>(WebhookResult::kExpired));
      item.result = static_cast<WebhookResult>(kind_);
      item.attempt = index();
      item.status = index();
      item.reason = text(kMaxBodyBytes);
      if (item.result == WebhookResult::kRetry) item.due = time();
      require(item.attempt >= 1 || item.result == WebhookResult::kExpired);
    }
    return e;
  }
  WebhooksPutBack webhooks_put_back() {
    WebhooksPutBack e;
    e.at = time();
    e.ids = numbers(1);
    return e;
  }
  bool done() const { return valid_ && r_.done(); }

 private:
  void require(bool condition) { valid_ = valid_ && condition; }
  Timestamp time() { return {r_.i64()}; }
  bool flag() {
    const std::uint8_t value = r_.u8();
    require(value <= 1);
    return value == 1;
  }
  std::vector<std::uint64_t> numbers(std::size_t at_least) {
    std::vector<std::uint64_t> all(count(at_least));
    for (std::uint64_t& each : all) each = number(0, 0);
    return all;
  }
  std::uint32_t index() {
    const std::uint64_t value = r_.varint();
    require(value <= std::numeric_limits<std::uint32_t>::max());
    return static_cast<std::uint32_t>(value);
  }
  std::string_view text(std::size_t at_most) {
    const std::string_view s = r_.string();
    require(s.size() <= at_most);
    return s;
  }
  /// Of a list whose items take a byte at least, so that a lie about it cannot make us allocate much.
  std::size_t count(std::size_t at_least = 1) {
    const std::uint64_t n = r_.varint();
    require(n >= at_least && n <= r_.left());
    return valid_ ? n : 0;
  }
  std::uint64_t number(unsigned bits, unsigned max_kind) {
    const std::uint64_t coded = r_.varint();
    kind_ = static_cast<unsigned>(coded & ((std::uint64_t{1} << bits) - 1));
    before_ = unzigzag(coded >> bits, before_);
    require(kind_ <= max_kind && before_ >= 1 && before_ <= kMaxRequestNumber);
    return before_;
  }
  ByteReader r_;
  bool valid_ = true;
  unsigned kind_ = 0;
  std::uint64_t before_ = 0;
};

Event decode_with(Decoder& d, std::uint8_t type) {
  switch (type) {
    case 1:
      return d.seeded();
    case 2:
      return d.event_put();
    case 3:
      return d.accepted();
    case 4:
      return d.paused();
    case 5:
      return d.received();
    case 6:
      return d.completed();
    case 7:
      return d.due();
    case 8:
      return d.extended();
    case 9:
      return d.retired();
    case 10:
      return d.redrive_started();
    case 11:
      return d.redriven();
    case 12:
      return d.redrive_ended();
    case 13:
      return d.discarded();
    case 14:
      return d.work_set();
    case 15:
      return d.webhook_set();
    case 16:
      return d.webhooks_tried();
    default:
      return d.webhooks_put_back();
  }
}

}  // namespace

static_assert(std::variant_size_v<Event> == 17,
              "a new event: its number is its place, so it goes to the end");

void encode(const Event& event, std::string& out) { std::visit(Encoder(out), event); }

Result<Event> decode(std::uint8_t type, std::uint8_t version, std::string_view payload) {
  if (type < 1 || type > std::variant_size_v<Event> || version != kVersion) {
    return Error{ErrorCode::kInternal,
                 fmt::format("intake: event type {} version {} is not known to this program", type, version)};
  }
  Decoder decoder(payload);
  Event event = decode_with(decoder, type);
  if (!decoder.done()) {
    return Error{ErrorCode::kInternal,
                 fmt::format("intake: a payload of {} bytes is not an event of type {} version {}",
                             payload.size(), type, version)};
  }
  return event;
}

}  // namespace spillway::intake
