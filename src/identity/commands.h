#pragma once

// What can be asked of identity, and what is answered.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/audit.h"
#include "base/clock.h"
#include "identity/types.h"

namespace spillway::identity {

/// Makes an account or changes it: what is not set stays as it is. A new one needs a password; its role is
/// user unless said. Another role, another password and being disabled end all tokens of the user.
struct PutUser {
  std::string user_id;
  std::optional<Role> role = {};
  std::string password_hash = {};  ///< as PasswordPool makes it; empty: unchanged
  std::optional<bool> disabled = {};
  Actor actor = {};
  Timestamp asked_at = {};  ///< by the wall clock: tokens issued until then are meant
};
struct UserChange {
  UserView after;
  std::optional<UserView> before;  ///< none: it was made
  bool password_changed = false;
  Timestamp valid_from;  ///< tokens issued until then are refused; unset: nothing about tokens changed
};

/// Ends all tokens of a user, who needs no account: users of open login and of OpenID have none.
struct SignOut {
  std::string user_id;
  Actor actor = {};
  Timestamp asked_at = {};
};

/// Ends one token.
struct Logout {
  std::uint64_t token_id = 0;
  Timestamp expires;
};

/// What a password is compared with.
struct Credentials {
  bool exists = false;
  bool disabled = false;
  std::string password_hash;
};

/// The password was right for `password_hash`.
struct Login {
  std::string user_id;
  std::string password_hash;
  Timestamp asked_at = {};
};
struct LoggedInAs {
  Role role = Role::kUser;
  Timestamp issued_at;  ///< for the token: later than anything that would refuse it
};

struct ListUsers {
  std::string query = {};   ///< a part of the user id, ASCII letters in either case; empty: all
  std::string cursor = {};  ///< next_cursor of the page before
  std::size_t limit = 100;
};
struct UserPage {
  std::vector<UserView> items;  ///< by user id; may be fewer than the limit while there are more
  std::string next_cursor;      ///< empty: no more
};

}  // namespace spillway::identity
