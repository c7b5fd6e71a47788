#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/json_writer.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/history.h"
#include "cli/pages.h"
#include "cli/table.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

constexpr char kDeadLetters[] = "/admin/queues/participations/dead-letters";
Target redrive_target() { return Target(std::string(kDeadLetters) + "/redrive"); }

/// Which dead letters: all that is given must apply.
struct Filter {
  std::string event_id, failure_class, reason, dead_before;
  std::vector<std::string> request_ids;

  bool empty() const {
    return event_id.empty() && failure_class.empty() && reason.empty() && dead_before.empty() &&
           request_ids.empty();
  }
  void add_listed_to(CLI::App& command) {
    text_option(command, "--event", event_id, "ID", "Of this event");
    text_option(command, "--failure-class", failure_class, "RETRYABLE|NON_RETRYABLE", "Failed like this");
    text_option(command, "--reason", reason, "TEXT", "With this in their last reason");
  }
  void add_to(CLI::App& command) {
    add_listed_to(command);
    text_option(command, "--dead-before", dead_before, "TIME",
                "Dead before then: 2026-12-01T09:00:00Z, or local");
    command.add_option("REQUEST", request_ids, "These (requestIds)")
        ->type_name("ID...")
        ->expected(0, static_cast<int>(limits::kMaxNamedRequests));
  }
  /// As the API's filter. False: told why.
  bool append(Context& context, JsonWriter& json) const {
    json.key("filter").open_object();
    if (!event_id.empty()) json.member("eventId", event_id);
    if (!failure_class.empty()) json.member("failureClass", failure_class);
    if (!reason.empty()) json.member("reason", reason);
    if (!request_ids.empty()) {
      json.key("requestIds").open_array();
      for (const std::string& id : request_ids) json.value(id);
      json.close_array();
    }
    if (!dead_before.empty()) {
      const auto time = typed_time(dead_before, context.display.zone);
      if (!time) {
        context.session.fail(kExitUsage, "--dead-before " + printable(time.error().message));
        return false;
      }
      json.member("deadBefore", *time);
    }
    json.close_object();
    return true;
  }
};

// ---- Looking ----------------------------------------------------------------------------------------------

int list(Context& context, const Filter& filter, const ListOptions& options) {
  const auto listing = read_list(
      context,
      [&filter] {
        return Target(kDeadLetters)
            .query("eventId", filter.event_id)
            .query("failureClass", filter.failure_class)
            .query("reason", filter.reason);
      },
      options);
  if (!listing) return context.session.exit_code();
  if (context.display.json) return context.print_json(listing->document);
  Table table({{"REQUEST"},
               {"EVENT"},
               {"USER"},
               {"DEAD SINCE"},
               {"TRIES", Align::kRight},
               {"REDRIVES", Align::kRight},
               {"FAILURE"},
               {"LAST REASON"}});
  for (const Json& item : listing->items) {
    table.add({item["requestId"].text(), item["eventId"].text(), item["userId"].text(),
               context.time(item["deadAt"]), item["receiveCount"].text(), item["redrives"].text(),
               item["failureClass"].text(), item["lastReason"].text()});
  }
  table.print(context.out);
  context.out << "\nin all: " << printable(listing->first["total"].text()) << '\n';
  note_more(context, *listing);
  return kExitGood;
}

int show(Context& context, const std::string& request_id) {
  const auto answer = context.session.get(Target(kDeadLetters).segment(request_id));
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  const Json& letter = answer->json;
  Fields fields;
  fields.add("request", letter["requestId"].text());
  fields.add("event", letter["eventId"].text());
  fields.add("user", letter["userId"].text());
  fields.add("dead since", context.time(letter["deadAt"]));
  fields.add("result", letter["resultCode"].text());
  fields.add("failure", letter["failureClass"].text());
  fields.add("last reason", letter["lastReason"].text());
  fields.add("tries", letter["receiveCount"].text());
  fields.add("redrives", letter["redrives"].text());
  fields.add("body", letter["body"].is_null() ? "" : letter["body"].serialize());
  fields.print(context.out);
  print_history(context, letter);
  return kExitGood;
}

// ---- Redrive ----------------------------------------------------------------------------------------------

struct RedriveOptions {
  Filter filter;
  std::uint64_t rate = limits::kRedriveRate, stop_after = limits::kRedriveStopAfter;
  bool dry_run = false, wait = false, yes = false;
};

int show_redrive(Context& context, const std::optional<Answer>& answer) {
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  const Json& redrive = answer->json;
  Fields fields;
  fields.add("redrive", redrive["redriveId"].text());
  fields.add("state", redrive["state"].text());
  fields.add("matching", redrive["matching"].text());
  fields.add("put back", redrive["redriven"].text());
  fields.add("succeeded", redrive["succeeded"].text());
  fields.add("rejected", redrive["rejected"].text());
  fields.add("failed again", redrive["failedAgain"].text());
  fields.add("started", context.time(redrive["startedAt"]));
  fields.add("finished", context.time(redrive["finishedAt"]));
  const Json filter = redrive["filter"];
  fields.add("filter", filter.serialize() == "{}" ? "all" : filter.serialize());
  fields.add("rate", redrive["ratePerSecond"].text() + " a second");
  fields.add("stops after", redrive["stopAfterFailures"].text() + " failures");
  fields.print(context.out);
  return kExitGood;
}

/// The body of a redrive. Nothing: told why.
std::optional<std::string> redrive_body(Context& context, const RedriveOptions& options, bool dry_run) {
  std::string body;
  JsonWriter json(body);
  json.open_object();
  if (!options.filter.append(context, json)) return std::nullopt;
  json.member("ratePerSecond", options.rate).member("stopAfterFailures", options.stop_after);
  if (dry_run) json.member("dryRun", true);
  json.close_object();
  return body;
}

/// What a dry run says. Nothing: told why.
std::optional<Answer> preview(Context& context, const RedriveOptions& options) {
  auto body = redrive_body(context, options, true);
  return body ? context.session.post(redrive_target(), std::move(*body)) : std::nullopt;
}

int dry_run(Context& context, const RedriveOptions& options) {
  const auto answer = preview(context, options);
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  const auto sample = answer->json["sample"].items();
  context.out << "would put back: " << printable(answer->json["matching"].text()) << '\n';
  for (const Json& id : sample) context.out << "  " << printable(id.text()) << '\n';
  if (answer->json["matching"].number() > sample.size()) context.out << "  ...\n";
  return kExitGood;
}

/// Looks at the redrive until it has ended.
int wait_for(Context& context, const std::string& redrive_id) {
  std::string told;
  while (true) {
    const auto answer = context.session.get(redrive_target());
    if (!answer) return context.session.exit_code();
    const Json& redrive = answer->json;
    if (redrive["redriveId"].text() != redrive_id) {
      return context.session.fail(kExitRefused, "another redrive has been started meanwhile");
    }
    const std::string state = redrive["state"].text();
    if (state != "RUNNING") {
      show_redrive(context, answer);
      if (state == "DONE") return kExitGood;
      return context.session.fail(kExitRefused, "the redrive ended early: " + printable(state));
    }
    const std::string now =
        fmt::format("{} of {} put back, {} succeeded, {} rejected, {} failed again\n",
                    redrive["redriven"].text(), redrive["matching"].text(), redrive["succeeded"].text(),
                    redrive["rejected"].text(), redrive["failedAgain"].text());
    if (now != told) context.notes << printable(now.substr(0, now.size() - 1)) << std::endl;
    told = now;
    context.pause(limits::kCliRedrivePoll);
  }
}

int redrive(Context& context, const RedriveOptions& options) {
  if (options.dry_run) return dry_run(context, options);
  if (options.filter.empty() && !options.yes) {
    const auto all = preview(context, options);
    if (!all) return context.session.exit_code();
    const std::string question = fmt::format("Without a filter all dead letters are put back: {}. Go on?",
                                             all->json["matching"].text());
    if (!confirmed(context, false, question)) return context.session.exit_code();
  }
  auto body = redrive_body(context, options, false);
  if (!body) return context.session.exit_code();
  const auto answer = context.session.post(redrive_target(), std::move(*body));
  if (!answer || !options.wait) return show_redrive(context, answer);
  return wait_for(context, answer->json["redriveId"].text());
}

// ---- Discard ----------------------------------------------------------------------------------------------

struct DiscardOptions {
  Filter filter;
  std::string because;
  bool all = false, yes = false;
};

int discard(Context& context, const DiscardOptions& options) {
  if (options.filter.empty() != options.all) {
    return context.session.fail(kExitUsage, options.all ? "--all goes without a filter and without requestIds"
                                                        : "say which: requestIds, a filter, or --all");
  }
  if (!options.yes) {
    RedriveOptions same;
    same.filter = options.filter;
    const auto matching = preview(context, same);
    if (!matching) return context.session.exit_code();
    const std::string question = fmt::format("{} dead letters are discarded; this cannot be undone. Go on?",
                                             matching->json["matching"].text());
    if (!confirmed(context, false, question)) return context.session.exit_code();
  }
  std::string body;
  JsonWriter json(body);
  json.open_object();
  if (!options.filter.append(context, json)) return context.session.exit_code();
  json.member("reason", options.because).close_object();
  const auto answer = context.session.post(Target(std::string(kDeadLetters) + "/discard"), std::move(body));
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  context.out << "discarded: " << printable(answer->json["discarded"].text()) << '\n';
  return kExitGood;
}

void add_redrive(Commands& commands, CLI::App& noun) {
  auto options = std::make_shared<RedriveOptions>();
  CLI::App& verb = commands.verb(noun, "redrive",
                                 "Put them back into their lines, by and by; without a filter all of them",
                                 [options](Context& context) { return redrive(context, *options); });
  options->filter.add_to(verb);
  number_option(verb, "--rate", options->rate, 1, limits::kMaxRedriveRate,
                "So many a second, by default 100");
  number_option(verb, "--stop-after", options->stop_after, 1, 1'000'000,
                "Stop when so many have failed again, by default 10");
  verb.add_flag("--dry-run", options->dry_run, "Only tell which");
  verb.add_flag("--wait", options->wait, "Wait until all are final again; exit 1 if it stops early");
  yes_flag(verb, options->yes);
  commands.verb(noun, "status", "The newest redrive", [](Context& context) {
    return show_redrive(context, context.session.get(redrive_target()));
  });
  commands.verb(noun, "stop", "Stop the redrive that runs: put no more back", [](Context& context) {
    return show_redrive(context, context.session.post(Target(redrive_target().text() + "/stop")));
  });
}

}  // namespace

void add_dead_letters(Commands& commands) {
  CLI::App& noun = commands.noun("dead-letters", "Requests whose tries are used up");

  auto listed = std::make_shared<std::pair<Filter, ListOptions>>();
  CLI::App& list_verb = commands.verb(noun, "list", "All of them, oldest first", [listed](Context& context) {
    return list(context, listed->first, listed->second);
  });
  listed->first.add_listed_to(list_verb);
  listed->second.add_to(list_verb);

  auto id = std::make_shared<std::string>();
  CLI::App& show_verb = commands.verb(noun, "show", "One of them with all its tries",
                                      [id](Context& context) { return show(context, *id); });
  text_option(show_verb, "REQUEST", *id, "ID", "The requestId")->required();

  add_redrive(commands, noun);

  auto discarded = std::make_shared<DiscardOptions>();
  CLI::App& discard_verb =
      commands.verb(noun, "discard", "Take them off the list for good; they stay FAILED_FINAL",
                    [discarded](Context& context) { return discard(context, *discarded); });
  discarded->filter.add_to(discard_verb);
  text_option(discard_verb, "--because", discarded->because, "TEXT", "Why: stays in their log")->required();
  discard_verb.add_flag("--all", discarded->all, "All of them");
  yes_flag(discard_verb, discarded->yes);
}

}  // namespace spillway::cli
