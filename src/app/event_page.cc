#include "app/event_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "app/event_page_html.h"
#include "app/event_page_visit.h"
#include "app/page_assets.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/random.h"
#include "http/static_files.h"

namespace spillway::app {
namespace {

using http::Exchange;
using http::Method;
using http::Request;

constexpr std::string_view kCookiePath = "/events";

// ---- What there is to show --------------------------------------------------------------------------------

/// Reads the event and goes on with the visit, or answers that there is no such event.
template <class Next>
void with_event(const EventPageContext& context, VisitPtr visit, Next next) {
  std::string event_id = visit->view.event_id;
  context.intake.get_event(std::move(event_id), [&context, visit = std::move(visit), next = std::move(next)](
                                                    Result<intake::EventView> event) mutable {
    if (event) {
      visit->view.event = std::move(*event);
    } else if (event.error().code == ErrorCode::kNotFound) {
      return reply_missing(*visit);
    } else if (visit->view.notice == Notice::kNone) {
      note_error(*visit, event.error());
    }
    visit->view.now = context.identity.clock.wall();
    next(std::move(visit));
  });
}

/// The same with the request of whoever is signed in, if they have one.
template <class Next>
void with_request(const EventPageContext& context, VisitPtr visit, Next next) {
  with_event(context, std::move(visit), [&context, next = std::move(next)](VisitPtr found) mutable {
    const EventPageView& view = found->view;
    if (view.user_id.empty() || !view.event) return next(std::move(found));
    intake::SearchRequests mine{.user_id = view.user_id, .event_id = view.event_id, .limit = 1};
    context.intake.search_requests(std::move(mine), [visit = std::move(found), next = std::move(next)](
                                                        Result<intake::FoundRequests> requests) mutable {
      if (requests && !requests->items.empty()) {
        visit->view.request = std::move(requests->items.front().view);
      } else if (!requests && visit->view.notice == Notice::kNone) {
        note_error(*visit, requests.error());
      }
      next(std::move(visit));
    });
  });
}

void show(const EventPageContext& context, VisitPtr visit) {
  with_request(context, std::move(visit), [&context](VisitPtr found) {
    EventPageView& view = found->view;
    if (context.suggests_names && view.mode == identity::Mode::kOpen && view.user_id.empty() &&
        view.name.empty()) {
      view.name = "guest-" + random_hex(6);  // nobody else will have come upon it
      view.suggested = true;
    }
    reply_html(*found, event_page_html(view));
  });
}

void get_page(const EventPageContext& context, const Request& request, Exchange exchange) {
  VisitPtr visit = arrive(context, request, std::move(exchange));
  if (!intake::is_path_id(visit->view.event_id)) return reply_missing(*visit);
  show(context, std::move(visit));
}

// ---- Following the answer ---------------------------------------------------------------------------------

class PageStream : public std::enable_shared_from_this<PageStream> {
 public:
  PageStream(const EventPageContext& context, VisitPtr visit)
      : context_(context), visit_(std::move(visit)), stream_(visit_->exchange.stream()) {
    const intake::RequestView& request = *visit_->view.request;
    command_ = {request.request_id, visit_->view.user_id, 0, {}};
  }

  void next() {
    context_.intake.get_request(command_, [self = shared_from_this()](Result<intake::RequestView> request) {
      self->arrived(std::move(request));
    });
  }

 private:
  void arrived(Result<intake::RequestView> request) {
    // The stream cannot carry an error: it ends, and the browser comes again. So it does with the sign-in.
    if (!request || stream_.closed() || context_.identity.gate.remaining(visit_->caller) == 0) {
      return stream_.close();
    }
    if (told_ && request->status == command_.seen && request->position == told_->position)
      return wait(*request);
    visit_->view.request = std::move(*request);
    context_.intake.get_event(visit_->view.event_id,
                              [self = shared_from_this()](Result<intake::EventView> event) {
                                if (!event) return self->stream_.close();
                                self->visit_->view.event = std::move(*event);
                                self->send();
                              });
  }
  void send() {
    const intake::RequestView& request = *visit_->view.request;
    visit_->view.now = context_.identity.clock.wall();
    if (!stream_.send("page", event_page_html(visit_->view))) return;
    if (intake::is_final(request.status)) return stream_.close();
    told_ = request;
    wait(request);
  }
  void wait(const intake::RequestView& request) {
    command_.seen = request.status;
    command_.wait_us = std::min(time_to_next_look(request), limits::kHeldTokenCheckEvery);
    next();
  }

  const EventPageContext& context_;
  VisitPtr visit_;
  http::EventStream stream_;
  intake::GetRequest command_;
  std::optional<intake::RequestView> told_;
};

void stream_page(const EventPageContext& context, const Request& request, Exchange exchange) {
  VisitPtr visit = arrive(context, request, std::move(exchange));
  if (!intake::is_path_id(visit->view.event_id)) return reply_missing(*visit);
  if (visit->view.user_id.empty()) {
    return visit->exchange.fail(
        {ErrorCode::kUnauthenticated, "whoever is not signed in has nothing to follow"});
  }
  with_request(context, std::move(visit), [&context](VisitPtr found) {
    if (found->view.request) return std::make_shared<PageStream>(context, std::move(found))->next();
    if (found->view.notice == Notice::kNone) return found->exchange.fail(not_found("no request of yours"));
    found->exchange.fail({ErrorCode::kOverloaded, "the request cannot be read just now", kTryAgainSeconds});
  });
}

// ---- Taking part ------------------------------------------------------------------------------------------

void participate(const EventPageContext& context, VisitPtr visit) {
  intake::Participate command{visit->view.event_id, visit->view.user_id, {}};
  context.intake.participate(
      std::move(command), [&context, visit = std::move(visit)](Result<intake::Participation> taken) mutable {
        if (taken) return reply_see_page(*visit);
        switch (taken.error().code) {
          case ErrorCode::kNotFound:
            return reply_missing(*visit);
          case ErrorCode::kEventNotOpen:
          case ErrorCode::kEventClosed:
            return reply_see_page(*visit);  // which says so
          default:
            note_error(*visit, taken.error());
            return show(context, std::move(visit));
        }
      });
}

void post_form(const EventPageContext& context, const Request& request, Exchange exchange) {
  VisitPtr visit = arrive(context, request, std::move(exchange));
  const EventPageView& view = visit->view;
  if (!intake::is_path_id(view.event_id)) return reply_missing(*visit);
  if (!take_form(*visit, request)) return show(context, std::move(visit));
  // Whoever gives no name is who they were.
  const bool named = form_field(request.body(), "userId").has_value();
  visit->only_sign_in = form_field(request.body(), "intent") == "sign-in";
  if (!named && !view.user_id.empty()) {
    return visit->only_sign_in ? reply_see_page(*visit) : participate(context, std::move(visit));
  }
  if (view.mode != identity::Mode::kOpen && view.mode != identity::Mode::kUsers) {
    return reply_see_page(*visit);
  }
  if (!take_credentials(*visit, request)) return show(context, std::move(visit));
  PageVisit& signing_in = *visit;
  sign_in(context.identity, signing_in, kCookiePath, [&context, visit = std::move(visit)](bool done) mutable {
    if (!done) return show(context, std::move(visit));
    if (visit->only_sign_in) return reply_see_page(*visit);
    participate(context, std::move(visit));
  });
}

void leave(const EventPageContext& context, const Request& request, Exchange exchange) {
  VisitPtr visit = arrive(context, request, std::move(exchange));
  if (!intake::is_path_id(visit->view.event_id)) return reply_missing(*visit);
  if (!take_form(*visit, request)) return show(context, std::move(visit));
  if (visit->view.user_id.empty()) {
    set_session(*visit, kCookiePath, "");
    return reply_see_page(*visit);
  }
  identity::Logout command{visit->caller.token_id, visit->caller.expires};
  context.identity.service.logout(std::move(command),
                                  [&context, visit = std::move(visit)](Result<Ok> done) mutable {
                                    if (done) {
                                      set_session(*visit, kCookiePath, "");
                                      return reply_see_page(*visit);
                                    }
                                    note_error(*visit, done.error());
                                    show(context, std::move(visit));
                                  });
}

}  // namespace

void add_event_page(http::Router& router, EventPageContext given) {
  // The handlers are shared, and what they start may outlive this call: one context for all.
  const auto context = std::make_shared<const EventPageContext>(std::move(given));
  const auto add = [&](Method method, std::string_view pattern, auto handle) {
    router.add(method, pattern,
               [context, handle](const Request& request, Exchange exchange) {
                 handle(*context, request, std::move(exchange));
               },
               {.max_body_bytes = kMaxFormBytes});
  };
  add(Method::kGet, "/events/{eventId}", get_page);
  add(Method::kPost, "/events/{eventId}", post_form);
  add(Method::kPost, "/events/{eventId}/leave", leave);
  add(Method::kGet, "/events/{eventId}/stream", stream_page);
  http::StaticFiles files;
  CHECK(files.add("/event-page.js", "text/javascript; charset=utf-8", std::string(kEventPageScript)));
  CHECK(files.add("/event-page.css", "text/css; charset=utf-8", std::string(kEventPageStyle)));
  files.add_to(router);
}

}  // namespace spillway::app
