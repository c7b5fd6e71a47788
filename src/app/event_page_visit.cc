#include "app/event_page_visit.h"

namespace spillway::app {

VisitPtr arrive(const EventPageContext& context, const http::Request& request, http::Exchange exchange) {
  auto visit = std::make_unique<EventVisit>(std::move(exchange));
  visit->view.event_id = request.param(0);
  arrive(*visit, context.identity, request, context.tls);
  return visit;
}

void reply_see_page(EventVisit& visit) {
  std::string page = "/events/" + visit.view.event_id;
  if (visit.view.language_chosen) page += visit.view.language == Language::kKorean ? "?lang=ko" : "?lang=en";
  reply_see(visit, std::move(page));
}

void reply_missing(EventVisit& visit) {
  visit.status = 404;
  reply_html(visit, no_such_event_html(visit.view.language));
}

}  // namespace spillway::app
