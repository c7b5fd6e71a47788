#include "cli/members.h"

#include <fmt/format.h>

#include "cli/terminal_text.h"

namespace spillway::cli {

std::string object_of(const Members& members) {
  std::string body;
  JsonWriter json(body);
  json.open_object();
  for (const auto& [name, value] : members) json.key(name).raw(value);
  json.close_object();
  return body;
}

bool set_time(Context& context, Members& members, const char* member, const char* option,
              const std::string& typed) {
  if (typed.empty()) return true;
  if (typed == "none") {
    members.erase(member);
    return true;
  }
  const auto time = typed_time(typed, context.display.zone);
  if (!time) {
    context.session.fail(kExitUsage, fmt::format("{} {}", option, printable(time.error().message)));
    return false;
  }
  members[member] = as_json(*time);
  return true;
}

}  // namespace spillway::cli
