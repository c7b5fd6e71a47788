#pragma once

#include <sodium.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "waitroom/hmac_sha256.h"

namespace spillway::waitroom {

/// A key of the deployment: one secret, from which the key that signs queue tokens (HMAC-SHA256) and the pair
/// that signs what others check offline (Ed25519) are derived.
struct QueueKey {
  QueueKey(std::uint8_t id, const std::array<unsigned char, 32>& secret, Timestamp created);

  std::uint8_t id = 0;
  Timestamp created;  ///< the key before it has signed nothing since
  std::array<unsigned char, 32> secret{};
  HmacSha256 mac;  ///< of queue tokens
  std::array<unsigned char, crypto_sign_ed25519_PUBLICKEYBYTES> public_key{};
  std::array<unsigned char, crypto_sign_ed25519_SECRETKEYBYTES> private_key{};

  std::string name() const { return "q" + std::to_string(id); }  ///< the `kid` of JSON Web Keys
};

/// The keys of queue tokens, in a file of one line a key: its number (1 to 255), its secret (32 bytes as
/// base64url) and when it was made (RFC 3339). The last line signs; those before it still verify what they
/// have signed, and are dropped when the last of that has expired: limits::kQueueTokenLife after the next one
/// was made. To change the key, rotate(), or add a line and start again or reload().
///
/// Threading: find() and signing() from any thread, without a lock: a key that was ever in force stays where
/// it is until the end of the process. The others are serialised here; rotate() and reload() write and read a
/// small file.
class QueueKeys {
 public:
  /// Reads `path`, or makes it (mode 0600, durable) with a first key; an empty path: keys in memory alone.
  /// Errors name the file and the line.
  static Result<std::unique_ptr<QueueKeys>> open(std::string path, Timestamp now);
  ~QueueKeys();

  /// Null when it is not in force.
  const QueueKey* find(std::uint8_t id) const { return in_force_[id].load(std::memory_order_acquire); }
  const QueueKey& signing() const { return *find(signing_.load(std::memory_order_acquire)); }
  std::vector<const QueueKey*> all() const;  ///< in force, the oldest first

  /// Makes a new key, durable, and signs with it from now on.
  Result<std::uint8_t> rotate(Timestamp now);
  /// Reads the file again. The keys stay what they are when it is no good.
  Status reload(Timestamp now);

 private:
  explicit QueueKeys(std::string path) : path_(std::move(path)) {}
  using Keys = std::vector<std::unique_ptr<QueueKey>>;
  static Result<Keys> read(const std::string& path);
  static Status write(const std::string& path, const Keys& keys);
  static void drop_expired(Keys& keys, Timestamp now);
  void take(Keys keys);

  std::string path_;
  mutable std::mutex mutex_;
  Keys keys_;     ///< in force, the oldest first
  Keys retired_;  ///< dropped, and kept for whoever may still look at one
  std::array<std::atomic<const QueueKey*>, 256> in_force_{};
  std::atomic<std::uint8_t> signing_{0};
};

}  // namespace spillway::waitroom
