#pragma once

// A request of a browser for one of the pages, on its way to its answer.
//
// Against forged forms (CSRF): the API takes no cookies of people's sessions, only the pages do, and of these
// only POSTs change anything. A browser does not send our cookies (SameSite=Lax) with another site's POST,
// and a POST is refused when Sec-Fetch-Site says that another site or origin sent it, or where a browser does
// not say that, when Origin names another host than Host; a request with neither is no browser's form. So
// there is no token in the forms, and the pages need no state. Nobody may put a page into a frame.

#include <memory>
#include <string>
#include <vector>

#include "app/page_html.h"
#include "base/unique_function.h"
#include "http/message.h"
#include "identity/routes.h"

namespace spillway::app {

inline constexpr int kTryAgainSeconds = 2;
inline constexpr std::size_t kMaxFormBytes = 4 * 1024;

struct PageVisit {
  /// `view` is the one of whoever derives from this.
  PageVisit(http::Exchange e, PageView& view) : exchange(std::move(e)), shown(view) {}

  http::Exchange exchange;
  PageView& shown;
  int status = 200;
  std::vector<http::Header> set_cookies;
  bool secure_cookies = false;
  std::string address;
  identity::Caller caller;  ///< of whoever is signed in
  std::string password;     ///< POST
};

/// Who comes, and in which language. `tls`: this server speaks it itself.
void arrive(PageVisit&, const identity::RouteContext&, const http::Request&, bool tls);

/// Whether a POST is a form of ours, and not one that another site has sent. If not, that is noted.
bool take_form(PageVisit&, const http::Request&);
/// The user id and, under identity users, the password of a form. False: that is noted.
bool take_credentials(PageVisit&, const http::Request&);
/// Signs in with these, under identity open or users: `done` with whether it worked; if not, that is noted.
/// The cookie is for `path`. `done` owns the visit.
void sign_in(const identity::RouteContext&, PageVisit&, std::string_view path,
             UniqueFunction<void(bool)> done);
/// Lets the browser keep the access token; an empty one takes the cookie away.
void set_session(PageVisit&, std::string_view path, std::string_view token);

struct Cookie {
  std::string_view name, value, path;
  Micros life;  ///< 0: takes it away
};
void set_cookie(PageVisit&, const Cookie&);

/// With what goes with every answer here.
void reply(PageVisit&, http::Response);
void reply_html(PageVisit&, std::string html);
/// To a page, by GET: so that a reload does not send the form again.
void reply_see(PageVisit&, std::string location);

void note(PageVisit&, Notice, int status, int retry_after_s = 0);
/// What went wrong, in the words of the page.
void note_error(PageVisit&, const Error&);

}  // namespace spillway::app
