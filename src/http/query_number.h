#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace spillway::http {

/// A whole number in the query; what is not there keeps its value. invalid_argument, naming it.
template <class T>
Status read_number(const Request& request, std::string_view name, T min, T max, T& into) {
  const auto text = request.query(name);
  if (!text) return Ok{};
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), into);
  if (failed == std::errc() && end == text->data() + text->size() && into >= min && into <= max) return Ok{};
  return invalid_argument(std::string(name) + " must be a whole number from " + std::to_string(min) + " to " +
                          std::to_string(max));
}

}  // namespace spillway::http
