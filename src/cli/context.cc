#include "cli/context.h"

#include "cli/terminal_text.h"

namespace spillway::cli {

bool confirmed(Context& context, bool yes, const std::string& question) {
  if (yes) return true;
  if (!context.terminal.interactive()) {
    context.session.fail(kExitUsage, "this needs --yes where nobody can be asked. " + printable(question));
    return false;
  }
  if (context.terminal.confirm(printable(question))) return true;
  context.session.fail(kExitUsage, "not confirmed: nothing was done");
  return false;
}

}  // namespace spillway::cli
