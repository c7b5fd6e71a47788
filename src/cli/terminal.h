#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace spillway::cli {

/// The person before the screen, if there is one.
class Terminal {
 public:
  virtual ~Terminal() = default;
  /// Whether somebody can be asked.
  virtual bool interactive() const = 0;
  /// Asks a question that is answered with y or n; no answer is no.
  virtual bool confirm(const std::string& question) = 0;
  /// Asks for a password without showing it; `twice`: until both are the same, or an error. Errors:
  /// invalid_argument, when nothing was given, or nobody can be asked.
  virtual Result<std::string> password(const std::string& prompt, bool twice) = 0;
  /// The first line of standard input, which must be no terminal, without its end. Errors: invalid_argument.
  virtual Result<std::string> piped_line() = 0;
};

/// The controlling terminal (/dev/tty) and standard input. While a password is typed the terminal does not
/// echo; a signal puts it right again.
class RealTerminal final : public Terminal {
 public:
  bool interactive() const override;
  bool confirm(const std::string& question) override;
  Result<std::string> password(const std::string& prompt, bool twice) override;
  Result<std::string> piped_line() override;
};

}  // namespace spillway::cli
