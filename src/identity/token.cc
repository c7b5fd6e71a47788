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

constexpr std::string_view kPrefix = "sp1.";
constexpr std::uint8_t kPayloadVersion = 1;
constexpr std::uint8_t kAccessToken = 1;
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

Result<SigningKey> make_key(const std::string& path) {
  SigningKey key;
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

}  // namespace

Result<SigningKey> load_or_make_key(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? make_key(path) : Result<SigningKey>(system_error("cannot open", path));
  SigningKey key;
  std::uint8_t bytes[1 + 32 + 1];
  const ssize_t got = ::read(fd, bytes, sizeof bytes);
  ::close(fd);
  if (got != 33) return Error{ErrorCode::kInternal, path + " is not a signing key of 33 bytes"};
  key.id = bytes[0];
  std::memcpy(key.secret.data(), bytes + 1, key.secret.size());
  return key;
}

TokenAuthority::TokenAuthority(const SigningKey& key) : key_id_(key.id) {
  CHECK(sodium_init() >= 0);
  constexpr std::string_view kPurpose = "spillway access token v1";
  std::array<unsigned char, crypto_generichash_KEYBYTES> purpose_key;
  CHECK(crypto_generichash(purpose_key.data(), purpose_key.size(), bytes_of(kPurpose), kPurpose.size(),
                           key.secret.data(), key.secret.size()) == 0);
  CHECK(crypto_generichash_init(&keyed_, purpose_key.data(), purpose_key.size(), kMacBytes) == 0);
  sodium_memzero(purpose_key.data(), purpose_key.size());
}

TokenAuthority::MacBytes TokenAuthority::mac(std::string_view text) const {
  crypto_generichash_state state = keyed_;  // the key is in it already: half the work, done once
  MacBytes out;
  CHECK(crypto_generichash_update(&state, bytes_of(text), text.size()) == 0);
  CHECK(crypto_generichash_final(&state, out.data(), out.size()) == 0);
  return out;
}

std::string TokenAuthority::issue(std::string_view user_id, Role role, Timestamp expires) const {
  std::string payload;
  ByteWriter out(payload);
  out.u8(kPayloadVersion);
  out.u8(kAccessToken);
  out.u8(static_cast<std::uint8_t>(role));
  out.u8(key_id_);
  out.u32(static_cast<std::uint32_t>(expires.us / kSecond));
  payload.append(user_id);
  std::string token(kPrefix);
  token += base64url(payload);
  const MacBytes signature = mac(token);
  token += '.';
  token += base64url({reinterpret_cast<const char*>(signature.data()), signature.size()});
  return token;
}

Result<Caller> TokenAuthority::verify(std::string_view token, Timestamp now) const {
  if (token.size() > kMaxTokenBytes || token.size() < kPrefix.size() + 1 + kMacChars) return refused();
  const std::size_t dot = token.size() - kMacChars - 1;
  if (!token.starts_with(kPrefix) || token[dot] != '.') return refused();
  thread_local std::string bytes;  // reused: no allocation for a check
  const MacBytes expected = mac(token.substr(0, dot));
  if (!base64url_decode(token.substr(dot + 1), bytes) || bytes.size() != kMacBytes ||
      sodium_memcmp(bytes.data(), expected.data(), kMacBytes) != 0) {
    return refused();
  }
  if (!base64url_decode(token.substr(kPrefix.size(), dot - kPrefix.size()), bytes)) return refused();
  ByteReader in(bytes);
  const auto version = in.u8();
  const auto type = in.u8();
  const auto role = static_cast<Role>(in.u8());
  const auto key_id = in.u8();
  const Timestamp expires{static_cast<Micros>(in.u32()) * kSecond};
  if (!in.ok() || version != kPayloadVersion || type != kAccessToken || key_id != key_id_ || expires <= now) {
    return refused();
  }
  return Caller{bytes.substr(bytes.size() - in.left()), role};
}

}  // namespace spillway::identity
