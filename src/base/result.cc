#include "base/result.h"

namespace spillway {

const ErrorInfo& error_info(ErrorCode code) {
  static const ErrorInfo kTable[] = {
      {"malformed_request", "The request is not valid HTTP", 400},
      {"invalid_argument", "A value in the request is not valid", 400},
      {"unauthenticated", "A valid access token is needed", 401},
      {"forbidden", "This access token does not allow that", 403},
      {"not_found", "There is nothing here", 404},
      {"method_not_allowed", "This method is not allowed here", 405},
      {"request_timeout", "The request did not arrive in time", 408},
      {"event_not_open", "The event is not open yet", 409},
      {"event_closed", "The event is closed", 409},
      {"capacity_below_taken", "The capacity may not go below what is taken", 409},
      {"payload_too_large", "The body is too large", 413},
      {"unsupported_media_type", "The body must be application/json", 415},
      {"too_many_requests", "Too many requests", 429},
      {"headers_too_large", "The header block is too large", 431},
      {"internal", "An error of ours", 500},
      {"not_implemented", "This is not supported", 501},
      {"overloaded", "More is arriving than can be taken", 503},
      {"draining", "The server is stopping", 503},
      {"outcome_unknown", "The outcome is not known; asking again is safe", 503},
      {"storage_full", "There is no room to store this", 507},
      {"uri_too_long", "The request target is too long", 414},
      {"expectation_failed", "This expectation cannot be met", 417},
      {"http_version_not_supported", "This version of HTTP is not spoken here", 505},
      {"invalid_credentials", "The user id or the password is wrong", 401},
      {"last_admin", "The last admin may not take this role from himself", 409},
      {"redrive_running", "A redrive of dead letters is running already", 409},
      {"identity_unavailable", "Who asks cannot be found out at the moment", 503},
      {"rate_limited", "More requests than are allowed in this time", 429},
      {"queue_token_invalid", "A valid queue token is needed", 401},
      {"not_your_turn", "This ticket is still waiting", 409},
      {"ticket_left", "This place in the line was given up", 410},
      {"ticket_expired", "This place in the line has expired", 410},
      {"not_admitted", "This ticket does not let anybody in", 403},
      {"queue_paused", "Nobody can join this line at the moment", 409},
      {"queue_full", "There is no room for more in the lines", 503},
  };
  static_assert(sizeof(kTable) / sizeof(kTable[0]) == static_cast<std::size_t>(ErrorCode::kQueueFull) + 1);
  return kTable[static_cast<std::size_t>(code)];
}

}  // namespace spillway
