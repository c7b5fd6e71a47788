#pragma once

#include <string_view>

namespace spillway::load {

/// What the report carries with it, since it asks nobody for anything.
extern const std::string_view kReportStyle;
extern const std::string_view kReportScript;

}  // namespace spillway::load
