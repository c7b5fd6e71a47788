#include "identity/jwt.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>
#include <optional>

#include "base/base64.h"
#include "base/json_reader.h"
#include "base/limits.h"
#include "base/text.h"

namespace spillway::identity {
namespace {

namespace json = boost::json;

constexpr double kEndOfTime = 253'402'300'800;  // seconds: the year 10,000

Error refused(std::string why) { return {ErrorCode::kUnauthenticated, std::move(why)}; }

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

Result<json::object> parse_object(std::string_view text, const char* what) {
  if (Status checked = check_json(text); !checked) {
    return refused(fmt::format("{}: {}", what, checked.error().message));
  }
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) return refused(fmt::format("{} is no JSON object", what));
  return std::move(value.as_object());
}

/// Nothing: not there, or no string.
std::optional<std::string_view> text_of(const json::object& object, json::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return view(value->get_string());
}

/// Media types are compared without case, and may leave out "application/" (RFC 7515, 4.1.9).
bool is_token_type(std::string_view type) {
  return equals_ignoring_case(type, "jwt") || equals_ignoring_case(type, "at+jwt") ||
         equals_ignoring_case(type, "application/at+jwt") || equals_ignoring_case(type, "application/jwt");
}

Status check_header(const json::object& header) {
  if (header.contains("crit")) return refused("crit: extensions that we do not know");
  if (header.contains("typ")) {
    const auto type = text_of(header, "typ");
    if (!type || !is_token_type(*type)) return refused("typ: not an access token");
  }
  return Ok{};
}

/// NumericDate: seconds, perhaps with a fraction. Unset: not there, or no time.
Timestamp time_of(const json::object& claims, json::string_view name) {
  const json::value* value = claims.if_contains(name);
  double seconds = 0;
  if (value == nullptr) return {};
  if (value->is_int64()) {
    seconds = static_cast<double>(value->get_int64());
  } else if (value->is_double()) {
    seconds = value->get_double();
  }
  if (!(seconds >= 1) || seconds >= kEndOfTime) return {};
  return {static_cast<Micros>(seconds * kSecond)};
}

Status check_audience(const json::object& claims, const std::string& audience) {
  const json::value* value = claims.if_contains("aud");
  if (value == nullptr) return refused("aud is missing");
  if (value->is_string()) {
    return view(value->get_string()) == audience ? Status(Ok{}) : refused("aud: for somebody else");
  }
  if (!value->is_array() || value->get_array().size() > limits::kMaxAudiences) {
    return refused("aud is no list of strings");
  }
  const json::array& list = value->get_array();
  const bool named = std::any_of(list.begin(), list.end(), [&](const json::value& each) {
    return each.is_string() && view(each.get_string()) == audience;
  });
  return named ? Status(Ok{}) : refused("aud: for somebody else");
}

/// Kinds of JWT that an issuer signs with the same keys and that let nobody in.
Status check_kind(const json::object& claims) {
  if (claims.contains("events")) return refused("events: a security event, as a logout token");
  if (claims.contains("cnf")) return refused("cnf: bound to a key, whose proof we do not ask for");
  // Not a registered claim; Keycloak tells its access tokens from its ID tokens by it alone.
  if (const auto type = text_of(claims, "typ");
      type && !equals_ignoring_case(*type, "bearer") && !is_token_type(*type)) {
    return refused("typ: the claim says that this is no access token");
  }
  return Ok{};
}

Status check_times(Timestamp issued, const json::object& claims, Timestamp now) {
  const Timestamp expires = time_of(claims, "exp");
  if (!expires) return refused("exp is missing or no time");
  if (expires + limits::kOidcLeeway <= now) return refused("exp: expired");
  if (claims.contains("nbf")) {
    const Timestamp begins = time_of(claims, "nbf");
    if (!begins) return refused("nbf is no time");
    if (begins - limits::kOidcLeeway > now) return refused("nbf: not yet");
  }
  if (!issued) return refused("iat is missing or no time");
  if (issued - limits::kOidcLeeway > now) return refused("iat: from the future");
  return Ok{};
}

/// The whole name first: some issuers have dots in their names ("https://example.com/roles").
const json::value* find_claim(const json::object& claims, std::string_view path) {
  if (const json::value* whole = claims.if_contains(json::string_view(path.data(), path.size())))
    return whole;
  const json::object* object = &claims;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view name = path.substr(0, dot);
    const json::value* found = object->if_contains(json::string_view(name.data(), name.size()));
    if (dot == std::string_view::npos || found == nullptr) return found;
    if (!found->is_object()) return nullptr;
    object = &found->get_object();
    path.remove_prefix(dot + 1);
  }
}

Role role_of(std::string_view value, const ClaimRules& rules) {
  const auto is_in = [value](const std::vector<std::string>& values) {
    return std::find(values.begin(), values.end(), value) != values.end();
  };
  return is_in(rules.admins) ? Role::kAdmin : is_in(rules.operators) ? Role::kOperator : Role::kUser;
}

/// The highest that any value gives. What is not understood gives nothing.
Role role_of(const json::object& claims, const ClaimRules& rules) {
  const json::value* value = find_claim(claims, rules.role_claim);
  if (value == nullptr) return Role::kUser;
  if (value->is_string()) return role_of(view(value->get_string()), rules);
  if (!value->is_array() || value->get_array().size() > limits::kMaxRoleValues) return Role::kUser;
  Role highest = Role::kUser;
  for (const json::value& each : value->get_array()) {
    if (each.is_string()) highest = std::max(highest, role_of(view(each.get_string()), rules));
  }
  return highest;
}

bool stays(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

Result<Jwt> take_apart(std::string_view token) {
  if (token.size() > limits::kMaxOutsideTokenBytes) return refused("too long");
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return refused("not three parts");
  }
  Jwt jwt;
  std::string head;
  jwt.signed_text = token.substr(0, second);
  if (!base64url_decode(token.substr(0, first), head) ||
      !base64url_decode(token.substr(first + 1, second - first - 1), jwt.claims) ||
      !base64url_decode(token.substr(second + 1), jwt.signature)) {
    return refused("not base64url");
  }
  const auto header = parse_object(head, "the header");
  if (!header) return header.error();
  const auto algorithm = parse_jws_algorithm(text_of(*header, "alg").value_or(""));
  if (!algorithm) return refused("alg: not RS256, ES256 or EdDSA");
  jwt.algorithm = *algorithm;
  if (Status checked = check_header(*header); !checked) return checked.error();
  jwt.key_id = text_of(*header, "kid").value_or("");
  if (jwt.key_id.empty()) return refused("kid is missing");
  if (jwt.key_id.size() > limits::kMaxKeyIdBytes) return refused("kid is too long");
  if (jwt.signature.empty()) return refused("not signed");
  return jwt;
}

Result<Caller> read_claims(std::string_view text, const ClaimRules& rules, Timestamp now) {
  const auto claims = parse_object(text, "the claims");
  if (!claims) return claims.error();
  if (text_of(*claims, "iss") != rules.issuer) return refused("iss: another issuer");
  if (Status checked = check_audience(*claims, rules.audience); !checked) return checked.error();
  if (Status checked = check_kind(*claims); !checked) return checked.error();
  const Timestamp issued = time_of(*claims, "iat");
  if (Status checked = check_times(issued, *claims, now); !checked) return checked.error();
  const std::string_view subject = text_of(*claims, "sub").value_or("");
  if (subject.empty() || subject.size() > limits::kMaxSubjectBytes) {
    return refused(fmt::format("sub must be a string of 1 to {} bytes", limits::kMaxSubjectBytes));
  }
  return Caller{.user_id = user_id_of(subject),
                .role = role_of(*claims, rules),
                .issued_at = issued - limits::kOidcLeeway,
                .expires = time_of(*claims, "exp") + limits::kOidcLeeway};
}

std::string user_id_of(std::string_view subject) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string id;
  for (const char c : subject) {
    if (stays(c)) {
      id.push_back(c);
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    id.push_back('~');
    id.push_back(kDigits[byte >> 4]);
    id.push_back(kDigits[byte & 15]);
  }
  if (id.size() <= limits::kMaxIdBytes) return id;
  std::array<unsigned char, crypto_hash_sha256_BYTES> hash;
  crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(subject.data()), subject.size());
  return "~~" + base64url({reinterpret_cast<const char*>(hash.data()), hash.size()});
}

}  // namespace spillway::identity
