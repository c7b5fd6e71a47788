#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

struct WebhookOptions {
  std::string state, event_id;
  ListOptions list;
};

int list(Context& context, const WebhookOptions& options) {
  const auto listing = read_list(
      context,
      [&options] {
        return Target("/admin/webhooks").query("state", options.state).query("eventId", options.event_id);
      },
      options.list);
  if (!listing) return context.session.exit_code();
  if (context.display.json) return context.print_json(listing->document);
  Table table({{"REQUEST"},
               {"EVENT"},
               {"USER"},
               {"TOLD"},
               {"STATE"},
               {"ATTEMPTS", Align::kRight},
               {"ENDED"},
               {"NEXT ATTEMPT"},
               {"LAST REASON"}});
  for (const Json& item : listing->items) {
    table.add({item["requestId"].text(), item["eventId"].text(), item["userId"].text(), item["status"].text(),
               item["state"].text(), item["attempts"].text(), context.time(item["endedAt"]),
               context.time(item["nextAttemptAt"]), item["lastReason"].text()});
  }
  table.print(context.out);
  note_more(context, *listing);
  return kExitGood;
}

int redeliver(Context& context, const std::string& event_id) {
  std::string body;
  JsonWriter(body).open_object().member("eventId", event_id).close_object();
  const auto answer = context.session.post(Target("/admin/webhooks/redeliver"), std::move(body));
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  context.out << fmt::format("put back: {}\n", printable(answer->json["redelivered"].text()));
  if (answer->json["left"].number() != 0) {
    context.out << fmt::format("left: {}; ask again for these\n", printable(answer->json["left"].text()));
  }
  return kExitGood;
}

}  // namespace

void add_webhooks(Commands& commands) {
  CLI::App& noun = commands.noun("webhooks", "Final states that are told to others");
  auto options = std::make_shared<WebhookOptions>();
  CLI::App& list_verb = commands.verb(noun, "list", "How far they have been told, newest first",
                                      [options](Context& context) { return list(context, *options); });
  text_option(list_verb, "--state", options->state, "PENDING|DELIVERED|GIVEN_UP", "In this state");
  text_option(list_verb, "--event", options->event_id, "ID", "Of this event");
  options->list.add_to(list_verb);
  auto event_id = std::make_shared<std::string>();
  CLI::App& again = commands.verb(noun, "redeliver", "Tell again what was given up",
                                  [event_id](Context& context) { return redeliver(context, *event_id); });
  text_option(again, "EVENT", *event_id, "ID", "The event")->required();
}

}  // namespace spillway::cli
