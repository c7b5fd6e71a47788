#include "identity/jwks.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/base64.h"
#include "base/json_reader.h"
#include "base/limits.h"

namespace spillway::identity {
namespace {

namespace json = boost::json;

constexpr std::size_t kEcCoordinateBytes = 32;  // P-256
constexpr std::size_t kEd25519Bytes = 32;
constexpr std::size_t kMaxExponentBytes = 4;

template <auto kFree>
struct Free {
  template <class T>
  void operator()(T* pointer) const {
    kFree(pointer);
  }
};
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using BigNumber = std::unique_ptr<BIGNUM, Free<BN_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;
using Key = std::shared_ptr<EVP_PKEY>;

/// Leaves OpenSSL's error queue of this thread as it was: what stays in it, the next SSL_get_error() of a
/// connection would take for its own.
class QuietErrors {
 public:
  QuietErrors() { ERR_set_mark(); }
  ~QuietErrors() { ERR_pop_to_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
};

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Key own(EVP_PKEY* key) { return key == nullptr ? Key() : Key(key, EVP_PKEY_free); }

BigNumber number_of(std::string_view bytes) {
  return BigNumber(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

/// A key that OpenSSL has checked: a point on its curve, a modulus that is one.
Key checked_key(const char* type, OSSL_PARAM* params) {
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* raw = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &raw, EVP_PKEY_PUBLIC_KEY, params) != 1) {
    return {};
  }
  Key key = own(raw);
  const KeyContext check(EVP_PKEY_CTX_new_from_pkey(nullptr, raw, nullptr));
  return check != nullptr && EVP_PKEY_public_check(check.get()) == 1 ? key : Key();
}

/// A member that is a string; empty when it is not there or is something else.
std::string_view text_of(const json::object& object, json::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

/// A member of base64url; empty when it is not one.
std::string bytes_of(const json::object& object, json::string_view name) {
  std::string bytes;
  if (!base64url_decode(text_of(object, name), bytes)) bytes.clear();
  return bytes;
}

Key rsa_key(const json::object& jwk) {
  std::string modulus = bytes_of(jwk, "n");
  std::string exponent = bytes_of(jwk, "e");
  // Some write a zero before them.
  modulus.erase(0, std::min(modulus.find_first_not_of('\0'), modulus.size()));
  exponent.erase(0, std::min(exponent.find_first_not_of('\0'), exponent.size()));
  if (exponent.empty() || exponent.size() > kMaxExponentBytes || exponent == "\x01" ||
      (exponent.back() & 1) == 0 || modulus.empty() || modulus.size() > limits::kMaxRsaBits / 8) {
    return {};
  }
  const BigNumber n = number_of(modulus), e = number_of(exponent);
  if (n == nullptr || BN_num_bits(n.get()) < static_cast<int>(limits::kMinRsaBits)) return {};
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (builder == nullptr || e == nullptr ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return {};
  }
  const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
  return params == nullptr ? Key() : checked_key("RSA", params.get());
}

Key p256_key(const json::object& jwk) {
  const std::string x = bytes_of(jwk, "x"), y = bytes_of(jwk, "y");
  if (text_of(jwk, "crv") != "P-256" || x.size() != kEcCoordinateBytes || y.size() != kEcCoordinateBytes) {
    return {};
  }
  std::string point = "\x04" + x + y;  // uncompressed
  std::string group = "prime256v1";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  return checked_key("EC", params);
}

Key ed25519_key(const json::object& jwk) {
  const std::string x = bytes_of(jwk, "x");
  if (text_of(jwk, "crv") != "Ed25519" || x.size() != kEd25519Bytes) return {};
  return own(EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, bytes_of(x), x.size()));
}

bool is_for_signatures(const json::object& jwk) {
  if (jwk.contains("use") && text_of(jwk, "use") != "sig") return false;
  const json::value* operations = jwk.if_contains("key_ops");
  if (operations == nullptr) return true;
  if (!operations->is_array()) return false;
  const json::array& list = operations->get_array();
  return std::any_of(list.begin(), list.end(), [](const json::value& each) {
    return each.is_string() && each.get_string() == "verify";
  });
}

/// Nothing: not for us.
std::optional<VerifyingKey> read_key(const json::value& value) {
  if (!value.is_object()) return {};
  const json::object& jwk = value.get_object();
  const std::string_view key_id = text_of(jwk, "kid");
  if (key_id.empty() || key_id.size() > limits::kMaxKeyIdBytes || !is_for_signatures(jwk)) return {};
  const std::string_view type = text_of(jwk, "kty");
  Key key;
  JwsAlgorithm algorithm = JwsAlgorithm::kRs256;
  if (type == "RSA") {
    key = rsa_key(jwk);
  } else if (type == "EC") {
    algorithm = JwsAlgorithm::kEs256;
    key = p256_key(jwk);
  } else if (type == "OKP") {
    algorithm = JwsAlgorithm::kEdDsa;
    key = ed25519_key(jwk);
  }
  if (key == nullptr || (jwk.contains("alg") && text_of(jwk, "alg") != name(algorithm))) return {};
  return VerifyingKey(std::string(key_id), algorithm, std::move(key));
}

/// JWS has the two numbers side by side, OpenSSL wants DER. Empty: not of that form.
std::string to_der(std::string_view signature) {
  if (signature.size() != 2 * kEcCoordinateBytes) return {};
  BigNumber r = number_of(signature.substr(0, kEcCoordinateBytes));
  BigNumber s = number_of(signature.substr(kEcCoordinateBytes));
  const Signature both(ECDSA_SIG_new());
  if (r == nullptr || s == nullptr || both == nullptr ||
      ECDSA_SIG_set0(both.get(), r.release(), s.release()) != 1) {
    return {};
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(both.get(), &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

std::string_view name(JwsAlgorithm algorithm) {
  switch (algorithm) {
    case JwsAlgorithm::kRs256:
      return "RS256";
    case JwsAlgorithm::kEs256:
      return "ES256";
    case JwsAlgorithm::kEdDsa:
      return "EdDSA";
  }
  return "?";
}

std::optional<JwsAlgorithm> parse_jws_algorithm(std::string_view text) {
  for (const auto algorithm : {JwsAlgorithm::kRs256, JwsAlgorithm::kEs256, JwsAlgorithm::kEdDsa}) {
    if (name(algorithm) == text) return algorithm;
  }
  return {};
}

bool VerifyingKey::verifies(std::string_view signed_text, std::string_view signature) const {
  const QuietErrors quiet;
  std::string der;
  if (algorithm_ == JwsAlgorithm::kEs256) {
    der = to_der(signature);
    if (der.empty()) return false;
    signature = der;
  }
  const DigestContext context(EVP_MD_CTX_new());
  const char* digest = algorithm_ == JwsAlgorithm::kEdDsa ? nullptr : "SHA256";
  // RSA's padding is PKCS #1 v1.5 unless asked otherwise, which is that of RS256.
  return context != nullptr &&
         EVP_DigestVerifyInit_ex(context.get(), nullptr, digest, nullptr, nullptr, key_.get(), nullptr) ==
             1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(signed_text),
                          signed_text.size()) == 1;
}

bool VerifyingKey::is_same(const VerifyingKey& other) const {
  const QuietErrors quiet;
  return key_id_ == other.key_id_ && algorithm_ == other.algorithm_ &&
         EVP_PKEY_eq(key_.get(), other.key_.get()) == 1;
}

Result<KeySet> KeySet::parse(std::string_view jwks) {
  const QuietErrors quiet;
  if (jwks.size() > limits::kMaxJwksBytes) {
    return invalid_argument(fmt::format("the key set is larger than {} bytes", limits::kMaxJwksBytes));
  }
  if (Status checked = check_json(jwks); !checked) {
    return invalid_argument("the key set: " + checked.error().message);
  }
  json::error_code error;
  const json::value document = json::parse(json::string_view(jwks.data(), jwks.size()), error);
  const json::value* list =
      !error && document.is_object() ? document.get_object().if_contains("keys") : nullptr;
  if (list == nullptr || !list->is_array()) return invalid_argument("the key set has no list \"keys\"");
  if (list->get_array().size() > limits::kMaxJwksKeys) {
    return invalid_argument(fmt::format("the key set has more than {} keys", limits::kMaxJwksKeys));
  }
  KeySet set;
  for (const json::value& each : list->get_array()) {
    std::optional<VerifyingKey> key = read_key(each);
    if (!key) {
      ++set.passed_over_;
    } else if (set.find(key->key_id()) != nullptr) {
      return invalid_argument("the key set has two keys of one id");
    } else {
      set.keys_.push_back(std::move(*key));
    }
  }
  if (set.keys_.empty()) {
    return invalid_argument("the key set has no key for RS256 (2048 bits or more), ES256 or EdDSA (Ed25519)");
  }
  return set;
}

const VerifyingKey* KeySet::find(std::string_view key_id) const {
  const auto it = std::find_if(keys_.begin(), keys_.end(),
                               [key_id](const VerifyingKey& key) { return key.key_id() == key_id; });
  return it == keys_.end() ? nullptr : &*it;
}

bool KeySet::has_all_of(const KeySet& other) const {
  return std::all_of(other.keys_.begin(), other.keys_.end(), [this](const VerifyingKey& key) {
    const VerifyingKey* here = find(key.key_id());
    return here != nullptr && here->is_same(key);
  });
}

}  // namespace spillway::identity
