#include <gtest/gtest.h>

#include "app/event_page_html.h"
#include "app/event_page_words.h"

namespace spillway::app {
namespace {

using intake::RequestStatus;
using intake::ResultCode;

constexpr Timestamp kNow{1'800'000'000 * kSecond};

EventPageView open_event() {
  EventPageView view;
  view.event_id = "EVT";
  view.mode = identity::Mode::kOpen;
  view.now = kNow;
  view.event.emplace();
  view.event->event_id = "EVT";
  view.event->title = "A concert";
  view.event->capacity_total = 100;
  view.event->capacity_remaining = 100;
  return view;
}

EventPageView asked(RequestStatus status, ResultCode code = ResultCode::kNone) {
  EventPageView view = open_event();
  view.user_id = "ann";
  view.request.emplace();
  view.request->request_id = "0000000000000000req1";
  view.request->event_id = "EVT";
  view.request->status = status;
  view.request->result_code = code;
  view.request->queued_at = kNow - kSecond;
  if (intake::is_final(status)) view.request->finished_at = kNow;
  return view;
}

bool has(const std::string& html, std::string_view part) { return html.find(part) != std::string::npos; }

TEST(EventPage, each_state_says_one_thing_in_both_languages) {
  struct Case {
    const char* name;
    EventPageView view;
    const char* EventPageWords::*headline;
    bool asks;       ///< shows the form that takes part
    bool refreshes;  ///< a browser without script comes again
  };
  EventPageView soon = open_event(), closed = open_event(), full = open_event(), busy = open_event();
  soon.event->phase = intake::EventPhase::kPending;
  soon.event->opens_at = kNow + 90 * kSecond;
  closed.event->phase = intake::EventPhase::kClosed;
  closed.event->closes_at = kNow - kSecond;
  full.event->capacity_remaining = 0;
  busy.event.reset();
  EventPageView oidc = open_event(), nobody = open_event();
  oidc.mode = identity::Mode::kOidc;
  oidc.oidc_issuer = "https://id.example";
  nobody.mode = identity::Mode::kNone;
  using Words = EventPageWords;
  const Case cases[] = {
      {"open", open_event(), &Words::open_title, true, false},
      {"full", full, &Words::taken_title, true, false},
      {"soon", soon, &Words::soon_title, true, true},
      {"closed", closed, &Words::closed_title, false, false},
      {"busy", busy, &Words::unreadable_title, true, true},
      {"oidc", oidc, &Words::oidc_title, false, false},
      {"nobody", nobody, &Words::nobody_title, false, false},
      {"received", asked(RequestStatus::kReceived), &Words::queued_title, false, true},
      {"queued", asked(RequestStatus::kQueued), &Words::queued_title, false, true},
      {"processing", asked(RequestStatus::kProcessing), &Words::processing_title, false, true},
      {"won", asked(RequestStatus::kSucceeded, ResultCode::kSuccess), &Words::succeeded_title, false, false},
      {"lost", asked(RequestStatus::kRejected, ResultCode::kRejectedCapacity), &Words::rejected_title, false,
       false},
      {"late", asked(RequestStatus::kRejected, ResultCode::kRejectedClosed), &Words::rejected_closed_text,
       false, false},
      {"failed", asked(RequestStatus::kFailedFinal, ResultCode::kFailedRetriesExhausted),
       &Words::failed_title, false, false},
      {"not in line", asked(RequestStatus::kFailedFinal, ResultCode::kFailedIngestEnqueue),
       &Words::failed_again_text, true, false},
  };
  for (const Case& c : cases) {
    for (const Language language : {Language::kEnglish, Language::kKorean}) {
      EventPageView view = c.view;
      view.language = language;
      const EventPageWords& words = event_page_words(language);
      const std::string html = event_page_html(view);
      SCOPED_TRACE(std::string(c.name) + " " + page_words(language).language);
      EXPECT_TRUE(has(html, words.*c.headline)) << html;
      EXPECT_TRUE(has(html, std::string("<html lang=\"") + page_words(language).language));
      EXPECT_EQ(has(html, R"(id="form")"), c.asks);
      EXPECT_EQ(has(html, R"(http-equiv="refresh")"), c.refreshes);
      EXPECT_EQ(has(html, view.request ? "0000000000000000req1" : "no request"), view.request.has_value());
      EXPECT_EQ(has(html, "data-follow"), view.request && !intake::is_final(view.request->status));
    }
  }
}

TEST(EventPage, no_foreign_text_becomes_markup) {
  const std::string evil = R"(<script>alert(1)</script>"' onload=x <img src=x onerror=y>&)";
  EventPageView view = asked(RequestStatus::kQueued);
  view.event->title = evil;
  view.user_id = evil;
  view.request->request_id = evil;
  EventPageView asking = open_event();
  asking.name = evil;
  asking.event->title = evil;
  EventPageView oidc = open_event();
  oidc.mode = identity::Mode::kOidc;
  oidc.oidc_issuer = evil;
  for (const EventPageView& each : {view, asking, oidc}) {
    const std::string html = event_page_html(each);
    EXPECT_FALSE(has(html, "<script>")) << html;
    EXPECT_FALSE(has(html, "<img")) << html;
    EXPECT_FALSE(has(html, "\"' onload")) << html;
    EXPECT_TRUE(has(html, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39; onload=x")) << html;
  }
}

TEST(EventPage, the_place_in_the_line_is_told_and_far_back_less_often) {
  EventPageView view = asked(RequestStatus::kQueued);
  view.request->position = 12'345;
  EXPECT_TRUE(has(event_page_html(view), ">12,345<"));
  EXPECT_TRUE(has(event_page_html(view), R"(http-equiv="refresh" content="20")"));
  EXPECT_EQ(time_to_next_look(*view.request), 20 * kSecond);
  view.request->position = 999;
  EXPECT_TRUE(has(event_page_html(view), R"(http-equiv="refresh" content="2")"));
}

TEST(EventPage, whoever_waits_for_the_opening_comes_again_when_it_is_there) {
  EventPageView view = open_event();
  view.event->phase = intake::EventPhase::kPending;
  const auto refresh_at = [&](Micros opens_in) {
    view.event->opens_at = kNow + opens_in;
    const std::string html = event_page_html(view);
    const std::string mark = R"(http-equiv="refresh" content=")";
    return std::stoi(html.substr(html.find(mark) + mark.size()));
  };
  EXPECT_EQ(refresh_at(90 * kSecond), 90);
  EXPECT_EQ(refresh_at(90 * kSecond + 1), 91);
  EXPECT_EQ(refresh_at(1), 1);
  EXPECT_EQ(refresh_at(90'000 * kSecond), 3600);
  EXPECT_TRUE(has(event_page_html(view), R"(value="sign-in")"));
  view.user_id = "ann";
  EXPECT_TRUE(has(event_page_html(view), R"(value="take-part" disabled)"));
}

}  // namespace
}  // namespace spillway::app
