#pragma once

#include <array>
#include <atomic>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <shared_mutex>
#include <string_view>

#include "base/clock.h"
#include "identity/types.h"

namespace spillway::identity {

/// Which tokens count no longer, for the threads that must ask for every request.
///
/// Operation: a copy of what the machine knows, in shards by token and by user. While nothing is revoked a
/// question is one atomic load; while nothing of a shard is, two. Users are kept as keyed 64-bit hashes: two
/// of 100,000 share one with a chance of 1 in 10^9, nobody can choose it, and the harm is one more login.
/// Concurrency: everything from any thread. Additions commute, so it does not matter in which order threads
/// publish what the journal has ordered. Limitations: holds what it is told; who tells bounds it.
class RevocationView {
 public:
  RevocationView();

  bool is_revoked(const Caller& caller) const {
    return entries_.load(std::memory_order_acquire) != 0 && look_up(caller);
  }
  /// Until when tokens of this user are refused; unset: none are.
  Timestamp valid_from(std::string_view user_id) const;

  /// `until`: when the token would end by itself.
  void revoke_token(std::uint64_t token_id, Timestamp until);
  /// Tokens issued at `valid_from` and before are refused.
  void sign_out(std::string_view user_id, Timestamp valid_from);
  /// Drops what no living token can match any more, from a part of the shards: call it every so often.
  void forget_some(Timestamp now);
  std::size_t size() const { return entries_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::size_t kShards = 64;
  struct Shard {
    alignas(64) mutable std::shared_mutex mutex;
    std::atomic<std::size_t> size{0};  ///< of `times`
    boost::unordered_flat_map<std::uint64_t, Timestamp> times;
  };

  bool look_up(const Caller&) const;
  std::uint64_t key_of(std::string_view user_id) const;
  static Timestamp find(const Shard&, std::uint64_t key);
  /// Keeps the later time.
  void put(Shard&, std::uint64_t key, Timestamp time);
  void forget(Shard&, Timestamp up_to);

  std::array<std::uint8_t, 16> seed_;
  std::atomic<std::size_t> entries_{0};
  std::atomic<std::size_t> next_to_forget_{0};
  std::array<Shard, kShards> tokens_;  ///< token id -> until
  std::array<Shard, kShards> users_;   ///< hash of the user -> valid from
};

}  // namespace spillway::identity
