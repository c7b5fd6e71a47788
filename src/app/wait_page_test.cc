#include <gtest/gtest.h>

#include "app/wait_page_html.h"
#include "app/wait_page_words.h"
#include "waitroom/routes.h"

namespace spillway::app {
namespace {

using waitroom::Expiry;
using waitroom::TicketStatus;

constexpr Timestamp kNow{1'800'000'000 * kSecond};

WaitPageView visitor() {
  WaitPageView view;
  view.concert_id = "winter";
  view.mode = identity::Mode::kOpen;
  view.now = kNow;
  return view;
}

WaitPageView holding(TicketStatus status, Expiry expiry = Expiry::kNone) {
  WaitPageView view = visitor();
  view.ticket.emplace();
  view.ticket->ref = {1, 7};
  view.ticket->status = status;
  view.ticket->expiry = expiry;
  if (status == TicketStatus::kWaiting) {
    view.ticket->position = 12'345;
    view.ticket->expected_wait_s = 1'234.5;
  } else if (!waitroom::is_gone(status)) {
    view.ticket->until = kNow + 60 * kSecond;
  }
  return view;
}

bool has(const std::string& html, std::string_view part) { return html.find(part) != std::string::npos; }

TEST(WaitPage, each_scene_says_one_thing_in_both_languages) {
  struct Case {
    WaitScene scene;
    WaitPageView view;
    const char* WaitPageWords::*headline;
    std::string_view action;  ///< what its first button does; empty: there is none
    bool enters;              ///< its script takes a place by itself
    bool refreshes;           ///< a browser without script comes again
  };
  using Words = WaitPageWords;
  WaitPageView soon = holding(TicketStatus::kWaiting), halted = soon, drawing = soon, gathering = soon;
  soon.ticket->opens_at = kNow + 90 * kSecond;
  gathering.ticket->opens_at = kNow + 90 * kSecond;
  gathering.ticket->position.reset();
  gathering.concert.emplace();
  gathering.concert->draw = waitroom::DrawState::kGathering;
  halted.ticket->paused = true;
  drawing.ticket->position.reset();
  WaitPageView paused = visitor(), full = visitor(), no_cookies = visitor(), forgotten = visitor();
  paused.refusal = Refusal::kPaused;
  full.refusal = Refusal::kFull;
  no_cookies.refusal = Refusal::kNoCookies;
  forgotten.forgotten = true;
  WaitPageView unread = visitor();
  unread.unread = true;
  unread.notice = Notice::kBusy;
  WaitPageView shut = paused;  // nobody's typing is interrupted
  shut.mode = identity::Mode::kUsers;
  WaitPageView unknown = visitor(), oidc = visitor(), nobody = visitor(), elsewhere = visitor();
  unknown.mode = identity::Mode::kUsers;
  oidc.mode = identity::Mode::kOidc;
  nobody.mode = identity::Mode::kNone;
  elsewhere.notice = Notice::kFromElsewhere;
  const Case cases[] = {
      {WaitScene::kEnter, visitor(), &Words::enter_title, "enter", true, false},
      {WaitScene::kEnter, unknown, &Words::sign_in_title, "sign-in", false, false},
      {WaitScene::kEnter, paused, &Words::paused_title, "enter", true, true},
      {WaitScene::kEnter, shut, &Words::paused_title, "sign-in", false, false},
      {WaitScene::kEnter, full, &Words::full_title, "enter", true, false},
      {WaitScene::kEnter, no_cookies, &Words::cookies_title, "enter", false, false},
      {WaitScene::kEnter, elsewhere, &Words::enter_title, "enter", false, false},
      {WaitScene::kBusy, unread, &Words::busy_title, "", false, true},
      {WaitScene::kElsewhere, oidc, &Words::elsewhere_title, "", false, false},
      {WaitScene::kElsewhere, nobody, &Words::nobody_title, "", false, false},
      {WaitScene::kWaiting, holding(TicketStatus::kWaiting), &Words::waiting_title, "leave", false, true},
      {WaitScene::kSoon, soon, &Words::soon_title, "leave", false, true},
      {WaitScene::kSoon, gathering, &Words::lottery_text, "leave", false, true},
      {WaitScene::kHalted, halted, &Words::halted_text, "leave", false, true},
      {WaitScene::kDrawing, drawing, &Words::drawing_title, "leave", false, true},
      {WaitScene::kReady, holding(TicketStatus::kReady), &Words::ready_title, "activate", false, true},
      {WaitScene::kActive, holding(TicketStatus::kActive), &Words::active_title, "activate", false, true},
      {WaitScene::kGone, holding(TicketStatus::kLeft), &Words::left_title, "enter", false, false},
      {WaitScene::kGone, holding(TicketStatus::kExpired, Expiry::kNotActivated), &Words::missed_title,
       "enter", false, false},
      {WaitScene::kGone, holding(TicketStatus::kExpired, Expiry::kIdle), &Words::over_title, "enter", false,
       false},
      {WaitScene::kGone, holding(TicketStatus::kExpired, Expiry::kTooOld), &Words::old_title, "enter", false,
       false},
      {WaitScene::kGone, forgotten, &Words::old_title, "enter", false, false},
  };
  for (const Case& c : cases) {
    for (const Language language : {Language::kEnglish, Language::kKorean}) {
      WaitPageView view = c.view;
      view.language = language;
      const std::string html = wait_page_html(view);
      SCOPED_TRACE(html);
      EXPECT_EQ(scene_of(view), c.scene);
      EXPECT_TRUE(has(html, wait_page_words(language).*c.headline));
      EXPECT_TRUE(has(html, fmt::format(R"(data-scene="{}")", name(c.scene))));
      const std::size_t form = html.find("<form");
      EXPECT_EQ(form == std::string::npos, c.action.empty());
      if (!c.action.empty()) {
        EXPECT_EQ(html.find(fmt::format(R"(<form method="post" action="/wait/winter/{})", c.action)), form);
      }
      EXPECT_EQ(has(html, "data-enter-in"), c.enters);
      EXPECT_EQ(has(html, R"(http-equiv="refresh")"), c.refreshes);
    }
  }
}

TEST(WaitPage, nobodys_hand_is_pulled_off_the_button) {
  EXPECT_TRUE(has(wait_page_html(holding(TicketStatus::kReady)), R"(content="61; url=/wait/winter")"));
}

/// tests/browser/wait_page.test.mjs has the same table for the script.
TEST(WaitPage, the_wait_in_words) {
  struct Case {
    std::uint64_t low, high;
    const char* text;
  };
  for (const Case& c :
       {Case{0, 0, "Less than a minute"}, Case{0, 60, "Less than a minute"}, Case{20, 61, "Up to 2 minutes"},
        Case{59, 134, "Up to 3 minutes"}, Case{60, 135, "1 to 3 minutes"}, Case{239, 360, "3 to 6 minutes"},
        Case{241, 5'400, "4 to 90 minutes"}, Case{3'500, 5'401, "Up to 2 hours"},
        Case{4'000, 9'000, "1 to 3 hours"}, Case{40'000, 90'000, "11 to 25 hours"},
        Case{60'000, 135'000, "More than a day"}}) {
    EXPECT_EQ(wait_text(Language::kEnglish, waitroom::WaitRange{c.low, c.high}), c.text);
  }
  EXPECT_EQ(wait_text(Language::kEnglish, std::nullopt), "We cannot say yet");
  EXPECT_EQ(wait_text(Language::kKorean, waitroom::WaitRange{240, 360}), "4~6분");
}

TEST(WaitPage, where_people_may_be_sent) {
  for (const char* good : {"/", "/shop", "/a?b=c&d=%2F%2Fe#f", "/a//b", "/a:b@c"}) {
    EXPECT_EQ(waitroom::checked_return(good), good);
  }
  for (const char* bad : {"", "shop", "//evil", "///evil", "/\\evil", "\\\\evil", "https://evil", "/a\tb",
                          "/a b", "/\n/evil", "/a\x7f", "/\xc3\xa4"}) {
    EXPECT_EQ(waitroom::checked_return(bad), "") << bad;
  }
  EXPECT_EQ(waitroom::checked_return("/" + std::string(2'047, 'x')).size(), 2'048);
  EXPECT_EQ(waitroom::checked_return("/" + std::string(2'048, 'x')), "");
}

TEST(WaitPage, its_own_address_keeps_the_language_and_where_to_go_on) {
  WaitPageView view = visitor();
  EXPECT_EQ(wait_page_path(view), "/wait/winter");
  view.return_path = "/a?b=c&d";
  EXPECT_EQ(wait_page_path(view, "enter"), "/wait/winter/enter?return=%2Fa%3Fb%3Dc%26d");
  view.language_chosen = true;
  view.language = Language::kKorean;
  EXPECT_EQ(wait_page_path(view), "/wait/winter?lang=ko&return=%2Fa%3Fb%3Dc%26d");
}

TEST(WaitPage, no_foreign_text_becomes_markup) {
  WaitPageView view = visitor();
  view.mode = identity::Mode::kUsers;
  view.name = R"("><script>alert(1)</script>)";
  view.return_path = R"(/"><script>alert(1)</script>)";
  const std::string html = wait_page_html(view);
  EXPECT_FALSE(has(html, "<script>")) << html;
  EXPECT_TRUE(has(html, "&quot;&gt;&lt;script&gt;"));
}

}  // namespace
}  // namespace spillway::app
