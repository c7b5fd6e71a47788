#pragma once

#include <string_view>

namespace spillway::app {

/// What the page of an event loads: kept apart from it, because its policy allows no inline style and script.
extern const std::string_view kEventPageStyle;
extern const std::string_view kEventPageScript;

}  // namespace spillway::app
