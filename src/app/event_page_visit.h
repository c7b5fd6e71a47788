#pragma once

// Private to event_page*.cc.

#include <memory>

#include "app/event_page.h"
#include "app/event_page_html.h"
#include "app/page_visit.h"

namespace spillway::app {

struct EventVisit : PageVisit {
  explicit EventVisit(http::Exchange e) : PageVisit(std::move(e), view) {}

  EventPageView view;
  bool only_sign_in = false;  ///< POST
};
using VisitPtr = std::unique_ptr<EventVisit>;

/// Who comes, to which event, and in which language.
VisitPtr arrive(const EventPageContext&, const http::Request&, http::Exchange);

void reply_see_page(EventVisit&);
void reply_missing(EventVisit&);

}  // namespace spillway::app
