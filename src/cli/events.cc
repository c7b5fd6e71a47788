#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/json_writer.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/members.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

Target event_target(const std::string& id) { return std::move(Target("/admin/events").segment(id)); }

// ---- What is shown ----------------------------------------------------------------------------------------

int show(Context& context, const Answer& answer) {
  if (context.display.json) return context.print_json(answer.body);
  const Json& event = answer.json;
  Fields fields;
  fields.add("event", event["eventId"].text());
  fields.add("title", event["title"].text());
  fields.add("state", event["state"].text());
  fields.add("capacity", event["capacityTotal"].text());
  fields.add("taken", event["taken"].text());
  fields.add("remaining", event["capacityRemaining"].text());
  fields.add("opens", context.time(event["opensAt"]));
  fields.add("closes", context.time(event["closesAt"]));
  fields.add("policy", event["policy"].text());
  fields.add("work", event["work"].text());
  fields.add("webhook", event["webhook"]["url"].text());
  fields.add("webhook secret", event["webhook"]["secretName"].text());
  fields.print(context.out);
  return kExitGood;
}

int list(Context& context, const ListOptions& options) {
  const auto listing = read_list(
      context, [] { return Target("/admin/events"); }, options);
  if (!listing) return context.session.exit_code();
  if (context.display.json) return context.print_json(listing->document);
  Table table({{"EVENT"},
               {"TITLE"},
               {"STATE"},
               {"CAPACITY", Align::kRight},
               {"REMAINING", Align::kRight},
               {"OPENS"},
               {"CLOSES"}});
  for (const Json& event : listing->items) {
    table.add({event["eventId"].text(), event["title"].text(), event["state"].text(),
               event["capacityTotal"].text(), event["capacityRemaining"].text(),
               context.time(event["opensAt"]), context.time(event["closesAt"])});
  }
  table.print(context.out);
  note_more(context, *listing);
  return kExitGood;
}

// ---- What is changed --------------------------------------------------------------------------------------

struct Definition {
  std::string event_id;
  CLI::Option* capacity_option = nullptr;
  std::uint64_t capacity = 0;
  std::string title, opens_at, closes_at, work, webhook_url, webhook_secret;

  void add_to(CLI::App& command, bool whole) {
    text_option(command, "EVENT", event_id, "ID", "The event")->required();
    text_option(command, "--title", title, "TEXT", "What people read")->required(whole);
    capacity_option = number_option(command, "--capacity", capacity, 0, limits::kMaxCapacity, "Places");
    capacity_option->required(whole);
    const std::string times = whole ? "" : "; none: takes it away";
    text_option(command, "--opens-at", opens_at, "TIME",
                "2026-12-01T09:00:00Z, or \"2026-12-01 18:00\"" + times);
    text_option(command, "--closes-at", closes_at, "TIME", "The same" + times);
    text_option(command, "--work", work, "capacity|http",
                "Who decides: the capacity, or a call to your server");
    text_option(command, "--webhook-url", webhook_url, "URL", "Where final states are told" + times);
    text_option(command, "--webhook-secret", webhook_secret, "NAME", "Name of the secret that signs them");
  }
};

/// Sets what was given on the command line. False: told why.
bool set_given(Context& context, Members& members, const Definition& given) {
  if (!given.title.empty()) members["title"] = as_json(given.title);
  if (given.capacity_option->count() > 0) members["capacityTotal"] = as_json(given.capacity);
  if (!given.work.empty()) members["work"] = as_json(given.work);
  if (given.webhook_url == "none") {
    members["webhook"] = "null";
  } else if (!given.webhook_url.empty()) {
    std::string webhook;
    JsonWriter json(webhook);
    json.open_object().member("url", given.webhook_url);
    if (!given.webhook_secret.empty()) json.member("secretName", given.webhook_secret);
    json.close_object();
    members["webhook"] = webhook;
  } else if (!given.webhook_secret.empty()) {
    context.session.fail(kExitUsage, "--webhook-secret needs --webhook-url");
    return false;
  }
  return set_time(context, members, "opensAt", "--opens-at", given.opens_at) &&
         set_time(context, members, "closesAt", "--closes-at", given.closes_at);
}

/// A server that does not know a member takes no notice of it; the person must.
bool taken_over(Context& context, const Json& event, const Definition& given) {
  const bool work = given.work.empty() || given.work == "capacity" || event["work"].text() == given.work;
  const bool webhook = given.webhook_url.empty() || given.webhook_url == "none" ||
                       event["webhook"]["url"].text() == given.webhook_url;
  if (work && webhook) return true;
  context.session.fail(kExitRefused, fmt::format("the event was written, but this server knows no {}",
                                                 work ? "--webhook-url" : "--work"));
  return false;
}

int put(Context& context, const Members& members, const Definition& given) {
  const auto answer = context.session.put(event_target(given.event_id), object_of(members));
  if (!answer || !taken_over(context, answer->json, given)) return context.session.exit_code();
  return show(context, *answer);
}

int create(Context& context, const Definition& given) {
  Members members = {{"policy", "\"FIRST_COME\""}};
  if (!set_given(context, members, given)) return context.session.exit_code();
  const auto present = context.session.look_for(event_target(given.event_id));
  if (!present) return context.session.exit_code();
  if (present->status != 404) {
    return context.session.fail(
        kExitRefused,
        fmt::format("EVENT: there is an event {} already: see events change", printable(given.event_id)));
  }
  return put(context, members, given);
}

int change(Context& context, const Definition& given) {
  const auto present = context.session.get(event_target(given.event_id));
  if (!present) return context.session.exit_code();
  // PUT takes the whole definition: what is not changed is sent back as it was. But for the webhook, which
  // stays when nothing is said about it, also when its host may not be called any more.
  Members members;
  for (const RawMember& member : raw_members(present->body)) {
    for (const char* name : {"title", "capacityTotal", "opensAt", "closesAt", "policy", "work"}) {
      if (member.name == name) members[name] = std::string(member.value);
    }
  }
  if (!set_given(context, members, given)) return context.session.exit_code();
  return put(context, members, given);
}

}  // namespace

void add_events(Commands& commands) {
  CLI::App& noun = commands.noun("events", "Participation events");

  auto listed = std::make_shared<ListOptions>();
  CLI::App& list_verb = commands.verb(noun, "list", "All of them, in the order of their creation",
                                      [listed](Context& context) { return list(context, *listed); });
  listed->add_to(list_verb);

  auto id = std::make_shared<std::string>();
  CLI::App& show_verb = commands.verb(noun, "show", "One of them", [id](Context& context) {
    const auto answer = context.session.get(event_target(*id));
    return answer ? show(context, *answer) : context.session.exit_code();
  });
  text_option(show_verb, "EVENT", *id, "ID", "The event")->required();

  auto fresh = std::make_shared<Definition>();
  fresh->add_to(commands.verb(noun, "create", "Make one",
                              [fresh](Context& context) { return create(context, *fresh); }),
                true);
  auto changed = std::make_shared<Definition>();
  changed->add_to(commands.verb(noun, "change", "Change what is given, and leave the rest as it is",
                                [changed](Context& context) { return change(context, *changed); }),
                  false);
}

}  // namespace spillway::cli
