#pragma once

#include <string>

#include "load/measure/results.h"

namespace spillway::load {

/// A run as one file for people: verdict, key figures, charts over time, tables, and a line to sign. It loads
/// nothing from anywhere, works without script, and prints on A4. All text of the results is escaped.
std::string report_html(const Results&);

}  // namespace spillway::load
