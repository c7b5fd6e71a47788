#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/limits.h"
#include "base/result.h"
#include "identity/commands.h"
#include "identity/events.h"

namespace spillway::identity {

struct MachineConfig {
  std::size_t max_accounts = limits::kMaxAccounts;
  std::size_t max_revoked_tokens = limits::kMaxRevokedTokens;
  std::size_t max_signed_out_users = limits::kMaxSignedOutUsers;  ///< beside those with an account
};

/// identity's state and its rules, in memory: accounts, tokens that were logged out, users that were signed
/// out.
///
/// Operation: decide*() refuse or propose and change nothing; what they propose is appended to `out` and
/// holds when evolve() has been called with each, in order, before the next decision. Recovery calls evolve()
/// alone. Pure: no I/O, no clock, nothing random; `now` must never go back from call to call. Concurrency:
/// none; the live one belongs to the state thread. Limitations: all in memory, about 300 bytes an account and
/// 80 a revocation.
class Machine {
 public:
  explicit Machine(MachineConfig config = {}) : config_(config) {}

  // ---- Decisions: `out` views into the command ------------------------------------------------------------

  /// In this order: invalid_argument (the id, a new one without a password), overloaded (too many accounts),
  /// last_admin.
  Result<UserChange> decide(const PutUser&, Timestamp now, Events& out) const;
  /// Since when tokens count again. invalid_argument, overloaded (too many signed out).
  Result<Timestamp> decide(const SignOut&, Timestamp now, Events& out) const;
  /// Nothing for a token that is revoked already. overloaded.
  Status decide(const Logout&, Timestamp now, Events& out) const;
  /// invalid_credentials when the account is not as it was when the password was compared.
  Result<LoggedInAs> decide(const Login&, Timestamp now, Events& out) const;
  void decide(PutUser&&, Timestamp, Events&) const = delete;
  void decide(SignOut&&, Timestamp, Events&) const = delete;
  void decide(Login&&, Timestamp, Events&) const = delete;
  /// Revocations that no living token can match at `until` any more, at most `max_items`.
  void decide_due(Timestamp now, Timestamp until, std::size_t max_items, Events& out) const;

  /// Applies. An event that does not fit the state is a broken journal or program: CHECK.
  void evolve(const Event&);

  // ---- Reads ----------------------------------------------------------------------------------------------

  Credentials credentials(std::string_view user_id) const;
  /// invalid_argument (cursor).
  Result<UserPage> list(const ListUsers&) const;
  void for_each_revoked(const std::function<void(std::uint64_t token_id, Timestamp until)>&) const;
  void for_each_signed_out(const std::function<void(std::string_view user_id, Timestamp from)>&) const;

  // ---- Proof and snapshots --------------------------------------------------------------------------------

  /// A hash of the whole logical state, kept up with every change; equal states have equal digests however
  /// they were reached.
  std::uint64_t digest() const { return digest_; }
  /// The same from the state itself; also differs when an index does not agree.
  std::uint64_t recompute_digest() const;
  void save(const std::function<void(std::string_view)>& write) const;
  /// Into a machine that has seen no event. `read` fills exactly that many bytes or answers false. After an
  /// error the machine is of no use.
  Status load(const std::function<bool(char*, std::size_t)>& read);

 private:
  struct Account {
    Role role = Role::kUser;
    bool disabled = false;
    std::string password_hash;
    Timestamp created_at;
    Timestamp last_login_at;
  };
  using Accounts = std::map<std::string, Account, std::less<>>;

  static UserView view(std::string_view user_id, const Account&);
  bool is_last_admin(std::string_view user_id) const;
  Timestamp valid_from(std::string_view user_id) const;

  void apply(const UserPut&);
  void apply(const LoggedIn&);
  void apply(const SignedOut&);
  void apply(const TokenRevoked&);
  void apply(const Forgotten&);
  /// Each is in the digest once; so is_in = false takes out what is_in = true has put in.
  void count(std::uint64_t hash, bool is_in) { digest_ += is_in ? hash : 0 - hash; }

  static std::uint64_t hash(std::string_view user_id, const Account&);
  static std::uint64_t hash_signed_out(std::string_view user_id, Timestamp valid_from);
  static std::uint64_t hash_revoked(std::uint64_t token_id, Timestamp until);
  bool load_all(const std::function<bool(char*, std::size_t)>& read);

  MachineConfig config_;
  Accounts accounts_;
  std::map<std::string, Timestamp, std::less<>> signed_out_;        ///< valid from
  boost::unordered_flat_map<std::uint64_t, Timestamp> revoked_;     ///< token id -> until
  std::set<std::pair<Timestamp, std::string>> signed_out_by_time_;  ///< index
  std::set<std::pair<Timestamp, std::uint64_t>> revoked_by_time_;   ///< index
  std::size_t admins_ = 0;                                          ///< enabled ones
  std::uint64_t digest_ = 0;
};

}  // namespace spillway::identity
