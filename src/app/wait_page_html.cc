#include "app/wait_page_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "app/wait_page_words.h"
#include "base/limits.h"
#include "base/text.h"

namespace spillway::app {
namespace {

using waitroom::TicketStatus;
using waitroom::TicketView;

constexpr Micros kLongestRefresh = 3600 * kSecond;
constexpr int kRetrySeconds = 10;

std::string paragraph(std::string_view text, std::string_view attributes = {}) {
  return fmt::format("<p{}>{}</p>", attributes, text);
}

bool can_sign_in(const WaitPageView& view) {
  return view.mode == identity::Mode::kOpen || view.mode == identity::Mode::kUsers;
}

class Page {
 public:
  explicit Page(const WaitPageView& view)
      : view_(view), words_(wait_page_words(view.language)), page_(page_words(view.language)) {}

  std::string whole() {
    const std::string body = scene_body();  // first: it settles the headline and the tone
    std::string title = fmt::format("{} · {}", headline_, view_.concert_id);
    if (view_.ticket && view_.ticket->position) {
      title = fmt::format("({}) {}", grouped(*view_.ticket->position), title);
    }
    open(title, refresh_seconds());
    out_ += fmt::format(
        R"(<main><p id="where"><bdi>{}</bdi></p>
<section id="answer" class="ticket {}" data-scene="{}"{} aria-labelledby="headline">
<div class="body">{}<h1 id="headline" tabindex="-1">{}</h1>{}</div></section>
<p id="sound" hidden><button type="button" role="switch" aria-checked="false">{}</button></p></main>)",
        html_escape(view_.concert_id), tone_, name(scene_of(view_)), attributes_, notice_html(view_),
        headline_, body, words_.sound);
    return std::move(out_ += kCloseDocument);
  }

  std::string missing() {
    open(words_.missing_title, 0);
    out_ += fmt::format(R"(<main><h1>{}</h1><p>{}</p></main>)", words_.missing_title, words_.missing_text);
    return std::move(out_ += kCloseDocument);
  }

 private:
  void open(std::string_view title, int refresh) {
    WaitPageView other = view_;
    other.language = view_.language == Language::kKorean ? Language::kEnglish : Language::kKorean;
    other.language_chosen = true;
    const std::string here = wait_page_path(view_);
    PageFrame frame{.title = title,
                    .assets = "/wait/-/page",
                    .refresh_s = refresh,
                    .refresh_to = here,
                    .language_link = html_escape(wait_page_path(other))};
    const auto data = [&frame](std::string_view name, std::string_view value) {
      frame.body_attributes += fmt::format(R"( data-{}="{}")", name, html_escape(value));
    };
    data("page", here);
    data("offline", words_.offline);
    data("unknown", words_.wait_unknown);
    data("moment", words_.wait_moment);
    data("up-to-minutes", words_.wait_up_to_minutes);
    data("minutes", words_.wait_minutes);
    data("up-to-hours", words_.wait_up_to_hours);
    data("hours", words_.wait_hours);
    data("days", words_.wait_days);
    data("alert", words_.ready_alert);
    data("day", page_.day_letter);
    out_ += open_document(page_, frame);
  }

  /// Whether a press is enough, and no sign-in needed before.
  bool may_enter() const { return view_.mode == identity::Mode::kOpen || !view_.user_id.empty(); }

  /// After which a browser without script comes again: at the told pace; but nobody's hand is pulled off a
  /// button, so once it is their turn only when the time is over.
  int refresh_seconds() const {
    const auto seconds = [](Micros time) { return static_cast<int>((time + kSecond - 1) / kSecond); };
    if (view_.unread || (view_.refusal == Refusal::kPaused && may_enter())) {
      return std::max(view_.retry_after_s, kRetrySeconds);
    }
    if (!view_.ticket || waitroom::is_gone(view_.ticket->status)) return 0;
    if (view_.ticket->status == TicketStatus::kWaiting) {
      return seconds(waitroom::poll_after_ms(*view_.ticket, view_.now) * kMillisecond);
    }
    return seconds(std::clamp<Micros>(view_.ticket->until - view_.now + kSecond, kSecond, kLongestRefresh));
  }

  void attribute(std::string_view name, std::int64_t value) {
    attributes_ += fmt::format(R"( data-{}="{}")", name, value);
  }

  // ---- Forms ----------------------------------------------------------------------------------------------

  std::string form(std::string_view action, std::string_view button, std::string_view more = {},
                   std::string_view classes = {}) const {
    return fmt::format(R"(<form method="post" action="{}">{}<button{}>{}</button></form>)",
                       html_escape(wait_page_path(view_, action)), more, classes, button);
  }

  std::string leave_form(const char* summary, const char* text, const char* button) const {
    return fmt::format(R"(<details id="leave"><summary>{}</summary><p>{}</p>{}</details>)", summary, text,
                       form("leave", button, "", R"( class="plain")"));
  }

  /// `button`: what takes a place, for whoever needs no sign-in for it.
  std::string enter_form(const char* button) const {
    if (!can_sign_in(view_)) return {};
    if (view_.mode == identity::Mode::kUsers && view_.user_id.empty()) {
      return form("sign-in", words_.sign_in_button, account_fields(view_));
    }
    return form("enter", button);
  }

  // ---- Each scene -----------------------------------------------------------------------------------------

  std::string scene_body() {
    switch (scene_of(view_)) {
      case WaitScene::kEnter:
        return enter_body();
      case WaitScene::kBusy:
        return busy_body();
      case WaitScene::kElsewhere:
        return elsewhere_body();
      case WaitScene::kSoon:
      case WaitScene::kHalted:
      case WaitScene::kDrawing:
      case WaitScene::kWaiting:
        return waiting_body(*view_.ticket);
      case WaitScene::kReady:
        return ready_body(*view_.ticket);
      case WaitScene::kActive:
        return active_body(*view_.ticket);
      case WaitScene::kGone:
        return gone_body();
    }
    return {};
  }

  std::string enter_body() {
    const int retry_ms = std::max(view_.retry_after_s, kRetrySeconds) * 1000;
    tone_ = "plain";
    const auto refused = [&](const char* title, const char* text) {
      headline_ = title;
      std::string body = paragraph(text);
      if (may_enter()) {
        attribute("enter-in", retry_ms);
        body += paragraph(words_.tries_again, R"( class="scripted next")");
      }
      return body + enter_form(words_.enter_button);
    };
    switch (view_.refusal) {
      case Refusal::kPaused:
        return refused(words_.paused_title, words_.paused_text);
      case Refusal::kFull:
        return refused(words_.full_title, words_.full_text);
      case Refusal::kNoCookies:
        headline_ = words_.cookies_title;
        return paragraph(words_.cookies_text) + enter_form(words_.enter_button);
      case Refusal::kNone:
        break;
    }
    headline_ = may_enter() ? words_.enter_title : words_.sign_in_title;
    // With script nobody has to press: whoever is sent here wants a place, and every second counts.
    const bool busy = view_.notice == Notice::kBusy || view_.notice == Notice::kOutcomeUnknown;
    if (may_enter() && (busy || view_.notice == Notice::kNone)) attribute("enter-in", busy ? retry_ms : 0);
    const bool early = view_.concert && view_.concert->settings.opens_at > view_.now;
    return paragraph(early ? fill(words_.opens_text, time_html(page_, view_.concert->settings.opens_at))
                           : std::string(words_.enter_text)) +
           lottery_note() + enter_form(words_.enter_button);
  }

  std::string elsewhere_body() {
    tone_ = "plain";
    const bool oidc = view_.mode == identity::Mode::kOidc;
    headline_ = oidc ? words_.elsewhere_title : words_.nobody_title;
    return paragraph(oidc ? words_.elsewhere_text : words_.nobody_text);
  }

  /// The notice says what there is to say; the script follows, and so finds out.
  std::string busy_body() {
    tone_ = "plain";
    headline_ = words_.busy_title;
    attribute("poll", limits::kPollNear / kMillisecond);
    return {};
  }

  bool gathers() const { return view_.concert && view_.concert->draw == waitroom::DrawState::kGathering; }

  std::string lottery_note() const {
    if (!gathers()) return {};
    return paragraph(words_.lottery_text) +
           fmt::format(R"(<p><a href="/api/v1/queue/lottery/{}" target="_blank" rel="noopener">{}</a></p>)",
                       view_.concert_id, words_.lottery_link);
  }

  std::string place_html(const TicketView& ticket) {
    if (!ticket.position) return {};
    attribute("place", static_cast<std::int64_t>(*ticket.position));
    return fmt::format(
        R"(<p class="place"><span>{}</span> <strong class="big" id="place">{}</strong></p>
<div id="progress" role="progressbar" aria-label="{}" hidden><i></i></div>)",
        words_.place_label, grouped(*ticket.position), words_.progress_label);
  }

  std::string waiting_body(const TicketView& ticket) {
    tone_ = "wait";
    attributes_ +=
        fmt::format(R"( data-key="{}-{}-{}")", ticket.ref.packed(), ticket.entered_at.us, view_.concert_id);
    attribute("poll", waitroom::poll_after_ms(ticket, view_.now));
    std::string body;
    switch (scene_of(view_)) {
      case WaitScene::kSoon:
        tone_ = "soon";
        headline_ = words_.soon_title;
        attribute("ends-in", (ticket.opens_at - view_.now) / kMillisecond);
        body = R"(<p class="big" id="countdown" role="timer" aria-live="off" hidden></p>)" +
               paragraph(fill(words_.soon_text, time_html(page_, ticket.opens_at))) +
               (gathers() ? lottery_note() : paragraph(words_.soon_order)) + place_html(ticket);
        break;
      case WaitScene::kDrawing:
        headline_ = words_.drawing_title;
        body = paragraph(words_.drawing_text);
        break;
      case WaitScene::kHalted:
        tone_ = "plain";
        headline_ = words_.halted_title;
        body = place_html(ticket) + paragraph(words_.halted_text);
        break;
      default:
        headline_ = words_.waiting_title;
        body = place_html(ticket) +
               fmt::format(R"(<p id="estimate"><span>{}</span> <strong id="wait">{}</strong></p>)",
                           words_.wait_label,
                           wait_text(view_.language, waitroom::estimated_wait(ticket, view_.now)));
    }
    const Micros ready = view_.concert ? view_.concert->settings.ready_us : limits::kDefaultReady;
    body += paragraph(fill(words_.keep_text, ready / kSecond), R"( class="next")");
    body += fmt::format(R"(<noscript><p class="next">{}</p></noscript>)", page_.refreshes);
    return body + leave_form(words_.leave, words_.leave_text, words_.leave_button);
  }

  std::string ready_body(const TicketView& ticket) {
    tone_ = "good";
    headline_ = words_.ready_title;
    attribute("ends-in", (ticket.until - view_.now) / kMillisecond);
    attribute("poll", limits::kPollNear / kMillisecond);
    return R"(<p class="big" id="countdown" role="timer" aria-live="off" hidden></p>)" +
           form("activate", words_.ready_button) +
           paragraph(fill(words_.ready_text, time_html(page_, ticket.until)), R"( class="next")") +
           leave_form(words_.leave, words_.leave_text, words_.leave_button);
  }

  std::string active_body(const TicketView& ticket) {
    tone_ = "in";
    headline_ = words_.active_title;
    // Not followed: whoever asks counts as using the site, and a forgotten tab would hold a slot for ever.
    attribute("ends-in", (ticket.until - view_.now) / kMillisecond);
    const bool extends = view_.concert && view_.concert->settings.idle_extends;
    WaitPageView there = view_;
    if (there.return_path.empty()) there.return_path = "/";
    return R"(<p class="big" id="countdown" role="timer" aria-live="off" hidden></p>)" +
           paragraph(
               fill(extends ? words_.active_idle_text : words_.active_text, time_html(page_, ticket.until))) +
           Page(there).form("activate", words_.active_button) +
           leave_form(words_.done, words_.done_text, words_.done);
  }

  std::string gone_body() {
    tone_ = "sorry";
    const auto why = [this](const char* title, const char* text) {
      headline_ = title;
      return paragraph(text) + enter_form(words_.again_button);
    };
    if (view_.forgotten) return why(words_.old_title, words_.old_text);
    if (view_.ticket->status == TicketStatus::kLeft) return why(words_.left_title, words_.left_text);
    switch (view_.ticket->expiry) {
      case waitroom::Expiry::kNotActivated:
        return why(words_.missed_title, words_.missed_text);
      case waitroom::Expiry::kIdle:
        return why(words_.over_title, words_.over_text);
      default:
        return why(words_.old_title, words_.old_text);
    }
  }

  const WaitPageView& view_;
  const WaitPageWords& words_;
  const PageWords& page_;
  std::string out_;
  std::string headline_;
  std::string attributes_;
  const char* tone_ = "plain";
};

}  // namespace

WaitScene scene_of(const WaitPageView& view) {
  if (view.forgotten) return WaitScene::kGone;
  if (view.unread) return WaitScene::kBusy;
  if (!view.ticket) {
    return can_sign_in(view) ? WaitScene::kEnter : WaitScene::kElsewhere;
  }
  const TicketView& ticket = *view.ticket;
  if (waitroom::is_gone(ticket.status)) return WaitScene::kGone;
  if (ticket.status == TicketStatus::kReady) return WaitScene::kReady;
  if (ticket.status == TicketStatus::kActive) return WaitScene::kActive;
  if (ticket.paused) return WaitScene::kHalted;
  if (ticket.opens_at) return WaitScene::kSoon;
  return ticket.position ? WaitScene::kWaiting : WaitScene::kDrawing;
}

std::string_view name(WaitScene scene) {
  switch (scene) {
    case WaitScene::kEnter:
      return "enter";
    case WaitScene::kBusy:
      return "busy";
    case WaitScene::kElsewhere:
      return "elsewhere";
    case WaitScene::kSoon:
      return "soon";
    case WaitScene::kHalted:
      return "halted";
    case WaitScene::kDrawing:
      return "drawing";
    case WaitScene::kWaiting:
      return "waiting";
    case WaitScene::kReady:
      return "ready";
    case WaitScene::kActive:
      return "active";
    case WaitScene::kGone:
      return "gone";
  }
  return {};
}

std::string wait_text(Language language, const std::optional<waitroom::WaitRange>& range) {
  const WaitPageWords& words = wait_page_words(language);
  constexpr std::uint64_t kMinute = 60, kHour = 3600, kInMinutes = 90 * kMinute, kInHours = 36 * kHour;
  if (!range) return words.wait_unknown;
  if (range->high_s <= kMinute) return words.wait_moment;
  if (range->high_s > kInHours) return words.wait_days;
  const bool minutes = range->high_s <= kInMinutes;
  const std::uint64_t unit = minutes ? kMinute : kHour;
  const std::uint64_t low = range->low_s / unit, high = (range->high_s + unit - 1) / unit;
  if (low == 0) return fill(minutes ? words.wait_up_to_minutes : words.wait_up_to_hours, low, high);
  return fill(minutes ? words.wait_minutes : words.wait_hours, low, high);
}

std::string wait_page_path(const WaitPageView& view, std::string_view action) {
  std::string path = fmt::format("/wait/{}{}{}", view.concert_id, action.empty() ? "" : "/", action);
  char separator = '?';
  const auto add = [&](std::string_view name, std::string_view value) {
    path += fmt::format("{}{}=", std::exchange(separator, '&'), name);
    percent_encode(path, value);
  };
  if (view.language_chosen) add("lang", page_words(view.language).language);
  if (!view.return_path.empty()) add("return", view.return_path);
  return path;
}

std::string wait_page_html(const WaitPageView& view) { return Page(view).whole(); }
std::string no_such_line_html(const WaitPageView& view) { return Page(view).missing(); }

}  // namespace spillway::app
