#include "cli/history.h"

#include "cli/table.h"

namespace spillway::cli {

void print_history(const Context& context, const Json& request) {
  const auto attempts = request["attempts"].items();
  if (!attempts.empty()) {
    Table table({{"ATTEMPT", Align::kRight}, {"STARTED"}, {"ENDED"}, {"OUTCOME"}, {"REASON"}});
    for (const Json& attempt : attempts) {
      table.add({attempt["attempt"].text(), context.time(attempt["startedAt"]),
                 context.time(attempt["endedAt"]), attempt["outcome"].text(), attempt["reason"].text()});
    }
    context.out << '\n';
    table.print(context.out);
  }
  Table log({{"AT"}, {"STATUS"}, {"REASON"}});
  for (const Json& entry : request["statusLog"].items()) {
    log.add({context.time(entry["at"]), entry["status"].text(), entry["reason"].text()});
  }
  context.out << '\n';
  log.print(context.out);
}

}  // namespace spillway::cli
