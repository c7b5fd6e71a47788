#pragma once

#include <string>

namespace spillway {

/// Who asks for an administrative change, as the audit log names them.
struct Actor {
  std::string id;       ///< a user's id, or "admin-token" for the deployment's admin secret
  std::string address;  ///< of the connection, without the port
};

/// One administrative change that took effect. `before` and `after` are JSON texts, empty when there is
/// nothing to tell; never a secret.
struct AuditEntry {
  Actor actor;
  std::string action;  ///< what was done, as "event.change"
  std::string target;  ///< to what: the id of an event, request, user or queue
  std::string before;
  std::string after;
};

}  // namespace spillway
