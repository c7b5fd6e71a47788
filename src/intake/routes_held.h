#pragma once

// Answers about one request that are held: `?wait=` and the event stream.

#include <functional>

#include "http/message.h"
#include "identity/gate.h"
#include "intake/service.h"

namespace spillway::intake {

/// Service::get_request.
using AskRequest = std::function<void(GetRequest, Reply<RequestView>)>;

/// Answers with the view once it is another, or the wait is over. The service is asked in pieces of at most
/// limits::kHeldTokenCheckEvery, between which the caller's token must still count: else 401.
void hold_view(const identity::Gate&, AskRequest, identity::Caller, GetRequest, http::Exchange);

/// Answers with an event stream: the view as it is, then once for every change, until it is final. Ends when
/// the token does, at its expiry, or within limits::kHeldTokenCheckEvery after it was revoked; whoever comes
/// again is then told 401.
void stream_view(const identity::Gate&, AskRequest, identity::Caller, GetRequest, http::Exchange);

}  // namespace spillway::intake
