#pragma once

#include <optional>
#include <string>

#include "app/page_html.h"
#include "waitroom/commands.h"
#include "waitroom/pacing.h"

namespace spillway::app {

/// Why somebody has no place who has just asked for one.
enum class Refusal : std::uint8_t { kNone, kPaused, kFull, kNoCookies };

/// All that the page shows. Under open login nobody has a user_id here: who somebody is stands in a cookie.
struct WaitPageView : PageView {
  std::string concert_id;
  std::string return_path;                     ///< where to when it is their turn; empty: nobody said
  std::optional<waitroom::TicketView> ticket;  ///< theirs, in this line; it may be gone
  bool unread = false;                         ///< they have one, and it could not be read just now
  bool forgotten = false;                      ///< they had one, and nobody knows any more what became of it
  std::optional<waitroom::ConcertView> concert;  ///< none: nobody has been here, or it could not be read
  Refusal refusal = Refusal::kNone;
};

/// What the page is about. The script knows these names, and when another has come.
enum class WaitScene : std::uint8_t {
  kEnter,      ///< no place yet
  kBusy,       ///< has a place, which cannot be read just now
  kElsewhere,  ///< no place, and no way to get one here
  kSoon,       ///< has a place, and the line is not open yet
  kHalted,     ///< has a place, and the line is paused
  kDrawing,    ///< the order is being drawn
  kWaiting,
  kReady,
  kActive,
  kGone,
};
WaitScene scene_of(const WaitPageView&);
std::string_view name(WaitScene);

/// "4 to 6 minutes". The script does the same with what it is told; tests hold one against the other.
std::string wait_text(Language, const std::optional<waitroom::WaitRange>&);

/// The page's own address, with the language that was chosen and where to go on.
std::string wait_page_path(const WaitPageView&, std::string_view action = {});

std::string wait_page_html(const WaitPageView&);
/// For an id that no concert can have.
std::string no_such_line_html(const WaitPageView&);

}  // namespace spillway::app
