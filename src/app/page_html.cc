#include "app/page_html.h"

#include <algorithm>

#include "base/limits.h"
#include "base/rfc3339.h"

namespace spillway::app {
namespace {

std::string notice_text(const PageView& view) {
  const PageWords& words = page_words(view.language);
  const int seconds = std::max(view.retry_after_s, 1);
  switch (view.notice) {
    case Notice::kNone:
      return {};
    case Notice::kNameNeeded:
      return words.notice_name_needed;
    case Notice::kWrongPassword:
      return words.notice_wrong_password;
    case Notice::kTooManyAttempts:
      return fill(words.notice_too_many, seconds);
    case Notice::kBusy:
      return fill(words.notice_busy, seconds);
    case Notice::kOutcomeUnknown:
      return words.notice_unknown;
    case Notice::kFromElsewhere:
      return words.notice_from_elsewhere;
    case Notice::kNotAForm:
      return words.notice_not_a_form;
  }
  return {};
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string time_html(const PageWords& words, Timestamp t) {
  const std::string text = format_time(t);  // 2026-11-20T09:00:00.000000Z
  const auto number = [&text](std::size_t at, std::size_t size) { return std::stoi(text.substr(at, size)); };
  const std::string clock = text.substr(11, text.substr(17, 2) == "00" ? 5 : 8);
  const auto month = static_cast<std::size_t>(std::clamp(number(5, 2), 1, 12) - 1);
  return fmt::format(R"(<time datetime="{}">{}</time>)", text,
                     fill(words.date, number(0, 4), words.months[month], number(8, 2), clock));
}

std::string open_document(const PageWords& words, const PageFrame& frame) {
  std::string out = fmt::format(
      R"(<!doctype html>
<html lang="{0}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{1}</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="{2}.css"><script src="{2}.js" defer></script>)",
      words.language, html_escape(frame.title), frame.assets);
  if (frame.refresh_s > 0) {
    const std::string to = frame.refresh_to.empty() ? "" : fmt::format("; url={}", frame.refresh_to);
    out += fmt::format(R"(<noscript><meta http-equiv="refresh" content="{}{}"></noscript>)", frame.refresh_s,
                       html_escape(to));
  }
  out += fmt::format(
      R"(</head><body data-sending="{0}"{1}>
<header><span class="brand">Spillway</span>
<a id="language" href="{2}" lang="{3}" hreflang="{3}">{4}</a></header>
<p id="news" class="unseen" role="status"></p>
)",
      words.sending, frame.body_attributes, frame.language_link, words.other_language, words.other_name);
  return out;
}

std::string notice_html(const PageView& view) {
  if (view.notice == Notice::kNone) return {};
  return fmt::format(R"(<p class="notice" id="notice" role="alert">{}</p>)", notice_text(view));
}

std::string input_html(const PageView& view, const InputField& field) {
  const bool refused = view.notice == Notice::kNameNeeded || view.notice == Notice::kWrongPassword;
  std::string described = refused ? "notice" : "";
  if (field.hint != nullptr) described += fmt::format("{}{}-hint", described.empty() ? "" : " ", field.name);
  std::string html = fmt::format(
      R"(<label for="{0}">{1}</label>
<input id="{0}" name="{0}" type="{2}" value="{3}" required maxlength="{4}" {5}{6}{7}>)",
      field.name, field.label, field.type, html_escape(field.value), field.max_length, field.attributes,
      refused ? R"( aria-invalid="true")" : "",
      described.empty() ? "" : fmt::format(R"( aria-describedby="{}")", described));
  if (field.hint != nullptr) {
    html += fmt::format(R"(<p class="hint" id="{}-hint">{}</p>)", field.name, field.hint);
  }
  return html;
}

std::string account_fields(const PageView& view) {
  const PageWords& words = page_words(view.language);
  return input_html(view,
                    {"userId", "text", words.user_label, view.name, limits::kMaxIdBytes, kNameAttributes}) +
         input_html(view, {"password", "password", words.password_label, "", limits::kMaxPasswordBytes,
                           R"(autocomplete="current-password")"});
}

}  // namespace spillway::app
