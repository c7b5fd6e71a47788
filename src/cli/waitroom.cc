#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/members.h"
#include "cli/pages.h"
#include "cli/table.h"

namespace spillway::cli {
namespace {

constexpr char kLines[] = "/admin/queues/waitroom";
constexpr char kKeys[] = "/admin/queues/waitroom-keys";
constexpr std::uint64_t kMaxSeconds = limits::kMaxActive / kSecond;
static_assert(limits::kMaxReady == limits::kMaxActive);

Target line_target(const std::string& concert) { return std::move(Target(kLines).segment(concert)); }

// ---- What is shown ----------------------------------------------------------------------------------------

std::string seconds(const Json& value) { return value.is_null() ? "" : value.text() + " s"; }
std::string tenths(const Json& value) { return fmt::format("{:.1f}", value.real()); }

int show(Context& context, const Answer& answer) {
  if (context.display.json) return context.print_json(answer.body);
  const Json line = answer.json["data"];
  const Json settings = line["settings"];
  const Json sizes = line["sizes"];
  Fields fields;
  fields.add("concert", line["concertId"].text());
  fields.add("state", line["health"].text());
  fields.add("set up", line["configured"].is_true() ? "yes" : "no: it has the defaults");
  fields.add("waiting", sizes["waiting"].text());
  fields.add("absent", sizes["absent"].text());
  fields.add("ready", sizes["ready"].text());
  fields.add("active", sizes["active"].text());
  fields.add("entered so far", sizes["entered"].text());
  for (const char* rate : {"entered", "admitted", "gone"}) {
    fields.add(fmt::format("{} per second", rate), tenths(line["ratesPerSecond"][rate]));
  }
  fields.add("oldest wait", fmt::format("{:.1f} s", line["oldestWaitSeconds"].real()));
  fields.add("mode", settings["mode"].text());
  fields.add("max active", settings["maxActive"].text());
  const Json rate = settings["admitPerSecond"];
  fields.add("admit per second", rate.is_null() ? "as places come free" : rate.text());
  fields.add("ready for", seconds(settings["readySeconds"]));
  fields.add("active for", seconds(settings["activeSeconds"]));
  fields.add("idle extends", settings["idleExtends"].text());
  fields.add("opens", context.time(settings["opensAt"]));
  if (line["lottery"].text() != "NONE") fields.add("lottery", line["lottery"].text());
  fields.print(context.out);
  return kExitGood;
}

int list(Context& context, const ListOptions& options) {
  const auto listing = read_list(
      context, [] { return Target(kLines); }, options, "data");
  if (!listing) return context.session.exit_code();
  if (context.display.json) return context.print_json(listing->document);
  Table table({{"CONCERT"},
               {"STATE"},
               {"MODE"},
               {"WAITING", Align::kRight},
               {"READY", Align::kRight},
               {"ACTIVE", Align::kRight},
               {"MAX", Align::kRight},
               {"IN/S", Align::kRight},
               {"OUT/S", Align::kRight}});
  for (const Json& line : listing->items) {
    const Json sizes = line["sizes"];
    table.add({line["concertId"].text(), line["health"].text(), line["settings"]["mode"].text(),
               sizes["waiting"].text(), sizes["ready"].text(), sizes["active"].text(),
               line["settings"]["maxActive"].text(), tenths(line["ratesPerSecond"]["entered"]),
               tenths(line["ratesPerSecond"]["gone"])});
  }
  table.print(context.out);
  note_more(context, *listing);
  return kExitGood;
}

int show_keys(Context& context, const std::optional<Answer>& answer) {
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  Table table({{"KEY"}, {"CREATED"}, {"SIGNS"}});
  for (const Json& key : answer->json["data"]["keys"].items()) {
    table.add({key["kid"].text(), context.time(key["createdAt"]), key["signing"].text()});
  }
  table.print(context.out);
  return kExitGood;
}

// ---- What is changed --------------------------------------------------------------------------------------

struct Change {
  std::string concert, mode, opens_at, idle_extends;
  std::uint64_t max_active = 0, admit = 0, ready = 0, active = 0;
  CLI::Option *max_active_given = nullptr, *admit_given = nullptr, *ready_given = nullptr,
              *active_given = nullptr;

  void add_to(CLI::App& command) {
    text_option(command, "CONCERT", concert, "ID", "The concert")->required();
    max_active_given = number_option(command, "--max-active", max_active, 0, limits::kMaxMaxActive,
                                     "READY and ACTIVE together, at most");
    admit_given = number_option(command, "--admit-per-second", admit, 0, limits::kMaxAdmitRate,
                                "Let in no faster than that; 0: as places come free");
    ready_given = number_option(command, "--ready-seconds", ready, 1, kMaxSeconds, "Time to activate in");
    active_given = number_option(command, "--active-seconds", active, 1, kMaxSeconds, "Time inside");
    text_option(command, "--idle-extends", idle_extends, "yes|no",
                "Whether the time inside counts from the last call");
    text_option(command, "--mode", mode, "fifo|lottery|paused|open", "How people are let in");
    text_option(command, "--opens-at", opens_at, "TIME",
                "2026-12-01T09:00:00Z, or \"2026-12-01 18:00\"; none: open from the start");
  }
};

/// Sets what was given on the command line. False: told why.
bool set_given(Context& context, Members& members, const Change& given) {
  if (given.max_active_given->count() > 0) members["maxActive"] = as_json(given.max_active);
  if (given.ready_given->count() > 0) members["readySeconds"] = as_json(given.ready);
  if (given.active_given->count() > 0) members["activeSeconds"] = as_json(given.active);
  if (given.admit_given->count() > 0) {
    given.admit == 0 ? void(members.erase("admitPerSecond"))
                     : void(members["admitPerSecond"] = as_json(given.admit));
  }
  if (!given.idle_extends.empty()) members["idleExtends"] = given.idle_extends == "yes" ? "true" : "false";
  if (!given.mode.empty()) members["mode"] = as_json(given.mode);
  return set_time(context, members, "opensAt", "--opens-at", given.opens_at);
}

/// PUT takes all settings: what is not changed is sent back as it was.
int change(Context& context, const std::string& concert, bool may_make,
           const std::function<bool(Members&)>& set) {
  const auto present =
      may_make ? context.session.look_for(line_target(concert)) : context.session.get(line_target(concert));
  if (!present) return context.session.exit_code();
  Members members;
  if (present->status != 404) {
    const std::string settings = present->json["data"]["settings"].serialize();
    for (const RawMember& member : raw_members(settings)) {
      members[std::string(member.name)] = std::string(member.value);
    }
  }
  if (!set(members)) return context.session.exit_code();
  if (!members.contains("maxActive")) {
    return context.session.fail(kExitUsage, "--max-active is needed for a line that is not there yet");
  }
  const auto answer = context.session.put(line_target(concert), object_of(members));
  return answer ? show(context, *answer) : context.session.exit_code();
}

/// A verb that sets the mode and nothing else.
void add_mode(Commands& commands, CLI::App& noun, const char* name, const char* mode, const char* help) {
  auto concert = std::make_shared<std::string>();
  CLI::App& verb = commands.verb(noun, name, help, [concert, mode](Context& context) {
    return change(context, *concert, false, [mode](Members& members) {
      members["mode"] = as_json(std::string_view(mode));
      return true;
    });
  });
  text_option(verb, "CONCERT", *concert, "ID", "The concert")->required();
}

int rotate(Context& context, bool yes) {
  if (!confirmed(context, yes, "New tokens are signed with a new key; this cannot be taken back. Go on?")) {
    return context.session.exit_code();
  }
  return show_keys(context, context.session.post(Target(std::string(kKeys) + "/rotate")));
}

}  // namespace

void add_waitroom(Commands& commands) {
  CLI::App& noun = commands.noun("waitroom", "Waiting rooms: the lines before concerts");
  auto listed = std::make_shared<ListOptions>();
  CLI::App& list_verb = commands.verb(noun, "list", "All of them, the newest first",
                                      [listed](Context& context) { return list(context, *listed); });
  listed->add_to(list_verb);

  auto concert = std::make_shared<std::string>();
  CLI::App& show_verb = commands.verb(noun, "show", "How one stands", [concert](Context& context) {
    const auto answer = context.session.get(line_target(*concert));
    return answer ? show(context, *answer) : context.session.exit_code();
  });
  text_option(show_verb, "CONCERT", *concert, "ID", "The concert")->required();

  auto given = std::make_shared<Change>();
  given->add_to(commands.verb(noun, "set", "Set one up, or change what is given and leave the rest as it is",
                              [given](Context& context) {
                                return change(context, given->concert, true, [&](Members& members) {
                                  return set_given(context, members, *given);
                                });
                              }));
  add_mode(commands, noun, "pause", "paused", "Let nobody in and nobody new enter");
  add_mode(commands, noun, "resume", "fifo", "Let people in, in order");
  add_mode(commands, noun, "open", "open", "Let everybody in at once, up to the cap");

  commands.verb(noun, "keys", "The keys of queue tokens",
                [](Context& context) { return show_keys(context, context.session.get(Target(kKeys))); });
  auto yes = std::make_shared<bool>(false);
  CLI::App& rotate_verb = commands.verb(noun, "rotate-keys", "Sign with a new key from now on",
                                        [yes](Context& context) { return rotate(context, *yes); });
  yes_flag(rotate_verb, *yes);
}

}  // namespace spillway::cli
