#pragma once

#include <string>

#include "client.h"

namespace spillway::loadgen {

/// One JSON object: what bench/README.md describes.
std::string to_json(const Plan&, const Report&);

}  // namespace spillway::loadgen
