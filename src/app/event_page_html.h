#pragma once

#include <optional>
#include <string>

#include "app/event_page_text.h"
#include "base/clock.h"
#include "identity/types.h"
#include "intake/commands.h"

namespace spillway::app {

/// What is to be said about what was just asked.
enum class Notice : std::uint8_t {
  kNone,
  kNameNeeded,       ///< no user id, or none that can be one
  kWrongPassword,    ///< or unknown user id: the same words for both
  kTooManyAttempts,  ///< of logging in, or of anything else
  kBusy,             ///< overloaded, draining, storage full: nothing has happened
  kOutcomeUnknown,   ///< it may have happened: asking again converges
  kFromElsewhere,    ///< a form that another site has sent
  kNotAForm,         ///< a body that we do not understand
};

/// All that the page shows. Times are the server's.
struct EventPageView {
  Language language = Language::kEnglish;
  bool language_chosen = false;  ///< by ?lang=, which then stays in the page's links
  std::string event_id;
  std::optional<intake::EventView> event;  ///< none: it could not be read just now
  Timestamp now;

  identity::Mode mode = identity::Mode::kNone;
  std::string oidc_issuer;
  std::string user_id;     ///< who is signed in; empty: nobody
  std::string name;        ///< what stands in the field for it
  bool suggested = false;  ///< whether the server thought of that name

  std::optional<intake::RequestView> request;  ///< of user_id, for this event
  Notice notice = Notice::kNone;
  int retry_after_s = 0;
};

/// How long a person this far back waits for the next news of the place in the line.
Micros time_to_next_look(const intake::RequestView&);

std::string event_page_html(const EventPageView&);
/// For an event that there is not.
std::string no_such_event_html(Language);

}  // namespace spillway::app
