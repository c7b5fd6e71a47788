#pragma once

#include "app/page_text.h"

namespace spillway::app {

/// What the waiting page says beside page_words.h, in one language. "{}" is where something is put in.
struct WaitPageWords {
  const char* enter_title;
  const char* enter_text;
  const char* enter_button;
  const char* opens_text;  ///< {} time
  const char* sign_in_title;
  const char* sign_in_button;
  const char* paused_title;  ///< for whoever is not in line yet
  const char* paused_text;
  const char* full_title;
  const char* full_text;
  const char* cookies_title;
  const char* cookies_text;
  const char* busy_title;
  const char* tries_again;  ///< for those with script

  const char* waiting_title;
  const char* place_label;
  const char* progress_label;
  const char* wait_label;
  const char* wait_unknown;
  const char* wait_moment;
  const char* wait_up_to_minutes;  ///< {1} high
  const char* wait_minutes;        ///< {0} low, {1} high
  const char* wait_up_to_hours;    ///< {1}
  const char* wait_hours;          ///< {0}, {1}
  const char* wait_days;
  const char* keep_text;     ///< {} seconds to enter
  const char* halted_title;  ///< in line, and the line is paused
  const char* halted_text;
  const char* soon_title;
  const char* soon_text;  ///< {} time
  const char* soon_order;
  const char* lottery_text;
  const char* lottery_link;
  const char* drawing_title;
  const char* drawing_text;
  const char* sound;

  const char* ready_title;
  const char* ready_text;  ///< {} time
  const char* ready_button;
  const char* ready_alert;  ///< in the title of the tab, in turn with the headline
  const char* active_title;
  const char* active_text;       ///< {} time
  const char* active_idle_text;  ///< {} time; each call there begins it anew
  const char* active_button;

  const char* leave;
  const char* leave_text;
  const char* leave_button;
  const char* done;  ///< leaving when one is in
  const char* done_text;

  const char* left_title;
  const char* left_text;
  const char* missed_title;
  const char* missed_text;
  const char* over_title;
  const char* over_text;
  const char* old_title;
  const char* old_text;
  const char* again_button;

  const char* elsewhere_title;
  const char* elsewhere_text;
  const char* nobody_title;
  const char* nobody_text;
  const char* offline;
  const char* missing_title;
  const char* missing_text;
};

const WaitPageWords& wait_page_words(Language);

}  // namespace spillway::app
