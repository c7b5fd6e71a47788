#include "identity/verified_tokens.h"

#include <algorithm>
#include <mutex>

#include "base/check.h"

namespace spillway::identity {

VerifiedTokens::VerifiedTokens(std::size_t max_tokens)
    : max_young_(std::max<std::size_t>(max_tokens / kShards / 2, 1)) {
  CHECK(sodium_init() >= 0);
  std::array<unsigned char, crypto_generichash_KEYBYTES> seed;
  randombytes_buf(seed.data(), seed.size());
  CHECK(crypto_generichash_init(&keyed_, seed.data(), seed.size(), sizeof(Key)) == 0);
}

VerifiedTokens::Key VerifiedTokens::key_of(std::string_view token) const {
  crypto_generichash_state state = keyed_;
  Key key;
  CHECK(crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(token.data()),
                                  token.size()) == 0);
  CHECK(crypto_generichash_final(&state, key.data(), key.size()) == 0);
  return key;
}

std::optional<Caller> VerifiedTokens::find(const Key& key, std::uint64_t epoch, Timestamp now) {
  Shard& shard = shards_[key[0] % kShards];
  std::optional<Entry> aging;
  {
    const std::shared_lock lock(shard.mutex);
    const auto counts = [&](const Entry& entry) {
      return entry.epoch == epoch && entry.caller.expires > now;
    };
    if (const auto it = shard.young.find(key); it != shard.young.end()) {
      return counts(it->second) ? std::optional(it->second.caller) : std::nullopt;
    }
    const auto it = shard.old.find(key);
    if (it == shard.old.end() || !counts(it->second)) return {};
    aging = it->second;
  }
  put(shard, key, *aging);
  return std::move(aging->caller);
}

void VerifiedTokens::put(const Key& key, std::uint64_t epoch, const Caller& caller) {
  put(shards_[key[0] % kShards], key, {caller, epoch});
}

void VerifiedTokens::put(Shard& shard, const Key& key, const Entry& entry) {
  Entries dropped;  // freed after the lock
  const std::unique_lock lock(shard.mutex);
  if (shard.young.size() >= max_young_ && !shard.young.contains(key)) {
    dropped = std::move(shard.old);
    shard.old = std::move(shard.young);
    shard.young = Entries();
  }
  shard.young.insert_or_assign(key, entry);
}

std::size_t VerifiedTokens::size() const {
  std::size_t size = 0;
  for (const Shard& shard : shards_) {
    const std::shared_lock lock(shard.mutex);
    size += shard.young.size() + shard.old.size();
  }
  return size;
}

}  // namespace spillway::identity
