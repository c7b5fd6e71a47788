#pragma once

#include "app/event_page_text.h"

namespace spillway::app {

/// What the page says, in one language. "{}" is where something is put in.
struct EventPageWords {
  const char* language;        ///< tag of this one
  const char* other_language;  ///< tag of the other one
  const char* other_name;      ///< its name, in itself
  const char* months[12];
  const char* date;  ///< {0} year, {1} month, {2} day, {3} time; UTC

  const char* places;
  const char* all_taken;
  const char* opens;
  const char* closes;
  const char* opened;
  const char* closed;

  const char* signed_in_as;
  const char* sign_out;
  const char* name_label;
  const char* name_hint_open;
  const char* name_hint_suggested;
  const char* user_label;
  const char* password_label;

  const char* take_part;
  const char* sign_in;
  const char* sending;
  const char* offline;
  const char* refreshes;  ///< for browsers without script
  const char* day_letter;

  const char* open_title;
  const char* open_text;
  const char* taken_title;  ///< open, and no place left
  const char* taken_text;
  const char* soon_title;
  const char* soon_text;  ///< {} time
  const char* soon_signed_in;
  const char* soon_reload;
  const char* closed_title;
  const char* closed_text;  ///< {} time

  const char* queued_title;
  const char* queued_position;
  const char* queued_text;
  const char* queued_next;
  const char* processing_title;
  const char* processing_text;
  const char* succeeded_title;
  const char* succeeded_text;
  const char* succeeded_next;
  const char* rejected_title;
  const char* rejected_capacity_text;
  const char* rejected_closed_text;
  const char* rejected_next;
  const char* failed_title;
  const char* failed_text;
  const char* failed_next;
  const char* failed_again_text;  ///< when the person may try once more
  const char* request_id;
  const char* asked_at;
  const char* answered_at;

  const char* oidc_title;
  const char* oidc_text;
  const char* oidc_issuer;
  const char* nobody_title;
  const char* nobody_text;

  const char* notice_name_needed;
  const char* notice_wrong_password;
  const char* notice_too_many;  ///< {} seconds
  const char* notice_busy;      ///< {} seconds
  const char* notice_unknown;
  const char* notice_from_elsewhere;
  const char* notice_not_a_form;
  const char* unreadable_title;
  const char* missing_title;
  const char* missing_text;
};

const EventPageWords& event_page_words(Language);

}  // namespace spillway::app
