#include "identity/token.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/base64.h"
#include "base/bytes.h"

namespace spillway::identity {
namespace {

constexpr std::string_view kPrefix = "sp2.";
constexpr std::uint8_t kPayloadVersion = 2;
constexpr std::uint8_t kAccessToken = 1;
// In the payload; its parts stand in TokenAuthority::issue().
constexpr std::size_t kKeyIdAt = 3;
constexpr std::size_t kUserIdAt = 24;
constexpr std::size_t kMacChars = 22;
constexpr std::size_t kMaxTokenBytes = 512;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Error refused() { return {ErrorCode::kUnauthenticated, "a valid access token is needed"}; }

Error system_error(const std::string& what, const std::string& path) {
  return {ErrorCode::kInternal, what + " " + path + ": " + std::strerror(errno)};
}

bool write_key(int fd, const SigningKey& key) {
  const char id = static_cast<char>(key.id);
  return ::write(fd, &id, 1) == 1 &&
         ::write(fd, key.secret.data(), key.secret.size()) == static_cast<ssize_t>(key.secret.size()) &&
         ::fsync(fd) == 0;
}

bool sync_directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const int fd = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

Result<SigningKey> make_key(const std::string& path, std::uint8_t id) {
  SigningKey key;
  key.id = id;
  CHECK(sodium_init() >= 0);
  randombytes_buf(key.secret.data(), key.secret.size());
  // Through a temporary name: a half-written key must never be found by the next start.
  const std::string unfinished = path + ".tmp";
  const int fd = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("cannot create", unfinished);
  const bool written = write_key(fd, key);
  ::close(fd);
  if (!written || ::rename(unfinished.c_str(), path.c_str()) != 0 || !sync_directory_of(path)) {
    return system_error("cannot write", path);
  }
  return key;
}

/// Nothing when there is no such file.
Result<std::optional<SigningKey>> read_key(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::optional<SigningKey>();
    return system_error("cannot open", path);
  }
  SigningKey key;
  std::uint8_t bytes[1 + 32 + 1];
  const ssize_t got = ::read(fd, bytes, sizeof bytes);
  ::close(fd);
  if (got != 33) return Error{ErrorCode::kInternal, path + " is not a signing key of 33 bytes"};
  key.id = bytes[0];
  std::memcpy(key.secret.data(), bytes + 1, key.secret.size());
  return std::optional<SigningKey>(key);
}

}  // namespace

Result<KeyRing> load_or_make_keys(const std::string& directory) {
  const std::string path = directory + "/access-token.key";
  auto previous = read_key(directory + "/access-token.previous.key");
  if (!previous) return previous.error();
  auto current = read_key(path);
  if (!current) return current.error();
  if (!*current) {
    const int before = *previous ? (*previous)->id : 0;
    auto made = make_key(path, static_cast<std::uint8_t>(before % 255 + 1));
    if (!made) return made.error();
    return KeyRing{*made, *previous};
  }
  if (*previous && (*previous)->id == (*current)->id) {
    return Error{ErrorCode::kInternal, path + " and access-token.previous.key have the same number"};
  }
  return KeyRing{**current, *previous};
}

TokenAuthority::TokenAuthority(const KeyRing& keys, std::string_view realm)
    : current_(derive(keys.current, realm)) {
  if (keys.previous) previous_ = derive(*keys.previous, realm);
}

TokenAuthority::Key TokenAuthority::derive(const SigningKey& from, std::string_view realm) {
  CHECK(sodium_init() >= 0);
  const std::string purpose = "spillway access token v3 " + std::string(realm);
  std::array<unsigned char, crypto_generichash_KEYBYTES> purpose_key;
  CHECK(crypto_generichash(purpose_key.data(), purpose_key.size(), bytes_of(purpose), purpose.size(),
                           from.secret.data(), from.secret.size()) == 0);
  Key key;
  key.id = from.id;
  // The key as the beginning of what is hashed, and not as BLAKE2b's own key: that would fill a block of 128
  // bytes, and the check of most tokens would be two blocks instead of one. BLAKE2b marks its last block, so
  // nobody can append to what was hashed, and a key in front makes a MAC.
  CHECK(crypto_generichash_init(&key.keyed, nullptr, 0, kMacBytes) == 0);
  CHECK(crypto_generichash_update(&key.keyed, purpose_key.data(), purpose_key.size()) == 0);
  sodium_memzero(purpose_key.data(), purpose_key.size());
  return key;
}

const TokenAuthority::Key* TokenAuthority::find(std::uint8_t id) const {
  if (current_.id == id) return &current_;
  return previous_ && previous_->id == id ? &*previous_ : nullptr;
}

TokenAuthority::MacBytes TokenAuthority::mac(const Key& key, std::string_view text) {
  crypto_generichash_state state = key.keyed;
  MacBytes out;
  CHECK(crypto_generichash_update(&state, bytes_of(text), text.size()) == 0);
  CHECK(crypto_generichash_final(&state, out.data(), out.size()) == 0);
  return out;
}

std::string TokenAuthority::issue(std::string_view user_id, Role role, Timestamp issued_at,
                                  Timestamp expires) const {
  std::uint64_t id = 0;
  while (id == 0) randombytes_buf(&id, sizeof id);
  std::string payload;
  ByteWriter out(payload);
  out.u8(kPayloadVersion);
  out.u8(kAccessToken);
  out.u8(static_cast<std::uint8_t>(role));
  out.u8(current_.id);
  out.u32(static_cast<std::uint32_t>(expires.us / kSecond));
  out.i64(issued_at.us);
  out.u64(id);
  payload.append(user_id);
  std::string token(kPrefix);
  append_base64url(token, payload);
  const MacBytes signature = mac(current_, token);
  token += '.';
  append_base64url(token, {reinterpret_cast<const char*>(signature.data()), signature.size()});
  return token;
}

bool TokenAuthority::is_ours(std::string_view token) { return token.starts_with(kPrefix); }

std::optional<TokenAuthority::Opened> TokenAuthority::open(std::string_view token) {
  if (token.size() > kMaxTokenBytes || token.size() < kPrefix.size() + 1 + kMacChars) return std::nullopt;
  const std::size_t dot = token.size() - kMacChars - 1;
  if (!is_ours(token) || token[dot] != '.') return std::nullopt;
  thread_local std::string payload, mac;  // reused: no allocation for a check
  const bool good = base64url_decode(token.substr(kPrefix.size(), dot - kPrefix.size()), payload) &&
                    base64url_decode(token.substr(dot + 1), mac);
  if (!good || payload.size() < kUserIdAt || mac.size() != kMacBytes) return std::nullopt;
  return Opened{token.substr(0, dot), payload, mac, std::string_view(payload).substr(kUserIdAt)};
}

Result<Caller> TokenAuthority::prove(const Opened& opened, Timestamp now) const {
  // Of what is not proven yet, only which key is to prove it.
  const Key* key = find(static_cast<std::uint8_t>(opened.payload[kKeyIdAt]));
  if (key == nullptr) return refused();
  const MacBytes expected = mac(*key, opened.signed_text);
  if (sodium_memcmp(opened.mac.data(), expected.data(), kMacBytes) != 0) return refused();

  ByteReader in(opened.payload);
  const auto version = in.u8();
  const auto type = in.u8();
  const auto role = static_cast<Role>(in.u8());
  in.u8();  // the key's id
  const Timestamp expires{static_cast<Micros>(in.u32()) * kSecond};
  const Timestamp issued_at{in.i64()};
  const std::uint64_t id = in.u64();
  if (!in.ok() || version != kPayloadVersion || type != kAccessToken || expires <= now) return refused();
  return Caller{std::string(opened.user_id), role, id, issued_at, expires};
}

Result<Caller> TokenAuthority::verify(std::string_view token, Timestamp now) const {
  const auto opened = open(token);
  return opened ? prove(*opened, now) : refused();
}

std::uint64_t TokenAuthority::fingerprint(std::string_view token) const {
  const MacBytes all = mac(current_, token);
  std::uint64_t id = 0;
  std::memcpy(&id, all.data(), sizeof id);
  return id == 0 ? 1 : id;
}

}  // namespace spillway::identity
