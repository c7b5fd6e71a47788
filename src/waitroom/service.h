#pragma once

#include <vector>

#include "base/result.h"
#include "base/unique_function.h"
#include "waitroom/commands.h"

namespace spillway::waitroom {

template <class T>
using Reply = UniqueFunction<void(Result<T>)>;

/// The port: what every engine offers, asynchronously. tests/contract runs one suite against each.
///
/// Threading: every call is made on the thread of a base::Loop, and its reply runs on that same thread,
/// exactly once, perhaps before the call returns. A reply is given only when all that it tells is durable.
/// Whoever asks with a ticket counts as present from then on. Errors: overloaded (the engine takes no more
/// just now), outcome_unknown (it may or may not have happened: ask again), storage_full, draining; and those
/// that a call names.
class Service {
 public:
  virtual ~Service() = default;

  /// queue_paused, queue_full.
  virtual void enter(Enter, Reply<TicketView>) = 0;
  /// not_found; ticket_left, ticket_expired.
  virtual void status(TicketRef, Reply<TicketView>) = 0;
  /// status() of many, each with its own outcome, in the same order.
  virtual void look(std::vector<TicketRef>, Reply<std::vector<Result<TicketView>>>) = 0;
  /// As status(), and not_your_turn. Again: the same answer.
  virtual void activate(TicketRef, Reply<TicketDetail>) = 0;
  /// not_found. From any state, and again.
  virtual void leave(TicketRef, Reply<Ok>) = 0;
  /// Whatever its state; not_found; ticket_expired for one that is forgotten.
  virtual void detail(TicketRef, Reply<TicketDetail>) = 0;
  /// not_found.
  virtual void lottery(std::string concert_id, Reply<LotteryView>) = 0;

  /// invalid_argument, overloaded.
  virtual void put_concert(PutConcert, Reply<ConcertView>) = 0;
  /// not_found.
  virtual void get_concert(std::string concert_id, Reply<ConcertView>) = 0;
  /// invalid_argument: not a cursor of this list.
  virtual void list_concerts(ListConcerts, Reply<ConcertPage>) = 0;
  /// New tickets belong to this key from now on.
  virtual void take_key(std::uint8_t key, Actor, Reply<Ok>) = 0;
  virtual void metrics(Reply<Metrics>) = 0;

  /// False while the engine would refuse work anyway; any thread, a hint that costs one load.
  virtual bool accepting() const = 0;
};

}  // namespace spillway::waitroom
