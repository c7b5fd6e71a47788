#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/text.h"            // html_escape()
#include "load/report/figures.h"  // grouped()

namespace spillway::load {

// How the report and the console say numbers and times, shorter than figures.h, which says them as k6 does.
// What is no finite number is "-".

/// At most so many characters, the last one then "…". Does not cut a character of UTF-8 in two.
std::string shortened(std::string_view utf8, std::size_t characters);

std::string short_number_text(double value);  ///< three digits, or grouped: 0.125, 12.5, 1,235
std::string ms_text(double ms);               ///< 0.25 ms, 12.5 ms, 1.25 s
std::string share_text(double share);         ///< 0.5 -> 50%; what is not nothing never looks like it
std::string clock_text(double seconds);       ///< 03:20, 1:03:20
std::string length_text(double seconds);      ///< 4.2 s, 10 min, 1 h 5 min

}  // namespace spillway::load
