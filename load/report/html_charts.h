#pragma once

#include <string>

#include "load/measure/results.h"

namespace spillway::load {

/// The section of the report with everything that is known of each second.
std::string charts_html(const Results&);

}  // namespace spillway::load
