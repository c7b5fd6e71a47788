#pragma once

#include "base/result.h"
#include "base/unique_function.h"
#include "intake/commands.h"

namespace spillway::intake {

template <class T>
using Reply = UniqueFunction<void(Result<T>)>;

/// The port: what every engine offers, asynchronously. tests/contract runs one suite against each.
///
/// Threading: every call is made on the thread of a base::Loop, and its reply runs on that same thread,
/// exactly once, perhaps before the call returns. A reply is given only when all that it tells is durable.
/// Errors: overloaded (the engine takes no more just now), outcome_unknown (it may or may not have happened:
/// ask again), storage_full, draining; and those that a call names.
class Service {
 public:
  virtual ~Service() = default;

  /// Not found: no such event. event_not_open, event_closed: with the time in the message.
  virtual void participate(Participate, Reply<Participation>) = 0;
  virtual void get_request(GetRequest, Reply<RequestView>) = 0;

  /// capacity_below_taken.
  virtual void put_event(PutEvent, Reply<EventView>) = 0;
  virtual void get_event(std::string event_id, Reply<EventView>) = 0;
  virtual void list_events(ListEvents, Reply<EventPage>) = 0;
  virtual void get_request_detail(std::string request_id, Reply<RequestDetail>) = 0;
  virtual void list_requests(ListRequests, Reply<RequestPage>) = 0;
  /// not_found (no such event), invalid_argument (cursor).
  virtual void search_requests(SearchRequests, Reply<FoundRequests>) = 0;
  virtual void queue_stats(Reply<QueueStats>) = 0;
  virtual void set_paused(bool paused, Actor, Reply<QueueStats>) = 0;

  // Dead letters: requests whose tries are used up.
  /// not_found (no such event), invalid_argument (cursor).
  virtual void list_dead_letters(ListDeadLetters, Reply<DeadLetterPage>) = 0;
  virtual void get_dead_letter(std::string request_id, Reply<DeadLetterDetail>) = 0;
  /// What a redrive with this filter would be about. not_found (no such event).
  virtual void preview_redrive(DeadLetterFilter, Reply<RedrivePreview>) = 0;
  /// redrive_running, not_found (no such event). Goes on by itself, also across restarts.
  virtual void redrive(Redrive, Reply<RedriveView>) = 0;
  /// The newest. not_found: there has been none.
  virtual void get_redrive(Reply<RedriveView>) = 0;
  virtual void stop_redrive(Actor, Reply<RedriveView>) = 0;
  virtual void discard_dead_letters(DiscardDeadLetters, Reply<DiscardResult>) = 0;

  virtual void metrics(Reply<Metrics>) = 0;

  /// not_found (no such event), invalid_argument (cursor).
  virtual void list_webhooks(ListWebhooks, Reply<WebhookPage>) = 0;
  /// not_found (no such event), invalid_argument (it has no webhook any more).
  virtual void redeliver_webhooks(RedeliverWebhooks, Reply<RedeliverResult>) = 0;
  /// Final states to be told; each is handed out again only when it was completed, or after a restart. At
  /// most limits::kWebhooksPerReceiver of one URL are out at once, and one that fails is left alone for a
  /// while, so that it holds up no other.
  virtual void receive_webhooks(ReceiveWebhooks, Reply<std::vector<WebhookJob>>) = 0;
  /// All that is handed out must be completed. What comes too late changes nothing.
  virtual void complete_webhooks(CompleteWebhooks, Reply<Ok>) = 0;

  virtual void receive(Receive, Reply<std::vector<Delivery>>) = 0;
  /// The polls of `poller` that wait, of either kind, are answered now, with nothing: for workers that stop.
  virtual void end_receives(std::uint64_t poller, Reply<Ok>) = 0;
  virtual void complete(Complete, Reply<Acks>) = 0;
  virtual void extend(Extend, Reply<Acks>) = 0;

  /// False while the engine would refuse work anyway; any thread, a hint that costs one load.
  virtual bool accepting() const = 0;
};

}  // namespace spillway::intake
