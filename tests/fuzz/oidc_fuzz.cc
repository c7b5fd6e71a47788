// Any bytes as what an OpenID issuer, or somebody who says to be sent by it, may send: a key set, a token,
// its claims, a subject.
//
// Input: a letter for which of them, and then that.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/manual_clock.h"
#include "identity/oidc_tokens.h"

namespace {

using namespace spillway;
using namespace spillway::identity;

constexpr Timestamp kNow{1'800'000'000 * kSecond};

const ClaimRules& rules() {
  static const ClaimRules kRules{"https://a.example", "spillway", "r.roles", {"watcher"}, {"boss"}};
  return kRules;
}

/// The public key of RFC 8037, appendix A.
class OneKey final : public DocumentSource {
 public:
  Result<std::string> get(const std::string& url, std::size_t) override {
    if (url != "https://a.example/keys") {
      return std::string(R"({"issuer":"https://a.example","jwks_uri":"https://a.example/keys"})");
    }
    return std::string(
        R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})");
  }
  void cancel() override {}
};

void look_at_keys(std::string_view document) {
  const auto set = KeySet::parse(document);
  if (!set) return;
  CHECK(set->size() > 0 && set->size() + set->passed_over() <= limits::kMaxJwksKeys);
  CHECK(set->has_all_of(*set));
}

void look_at_claims(std::string_view text) {
  const auto caller = read_claims(text, rules(), kNow);
  if (!caller) return;
  CHECK(is_user_id(caller->user_id));
  CHECK(caller->expires > kNow && caller->issued_at <= kNow);
}

void look_at_token(std::string_view token) {
  if (const auto jwt = take_apart(token)) {
    CHECK(std::string(jwt->signed_text) + "." + base64url(jwt->signature) == token);
    CHECK(!jwt->key_id.empty() && jwt->key_id.size() <= limits::kMaxKeyIdBytes);
    look_at_claims(jwt->claims);
  }
  static ManualClock clock(kNow);
  static OneKey source;
  static IssuerKeys keys("https://a.example", source, clock);
  static OidcTokens tokens(rules(), keys);
  keys.turn();
  CHECK(keys.has_keys());
  CHECK(!tokens.verify(token, kNow).ok());  // nobody here has the private key
  CHECK(tokens.stats().remembered == 0);
}

void look_at_subject(std::string_view subject) {
  subject = subject.substr(0, limits::kMaxSubjectBytes);
  if (subject.empty()) return;
  const std::string id = user_id_of(subject);
  CHECK(is_user_id(id));
  if (id.starts_with("~~")) return;
  std::string back;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (id[i] != '~') {
      back.push_back(id[i]);
      continue;
    }
    CHECK(i + 2 < id.size());
    back.push_back(static_cast<char>(std::stoi(id.substr(i + 1, 2), nullptr, 16)));
    i += 2;
  }
  CHECK(back == subject);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'k':
      look_at_keys(rest);
      break;
    case 't':
      look_at_token(rest);
      break;
    case 'c':
      look_at_claims(rest);
      break;
    case 's':
      look_at_subject(rest);
      break;
    default:
      break;
  }
  return 0;
}
