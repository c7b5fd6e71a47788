#include "identity/gate.h"

#include <openssl/crypto.h>

namespace spillway::identity {

Result<Caller> Gate::caller(const http::Request& request) const {
  const std::string_view token = request.bearer();
  if (!admin_secret_.empty() && token.size() == admin_secret_.size() &&
      CRYPTO_memcmp(token.data(), admin_secret_.data(), token.size()) == 0) {
    return Caller{"admin", Role::kAdmin};
  }
  return tokens_.verify(token, clock_.wall());
}

Result<Caller> Gate::admin(const http::Request& request) const {
  auto found = caller(request);
  if (found && found->role != Role::kAdmin) return Error{ErrorCode::kForbidden, "this needs the role admin"};
  return found;
}

}  // namespace spillway::identity
