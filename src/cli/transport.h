#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace spillway::cli {

struct Call {
  std::string method = "GET";
  std::string target = {};  ///< path and query, escaped
  std::string body = {};    ///< JSON; empty: none
  std::string token = {};   ///< bearer; empty: none
};

struct Reply {
  int status = 0;
  std::string body = {};
  std::string retry_after = {};  ///< the field, as it came
};

/// How commands reach a server. Concurrency: one call at a time; blocks until it is answered.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Errors: no answer came; the message says why in one line.
  virtual Result<Reply> send(const Call& call) = 0;
  /// The same for an answer that goes on: with a status of 200 its body is handed to `take` as it comes,
  /// until that answers false or the server ends it; the Reply comes then, with no body.
  virtual Result<Reply> stream(const Call& call, const std::function<bool(std::string_view)>& take) = 0;
};

}  // namespace spillway::cli
