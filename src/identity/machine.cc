#include "identity/machine.h"

#include <algorithm>

#include "base/base64.h"

namespace spillway::identity {
namespace {

constexpr int kRetryAfterSeconds = 60;

bool is_enabled_admin(Role role, bool disabled) { return role == Role::kAdmin && !disabled; }

Error full(const char* what) { return {ErrorCode::kOverloaded, what, kRetryAfterSeconds}; }

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool contains(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

Status check_user_id(std::string_view user_id) {
  if (!is_user_id(user_id)) {
    return invalid_argument("userId must be 1 to 128 bytes of UTF-8 without control characters");
  }
  return Ok{};
}

}  // namespace

UserView Machine::view(std::string_view user_id, const Account& account) {
  return {std::string(user_id), account.role, account.disabled, account.created_at, account.last_login_at};
}

bool Machine::is_last_admin(std::string_view user_id) const {
  const auto it = accounts_.find(user_id);
  return admins_ == 1 && it != accounts_.end() && is_enabled_admin(it->second.role, it->second.disabled);
}

Timestamp Machine::valid_from(std::string_view user_id) const {
  const auto it = signed_out_.find(user_id);
  return it == signed_out_.end() ? Timestamp{} : it->second;
}

// ---- Decisions --------------------------------------------------------------------------------------------

Result<UserChange> Machine::decide(const PutUser& command, Timestamp now, Events& out) const {
  if (Status id = check_user_id(command.user_id); !id) return id.error();
  if (command.user_id == kAdminTokenId) {
    return invalid_argument("userId must not be admin-token: the admin secret acts under it");
  }
  const auto it = accounts_.find(command.user_id);
  const bool is_new = it == accounts_.end();
  if (is_new && command.password_hash.empty()) {
    return invalid_argument("password must be there for a new user");
  }
  if (is_new && accounts_.size() >= config_.max_accounts) return full("there are too many accounts");

  Account account =
      is_new ? Account{.password_hash = {}, .created_at = now, .last_login_at = {}} : it->second;
  UserChange change;
  if (!is_new) change.before = view(command.user_id, it->second);
  account.role = command.role.value_or(account.role);
  account.disabled = command.disabled.value_or(account.disabled);
  change.password_changed = !command.password_hash.empty();
  change.after = view(command.user_id, account);
  change.after.created = is_new;
  if (command.actor.id == command.user_id && is_last_admin(command.user_id) &&
      !is_enabled_admin(account.role, account.disabled)) {
    return Error{ErrorCode::kLastAdmin, "there would be no admin left; make another one first"};
  }
  const bool other_role = !is_new && account.role != it->second.role;
  const bool newly_disabled = account.disabled && (is_new || !it->second.disabled);
  const bool enabled = !is_new && !account.disabled && it->second.disabled;
  if (!is_new && !other_role && !newly_disabled && !enabled && !change.password_changed) return change;
  out.push_back(UserPut{now, command.user_id, account.role, account.disabled, command.password_hash});
  if (!is_new && (other_role || newly_disabled || change.password_changed)) {
    change.valid_from = std::max({now, command.asked_at, valid_from(command.user_id)});
    out.push_back(SignedOut{now, command.user_id, change.valid_from});
  }
  return change;
}

Result<Timestamp> Machine::decide(const SignOut& command, Timestamp now, Events& out) const {
  if (Status id = check_user_id(command.user_id); !id) return id.error();
  // Accounts have their place: a crowd of strangers must not keep an admin from ending an account's tokens.
  if (!signed_out_.contains(command.user_id) && !accounts_.contains(command.user_id) &&
      signed_out_.size() >= config_.max_signed_out_users + accounts_.size()) {
    return full("too many users are signed out; places come free as their tokens expire");
  }
  const Timestamp from = std::max({now, command.asked_at, valid_from(command.user_id)});
  out.push_back(SignedOut{now, command.user_id, from});
  return from;
}

Status Machine::decide(const Logout& command, Timestamp now, Events& out) const {
  CHECK(command.token_id != 0);
  if (revoked_.contains(command.token_id)) return Ok{};
  if (revoked_.size() >= config_.max_revoked_tokens) {
    return full("too many tokens are logged out; places come free as they expire");
  }
  out.push_back(TokenRevoked{now, command.token_id, command.expires});
  return Ok{};
}

Result<LoggedInAs> Machine::decide(const Login& command, Timestamp now, Events& out) const {
  const auto it = accounts_.find(command.user_id);
  if (it == accounts_.end() || it->second.disabled || it->second.password_hash != command.password_hash) {
    return Error{ErrorCode::kInvalidCredentials, "the user id or the password is wrong"};
  }
  out.push_back(LoggedIn{now, command.user_id});
  // By the wall clock if that is ahead of ours, and in any case after the last sign-out.
  return LoggedInAs{it->second.role, std::max({now, command.asked_at, valid_from(command.user_id) + 1})};
}

void Machine::decide_due(Timestamp now, Timestamp until, std::size_t max_items, Events& out) const {
  Forgotten forgotten{now};
  for (auto it = revoked_by_time_.begin();
       it != revoked_by_time_.end() && it->first <= until && forgotten.tokens < max_items; ++it) {
    ++forgotten.tokens;
  }
  for (auto it = signed_out_by_time_.begin();
       it != signed_out_by_time_.end() && it->first + limits::kMaxTokenAge <= until &&
       forgotten.tokens + forgotten.users < max_items;
       ++it) {
    ++forgotten.users;
  }
  if (forgotten.tokens + forgotten.users > 0) out.push_back(forgotten);
}

// ---- Events -----------------------------------------------------------------------------------------------

void Machine::evolve(const Event& event) {
  std::visit([this](const auto& e) { apply(e); }, event);
}

void Machine::apply(const UserPut& e) {
  auto it = accounts_.find(e.user_id);
  if (it == accounts_.end()) {
    CHECK(!e.password_hash.empty());
    it = accounts_
             .emplace(std::string(e.user_id),
                      Account{.password_hash = {}, .created_at = e.at, .last_login_at = {}})
             .first;
  } else {
    count(hash(it->first, it->second), false);
    if (is_enabled_admin(it->second.role, it->second.disabled)) --admins_;
  }
  Account& account = it->second;
  account.role = e.role;
  account.disabled = e.disabled;
  if (!e.password_hash.empty()) account.password_hash = e.password_hash;
  if (is_enabled_admin(account.role, account.disabled)) ++admins_;
  count(hash(it->first, account), true);
}

void Machine::apply(const LoggedIn& e) {
  const auto it = accounts_.find(e.user_id);
  CHECK(it != accounts_.end());
  count(hash(it->first, it->second), false);
  it->second.last_login_at = e.at;
  count(hash(it->first, it->second), true);
}

void Machine::apply(const SignedOut& e) {
  const auto [it, is_new] = signed_out_.emplace(std::string(e.user_id), e.valid_from);
  if (!is_new) {
    count(hash_signed_out(it->first, it->second), false);
    signed_out_by_time_.erase({it->second, it->first});
    it->second = e.valid_from;
  }
  signed_out_by_time_.emplace(it->second, it->first);
  count(hash_signed_out(it->first, it->second), true);
}

void Machine::apply(const TokenRevoked& e) {
  const auto [it, is_new] = revoked_.emplace(e.token_id, e.until);
  CHECK(is_new);
  revoked_by_time_.emplace(e.until, e.token_id);
  count(hash_revoked(e.token_id, e.until), true);
}

void Machine::apply(const Forgotten& e) {
  CHECK(e.tokens <= revoked_by_time_.size() && e.users <= signed_out_by_time_.size());
  for (std::uint64_t i = 0; i < e.tokens; ++i) {
    const auto [until, token] = *revoked_by_time_.begin();
    revoked_by_time_.erase(revoked_by_time_.begin());
    revoked_.erase(token);
    count(hash_revoked(token, until), false);
  }
  for (std::uint64_t i = 0; i < e.users; ++i) {
    const auto node = signed_out_by_time_.extract(signed_out_by_time_.begin());
    const auto& [from, user] = node.value();
    signed_out_.erase(user);
    count(hash_signed_out(user, from), false);
  }
}

// ---- Reads ------------------------------------------------------------------------------------------------

Credentials Machine::credentials(std::string_view user_id) const {
  const auto it = accounts_.find(user_id);
  if (it == accounts_.end()) return {};
  return {true, it->second.disabled, it->second.password_hash};
}

Result<UserPage> Machine::list(const ListUsers& command) const {
  CHECK(command.limit > 0);
  auto it = accounts_.begin();
  if (!command.cursor.empty()) {
    std::string last;
    if (!base64url_decode(command.cursor, last)) return invalid_argument("cursor is not from this list");
    it = accounts_.upper_bound(last);
  }
  UserPage page;
  for (std::size_t looked_at = 0; it != accounts_.end(); ++it, ++looked_at) {
    if (page.items.size() >= command.limit || looked_at >= limits::kMaxPageScan) {
      page.next_cursor = base64url(std::prev(it)->first);
      break;
    }
    if (contains(it->first, command.query)) page.items.push_back(view(it->first, it->second));
  }
  return page;
}

void Machine::for_each_revoked(const std::function<void(std::uint64_t, Timestamp)>& f) const {
  for (const auto& [token, until] : revoked_) f(token, until);
}

void Machine::for_each_signed_out(const std::function<void(std::string_view, Timestamp)>& f) const {
  for (const auto& [user, from] : signed_out_) f(user, from);
}

}  // namespace spillway::identity
