#include "app/wait_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "app/page_assets.h"
#include "app/page_visit.h"
#include "app/wait_page_html.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/random.h"
#include "http/static_files.h"

namespace spillway::app {
namespace {

using http::Exchange;
using http::Method;
using http::Request;
using waitroom::TicketDetail;
using waitroom::TicketView;

constexpr std::string_view kToken = "queue_token";
constexpr std::string_view kVisitor = "spillway_visitor";
constexpr std::string_view kCookiePath = "/wait";
constexpr std::size_t kVisitorBytes = 16;

struct WaitVisit : PageVisit {
  explicit WaitVisit(Exchange e) : PageVisit(std::move(e), view) {}

  WaitPageView view;
  std::string token;    ///< of the cookie; empty: none
  std::string visitor;  ///< under open login: who this browser is; empty: it has not said
  std::optional<waitroom::TicketRef> ticket;  ///< of the token, while that is good and theirs
};
using VisitPtr = std::unique_ptr<WaitVisit>;

// ---- Who comes --------------------------------------------------------------------------------------------

bool is_visitor(std::string_view text) {
  return text.size() == 2 * kVisitorBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

void remember_visitor(WaitVisit& visit, std::string_view visitor) {
  set_cookie(visit, {kVisitor, visitor, kCookiePath, limits::kQueueTokenLife});
}

void make_visitor(WaitVisit& visit) { remember_visitor(visit, random_hex(kVisitorBytes)); }

/// What the token says, as far as it needs no storage.
void read_token(const WaitPageContext& context, WaitVisit& visit) {
  if (visit.token.empty()) return;
  auto token = waitroom::verify_token(context.waitroom.keys, visit.token, visit.view.now);
  if (!token) {
    visit.view.forgotten = token.error().code == ErrorCode::kTicketExpired;
    return;
  }
  // Two people may share a browser.
  const std::string& user = visit.view.user_id;
  if (user.empty() || user == token->user_id) visit.ticket = token->ticket;
}

VisitPtr arrive(const WaitPageContext& context, const Request& request, Exchange exchange) {
  auto visit = std::make_unique<WaitVisit>(std::move(exchange));
  arrive(*visit, context.identity, request, context.tls);
  WaitPageView& view = visit->view;
  view.concert_id = request.param(0);
  view.return_path = waitroom::checked_return(request.query("return").value_or(""));
  const std::string_view cookies = request.header("Cookie");
  visit->token = http::cookie(cookies, kToken);
  if (view.mode == identity::Mode::kOpen) {
    view.user_id.clear();
    const std::string_view visitor = http::cookie(cookies, kVisitor);
    if (is_visitor(visitor)) visit->visitor = visitor;
  }
  read_token(context, *visit);
  return visit;
}

void reply_missing(WaitVisit& visit) {
  visit.status = 404;
  reply_html(visit, no_such_line_html(visit.view));
}

void reply_see_page(WaitVisit& visit) { reply_see(visit, wait_page_path(visit.view)); }

// ---- The page ---------------------------------------------------------------------------------------------

/// Reads how their ticket is, if they have one in this line, and goes on.
template <class Next>
void with_ticket(const WaitPageContext& context, VisitPtr visit, Next next) {
  if (!visit->ticket) return next(std::move(visit));
  const waitroom::TicketRef ticket = *visit->ticket;
  context.waitroom.service.detail(
      ticket, [visit = std::move(visit), next = std::move(next)](Result<TicketDetail> detail) mutable {
        WaitPageView& view = visit->view;
        if (detail && detail->concert_id == view.concert_id) {
          view.ticket = detail->view;
        } else if (detail || detail.error().code == ErrorCode::kNotFound) {
          visit->ticket.reset();
        } else if (detail.error().code == ErrorCode::kTicketExpired) {
          view.forgotten = true;
        } else {
          note_error(*visit, detail.error());
          view.unread = true;
        }
        next(std::move(visit));
      });
}

void show(const WaitPageContext& context, VisitPtr visit) {
  with_ticket(context, std::move(visit), [&context](VisitPtr found) {
    std::string id = found->view.concert_id;
    context.waitroom.service.get_concert(
        std::move(id), [visit = std::move(found)](Result<waitroom::ConcertView> concert) mutable {
          WaitPageView& view = visit->view;
          if (concert) {
            if (concert->settings.mode == waitroom::Mode::kPaused && !view.ticket && !view.forgotten) {
              view.refusal = Refusal::kPaused;
            }
            view.concert = std::move(*concert);
          } else if (concert.error().code != ErrorCode::kNotFound && view.notice == Notice::kNone) {
            note_error(*visit, concert.error());
          }
          reply_html(*visit, wait_page_html(view));
        });
  });
}

void get_page(const WaitPageContext& context, const Request& request, Exchange exchange) {
  VisitPtr visit = arrive(context, request, std::move(exchange));
  if (!waitroom::is_concert_id(visit->view.concert_id)) return reply_missing(*visit);
  if (visit->view.mode == identity::Mode::kOpen && visit->visitor.empty()) make_visitor(*visit);
  show(context, std::move(visit));
}

// ---- For the script ---------------------------------------------------------------------------------------

/// Goes on with whoever has a place in this line, or answers why not.
template <class Next>
void with_place(const WaitPageContext& context, const Request& request, Exchange exchange, Next next) {
  VisitPtr visit = arrive(context, request, std::move(exchange));
  if (!visit->ticket) {
    return visit->exchange.fail(
        {ErrorCode::kQueueTokenInvalid, "whoever has no place has nothing to follow"});
  }
  with_ticket(context, std::move(visit), [next = std::move(next)](VisitPtr found) {
    WaitPageView& view = found->view;
    if (view.ticket && view.ticket->status == waitroom::TicketStatus::kLeft) {
      return found->exchange.fail({ErrorCode::kTicketLeft, "reason: left"});
    }
    if (view.forgotten || (view.ticket && waitroom::is_gone(view.ticket->status))) {
      return found->exchange.fail({ErrorCode::kTicketExpired, "it has expired"});
    }
    if (view.ticket) return next(*found);
    if (!view.unread) return found->exchange.fail(not_found("no place of yours in this line"));
    found->exchange.fail({ErrorCode::kOverloaded, "the place cannot be read just now", kTryAgainSeconds});
  });
}

void get_status(const WaitPageContext& context, const Request& request, Exchange exchange) {
  with_place(context, request, std::move(exchange), [](WaitVisit& visit) {
    visit.exchange.reply(waitroom::ticket_response(*visit.view.ticket, "", visit.view.now));
  });
}

void get_stream(const WaitPageContext& context, const Request& request, Exchange exchange) {
  with_place(context, request, std::move(exchange), [&context](WaitVisit& visit) {
    context.waitroom.streams.listen(std::move(visit.exchange), *visit.ticket);
  });
}

// ---- The forms --------------------------------------------------------------------------------------------

void refuse_place(const WaitPageContext& context, VisitPtr visit, Refusal refusal, const Error& error) {
  visit->view.refusal = refusal;
  note(*visit, Notice::kNone, error_info(error.code).http_status, error.retry_after_s);
  show(context, std::move(visit));
}

void enter(const WaitPageContext& context, VisitPtr visit, std::string user_id) {
  waitroom::Enter command{visit->view.concert_id, user_id};
  context.waitroom.service.enter(
      std::move(command),
      [&context, user_id = std::move(user_id), visit = std::move(visit)](Result<TicketView> taken) mutable {
        if (taken) {
          const std::string token = waitroom::token_for(context.waitroom.keys, *taken, user_id);
          const std::string page = fmt::format("{}/{}", kCookiePath, visit->view.concert_id);
          set_cookie(*visit, {kToken, token, page, limits::kQueueTokenLife});
          if (!visit->visitor.empty()) remember_visitor(*visit, visit->visitor);
          return reply_see_page(*visit);
        }
        switch (taken.error().code) {
          case ErrorCode::kQueuePaused:
            return refuse_place(context, std::move(visit), Refusal::kPaused, taken.error());
          case ErrorCode::kQueueFull:
            return refuse_place(context, std::move(visit), Refusal::kFull, taken.error());
          default:
            note_error(*visit, taken.error());
            return show(context, std::move(visit));
        }
      });
}

void post_enter(const WaitPageContext& context, VisitPtr visit, const Request&) {
  if (visit->view.mode != identity::Mode::kOpen) {
    std::string user = visit->view.user_id;
    return user.empty() ? reply_see_page(*visit) : enter(context, std::move(visit), std::move(user));
  }
  if (visit->visitor.empty()) {  // the page has given it one
    make_visitor(*visit);
    return refuse_place(context, std::move(visit), Refusal::kNoCookies, {ErrorCode::kInvalidArgument, ""});
  }
  std::string user = "visitor-" + visit->visitor;
  enter(context, std::move(visit), std::move(user));
}

void post_sign_in(const WaitPageContext& context, VisitPtr visit, const Request& request) {
  if (visit->view.mode != identity::Mode::kUsers) return reply_see_page(*visit);
  if (!take_credentials(*visit, request)) return show(context, std::move(visit));
  PageVisit& signing_in = *visit;
  sign_in(context.identity, signing_in, kCookiePath, [&context, visit = std::move(visit)](bool done) mutable {
    if (!done) return show(context, std::move(visit));
    std::string user = visit->view.user_id;
    enter(context, std::move(visit), std::move(user));
  });
}

void post_activate(const WaitPageContext& context, VisitPtr visit, const Request&) {
  with_ticket(context, std::move(visit), [&context](VisitPtr found) {
    if (!found->view.ticket) return reply_see_page(*found);
    const waitroom::TicketRef ticket = *found->ticket;
    context.waitroom.service.activate(
        ticket, [&context, visit = std::move(found)](Result<TicketDetail> active) mutable {
          if (active) {
            set_cookie(*visit, {kToken, visit->token, "/", limits::kQueueTokenLife});
            const std::string& there = visit->view.return_path;
            return there.empty() ? reply_see_page(*visit) : reply_see(*visit, there);
          }
          switch (active.error().code) {
            case ErrorCode::kNotYourTurn:
            case ErrorCode::kTicketLeft:
            case ErrorCode::kTicketExpired:  // the page says so
              note(*visit, Notice::kNone, error_info(active.error().code).http_status);
              break;
            default:
              note_error(*visit, active.error());
          }
          show(context, std::move(visit));
        });
  });
}

void post_leave(const WaitPageContext& context, VisitPtr visit, const Request&) {
  with_ticket(context, std::move(visit), [&context](VisitPtr found) {
    if (!found->view.ticket) return reply_see_page(*found);
    const waitroom::TicketRef ticket = *found->ticket;
    context.waitroom.service.leave(ticket, [&context, visit = std::move(found)](Result<Ok> done) mutable {
      if (!done) {
        note_error(*visit, done.error());
        return show(context, std::move(visit));
      }
      // Who is in another line's site as well, is let in there again by a press on that line's page.
      if (visit->view.ticket->status == waitroom::TicketStatus::kActive)
        set_cookie(*visit, {kToken, "", "/", 0});
      reply_see_page(*visit);
    });
  });
}

}  // namespace

void add_wait_page(http::Router& router, WaitPageContext given) {
  // The handlers are shared, and what they start may outlive this call: one context for all.
  const auto context = std::make_shared<const WaitPageContext>(std::move(given));
  const auto add = [&](std::string_view what, auto handle) {
    router.add(Method::kGet, fmt::format("/wait/{{concertId}}{}", what),
               [context, handle](const Request& request, Exchange exchange) {
                 handle(*context, request, std::move(exchange));
               });
  };
  add("", get_page);
  add("/status", get_status);
  add("/stream", get_stream);
  const auto add_form = [&](std::string_view what, auto handle) {
    router.add(Method::kPost, fmt::format("/wait/{{concertId}}/{}", what),
               [context, handle](const Request& request, Exchange exchange) {
                 VisitPtr visit = arrive(*context, request, std::move(exchange));
                 if (!waitroom::is_concert_id(visit->view.concert_id)) return reply_missing(*visit);
                 if (!take_form(*visit, request)) return show(*context, std::move(visit));
                 handle(*context, std::move(visit), request);
               },
               {.max_body_bytes = kMaxFormBytes});
  };
  add_form("enter", post_enter);
  add_form("sign-in", post_sign_in);
  add_form("activate", post_activate);
  add_form("leave", post_leave);
  http::StaticFiles files;
  CHECK(files.add("/wait/-/page.js", "text/javascript; charset=utf-8", std::string(kWaitPageScript)));
  CHECK(files.add("/wait/-/page.css", "text/css; charset=utf-8", std::string(kWaitPageStyle)));
  files.add_to(router);
}

}  // namespace spillway::app
