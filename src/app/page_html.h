#pragma once

// What the HTML of all pages for people is made of.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "app/page_text.h"
#include "app/page_words.h"
#include "base/clock.h"
#include "identity/types.h"

namespace spillway::app {

/// What is to be said about what was just asked.
enum class Notice : std::uint8_t {
  kNone,
  kNameNeeded,       ///< no user id, or none that can be one
  kWrongPassword,    ///< or unknown user id: the same words for both
  kTooManyAttempts,  ///< of logging in, or of anything else
  kBusy,             ///< overloaded, draining, storage full: nothing has happened
  kOutcomeUnknown,   ///< it may have happened: asking again converges
  kFromElsewhere,    ///< a form that another site has sent
  kNotAForm,         ///< a body that we do not understand
};

/// What every page shows. Times are the server's.
struct PageView {
  Language language = Language::kEnglish;
  bool language_chosen = false;  ///< by ?lang=, which then stays in the page's links
  Timestamp now;

  identity::Mode mode = identity::Mode::kNone;
  std::string oidc_issuer;
  std::string user_id;  ///< who is signed in; empty: nobody
  std::string name;     ///< what stands in the field for it

  Notice notice = Notice::kNone;
  int retry_after_s = 0;
};

template <class... Args>
std::string fill(const char* words, const Args&... args) {
  return fmt::format(fmt::runtime(words), args...);
}
/// "12,345".
std::string grouped(std::uint64_t number);
/// For people and for programs: the script turns it into their own time zone.
std::string time_html(const PageWords&, Timestamp);

/// The head and what stands above all pages.
struct PageFrame {
  std::string_view title;
  std::string_view assets;           ///< path of the style and the script, without ".css" and ".js"
  int refresh_s = 0;                 ///< after which a browser without script comes again; 0: not
  std::string refresh_to = {};       ///< where to; empty: where it is
  std::string language_link = {};    ///< to the page in the other language, escaped
  std::string body_attributes = {};  ///< with a space before each
};
std::string open_document(const PageWords&, const PageFrame&);
inline constexpr std::string_view kCloseDocument = "\n</body></html>\n";

/// Empty when there is nothing to say.
std::string notice_html(const PageView&);

/// One field of a form that asks who somebody is.
struct InputField {
  const char* name;
  const char* type;
  const char* label;
  std::string_view value;
  std::size_t max_length;
  std::string_view attributes;
  const char* hint = nullptr;
};
inline constexpr std::string_view kNameAttributes =
    R"(autocapitalize="none" spellcheck="false" autocomplete="username")";
std::string input_html(const PageView&, const InputField&);
/// The user id and the password, under identity users.
std::string account_fields(const PageView&);

}  // namespace spillway::app
