#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/history.h"
#include "cli/pages.h"
#include "cli/table.h"

namespace spillway::cli {
namespace {

constexpr char kStatuses[] = "RECEIVED|QUEUED|PROCESSING|SUCCEEDED|REJECTED|FAILED_FINAL";

struct Search {
  std::string user_id, event_id, request_id, status;
  ListOptions list;
};

void print_rows(const Context& context, const Listing& listing) {
  Table table({{"REQUEST"},
               {"EVENT"},
               {"USER"},
               {"STATUS"},
               {"RESULT"},
               {"POSITION", Align::kRight},
               {"TRIES", Align::kRight},
               {"QUEUED"},
               {"FINISHED"}});
  for (const Json& item : listing.items) {
    table.add({item["requestId"].text(), item["eventId"].text(), item["userId"].text(), item["status"].text(),
               item["resultCode"].text(), item["position"].text(), item["receiveCount"].text(),
               context.time(item["queuedAt"]), context.time(item["finishedAt"])});
  }
  table.print(context.out);
  note_more(context, listing);
}

/// "all of the event: 3 SUCCEEDED, 1 REJECTED"
void print_counts(const Context& context, const Json& counts) {
  std::string text;
  for (const char* status : {"RECEIVED", "QUEUED", "PROCESSING", "SUCCEEDED", "REJECTED", "FAILED_FINAL"}) {
    if (counts[status].number() == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[status].text(), status);
  }
  if (!text.empty()) context.out << "\nall of the event: " << text << '\n';
}

int list(Context& context, const Search& wanted) {
  const auto listing = read_list(
      context,
      [&wanted] {
        Target target = std::move(Target("/admin/events").segment(wanted.event_id));
        return Target(target.text() + "/requests").query("status", wanted.status);
      },
      wanted.list);
  if (!listing) return context.session.exit_code();
  if (context.display.json) return context.print_json(listing->document);
  print_rows(context, *listing);
  print_counts(context, listing->first["counts"]);
  return kExitGood;
}

int search(Context& context, const Search& wanted) {
  const auto listing = read_list(
      context,
      [&wanted] {
        return Target("/admin/requests")
            .query("userId", wanted.user_id)
            .query("requestId", wanted.request_id)
            .query("eventId", wanted.event_id)
            .query("status", wanted.status);
      },
      wanted.list);
  if (!listing) return context.session.exit_code();
  if (context.display.json) return context.print_json(listing->document);
  print_rows(context, *listing);
  return kExitGood;
}

int show(Context& context, const std::string& request_id) {
  const auto answer = context.session.get(Target("/admin/requests").segment(request_id));
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  const Json& request = answer->json;
  Fields fields;
  fields.add("request", request["requestId"].text());
  fields.add("event", request["eventId"].text());
  fields.add("user", request["userId"].text());
  fields.add("status", request["status"].text());
  fields.add("result", request["resultCode"].text());
  fields.add("failure", request["failureClass"].text());
  fields.add("position", request["position"].text());
  fields.add("queued", context.time(request["queuedAt"]));
  fields.add("started", context.time(request["startedAt"]));
  fields.add("finished", context.time(request["finishedAt"]));
  fields.add("tries", request["receiveCount"].text());
  fields.add("redrives", request["redrives"].text());
  fields.add("body", request["body"].is_null() ? "" : request["body"].serialize());
  const Json webhook = request["webhook"];
  fields.add("webhook", webhook["state"].text());
  fields.add("webhook attempts", webhook["attempts"].text());
  fields.add("webhook last status", webhook["lastStatus"].text());
  fields.add("webhook last reason", webhook["lastReason"].text());
  fields.add("webhook next attempt", context.time(webhook["nextAttemptAt"]));
  fields.print(context.out);
  print_history(context, request);
  return kExitGood;
}

}  // namespace

void add_requests(Commands& commands) {
  CLI::App& noun = commands.noun("requests", "What people asked for");

  auto of_event = std::make_shared<Search>();
  CLI::App& list_verb = commands.verb(noun, "list", "Who took part in an event, in order",
                                      [of_event](Context& context) { return list(context, *of_event); });
  text_option(list_verb, "EVENT", of_event->event_id, "ID", "The event")->required();
  text_option(list_verb, "--status", of_event->status, kStatuses, "Only these");
  of_event->list.add_to(list_verb);

  auto id = std::make_shared<std::string>();
  CLI::App& show_verb = commands.verb(noun, "show", "One request and its whole story",
                                      [id](Context& context) { return show(context, *id); });
  text_option(show_verb, "REQUEST", *id, "ID", "The requestId")->required();

  auto wanted = std::make_shared<Search>();
  CLI::App& search_verb = commands.verb(noun, "search", "Requests over all events",
                                        [wanted](Context& context) { return search(context, *wanted); });
  text_option(search_verb, "--user", wanted->user_id, "ID", "Of this user");
  text_option(search_verb, "--request", wanted->request_id, "ID", "With this requestId");
  text_option(search_verb, "--event", wanted->event_id, "ID", "For this event");
  text_option(search_verb, "--status", wanted->status, kStatuses, "Only these");
  wanted->list.add_to(search_verb);
}

}  // namespace spillway::cli
