#pragma once

#include "app/page_text.h"

namespace spillway::app {

/// What the page of an event says beside page_words.h, in one language. "{}" is where something is put in.
struct EventPageWords {
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

  const char* take_part;
  const char* sign_in;
  const char* offline;

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

  const char* unreadable_title;
  const char* missing_title;
  const char* missing_text;
};

const EventPageWords& event_page_words(Language);

}  // namespace spillway::app
