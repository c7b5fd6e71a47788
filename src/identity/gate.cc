#include "identity/gate.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/limits.h"

namespace spillway::identity {
namespace {

Error unauthenticated() { return {ErrorCode::kUnauthenticated, "a valid access token is needed"}; }

}  // namespace

Result<Caller> Gate::caller(const http::Request& request) const {
  auto found = uncounted_caller(request);
  if (!found) return found;
  if (Status counted = request.count_for(found->user_id); !counted) return counted.error();
  return found;
}

Result<Caller> Gate::uncounted_caller(const http::Request& request) const {
  return check(request.bearer(), &request);
}

Result<Caller> Gate::caller_of(std::string_view bearer) const { return check(bearer, nullptr); }

Result<Caller> Gate::check(std::string_view bearer, const http::Request* request) const {
  if (!admin_secret_.empty() && bearer.size() == admin_secret_.size() &&
      CRYPTO_memcmp(bearer.data(), admin_secret_.data(), bearer.size()) == 0) {
    return Caller{.user_id = std::string(kAdminTokenId), .role = Role::kAdmin};
  }
  const Timestamp now = request != nullptr ? request->arrived() : clock_.wall();
  auto found = outside_ == nullptr || TokenAuthority::is_ours(bearer) ? ours(bearer, now, request)
                                                                      : outsider(bearer, now);
  if (found && revocations_ != nullptr && revocations_->is_revoked(*found)) return unauthenticated();
  return found;
}

Result<Caller> Gate::ours(std::string_view bearer, Timestamp now, const http::Request* request) const {
  const auto opened = TokenAuthority::open(bearer);
  if (!opened) return unauthenticated();
  // While the proof is computed, memory fetches what is asked next.
  if (request != nullptr) request->expect_count_for(opened->user_id);
  return tokens_.prove(*opened, now);
}

Micros Gate::remaining(const Caller& caller) const {
  if (caller.user_id == kAdminTokenId && caller.token_id == 0) return limits::kMaxTokenAge;
  if (revocations_ != nullptr && revocations_->is_revoked(caller)) return 0;
  if (!caller.expires) return limits::kMaxTokenAge;
  const Timestamp now = clock_.wall();
  return caller.expires <= now ? 0 : caller.expires - now;
}

Result<Caller> Gate::outsider(std::string_view bearer, Timestamp now) const {
  auto found = outside_->verify(bearer, now);
  if (!found) return found;
  // What has no time of issue could not be revoked, and nobody from outside acts as the deployment itself.
  if (!found->issued_at || found->user_id == kAdminTokenId) return unauthenticated();
  const Timestamp end = found->issued_at + limits::kMaxTokenAge;
  found->expires = found->expires ? std::min(found->expires, end) : end;
  if (found->expires <= now) return unauthenticated();
  if (found->token_id == 0) found->token_id = tokens_.fingerprint(bearer);
  return found;
}

Result<Caller> Gate::reader(const http::Request& request) const {
  auto found = caller(request);
  if (found && found->role != Role::kOperator && found->role != Role::kAdmin) {
    return Error{ErrorCode::kForbidden, "this needs the role operator or admin"};
  }
  return found;
}

Result<Caller> Gate::admin(const http::Request& request) const {
  auto found = caller(request);
  if (found && found->role != Role::kAdmin) return Error{ErrorCode::kForbidden, "this needs the role admin"};
  return found;
}

Actor actor_of(const http::Request& request, const Caller& caller) {
  return {caller.user_id, std::string(request.remote_address())};
}

}  // namespace spillway::identity
