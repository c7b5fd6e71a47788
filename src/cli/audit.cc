#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/table.h"

namespace spillway::cli {
namespace {

struct AuditOptions {
  std::string actor, action, target;
  ListOptions list;
};

std::string value_text(const Json& value) { return value.is_null() ? std::string() : value.serialize(); }

int list(Context& context, const AuditOptions& options) {
  const auto listing = read_list(
      context,
      [&options] {
        return Target("/admin/audit")
            .query("actor", options.actor)
            .query("action", options.action)
            .query("target", options.target);
      },
      options.list);
  if (!listing) return context.session.exit_code();
  if (context.display.json) return context.print_json(listing->document);
  Table table(
      {{"NO", Align::kRight}, {"AT"}, {"ACTOR"}, {"FROM"}, {"ACTION"}, {"TARGET"}, {"BEFORE"}, {"AFTER"}});
  for (const Json& item : listing->items) {
    table.add({item["sequence"].text(), context.time(item["at"]), item["actor"].text(),
               item["address"].text(), item["action"].text(), item["target"].text(),
               value_text(item["before"]), value_text(item["after"])});
  }
  table.print(context.out);
  note_more(context, *listing);
  return kExitGood;
}

}  // namespace

void add_audit(Commands& commands) {
  CLI::App& noun = commands.noun("audit", "Who changed what");
  auto options = std::make_shared<AuditOptions>();
  CLI::App& verb = commands.verb(noun, "list", "Changes, newest first",
                                 [options](Context& context) { return list(context, *options); });
  text_option(verb, "--actor", options->actor, "ID", "By this user; admin-token is the admin secret");
  text_option(verb, "--action", options->action, "ACTION", "As event.change");
  text_option(verb, "--target", options->target, "ID", "Of this event, user or request");
  options->list.add_to(verb);
}

}  // namespace spillway::cli
