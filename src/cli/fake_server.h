#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <deque>
#include <sstream>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace spillway::cli {

/// Gives the answers that a test has put in line, and keeps what was asked.
class FakeServer final : public Transport {
 public:
  void answers(int status, std::string body) { line_.push_back(Reply{status, std::move(body), {}}); }
  void is_gone() { line_.push_back(Error{ErrorCode::kInternal, "cannot reach it"}); }

  Result<Reply> send(const Call& call) override {
    asked.push_back(call.method + ' ' + call.target + (call.body.empty() ? "" : ' ' + call.body));
    if (line_.empty()) return Error{ErrorCode::kInternal, "nothing was put in line for " + asked.back()};
    Result<Reply> reply = std::move(line_.front());
    line_.pop_front();
    return reply;
  }
  Result<Reply> stream(const Call& call, const std::function<bool(std::string_view)>& take) override {
    Result<Reply> reply = send(call);
    if (!reply || reply->status != 200) return reply;
    take(reply->body);
    return Reply{.status = 200, .body = {}, .retry_after = {}};
  }

  std::vector<std::string> asked;

 private:
  std::deque<Result<Reply>> line_;
};

/// Says what a test lets it say.
class FakeTerminal final : public Terminal {
 public:
  bool interactive() const override { return is_there; }
  bool confirm(const std::string& question) override {
    questions.push_back(question);
    return says_yes;
  }
  Result<std::string> password(const std::string&, bool) override { return std::string("typed password"); }
  Result<std::string> piped_line() override { return std::string("piped password"); }

  bool is_there = false, says_yes = false;
  std::vector<std::string> questions;
};

/// All commands, run on a command line against a FakeServer.
struct FakeAdmin {
  /// What came after `spillway admin`. The exit code.
  int run(const std::vector<std::string>& words) {
    CLI::App program("test", "admin");
    Commands commands(program);
    program.require_subcommand(1);
    for (const auto add : {add_events, add_requests, add_queue, add_dead_letters, add_webhooks, add_users,
                           add_audit, add_login}) {
      add(commands);
    }
    std::vector<std::string> reversed(words.rbegin(), words.rend());
    try {
      program.parse(reversed);
    } catch (const CLI::ParseError& error) {
      err << error.what();
      return kExitUsage;
    }
    Session session(server, "a-token", err);
    TokenStore tokens("");
    Context context{.session = session,
                    .terminal = terminal,
                    .out = out,
                    .notes = err,
                    .display = display,
                    .tokens = tokens,
                    .server = "http://127.0.0.1:8080",
                    .pause = [this](Micros) { ++pauses; }};
    return (*commands.chosen())(context);
  }

  FakeServer server;
  FakeTerminal terminal;
  Display display = {.json = false, .zone = Zone::kUtc};
  int pauses = 0;
  std::ostringstream out, err;
};

}  // namespace spillway::cli
