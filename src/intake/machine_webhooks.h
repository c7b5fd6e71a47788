#pragma once

// Private to the machine (machine*.cc): final states that are told, or have been.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "intake/types.h"

namespace spillway::intake {

/// The telling of one final state. With its places in the indexes 320 bytes while pending, 240 afterwards:
/// only events with a webhook pay it, and no more of those that ended are kept than limits::kMaxWebhooksKept.
struct WebhookDelivery {
  std::uint64_t number = 0;  ///< of the request
  WebhookState state = WebhookState::kPending;
  RequestStatus status = RequestStatus::kSucceeded;  ///< of the request, then; while pending also now
  ResultCode result = ResultCode::kNone;
  bool superseded = false;         ///< the request was redriven since: what was told is no longer so
  std::uint32_t attempts = 0;      ///< ever
  std::uint32_t attempts_old = 0;  ///< of them before it was put back
  std::uint32_t last_status = 0;
  std::string last_reason = {};
  Timestamp created_at;
  Timestamp since;  ///< when it was made, or put back
  Timestamp until;  ///< pending: when it is due; else when it ended

  bool pending() const { return state == WebhookState::kPending; }
  bool may_be_put_back() const { return state == WebhookState::kGivenUp && !superseded; }
};

/// Where final states are told: the events with that URL of which some are pending.
struct WebhookReceiver {
  std::uint64_t id = 0;
  std::string_view url;
  std::set<std::pair<std::int64_t, std::uint32_t>> events;  ///< (when its first is due, event)
};

struct Webhooks {
  std::map<std::uint64_t, WebhookDelivery> all;  ///< by id, which counts up
  std::uint64_t last = 0;                        ///< id

  // Indexes: derived, in no snapshot and no digest. Those of one event are in its EventState.
  std::set<std::pair<std::int64_t, std::uint64_t>> pending;  ///< (since, id)
  std::set<std::uint64_t> ended;                             ///< ids
  std::set<std::pair<std::uint64_t, std::uint64_t>> of;      ///< (request, id)
  std::map<std::string, WebhookReceiver, std::less<>> receivers;
  std::map<std::pair<std::int64_t, std::uint64_t>, WebhookReceiver*> due;  ///< (when its first is due, id)
  std::uint64_t last_receiver = 0;
};

}  // namespace spillway::intake
