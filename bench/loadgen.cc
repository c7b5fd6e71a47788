// The load client of the benchmarks: one pinned thread against 127.0.0.1. See bench/README.md.

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "load/replay/client.h"
#include "load/replay/listeners.h"
#include "load/replay/report.h"

namespace spillway::load::replay {
namespace {

struct Options {
  Plan plan;
  int core = -1;
  double warmup_s = 0, seconds = 0, drain_s = 10;
  bool block = false;
  std::string out_file, tokens_file, ids_file;
  std::string user_prefix = "u";
  std::uint64_t count = 0;
  std::uint64_t keep_every = 1;
  std::vector<std::string> events, concerts;
};

void add_common(CLI::App& app, Options& o) {
  app.add_option("--port", o.plan.port, "of the server on 127.0.0.1")->required();
  app.add_option("--connections", o.plan.connections)->check(CLI::Range(1, 20'000));
  app.add_option("--core", o.core, "pin the client to this core");
  app.add_option("--drain", o.drain_s, "seconds to wait for the last answers");
}

void add_load(CLI::App& app, Options& o) {
  add_common(app, o);
  app.add_option("--rate", o.plan.rate, "open loop: requests a second; without it: closed loop");
  app.add_option("--depth", o.plan.depth, "closed loop: requests in the works a connection")
      ->check(CLI::Range(1, 64));
  app.add_option("--max-unanswered", o.plan.max_unanswered,
                 "open loop: most requests in the works a connection");
  app.add_option("--warmup", o.warmup_s, "seconds");
  app.add_option("--seconds", o.seconds, "to measure")->required()->check(CLI::Range(0.05, 600.0));
  app.add_option("--requests", o.plan.max_requests, "stop after so many");
  app.add_flag("--block", o.block, "closed loop: sleep in epoll_wait instead of spinning");
  app.add_option("--server-pid", o.plan.server_pid, "whose CPU time and memory to read");
  app.add_option("--server-core", o.plan.server_core, "the core whose use to read");
}

/// Picks the value of a member out of a flat JSON object without escapes.
std::string member(std::string_view json, const std::string& name) {
  const std::string key = "\"" + name + "\":\"";
  const std::size_t at = json.find(key);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = json.substr(at + key.size());
  return std::string(rest.substr(0, rest.find('"')));
}

void write_lines(const std::string& file, const std::vector<std::string>& lines) {
  const std::string unfinished = file + ".new";
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  for (const std::string& line : lines) out << line << '\n';
  out.close();
  if (!out || std::rename(unfinished.c_str(), file.c_str()) != 0)
    throw std::runtime_error("cannot write " + file);
}

/// Sends every request of the source once and keeps one member of every `keep_every`th answer, in the order
/// of the requests.
Report collect(Plan plan, const RequestSource& source, int wanted_status, const std::string& name,
               std::vector<std::string>& values, std::uint64_t keep_every = 1) {
  Client client(std::move(plan), source, [&](std::uint64_t n, const Answer& answer) {
    if (answer.status == wanted_status && n % keep_every == 0)
      values.at(n / keep_every) = member(answer.body, name);
  });
  Report report = client.run();
  for (const std::string& value : values) {
    if (value.empty())
      throw std::runtime_error("no " + name + " in an answer; the first answer was: " + report.sample);
  }
  return report;
}

int run(int argc, char** argv) {
  Options o;
  CLI::App app("Load client of the benchmarks");
  app.require_subcommand(1);
  CLI::App* login = app.add_subcommand("login", "get access tokens of --count persons");
  add_common(*login, o);
  login->add_option("--count", o.count)->required()->check(CLI::Range(1, 20'000'000));
  login->add_option("--user-prefix", o.user_prefix);
  login->add_option("--out", o.out_file, "one token a line")->required();
  login->add_option("--depth", o.plan.depth)->check(CLI::Range(1, 64));

  CLI::App* fill =
      app.add_subcommand("fill", "let the first --count persons take part, and keep their request ids");
  add_common(*fill, o);
  fill->add_option("--tokens", o.tokens_file)->required();
  fill->add_option("--event", o.events)->required();
  fill->add_option("--count", o.count)->required()->check(CLI::Range(1, 20'000'000));
  fill->add_option("--out", o.out_file, "one request id a line")->required();
  fill->add_option("--depth", o.plan.depth)->check(CLI::Range(1, 64));

  CLI::App* post = app.add_subcommand("post", "participations, each by another person");
  add_load(*post, o);
  post->add_option("--tokens", o.tokens_file, "one access token a line")->required();
  post->add_option("--event", o.events, "the next one is used when all persons took part in the one before")
      ->required();

  CLI::App* get = app.add_subcommand("get", "reads of requests, each by its owner");
  add_load(*get, o);
  get->add_option("--tokens", o.tokens_file, "one access token a line")->required();
  get->add_option("--ids", o.ids_file, "one request id a line; line n belongs to token n")->required();

  CLI::App* join = app.add_subcommand("join", "let --count persons into a line, and keep their tokens");
  add_common(*join, o);
  join->add_option("--concert", o.concerts)->required();
  join->add_option("--user-prefix", o.user_prefix);
  join->add_option("--count", o.count)->required()->check(CLI::Range(1, 20'000'000));
  join->add_option("--out", o.out_file, "one queue token a line")->required();
  join->add_option("--keep-every", o.keep_every, "of the tokens: the first, and each so many later")
      ->check(CLI::Range(1, 1'000'000));
  join->add_option("--depth", o.plan.depth)->check(CLI::Range(1, 64));

  CLI::App* enter = app.add_subcommand("enter", "newcomers at a line, each another person");
  add_load(*enter, o);
  enter->add_option("--concert", o.concerts, "the next one is used when all persons are in the one before")
      ->required();
  enter->add_option("--user-prefix", o.user_prefix);
  enter->add_option("--count", o.count, "persons")->required()->check(CLI::Range(1, 20'000'000));

  CLI::App* poll = app.add_subcommand("poll", "where the tickets stand, one after the other");
  add_load(*poll, o);
  poll->add_option("--tokens", o.tokens_file, "one queue token a line")->required();

  CLI::App* listen_to = app.add_subcommand("listen", "streams of the tickets, all of them at once");
  add_common(*listen_to, o);
  listen_to->add_option("--settle", o.warmup_s, "seconds");
  listen_to->add_option("--seconds", o.seconds, "to measure")->required()->check(CLI::Range(0.05, 600.0));
  listen_to->add_option("--server-pid", o.plan.server_pid, "whose CPU time and memory to read");
  listen_to->add_option("--tokens", o.tokens_file, "one queue token a line")->required();
  CLI11_PARSE(app, argc, argv);

  o.plan.warmup_ns = static_cast<std::int64_t>(o.warmup_s * 1e9);
  o.plan.measure_ns = static_cast<std::int64_t>(o.seconds * 1e9);
  o.plan.drain_ns = static_cast<std::int64_t>(o.drain_s * 1e9);
  o.plan.spin = !o.block;
  const bool in_line = join->parsed() || enter->parsed() || poll->parsed();
  o.plan.expect_in_body = login->parsed() ? "\"accessToken\"" : in_line ? "\"position\"" : "\"requestId\"";
  if (o.core >= 0 && !pin_to_core(o.core))
    throw std::runtime_error(fmt::format("cannot run on core {}", o.core));

  const std::string host = fmt::format("127.0.0.1:{}", o.plan.port);
  if (listen_to->parsed()) {
    const ListenPlan plan{o.plan.port, o.plan.connections, o.plan.warmup_ns, o.plan.measure_ns,
                          o.plan.server_pid};
    std::puts(to_json(plan, listen(plan, LineFile(o.tokens_file))).c_str());
    return 0;
  }
  Report report;
  if (login->parsed()) {
    std::vector<std::string> tokens(o.count);
    report = collect(o.plan, LoginSource(host, o.user_prefix, o.count), 200, "accessToken", tokens);
    write_lines(o.out_file, tokens);
  } else if (fill->parsed()) {
    const LineFile tokens(o.tokens_file);
    o.plan.max_requests = o.count;
    std::vector<std::string> ids(o.count);
    report = collect(o.plan, ParticipationSource(host, o.events, tokens), 202, "requestId", ids);
    write_lines(o.out_file, ids);
  } else if (post->parsed()) {
    const LineFile tokens(o.tokens_file);
    report = Client(o.plan, ParticipationSource(host, o.events, tokens)).run();
  } else if (get->parsed()) {
    const LineFile tokens(o.tokens_file), ids(o.ids_file);
    report = Client(o.plan, RequestStatusSource(host, ids, tokens)).run();
  } else if (join->parsed()) {
    std::vector<std::string> tokens((o.count + o.keep_every - 1) / o.keep_every);
    report = collect(o.plan, EnterSource(host, o.concerts, o.user_prefix, o.count), 200, "token", tokens,
                     o.keep_every);
    write_lines(o.out_file, tokens);
  } else if (enter->parsed()) {
    report = Client(o.plan, EnterSource(host, o.concerts, o.user_prefix, o.count)).run();
  } else {
    const LineFile tokens(o.tokens_file);
    report = Client(o.plan, QueueStatusSource(host, tokens)).run();
  }
  std::puts(to_json(o.plan, report).c_str());
  return 0;
}

}  // namespace
}  // namespace spillway::load::replay

int main(int argc, char** argv) {
  try {
    rlimit files{};  // a connection is a file
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    return spillway::load::replay::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "loadgen: %s\n", error.what());
    return 1;
  }
}
