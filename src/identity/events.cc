#include "identity/events.h"

#include <fmt/core.h>

#include <limits>

#include "base/bytes.h"

namespace spillway::identity {
namespace {

// What a payload may say at most, whatever the limits of the day are.
constexpr std::size_t kMaxTextBytes = std::numeric_limits<std::uint16_t>::max();

class Encoder {
 public:
  explicit Encoder(std::string& out) : w_(out) {}

  void operator()(const UserPut& e) {
    time(e.at);
    w_.string(e.user_id);
    w_.u8(static_cast<std::uint8_t>(e.role));
    w_.u8(e.disabled ? 1 : 0);
    w_.string(e.password_hash);
  }
  void operator()(const LoggedIn& e) {
    time(e.at);
    w_.string(e.user_id);
  }
  void operator()(const SignedOut& e) {
    time(e.at);
    w_.string(e.user_id);
    time(e.valid_from);
  }
  void operator()(const TokenRevoked& e) {
    time(e.at);
    w_.u64(e.token_id);
    time(e.until);
  }
  void operator()(const Forgotten& e) {
    time(e.at);
    w_.varint(e.tokens);
    w_.varint(e.users);
  }

 private:
  void time(Timestamp t) { w_.i64(t.us); }
  ByteWriter w_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view payload) : r_(payload) {}

  UserPut user_put() {
    UserPut e;
    e.at = time();
    e.user_id = user();
    const std::uint8_t role = r_.u8();
    const std::uint8_t disabled = r_.u8();
    e.password_hash = text();
    require(role >= static_cast<std::uint8_t>(Role::kUser) &&
            role <= static_cast<std::uint8_t>(Role::kAdmin) && disabled <= 1);
    e.role = static_cast<Role>(role);
    e.disabled = disabled == 1;
    return e;
  }
  LoggedIn logged_in() { return {.at = time(), .user_id = user()}; }
  SignedOut signed_out() { return {.at = time(), .user_id = user(), .valid_from = time()}; }
  TokenRevoked token_revoked() {
    TokenRevoked e{.at = time(), .token_id = r_.u64(), .until = time()};
    require(e.token_id != 0);
    return e;
  }
  Forgotten forgotten() { return {.at = time(), .tokens = r_.varint(), .users = r_.varint()}; }

  bool good() const { return good_ && r_.done(); }

 private:
  void require(bool fine) { good_ = good_ && fine; }
  Timestamp time() { return {r_.i64()}; }
  std::string_view text() {
    const std::string_view s = r_.string();
    require(s.size() <= kMaxTextBytes);
    return s;
  }
  std::string_view user() {
    const std::string_view s = text();
    require(!s.empty());
    return s;
  }
  ByteReader r_;
  bool good_ = true;
};

Event decode_type(std::uint8_t type, Decoder& d) {
  switch (type) {
    case 1:
      return d.user_put();
    case 2:
      return d.logged_in();
    case 3:
      return d.signed_out();
    case 4:
      return d.token_revoked();
    default:
      return d.forgotten();
  }
}

}  // namespace

std::uint8_t type(const Event& event) { return static_cast<std::uint8_t>(event.index() + 1); }

void encode(const Event& event, std::string& out) { std::visit(Encoder(out), event); }

Result<Event> decode(std::uint8_t type, std::uint8_t version, std::string_view payload) {
  if (version != kVersion || type < 1 || type > std::variant_size_v<Event>) {
    return Error{ErrorCode::kInternal,
                 fmt::format("identity: event {} version {} is not known to this program", type, version)};
  }
  Decoder decoder(payload);
  Event event = decode_type(type, decoder);
  if (!decoder.good()) {
    return Error{ErrorCode::kInternal, fmt::format("identity: event {} has a broken payload", type)};
  }
  return event;
}

}  // namespace spillway::identity
