#include "identity/types.h"

#include "base/limits.h"
#include "base/text.h"

namespace spillway::identity {
namespace {

/// Strict: no overlong forms, no surrogates, nothing past U+10FFFF.
bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
  while (i < text.size()) {
    const std::uint8_t lead = byte(i);
    const std::size_t size = lead < 0x80                   ? 1
                             : lead >= 0xc2 && lead < 0xe0 ? 2
                             : lead >= 0xe0 && lead < 0xf0 ? 3
                             : lead >= 0xf0 && lead < 0xf5 ? 4
                                                           : 0;
    if (size == 0 || text.size() - i < size) return false;
    for (std::size_t k = 1; k < size; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    if ((lead == 0xe0 && byte(i + 1) < 0xa0) || (lead == 0xed && byte(i + 1) > 0x9f) ||
        (lead == 0xf0 && byte(i + 1) < 0x90) || (lead == 0xf4 && byte(i + 1) > 0x8f)) {
      return false;
    }
    i += size;
  }
  return true;
}

}  // namespace

std::string_view name(Role role) {
  switch (role) {
    case Role::kUser:
      return "user";
    case Role::kOperator:
      return "operator";
    case Role::kAdmin:
      return "admin";
  }
  return "?";
}

std::optional<Role> parse_role(std::string_view text) {
  for (const Role role : kAllRoles) {
    if (name(role) == text) return role;
  }
  return {};
}

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::kNone:
      return "none";
    case Mode::kOpen:
      return "open";
    case Mode::kUsers:
      return "users";
    case Mode::kOidc:
      return "oidc";
  }
  return "?";
}

std::optional<Mode> parse_mode(std::string_view text) {
  for (const Mode mode : {Mode::kNone, Mode::kOpen, Mode::kUsers, Mode::kOidc}) {
    if (name(mode) == text) return mode;
  }
  return {};
}

bool is_user_id(std::string_view text) {
  return !text.empty() && text.size() <= limits::kMaxIdBytes && is_utf8(text) &&
         !has_control_characters(text);
}

}  // namespace spillway::identity
