#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/audit.h"
#include "base/clock.h"

namespace spillway::identity {

/// What a person may do. The numbers are inside tokens and in the journal: never reuse one.
enum class Role : std::uint8_t {
  kUser = 1,      ///< takes part
  kOperator = 2,  ///< and reads everything under /admin
  kAdmin = 3,     ///< and changes it
};
inline constexpr std::array<Role, 3> kAllRoles = {Role::kUser, Role::kOperator, Role::kAdmin};

/// "user", "operator", "admin".
std::string_view name(Role);
std::optional<Role> parse_role(std::string_view);

/// How people log in.
enum class Mode : std::uint8_t {
  kNone,   ///< not at all: the admin secret alone counts
  kOpen,   ///< any user id, no password
  kUsers,  ///< accounts with passwords
  kOidc,   ///< elsewhere: tokens of an OpenID provider
};
/// "none", "open", "users", "oidc".
std::string_view name(Mode);
std::optional<Mode> parse_mode(std::string_view);

/// The id that the deployment's admin secret acts under. No account may have it.
inline constexpr std::string_view kAdminTokenId = "admin-token";

/// Whoever asks, as a token or the admin secret says.
struct Caller {
  std::string user_id;
  Role role = Role::kUser;
  std::uint64_t token_id = 0;  ///< of this one token, for logout; 0: of no token (the admin secret)
  Timestamp issued_at = {};
  Timestamp expires = {};  ///< unset: never
};

/// Whether `text` can be a user's id: 1 to limits::kMaxIdBytes bytes of UTF-8 without control characters.
bool is_user_id(std::string_view text);

/// An account as it is told; never its password.
struct UserView {
  std::string user_id;
  Role role = Role::kUser;
  bool disabled = false;
  Timestamp created_at;
  Timestamp last_login_at;  ///< unset: never
  bool created = false;     ///< by the command that this answers
};

}  // namespace spillway::identity
