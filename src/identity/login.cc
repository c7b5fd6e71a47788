#include "identity/login.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace spillway::identity {
namespace {

Error wrong_credentials() { return {ErrorCode::kInvalidCredentials, "the user id or the password is wrong"}; }

LoggedIn session(const RouteContext& context, std::string_view user_id, Role role, Timestamp issued_at) {
  return {context.tokens.issue(user_id, role, issued_at, issued_at + kAccessTokenLifetime), role};
}

/// One login with a password: the account is read, the password compared on the pool, and the login noted,
/// each step on this loop again. An account that does not exist takes the same steps but the last.
class PasswordLogin {
 public:
  using Reply = UniqueFunction<void(Result<LoggedIn>)>;

  PasswordLogin(const RouteContext& context, LoginThrottle::Attempt attempt, std::string user_id,
                std::string password, Reply reply)
      : context_(context),
        attempt_(std::move(attempt)),
        user_id_(std::move(user_id)),
        password_(std::move(password)),
        reply_(std::move(reply)) {}

  static void start(std::unique_ptr<PasswordLogin> self) {
    PasswordLogin& login = *self;
    login.context_.service.credentials(login.user_id_,
                                       [self = std::move(self)](Result<Credentials> found) mutable {
                                         if (!found) return self->reply_(found.error());
                                         compare(std::move(self), std::move(*found));
                                       });
  }

 private:
  static void compare(std::unique_ptr<PasswordLogin> self, Credentials credentials) {
    PasswordLogin& login = *self;
    login.credentials_ = std::move(credentials);
    login.context_.passwords.verify(login.credentials_.password_hash, std::move(login.password_),
                                    [self = std::move(self)](Result<bool> right) mutable {
                                      if (!right) return self->reply_(right.error());
                                      compared(std::move(self), *right);
                                    });
  }

  static void compared(std::unique_ptr<PasswordLogin> self, bool right) {
    PasswordLogin& login = *self;
    if (!right || login.credentials_.disabled) return login.refuse();
    login.context_.service.login({.user_id = login.user_id_,
                                  .password_hash = std::move(login.credentials_.password_hash),
                                  .asked_at = login.context_.clock.wall()},
                                 [self = std::move(self)](Result<LoggedInAs> as) { self->done(as); });
  }

  void done(const Result<LoggedInAs>& as) {
    if (!as && as.error().code == ErrorCode::kInvalidCredentials) return refuse();
    if (!as) return reply_(as.error());
    attempt_.succeeded();
    reply_(session(context_, user_id_, as->role, as->issued_at));
  }

  void refuse() {
    attempt_.failed();
    reply_(wrong_credentials());
  }

  RouteContext context_;
  LoginThrottle::Attempt attempt_;
  std::string user_id_;
  std::string password_;
  Reply reply_;
  Credentials credentials_;
};

}  // namespace

LoggedIn open_login(const RouteContext& context, std::string_view user_id) {
  // After a sign-out, also while the wall clock is behind the time of it.
  const Timestamp issued_at = std::max(context.clock.wall(), context.revocations.valid_from(user_id) + 1);
  return session(context, user_id, Role::kUser, issued_at);
}

void password_login(const RouteContext& context, LoginThrottle::Attempt attempt, std::string user_id,
                    std::string password, UniqueFunction<void(Result<LoggedIn>)> reply) {
  PasswordLogin::start(std::make_unique<PasswordLogin>(context, std::move(attempt), std::move(user_id),
                                                       std::move(password), std::move(reply)));
}

}  // namespace spillway::identity
