#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "base/clock.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "cli/times.h"
#include "cli/token_store.h"

namespace spillway::cli {

/// How results are shown.
struct Display {
  bool json = false;
  Zone zone = Zone::kLocal;
};

/// What a command works with.
struct Context {
  Session& session;
  Terminal& terminal;
  std::ostream& out;    ///< results
  std::ostream& notes;  ///< for people beside results: standard error
  Display display;
  TokenStore& tokens;
  std::string server;                 ///< URL without a slash at its end
  std::function<void(Micros)> pause;  ///< lets so much time go by

  std::string time(const Json& rfc3339) const { return show_time(rfc3339.text(), display.zone); }
  /// The server's JSON as it came, and a line's end.
  int print_json(std::string_view json) const {
    out << json << '\n';
    return kExitGood;
  }
};

/// Whether to go on with something that cannot be taken back: `yes` was given, or the person before the
/// terminal says so. False has been explained.
bool confirmed(Context& context, bool yes, const std::string& question);

}  // namespace spillway::cli
