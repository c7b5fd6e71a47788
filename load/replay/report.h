#pragma once

#include <string>
#include <string_view>

#include "load/replay/client.h"

namespace spillway::load::replay {

/// A JSON string.
std::string quoted(std::string_view text);
/// Its count and quantiles, in microseconds.
std::string to_json(const Histogram&);
/// One JSON object: what bench/README.md describes.
std::string to_json(const Plan&, const Report&);

}  // namespace spillway::load::replay
