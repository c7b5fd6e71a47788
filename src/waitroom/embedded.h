#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/limits.h"
#include "journal/audit_trail.h"
#include "journal/engine.h"
#include "journal/machine_replica.h"
#include "waitroom/machine.h"
#include "waitroom/service.h"

namespace spillway::waitroom {

/// The number of the waiting room in the journal's records.
inline constexpr std::uint8_t kServiceNumber = 4;

using MachineReplica = journal::MachineReplica<Machine, MachineConfig, kServiceNumber, &decode>;

/// The port on machine and journal.
///
/// Operation: a call becomes a task for the state thread, which decides against the machine, appends the
/// events, applies them, and keeps the reply until they are durable. Reads take the same way. Slots that came
/// free in a batch are given at its end; what is due by the clock at the next tick. Concurrency: the
/// Service's calls on loops; the Resident's on the state thread, which alone touches the machine.
class EmbeddedService final : public Service, public journal::Resident {
 public:
  /// `audit` may be null, else outlives this: administrative changes leave their record in the same turn.
  explicit EmbeddedService(MachineConfig config = {}, journal::AuditTrail* audit = nullptr)
      : state_(config), audit_(audit) {}

  /// After the engine has recovered and before it starts. `seed`: random, used when the journal is new.
  /// `key`: signs new tokens.
  void attach(journal::Engine& engine, const Seed& seed, std::uint8_t key);

  void enter(Enter, Reply<TicketView>) override;
  void status(TicketRef, Reply<TicketView>) override;
  void look(std::vector<TicketRef>, Reply<std::vector<Result<TicketView>>>) override;
  void activate(TicketRef, Reply<TicketDetail>) override;
  void leave(TicketRef, Reply<Ok>) override;
  void detail(TicketRef, Reply<TicketDetail>) override;
  void lottery(std::string concert_id, Reply<LotteryView>) override;
  void put_concert(PutConcert, Reply<ConcertView>) override;
  void get_concert(std::string concert_id, Reply<ConcertView>) override;
  void list_concerts(ListConcerts, Reply<ConcertPage>) override;
  void take_key(std::uint8_t key, Actor, Reply<Ok>) override;
  void metrics(Reply<Metrics>) override;
  bool accepting() const override { return engine_->accepting(); }

  journal::Replica& replica() override { return state_; }
  void tick(journal::Turn&, bool may_write) override;
  void end_of_batch(journal::Turn&, bool may_write) override;
  void on_stop(journal::Turn&) override {}

 private:
  template <class R, class Decide, class Tell>
  struct Change;
  /// Runs `decide` as Result<D>(Machine&, Timestamp now, Events&) and commits what it proposes before `tell`
  /// answers as Result<R>(Machine&, Timestamp now, D). A `decide` with a prefetch(const Machine&) is asked
  /// to.
  template <class R, class Decide, class Tell>
  void change(Reply<R> reply, Decide decide, Tell tell);
  template <class R, class Tell>
  struct Read;
  template <class R, class Tell>
  void read(Reply<R> reply, Tell tell);

  /// Once, before anything else on the state thread.
  void begin(journal::Turn&);
  /// Once, before the first change: seeds a new machine, and takes the key.
  void ensure_started(journal::Turn&);
  void commit(journal::Turn&, const Events&);
  void record_audit(journal::Turn&);
  void count(const Event&);
  void count_gone(TicketRef, Timestamp at, std::uint64_t Metrics::Concert::*reason);
  Metrics::Concert& counters(std::uint32_t concert);

  MachineReplica state_;
  journal::AuditTrail* audit_;
  journal::Engine* engine_ = nullptr;
  Seed seed_{};
  std::uint8_t key_ = 0;

  // State thread only.
  Events events_;
  std::string payload_;
  std::optional<AuditEntry> to_audit_;  ///< what the task that runs has changed
  bool began_ = false;
  bool started_ = false;
  Metrics metrics_;                                          ///< concerts: [0] is "other"
  std::unordered_map<std::uint32_t, std::size_t> labelled_;  ///< by concert: its place in metrics_.concerts
};

}  // namespace spillway::waitroom
