#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_function.h"
#include "identity/commands.h"

namespace spillway::identity {

template <class T>
using Reply = UniqueFunction<void(Result<T>)>;

/// The port: what every engine offers, asynchronously.
///
/// Threading: every call is made on the thread of a base::Loop, and its reply runs on that same thread,
/// exactly once. A reply is given only when all that it tells is durable; by then the Gate refuses what was
/// revoked. Errors: overloaded, outcome_unknown (it may or may not have happened: ask again), storage_full,
/// draining; and those that a call of the Machine names.
class Service {
 public:
  virtual ~Service() = default;

  virtual void credentials(std::string user_id, Reply<Credentials>) = 0;
  virtual void login(Login, Reply<LoggedInAs>) = 0;
  virtual void logout(Logout, Reply<Ok>) = 0;

  virtual void put_user(PutUser, Reply<UserView>) = 0;
  virtual void list_users(ListUsers, Reply<UserPage>) = 0;
  virtual void sign_out(SignOut, Reply<Ok>) = 0;
};

}  // namespace spillway::identity
