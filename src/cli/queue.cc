#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/event_stream.h"
#include "cli/table.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

constexpr char kQueue[] = "/admin/queues/participations";

int show(Context& context, const std::optional<Answer>& answer) {
  if (!answer) return context.session.exit_code();
  if (context.display.json) return context.print_json(answer->body);
  const Json& queue = answer->json;
  Fields fields;
  const bool paused = queue["workers"]["paused"].number() > 0;
  fields.add("workers", paused ? fmt::format("{} paused", queue["workers"]["paused"].text())
                               : fmt::format("{} running", queue["workers"]["running"].text()));
  fields.add("waiting", queue["visible"].text());
  fields.add("in flight", queue["inFlight"].text());
  fields.add("delayed", queue["delayed"].text());
  fields.add("oldest", queue["oldestAgeSeconds"].text() + " s");
  fields.add("dead letters", queue["deadLetters"].text());
  const Json redrive = queue["redrive"];
  if (!redrive.is_null()) {
    fields.add("redrive", fmt::format("{}: {} of {} put back", redrive["state"].text(),
                                      redrive["redriven"].text(), redrive["matching"].text()));
  }
  fields.print(context.out);
  return kExitGood;
}

// ---- watch ------------------------------------------------------------------------------------------------

constexpr char kWatchRow[] = "{:<{}}{:>9}{:>7}{:>8}{:>8}{:>8}{:>7}{:>9}{:>9}{:>8}{:>6}{:>9}{:>9}{:>9}  {}";
constexpr std::uint64_t kRowsUnderOneHeading = 20;

/// Without blanks at its end.
template <class... Cells>
std::string watch_row(const Cells&... cells) {
  std::string row = fmt::format(kWatchRow, cells...);
  return row.substr(0, row.find_last_not_of(' ') + 1) + '\n';
}

std::string number_or_dash(const Json& value) { return value.is_null() ? "-" : printable(value.text()); }

/// Seconds as milliseconds with one digit.
std::string milliseconds(const Json& seconds) {
  if (seconds.is_null()) return "-";
  return fmt::format("{:.1f} ms", seconds.real() * 1'000);
}

class Watch {
 public:
  Watch(Context& context, std::uint64_t count) : context_(context), count_(count) {}

  /// One event of the stream; false when that is enough.
  bool take(const EventStream::Event& event) {
    if (event.type != "point") return true;  // history is what was before the watch
    const auto point = Json::parse(event.data);
    if (!point) return true;
    if (context_.display.json) {
      context_.print_json(event.data);
    } else {
      print(*point);
    }
    context_.out.flush();
    ++shown_;
    return (count_ == 0 || shown_ < count_) && context_.out.good();
  }

 private:
  void print(const Json& point) {
    const std::string at = printable(context_.time(point["at"]));
    const std::size_t width = at.size() + 1;
    if (shown_ % kRowsUnderOneHeading == 0) {
      context_.out << watch_row("AT", width, "ACCEPTED", "AGAIN", "REFUSED", "WON", "LOST", "FAILED",
                                "WAITING", "INFLIGHT", "DELAYED", "DEAD", "OLDEST", "P50", "P99", "");
    }
    const Json finished = point["finished"];
    context_.out << watch_row(
        at, width, number_or_dash(point["accepted"]), number_or_dash(point["duplicate"]),
        number_or_dash(point["refused"]), number_or_dash(finished["succeeded"]),
        number_or_dash(finished["rejected"]), number_or_dash(finished["failed"]),
        number_or_dash(point["visible"]), number_or_dash(point["inFlight"]), number_or_dash(point["delayed"]),
        number_or_dash(point["deadLetters"]),
        point["oldestAgeSeconds"].is_null() ? "-" : fmt::format("{:.1f} s", point["oldestAgeSeconds"].real()),
        milliseconds(point["latency"]["p50"]), milliseconds(point["latency"]["p99"]),
        point["paused"].is_true() ? "paused" : "");
  }

  Context& context_;
  std::uint64_t count_;
  std::uint64_t shown_ = 0;
};

int watch(Context& context, std::uint64_t count) {
  Watch watch(context, count);
  EventStream events([&watch](const EventStream::Event& event) { return watch.take(event); });
  if (!context.session.stream(Target("/admin/live"),
                              [&](std::string_view piece) { return events.feed(piece); })) {
    return context.session.exit_code();
  }
  if (events.too_large())
    return context.session.fail(kExitNotReachable, "an event of the stream is too large");
  return kExitGood;
}

}  // namespace

void add_queue(Commands& commands) {
  CLI::App& noun = commands.noun("queue", "The queue of participations and its workers");
  commands.verb(noun, "show", "How it stands",
                [](Context& context) { return show(context, context.session.get(Target(kQueue))); });
  commands.verb(noun, "pause", "Stop the workers; requests are still taken", [](Context& context) {
    return show(context, context.session.post(Target(std::string(kQueue) + "/pause")));
  });
  commands.verb(noun, "resume", "Start them again", [](Context& context) {
    return show(context, context.session.post(Target(std::string(kQueue) + "/resume")));
  });
  auto count = std::make_shared<std::uint64_t>(0);
  CLI::App& watch_verb = commands.verb(noun, "watch", "A line of figures each second, until Ctrl-C",
                                       [count](Context& context) { return watch(context, *count); });
  number_option(watch_verb, "--count", *count, 1, 1'000'000'000, "End after so many lines");
}

}  // namespace spillway::cli
