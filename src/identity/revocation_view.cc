#include "identity/revocation_view.h"

#include <sodium.h>

#include <cstring>
#include <mutex>

#include "base/check.h"
#include "base/limits.h"

namespace spillway::identity {

RevocationView::RevocationView() {
  static_assert(sizeof seed_ == crypto_shorthash_KEYBYTES);
  CHECK(sodium_init() >= 0);
  randombytes_buf(seed_.data(), seed_.size());
}

std::uint64_t RevocationView::key_of(std::string_view user_id) const {
  std::uint64_t key = 0;
  static_assert(sizeof key == crypto_shorthash_BYTES);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&key),
                   reinterpret_cast<const unsigned char*>(user_id.data()), user_id.size(), seed_.data());
  return key;
}

Timestamp RevocationView::find(const Shard& shard, std::uint64_t key) {
  if (shard.size.load(std::memory_order_acquire) == 0) return {};
  const std::shared_lock lock(shard.mutex);
  const auto it = shard.times.find(key);
  return it == shard.times.end() ? Timestamp{} : it->second;
}

bool RevocationView::look_up(const Caller& caller) const {
  if (caller.token_id == 0) return false;
  if (find(tokens_[caller.token_id % kShards], caller.token_id)) return true;
  return caller.issued_at <= valid_from(caller.user_id);
}

Timestamp RevocationView::valid_from(std::string_view user_id) const {
  if (entries_.load(std::memory_order_acquire) == 0) return {};
  const std::uint64_t key = key_of(user_id);
  return find(users_[key % kShards], key);
}

void RevocationView::put(Shard& shard, std::uint64_t key, Timestamp time) {
  const std::unique_lock lock(shard.mutex);
  const auto [it, is_new] = shard.times.emplace(key, time);
  if (!is_new) {
    if (it->second < time) it->second = time;
    return;
  }
  shard.size.store(shard.times.size(), std::memory_order_release);
  entries_.fetch_add(1, std::memory_order_acq_rel);
}

void RevocationView::revoke_token(std::uint64_t token_id, Timestamp until) {
  put(tokens_[token_id % kShards], token_id, until);
}

void RevocationView::sign_out(std::string_view user_id, Timestamp valid_from) {
  const std::uint64_t key = key_of(user_id);
  put(users_[key % kShards], key, valid_from);
}

void RevocationView::forget(Shard& shard, Timestamp up_to) {
  if (shard.size.load(std::memory_order_acquire) == 0) return;
  const std::unique_lock lock(shard.mutex);
  const std::size_t gone =
      boost::unordered::erase_if(shard.times, [up_to](const auto& entry) { return entry.second <= up_to; });
  shard.size.store(shard.times.size(), std::memory_order_release);
  entries_.fetch_sub(gone, std::memory_order_acq_rel);
}

void RevocationView::forget_some(Timestamp now) {
  if (entries_.load(std::memory_order_relaxed) == 0) return;
  const std::size_t shard = next_to_forget_.fetch_add(1, std::memory_order_relaxed) % kShards;
  forget(tokens_[shard], now);
  forget(users_[shard], now - limits::kMaxTokenAge);
}

}  // namespace spillway::identity
