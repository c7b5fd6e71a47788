#pragma once

#include <cstdint>
#include <string>

#include "identity/machine.h"
#include "identity/revocation_view.h"
#include "identity/service.h"
#include "journal/audit_trail.h"
#include "journal/engine.h"
#include "journal/machine_replica.h"

namespace spillway::identity {

/// The number of identity in the journal's records.
inline constexpr std::uint8_t kServiceNumber = 2;

using MachineReplica = journal::MachineReplica<Machine, MachineConfig, kServiceNumber, &decode>;

/// The port on machine and journal.
///
/// Operation: as intake::EmbeddedService. What a command revokes is published to revocations() when it is
/// durable and before its reply. Administrative changes leave their audit record in the same turn.
/// Concurrency: the Service's calls on loops; the Resident's on the state thread, which alone touches the
/// machine; revocations() from any thread.
class EmbeddedIdentity final : public Service, public journal::Resident {
 public:
  /// `audit` may be null; both must outlive this.
  EmbeddedIdentity(const Clock& clock, journal::AuditTrail* audit, MachineConfig config = {})
      : clock_(clock), audit_(audit), state_(config) {}

  /// After the engine has recovered and before it starts.
  void attach(journal::Engine&);
  const RevocationView& revocations() const { return view_; }

  void credentials(std::string user_id, Reply<Credentials>) override;
  void login(Login, Reply<LoggedInAs>) override;
  void logout(Logout, Reply<Ok>) override;
  void put_user(PutUser, Reply<UserView>) override;
  void list_users(ListUsers, Reply<UserPage>) override;
  void sign_out(SignOut, Reply<Ok>) override;

  journal::Replica& replica() override { return state_; }
  void tick(journal::Turn&, bool may_write) override;
  void end_of_batch(journal::Turn&, bool) override {}
  void on_stop(journal::Turn&) override {}

 private:
  template <class R, class Decide>
  void call(bool mutates, Reply<R> reply, Decide decide);
  /// Decides, and appends and applies what was decided.
  template <class Command>
  auto change(journal::Turn&, const Command&);
  void commit(journal::Turn&, const Events&);
  void audit(journal::Turn&, const Actor&, const UserChange&);

  const Clock& clock_;
  journal::AuditTrail* audit_;
  MachineReplica state_;
  RevocationView view_;
  journal::Engine* engine_ = nullptr;

  // State thread only.
  Events events_;
  std::string payload_;
};

}  // namespace spillway::identity
