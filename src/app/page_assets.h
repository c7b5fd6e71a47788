#pragma once

#include <string_view>

namespace spillway::app {

/// What the pages load: kept apart from them, because their policy allows no inline style and script.
extern const std::string_view kEventPageStyle;
extern const std::string_view kEventPageScript;
extern const std::string_view kWaitPageStyle;
extern const std::string_view kWaitPageScript;

}  // namespace spillway::app
