#pragma once

// What browsers say, and what they are told, as text.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"  // html_escape()

namespace spillway::app {

enum class Language : std::uint8_t { kEnglish, kKorean };

/// "en" or "ko"; nothing for any other text.
std::optional<Language> parse_language(std::string_view);
/// What a person reads best of what we have, by an Accept-Language field (RFC 9110, 12.5.4); English when it
/// does not say.
Language preferred_language(std::string_view accept_language);

/// One field of an application/x-www-form-urlencoded body, decoded; the first of that name. Nothing when it
/// is not there, or is not encoded as it should be.
std::optional<std::string> form_field(std::string_view body, std::string_view name);

/// Whether a POST with these fields (empty: absent) may come from a page of ours. event_page.h says why so.
bool is_from_here(std::string_view sec_fetch_site, std::string_view origin, std::string_view host);

}  // namespace spillway::app
