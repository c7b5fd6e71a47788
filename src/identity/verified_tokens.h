#pragma once

#include <sodium.h>

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <cstring>
#include <optional>
#include <shared_mutex>
#include <string_view>

#include "base/clock.h"
#include "base/limits.h"
#include "identity/types.h"

namespace spillway::identity {

/// Tokens whose signature was found good, so that each is looked at once and not for every request.
///
/// Operation: by a keyed hash of 128 bits (BLAKE2b) of the whole token, which nobody outside can aim at. An
/// entry counts in the epoch of keys in which it was made and until the token expires. Each shard has two
/// generations; when the younger is full the older is dropped whole, so that room is found without a search
/// and what is in use stays. Concurrency: any thread. Limitations: about 300 bytes a token.
class VerifiedTokens {
 public:
  using Key = std::array<std::uint8_t, 16>;

  explicit VerifiedTokens(std::size_t max_tokens = limits::kMaxVerifiedTokens);

  Key key_of(std::string_view token) const;
  std::optional<Caller> find(const Key&, std::uint64_t epoch, Timestamp now);
  void put(const Key&, std::uint64_t epoch, const Caller&);
  std::size_t size() const;

 private:
  static constexpr std::size_t kShards = 16;
  struct Entry {
    Caller caller;
    std::uint64_t epoch = 0;
  };
  struct Hash {
    using is_avalanching = void;
    std::size_t operator()(const Key& key) const {
      std::size_t hash = 0;
      std::memcpy(&hash, key.data() + 1, sizeof hash);  // the first byte chooses the shard
      return hash;
    }
  };
  using Entries = boost::unordered_flat_map<Key, Entry, Hash>;
  struct Shard {
    alignas(64) mutable std::shared_mutex mutex;
    Entries young, old;
  };
  void put(Shard&, const Key&, const Entry&);

  const std::size_t max_young_;
  crypto_generichash_state keyed_;
  std::array<Shard, kShards> shards_;
};

}  // namespace spillway::identity
