#include "app/event_page_html.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/event_page_words.h"
#include "base/limits.h"

namespace spillway::app {
namespace {

using intake::RequestStatus;
using intake::RequestView;
using intake::ResultCode;

constexpr int kBusySeconds = 2;
constexpr Micros kLongestRefresh = 3600 * kSecond;

/// How the ticket looks. The names are classes of the style sheet.
struct Tone {
  const char* name;
  const char* icon;  ///< drawn inside of a circle, so that it is there without another request; "": no icon
};
constexpr Tone kPlain{"plain", ""};
constexpr Tone kOpen{"open", ""};
constexpr Tone kSoon{"soon", ""};
constexpr Tone kWait{"wait", ""};
constexpr Tone kTurn{"turn", R"(<path d="M12 7v5l3 2"/>)"};
constexpr Tone kGood{"good", R"(<path class="drawn" d="M7 12.5l3.5 3.5L17 9"/>)"};
constexpr Tone kSorry{"sorry", R"(<path d="M8 12h8"/>)"};
constexpr Tone kBad{"bad", R"(<path d="M12 7v6M12 16.5v.5"/>)"};

class Page {
 public:
  explicit Page(const EventPageView& view)
      : view_(view), words_(event_page_words(view.language)), page_(page_words(view.language)) {}

  std::string whole() {
    const std::string answer = ticket();  // first: it settles the title and the tone
    open(fmt::format("{} · {}", headline_, shown_title()), refresh_seconds());
    out_ +=
        fmt::format(R"(<main><div id="event"><h1><bdi>{}</bdi></h1>{}</div><div id="side">{}{}</div></main>)",
                    html_escape(shown_title()), facts(), answer, who());
    out_ += kCloseDocument;
    return std::move(out_);
  }

  std::string missing() {
    open(words_.missing_title, 0);
    out_ += fmt::format(R"(<main class="alone"><h1>{}</h1><p>{}</p></main>)", words_.missing_title,
                        words_.missing_text);
    out_ += kCloseDocument;
    return std::move(out_);
  }

 private:
  std::string shown_title() const { return view_.event ? view_.event->title : view_.event_id; }
  bool is_soon() const { return view_.event && view_.event->phase == intake::EventPhase::kPending; }
  bool has_closed() const { return view_.event && view_.event->phase == intake::EventPhase::kClosed; }
  bool is_full() const { return view_.event->capacity_remaining == 0; }
  const char* open_title() const { return is_full() ? words_.taken_title : words_.open_title; }
  const char* open_text() const { return is_full() ? words_.taken_text : words_.open_text; }
  bool is_followed() const { return view_.request && !intake::is_final(view_.request->status); }
  /// Whether what was asked did not get into the line, so that the person may ask once more.
  bool may_ask_again() const { return view_.request->result_code == ResultCode::kFailedIngestEnqueue; }

  /// After which a browser without script loads the page again; 0: not.
  int refresh_seconds() const {
    const auto seconds = [](Micros time) { return static_cast<int>((time + kSecond - 1) / kSecond); };
    if (is_followed()) return seconds(time_to_next_look(*view_.request));
    if (!view_.event) return std::max(view_.retry_after_s, kBusySeconds);
    if (view_.request || !is_soon()) return 0;
    return seconds(std::clamp<Micros>(view_.event->opens_at - view_.now, kSecond, kLongestRefresh));
  }

  /// "?lang=ko" once somebody has chosen.
  std::string query() const {
    return view_.language_chosen ? fmt::format("?lang={}", page_.language) : std::string();
  }

  // ---- The frame ------------------------------------------------------------------------------------------

  void open(std::string_view title, int refresh) {
    out_ += open_document(page_, {.title = title,
                                  .assets = "/event-page",
                                  .refresh_s = refresh,
                                  .language_link = fmt::format("?lang={}", page_.other_language),
                                  .body_attributes = fmt::format(R"( data-offline="{}")", words_.offline)});
  }

  std::string facts() const {
    if (!view_.event) return {};
    const intake::EventView& event = *view_.event;
    const auto fact = [](const char* name, const std::string& value) {
      return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, value);
    };
    std::string places = grouped(event.capacity_total);
    if (is_full()) places += fmt::format(" <small>{}</small>", words_.all_taken);
    std::string html = R"(<dl id="facts">)" + fact(words_.places, places);
    if (event.opens_at) {
      html += fact(is_soon() ? words_.opens : words_.opened, time_html(page_, event.opens_at));
    }
    if (event.closes_at) {
      html += fact(has_closed() ? words_.closed : words_.closes, time_html(page_, event.closes_at));
    }
    return html + "</dl>";
  }

  /// Who is signed in, and the way out.
  std::string who() const {
    if (view_.user_id.empty()) return {};
    return fmt::format(
        R"(<form id="who" method="post" action="/events/{}/leave{}">
<span>{} <strong><bdi>{}</bdi></strong></span><button class="quiet">{}</button></form>)",
        view_.event_id, query(), words_.signed_in_as, html_escape(view_.user_id), words_.sign_out);
  }

  // ---- The ticket: the form, or the answer ----------------------------------------------------------------

  std::string ticket() {
    std::string body;
    if (view_.request) {
      body = answer_body(*view_.request);
    } else if (view_.mode == identity::Mode::kNone || view_.mode == identity::Mode::kOidc) {
      body = no_sign_in_body();
    } else if (!view_.event) {
      body = headline(words_.unreadable_title) + form(false);
    } else if (has_closed()) {
      tone_ = kSorry;
      body = headline(words_.closed_title) +
             paragraph(fill(words_.closed_text, time_html(page_, view_.event->closes_at)));
    } else if (is_soon()) {
      body = soon_body(*view_.event);
    } else {
      tone_ = kOpen;
      body = headline(open_title()) + paragraph(open_text()) + form(false);
    }
    return fmt::format(
        R"(<section id="answer" class="ticket {}"{} aria-labelledby="headline">
<div class="body">{}{}{}</div>{}</section>)",
        tone_.name, attributes_, notice_html(view_), icon(), body, stub());
  }

  std::string icon() const {
    if (*tone_.icon == '\0') return {};
    return fmt::format(
        R"(<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
<circle cx="12" cy="12" r="10.5"/>{}</svg>)",
        tone_.icon);
  }
  std::string headline(const char* text, const std::string& attributes = {}) {
    headline_ = text;
    return fmt::format(R"(<h2 id="headline" tabindex="-1"{}>{}</h2>)", attributes, text);
  }
  static std::string paragraph(std::string_view text, std::string_view attributes = {}) {
    return fmt::format("<p{}>{}</p>", attributes, text);
  }

  std::string no_sign_in_body() {
    if (view_.mode == identity::Mode::kNone) {
      return headline(words_.nobody_title) + paragraph(words_.nobody_text);
    }
    std::string body = headline(words_.oidc_title) + paragraph(fill(words_.oidc_text, view_.event_id));
    if (!view_.oidc_issuer.empty()) {
      body += fmt::format("<p>{}: <code>{}</code></p>", words_.oidc_issuer, html_escape(view_.oidc_issuer));
    }
    return body;
  }

  /// What the script makes of it when the time has come stands in `data-then`: nobody asks the server then.
  std::string soon_body(const intake::EventView& event) {
    tone_ = kSoon;
    attributes_ = fmt::format(R"( data-opens-in="{}" data-day="{}")",
                              (event.opens_at - view_.now) / kMillisecond, page_.day_letter);
    std::string body = headline(words_.soon_title, fmt::format(R"( data-then="{}")", open_title()));
    body += R"(<p class="big" id="countdown" role="timer" aria-live="off" hidden></p>)";
    body += fmt::format(R"(<p data-then="{}">{} {}</p>)", open_text(),
                        fill(words_.soon_text, time_html(page_, event.opens_at)),
                        view_.user_id.empty() ? "" : words_.soon_signed_in);
    body += fmt::format("<noscript><p>{}</p></noscript>", words_.soon_reload);
    return body + form(true);
  }

  // ---- The form -------------------------------------------------------------------------------------------

  /// The one form. Before the opening, whoever is not signed in can do so, so that the opening's crowd finds
  /// everybody ready; whoever is finds a button that wakes up.
  std::string form(bool soon) const {
    std::string html =
        fmt::format(R"(<form id="form" method="post" action="/events/{}{}">)", view_.event_id, query());
    const bool signed_in = !view_.user_id.empty();
    if (!signed_in && view_.mode == identity::Mode::kUsers) {
      html += account_fields(view_);
    } else if (!signed_in) {
      html += input_html(
          view_, {"userId", "text", words_.name_label, view_.name, limits::kMaxIdBytes, kNameAttributes,
                  view_.suggested ? words_.name_hint_suggested : words_.name_hint_open});
    }
    if (!soon) {
      html += fmt::format(R"(<button name="intent" value="take-part">{}</button>)", words_.take_part);
    } else if (signed_in) {
      html += fmt::format(R"(<button name="intent" value="take-part" disabled data-wakes="{0}">{0}</button>)",
                          words_.take_part);
    } else {
      html += fmt::format(R"(<button name="intent" value="sign-in" data-wakes="{}">{}</button>)",
                          words_.take_part, words_.sign_in);
    }
    return html + "</form>";
  }

  // ---- The answer -----------------------------------------------------------------------------------------

  struct Told {
    Tone tone;
    const char* title;
    const char* text;
    const char* next;
  };
  Told told(const RequestView& request) const {
    switch (request.status) {
      case RequestStatus::kReceived:
      case RequestStatus::kQueued:
        return {kWait, words_.queued_title, words_.queued_text, words_.queued_next};
      case RequestStatus::kProcessing:
        return {kTurn, words_.processing_title, words_.processing_text, words_.queued_next};
      case RequestStatus::kSucceeded:
        return {kGood, words_.succeeded_title, words_.succeeded_text, words_.succeeded_next};
      case RequestStatus::kRejected:
        return {kSorry, words_.rejected_title,
                request.result_code == ResultCode::kRejectedClosed ? words_.rejected_closed_text
                                                                   : words_.rejected_capacity_text,
                words_.rejected_next};
      case RequestStatus::kFailedFinal:
        break;
    }
    if (may_ask_again()) return {kBad, words_.failed_title, words_.failed_again_text, ""};
    return {kBad, words_.failed_title, words_.failed_text, words_.failed_next};
  }

  std::string answer_body(const RequestView& request) {
    const Told now = told(request);
    tone_ = now.tone;
    attributes_ = fmt::format(R"( data-status="{}")", intake::name(request.status));
    if (is_followed()) attributes_ += " data-follow";
    std::string body = headline(now.title);
    if (request.position) {
      body += fmt::format(R"(<p class="place"><span>{}</span> <strong class="big">{}</strong></p>)",
                          words_.queued_position, grouped(*request.position));
    }
    body += paragraph(now.text);
    if (*now.next != '\0') body += paragraph(now.next, R"( class="next")");
    if (is_followed()) body += fmt::format("<noscript><p>{}</p></noscript>", page_.refreshes);
    if (may_ask_again() && !has_closed() && !is_soon()) body += form(false);
    return body;
  }

  /// The part of the ticket to keep.
  std::string stub() const {
    if (!view_.request) return {};
    const RequestView& request = *view_.request;
    std::string html = fmt::format(R"(<dl class="stub"><div><dt>{}</dt><dd><code>{}</code></dd></div>)",
                                   words_.request_id, html_escape(request.request_id));
    const auto moment = [&](const char* name, Timestamp t) {
      if (t) html += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, time_html(page_, t));
    };
    moment(words_.asked_at, request.queued_at);
    moment(words_.answered_at, request.finished_at);
    return html + "</dl>";
  }

  const EventPageView& view_;
  const EventPageWords& words_;
  const PageWords& page_;
  std::string out_;
  std::string headline_;
  Tone tone_ = kPlain;
  std::string attributes_;
};

}  // namespace

Micros time_to_next_look(const RequestView& request) {
  const std::uint64_t position = request.position.value_or(0);
  return (position > 10'000 ? 20 : position > 1'000 ? 8 : 2) * kSecond;
}

std::string event_page_html(const EventPageView& view) { return Page(view).whole(); }

std::string no_such_event_html(Language language) {
  EventPageView view;
  view.language = language;
  return Page(view).missing();
}

}  // namespace spillway::app
