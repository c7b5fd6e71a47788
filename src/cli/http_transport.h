#pragma once

#include <memory>
#include <string>

#include "cli/transport.h"

namespace spillway::cli {

/// Calls to one server. `server` is a URL without a slash at its end; wherever it is, it was named by the
/// person who runs the program, so any address is fine. `ca_file`: PEM, instead of the system's authorities.
/// Errors: invalid_argument.
Result<std::unique_ptr<Transport>> make_http_transport(const std::string& server, const std::string& ca_file);

}  // namespace spillway::cli
