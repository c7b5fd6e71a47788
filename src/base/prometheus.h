#pragma once

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>

namespace spillway {

/// The two lines that come before a metric's values, in Prometheus' text format.
inline void append_metric_head(std::string& out, std::string_view name, std::string_view type,
                               std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

/// A metric of one value, whole, in Prometheus' text format.
template <class T>
void append_metric(std::string& out, std::string_view name, std::string_view type, std::string_view help,
                   const T& value) {
  append_metric_head(out, name, type, help);
  fmt::format_to(std::back_inserter(out), "{} {}\n", name, value);
}

}  // namespace spillway
