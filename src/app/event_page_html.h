#pragma once

#include <optional>
#include <string>

#include "app/page_html.h"
#include "intake/commands.h"

namespace spillway::app {

/// All that the page shows.
struct EventPageView : PageView {
  std::string event_id;
  std::optional<intake::EventView> event;  ///< none: it could not be read just now
  bool suggested = false;                  ///< whether the server thought of the name

  std::optional<intake::RequestView> request;  ///< of user_id, for this event
};

/// How long a person this far back waits for the next news of the place in the line.
Micros time_to_next_look(const intake::RequestView&);

std::string event_page_html(const EventPageView&);
/// For an event that there is not.
std::string no_such_event_html(Language);

}  // namespace spillway::app
