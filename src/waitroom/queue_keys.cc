#include "waitroom/queue_keys.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/base64.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/rfc3339.h"

namespace spillway::waitroom {
namespace {

constexpr std::string_view kTokenPurpose = "spillway queue token v1";
constexpr std::string_view kStatementPurpose = "spillway queue statement v1";

using Bytes32 = std::array<unsigned char, 32>;

Bytes32 derive(const Bytes32& secret, std::string_view purpose) {
  Bytes32 out;
  CHECK(crypto_generichash(out.data(), out.size(), reinterpret_cast<const unsigned char*>(purpose.data()),
                           purpose.size(), secret.data(), secret.size()) == 0);
  return out;
}

std::unique_ptr<QueueKey> random_key(std::uint8_t id, Timestamp now) {
  Bytes32 secret;
  fill_random(secret.data(), secret.size());
  return std::make_unique<QueueKey>(id, secret, now);
}

Error bad_line(const std::string& path, int line, std::string_view why) {
  return {ErrorCode::kInternal, fmt::format("{}, line {}: {}", path, line, why)};
}

Error system_error(std::string_view what, const std::string& path) {
  return {ErrorCode::kInternal, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno))};
}

bool sync_directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const int fd = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

}  // namespace

QueueKey::QueueKey(std::uint8_t number, const Bytes32& of, Timestamp made)
    : id(number), created(made), secret(of), mac(derive(of, kTokenPurpose)) {
  Bytes32 seed = derive(secret, kStatementPurpose);
  CHECK(crypto_sign_ed25519_seed_keypair(public_key.data(), private_key.data(), seed.data()) == 0);
  sodium_memzero(seed.data(), seed.size());
}

QueueKeys::~QueueKeys() = default;

Result<std::unique_ptr<QueueKeys>> QueueKeys::open(std::string path, Timestamp now) {
  CHECK(sodium_init() >= 0);
  auto keys = std::unique_ptr<QueueKeys>(new QueueKeys(std::move(path)));
  std::error_code error;
  if (!keys->path_.empty() && std::filesystem::exists(keys->path_, error)) {
    if (Status read = keys->reload(now); !read) return read.error();
  } else if (auto made = keys->rotate(now); !made) {
    return made.error();
  }
  return keys;
}

Result<QueueKeys::Keys> QueueKeys::read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return system_error("open", path);
  Keys keys;
  std::string text, secret;
  for (int line = 1; std::getline(file, text); ++line) {
    if (text.empty() || text.front() == '#') continue;
    if (keys.size() >= limits::kMaxQueueKeys) return bad_line(path, line, "too many keys");
    std::istringstream words(text);
    std::string id_text, secret_text, created_text, more;
    words >> id_text >> secret_text >> created_text;
    if (words >> more) return bad_line(path, line, "has more than three words");
    std::uint8_t id = 0;
    const auto [end, failed] = std::from_chars(id_text.data(), id_text.data() + id_text.size(), id);
    if (failed != std::errc() || end != id_text.data() + id_text.size() || id == 0) {
      return bad_line(path, line, "the number must be from 1 to 255");
    }
    Bytes32 bytes;
    if (!base64url_decode(secret_text, secret) || secret.size() != bytes.size()) {
      return bad_line(path, line, "the secret must be 32 bytes as base64url");
    }
    std::memcpy(bytes.data(), secret.data(), bytes.size());
    const auto created = parse_time(created_text);
    if (!created) return bad_line(path, line, "the time must be as 2026-11-20T09:00:00Z");
    for (const auto& key : keys) {
      if (key->id == id) return bad_line(path, line, "the number is there twice");
    }
    if (!keys.empty() && keys.back()->created > *created) {
      return bad_line(path, line, "the time is before that of the key before");
    }
    keys.push_back(std::make_unique<QueueKey>(id, bytes, *created));
  }
  sodium_memzero(secret.data(), secret.size());
  if (file.bad()) return system_error("read", path);
  if (keys.empty()) return Error{ErrorCode::kInternal, path + " has no key"};
  return keys;
}

Status QueueKeys::write(const std::string& path, const Keys& keys) {
  std::string text = "# Keys of queue tokens: number, secret, when made. The last one signs.\n";
  for (const auto& key : keys) {
    text += fmt::format("{} {} {}\n", key->id,
                        base64url({reinterpret_cast<const char*>(key->secret.data()), key->secret.size()}),
                        format_time(key->created));
  }
  // Through a temporary name: a half-written file must never be found by the next start.
  const std::string unfinished = path + ".tmp";
  const int fd = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("create", unfinished);
  const bool written =
      ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  sodium_memzero(text.data(), text.size());
  if (!written || ::rename(unfinished.c_str(), path.c_str()) != 0 || !sync_directory_of(path)) {
    return system_error("write", path);
  }
  return Ok{};
}

/// Of what the key before the i-th has signed, the last expires a token's life after the i-th was made.
void QueueKeys::drop_expired(Keys& keys, Timestamp now) {
  std::size_t drop = 0;
  while (drop + 1 < keys.size() && keys[drop + 1]->created + limits::kQueueTokenLife <= now) ++drop;
  keys.erase(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(drop));
}

/// Keys that were in force stay the same objects.
void QueueKeys::take(Keys keys) {
  for (auto& key : keys) {
    const QueueKey* known = find(key->id);
    if (known == nullptr || known->secret != key->secret) continue;
    const auto old =
        std::find_if(keys_.begin(), keys_.end(), [&](const auto& k) { return k.get() == known; });
    if (old == keys_.end()) continue;
    key = std::move(*old);
  }
  for (auto& old : keys_) {
    if (old != nullptr) retired_.push_back(std::move(old));
  }
  keys_ = std::move(keys);
  for (const auto& key : keys_) in_force_[key->id].store(key.get(), std::memory_order_release);
  signing_.store(keys_.back()->id, std::memory_order_release);
  for (std::size_t id = 0; id < in_force_.size(); ++id) {
    const bool there = std::any_of(keys_.begin(), keys_.end(), [id](const auto& k) { return k->id == id; });
    if (!there) in_force_[id].store(nullptr, std::memory_order_release);
  }
}

std::vector<const QueueKey*> QueueKeys::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<const QueueKey*> all;
  for (const auto& key : keys_) all.push_back(key.get());
  return all;
}

Result<std::uint8_t> QueueKeys::rotate(Timestamp now) {
  const std::lock_guard lock(mutex_);
  Keys next;
  for (const auto& key : keys_)
    next.push_back(std::make_unique<QueueKey>(key->id, key->secret, key->created));
  if (!next.empty()) now = std::max(now, next.back()->created);  // the clock may have been set back
  std::uint8_t id = static_cast<std::uint8_t>(next.empty() ? 1 : next.back()->id % 255 + 1);
  drop_expired(next, now);
  if (next.size() >= limits::kMaxQueueKeys) {
    return Error{ErrorCode::kTooManyRequests, "too many keys are in force still", 3600};
  }
  while (std::any_of(next.begin(), next.end(), [id](const auto& k) { return k->id == id; })) {
    id = static_cast<std::uint8_t>(id % 255 + 1);
  }
  next.push_back(random_key(id, now));
  if (!path_.empty()) {
    if (Status written = write(path_, next); !written) return written.error();
  }
  take(std::move(next));
  return id;
}

Status QueueKeys::reload(Timestamp now) {
  const std::lock_guard lock(mutex_);
  auto read_keys = read(path_);
  if (!read_keys) return read_keys.error();
  drop_expired(*read_keys, now);
  take(std::move(*read_keys));
  return Ok{};
}

}  // namespace spillway::waitroom
