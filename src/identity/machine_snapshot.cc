// save() and load(), and the digest. Layout: blocks of `u32 size, bytes`; an entry never spans two. First the
// header, then the accounts and the sign-outs by user, then the revoked tokens by (until, token), then the
// digest of it all. Indexes and counts are made anew.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/blocks.h"
#include "identity/machine.h"

namespace spillway::identity {
namespace {

constexpr std::uint8_t kSnapshotVersion = 1;

// Told apart, so that a sign-out cannot stand for a revocation.
enum Domain : std::uint64_t { kAccount = 1, kSignedOut = 2, kRevoked = 3 };

std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
  return XXH3_64bits_withSeed(text.data(), text.size(), seed);
}
template <std::size_t n>
std::uint64_t hash_words(const std::uint64_t (&words)[n], std::uint64_t seed) {
  return XXH3_64bits_withSeed(words, sizeof words, seed);
}

}  // namespace

std::uint64_t Machine::hash(std::string_view user_id, const Account& account) {
  const std::uint64_t words[] = {
      hash_text(user_id, kAccount), hash_text(account.password_hash, kAccount),
      static_cast<std::uint64_t>(account.created_at.us), static_cast<std::uint64_t>(account.last_login_at.us),
      static_cast<std::uint64_t>(account.role) << 1 | (account.disabled ? 1u : 0u)};
  return hash_words(words, kAccount);
}

std::uint64_t Machine::hash_signed_out(std::string_view user_id, Timestamp valid_from) {
  const std::uint64_t words[] = {hash_text(user_id, kSignedOut), static_cast<std::uint64_t>(valid_from.us)};
  return hash_words(words, kSignedOut);
}

std::uint64_t Machine::hash_revoked(std::uint64_t token_id, Timestamp until) {
  const std::uint64_t words[] = {token_id, static_cast<std::uint64_t>(until.us)};
  return hash_words(words, kRevoked);
}

std::uint64_t Machine::recompute_digest() const {
  std::uint64_t sum = 0;
  std::size_t admins = 0;
  bool agrees =
      signed_out_.size() == signed_out_by_time_.size() && revoked_.size() == revoked_by_time_.size();
  for (const auto& [user, account] : accounts_) {
    sum += hash(user, account);
    if (account.role == Role::kAdmin && !account.disabled) ++admins;
  }
  for (const auto& [user, from] : signed_out_) {
    sum += hash_signed_out(user, from);
    agrees = agrees && signed_out_by_time_.contains({from, user});
  }
  for (const auto& [token, until] : revoked_) {
    sum += hash_revoked(token, until);
    agrees = agrees && revoked_by_time_.contains({until, token});
  }
  return agrees && admins == admins_ ? sum : ~sum;
}

void Machine::save(const std::function<void(std::string_view)>& write) const {
  BlockWriter blocks(write);
  ByteWriter header = blocks.entry();
  header.u8(kSnapshotVersion);
  header.varint(accounts_.size());
  header.varint(signed_out_.size());
  header.varint(revoked_.size());
  for (const auto& [user, account] : accounts_) {
    ByteWriter w = blocks.entry();
    w.string(user);
    w.u8(static_cast<std::uint8_t>(account.role));
    w.u8(account.disabled ? 1 : 0);
    w.string(account.password_hash);
    w.i64(account.created_at.us);
    w.i64(account.last_login_at.us);
  }
  for (const auto& [user, from] : signed_out_) {
    ByteWriter w = blocks.entry();
    w.string(user);
    w.i64(from.us);
  }
  for (const auto& [until, token] : revoked_by_time_) {
    ByteWriter w = blocks.entry();
    w.u64(token);
    w.i64(until.us);
  }
  blocks.entry().u64(digest_);
  blocks.flush();
}

bool Machine::load_all(const std::function<bool(char*, std::size_t)>& read) {
  BlockReader blocks(read);
  ByteReader& header = blocks.entry();
  if (header.u8() != kSnapshotVersion) return false;
  const std::uint64_t accounts = header.varint(), signed_out = header.varint(), revoked = header.varint();
  for (std::uint64_t i = 0; i < accounts && blocks.ok(); ++i) {
    ByteReader& r = blocks.entry();
    UserPut put;
    put.user_id = r.string();
    const std::uint8_t role = r.u8(), disabled = r.u8();
    put.password_hash = r.string();
    put.at = {r.i64()};
    const Timestamp last_login{r.i64()};
    if (!blocks.ok() || put.user_id.empty() || put.password_hash.empty() || role < 1 || role > 3 ||
        disabled > 1 || accounts_.contains(put.user_id)) {
      return false;
    }
    put.role = static_cast<Role>(role);
    put.disabled = disabled == 1;
    apply(put);
    if (last_login) apply(LoggedIn{last_login, put.user_id});
  }
  for (std::uint64_t i = 0; i < signed_out && blocks.ok(); ++i) {
    ByteReader& r = blocks.entry();
    const std::string_view user = r.string();
    const Timestamp from{r.i64()};
    if (!blocks.ok() || user.empty() || signed_out_.contains(user)) return false;
    apply(SignedOut{{}, user, from});
  }
  for (std::uint64_t i = 0; i < revoked && blocks.ok(); ++i) {
    ByteReader& r = blocks.entry();
    const std::uint64_t token = r.u64();
    const Timestamp until{r.i64()};
    if (!blocks.ok() || token == 0 || revoked_.contains(token)) return false;
    apply(TokenRevoked{{}, token, until});
  }
  return blocks.entry().u64() == digest_ && blocks.at_end();
}

Status Machine::load(const std::function<bool(char*, std::size_t)>& read) {
  CHECK(accounts_.empty() && signed_out_.empty() && revoked_.empty());
  if (!load_all(read)) {
    return Error{ErrorCode::kInternal,
                 "identity: the snapshot cannot be read by this program, or is not what was saved"};
  }
  return Ok{};
}

}  // namespace spillway::identity
