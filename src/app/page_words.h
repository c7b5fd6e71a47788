#pragma once

#include "app/page_text.h"

namespace spillway::app {

/// What all pages for people say, in one language. "{}" is where something is put in.
struct PageWords {
  const char* language;        ///< tag of this one
  const char* other_language;  ///< tag of the other one
  const char* other_name;      ///< its name, in itself
  const char* months[12];
  const char* date;  ///< {0} year, {1} month, {2} day, {3} time; UTC
  const char* user_label;
  const char* password_label;
  const char* sending;
  const char* refreshes;  ///< for browsers without script
  const char* day_letter;
  const char* notice_name_needed;
  const char* notice_wrong_password;
  const char* notice_too_many;  ///< {} seconds
  const char* notice_busy;      ///< {} seconds
  const char* notice_unknown;
  const char* notice_from_elsewhere;
  const char* notice_not_a_form;
};

const PageWords& page_words(Language);

}  // namespace spillway::app
