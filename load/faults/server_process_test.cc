#include "load/faults/server_process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "load/faults/command_line.h"
#include "load/faults/test_server.h"

namespace spillway::load {
namespace {

using std::chrono::milliseconds;
using namespace testing_server;  // NOLINT: the test's own words

class ServerProcessTest : public testing::Test {
 protected:
  ServerCommand command(std::string line, std::uint16_t port = 0) {
    ServerCommand command;
    command.command = std::move(line);
    command.host = port == 0 ? "" : "127.0.0.1";
    command.port = port;
    command.log_file = directory_.file("server.log");
    return command;
  }
  std::unique_ptr<ServerProcess> started(const ServerCommand& command) {
    auto server = ServerProcess::start(command);
    EXPECT_TRUE(server.ok()) << server.error().message;
    return server.ok() ? std::move(server).value() : nullptr;
  }
  static std::string refusal(const ServerCommand& command) {
    const auto server = ServerProcess::start(command);
    EXPECT_FALSE(server.ok());
    return server.ok() ? "" : server.error().message;
  }
  Directory directory_;
};

std::uint16_t port_of(const ServerProcess& server) {
  const std::string address = server.address();
  return static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
}

TEST_F(ServerProcessTest, IsReadyWhenItSaysSo) {
  auto server = started(command(hello_server()));
  ASSERT_TRUE(server);
  EXPECT_GT(server->pid(), 0);
  EXPECT_EQ(ask(port_of(*server)), "hello");
  EXPECT_EQ(server->died(), std::nullopt);
  const Status stopped = server->stop();
  EXPECT_TRUE(stopped.ok()) << stopped.error().message;
  EXPECT_EQ(server->pid(), 0);
  EXPECT_EQ(server->died(), std::nullopt);
  EXPECT_FALSE(server->stop().ok());
  EXPECT_FALSE(server->pause().ok());
}

TEST_F(ServerProcessTest, IsReadyWhenItTakesConnections) {
  const std::uint16_t port = free_port();
  auto server = started(command(hello_server(port), port));
  ASSERT_TRUE(server);
  EXPECT_EQ(ask(port), "hello");
}

TEST_F(ServerProcessTest, IsKilledAndComesBack) {
  const std::uint16_t port = free_port();
  auto server = started(command(hello_server(port), port));
  ASSERT_TRUE(server);
  for (int round = 0; round < 3; ++round) {
    const pid_t before = server->pid();
    EXPECT_FALSE(server->start_again().ok()) << "it runs";
    ASSERT_TRUE(server->kill_now().ok());
    EXPECT_EQ(state_of(before), '?');
    EXPECT_EQ(ask(port), "");
    EXPECT_EQ(server->died(), std::nullopt) << "it was asked for";
    const Status again = server->start_again();
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_NE(server->pid(), before);
    EXPECT_EQ(ask(port), "hello");
  }
}

TEST_F(ServerProcessTest, IsStoppedAndGoesOn) {
  auto server = started(command(hello_server()));
  ASSERT_TRUE(server);
  const pid_t pid = server->pid();
  ASSERT_TRUE(server->pause().ok());
  while (state_of(pid) != 'T') std::this_thread::yield();
  ASSERT_TRUE(server->resume().ok());
  EXPECT_EQ(ask(port_of(*server)), "hello");
  ASSERT_TRUE(server->pause().ok());
  server.reset();
  EXPECT_EQ(state_of(pid), '?') << "one that was stopped outlived us";
}

TEST_F(ServerProcessTest, TellsThatItDied) {
  auto server = started(command(hello_server(0, "print(\"I am here\", flush=True)")));
  ASSERT_TRUE(server);
  ASSERT_EQ(::kill(server->pid(), SIGKILL), 0);
  while (!server->died()) std::this_thread::yield();
  EXPECT_NE(server->died()->find("signal 9"), std::string::npos) << *server->died();
  EXPECT_NE(server->died()->find("I am here"), std::string::npos) << *server->died();
  EXPECT_EQ(server->pid(), 0);
  EXPECT_FALSE(server->kill_now().ok());
  EXPECT_TRUE(server->start_again().ok());
  EXPECT_EQ(server->died(), std::nullopt);
}

TEST_F(ServerProcessTest, KillsTheChildrenOfItToo) {
  const std::uint16_t port = free_port();
  // The shell waits, its child listens.
  std::ofstream(directory_.file("child.sh")) << hello_server(port) << " &\nwait\n";
  auto server = started(command("/bin/sh " + directory_.file("child.sh"), port));
  ASSERT_TRUE(server);
  ASSERT_TRUE(server->kill_now().ok());
  const Status again = server->start_again();
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(ask(port), "hello");
  ASSERT_TRUE(server->stop().ok());
  while (!ask(port).empty()) std::this_thread::yield();
}

TEST_F(ServerProcessTest, OneThatDoesNotStartIsTold) {
  EXPECT_NE(refusal(command("/no/such/program", 1)).find("/no/such/program"), std::string::npos);
  const std::string ended = refusal(command("/bin/sh -c 'echo the port is taken; exit 3'", free_port()));
  EXPECT_NE(ended.find("exit code 3"), std::string::npos) << ended;
  EXPECT_NE(ended.find("the port is taken"), std::string::npos) << ended;
  for (const std::uint16_t port : {std::uint16_t{0}, free_port()}) {
    ServerCommand deaf = command(python("import signal; print(\"deaf\", flush=True); signal.pause()"), port);
    deaf.start_timeout = milliseconds(50);
    const std::string late = refusal(deaf);
    EXPECT_NE(late.find("not ready within"), std::string::npos) << late;
    EXPECT_NE(late.find(port == 0 ? "ready http" : "takes no connections"), std::string::npos) << late;
  }
  ServerCommand unwritable = command(hello_server());
  unwritable.log_file = directory_.file("no/such/folder/log");
  EXPECT_NE(refusal(unwritable).find("no/such/folder"), std::string::npos);
}

TEST_F(ServerProcessTest, SomebodyElseAtItsAddressIsTold) {
  Fd somebody;
  const std::uint16_t port = free_port(&somebody);
  const std::string told = refusal(command(hello_server(port), port));
  EXPECT_NE(told.find("answers before the server was started"), std::string::npos) << told;
}

TEST_F(ServerProcessTest, OneThatWillNotEndIsKilledAndTold) {
  ServerCommand stubborn =
      command(hello_server(0, "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"));
  stubborn.stop_timeout = milliseconds(50);
  auto server = started(stubborn);
  ASSERT_TRUE(server);
  const pid_t pid = server->pid();
  const Status stopped = server->stop();
  ASSERT_FALSE(stopped.ok());
  EXPECT_NE(stopped.error().message.find("had to be killed"), std::string::npos) << stopped.error().message;
  EXPECT_EQ(state_of(pid), '?');
}

TEST_F(ServerProcessTest, AServerThatSaysReadyIsAwaitedUntilItSaysSoAgain) {
  const std::uint16_t port = free_port();
  // It listens at once and says so after three connections.
  const std::string number = std::to_string(port);
  auto server = started(command(python("import socket\n"
                                       "s = socket.create_server((\"127.0.0.1\", " +
                                       number +
                                       "))\n"
                                       "for i in range(3): s.accept()\n"
                                       "print(\"ready http://127.0.0.1:" +
                                       number +
                                       "\", flush=True)\n"
                                       "while True: s.accept()\n"),
                                port));
  ASSERT_TRUE(server);
  const auto lines = [&] {
    std::stringstream log;
    log << std::ifstream(directory_.file("server.log")).rdbuf();
    std::size_t many = 0;
    for (std::string line; std::getline(log, line);) many += line.starts_with("ready http://") ? 1 : 0;
    return many;
  };
  while (lines() < 1) connects(port);
  ASSERT_TRUE(server->kill_now().ok());
  std::size_t lines_when_ready = 0;
  std::thread starter([&] {
    EXPECT_TRUE(server->start_again().ok());
    lines_when_ready = lines();
  });
  while (lines() < 2) connects(port);
  starter.join();
  EXPECT_EQ(lines_when_ready, 2u);
}

TEST(SplitCommand, AsAShellDoes) {
  using Words = std::vector<std::string>;
  const struct {
    std::string command;
    Words words;
  } rows[] = {
      {"a b  c\td\n", {"a", "b", "c", "d"}},
      {"a 'b c' \"d e\"", {"a", "b c", "d e"}},
      {"a '' \"\"", {"a", "", ""}},
      {"a b'c 'd\"e \"f", {"a", "bc de f"}},
      {R"(a b\ c \' \\ \")", {"a", "b c", "'", "\\", "\""}},
      {R"(a "b\"c" "d\e" '\')", {"a", "b\"c", "d\\e", "\\"}},
      {"a '$HOME|;' --x=y~z #", {}},
      {"a '$HOME|;' --x=y~z b#c", {"a", "$HOME|;", "--x=y~z", "b#c"}},
      {"", {}},
      {"  ", {}},
      {"'' a", {}},
      {"a 'b", {}},
      {"a \"b", {}},
      {"a \\", {}},
      {"a | b", {}},
      {"a > b", {}},
      {"a $B", {}},
      {"a \"$B\"", {}},
      {"a ~/b", {}},
      {std::string("a\0b", 3), {}},
      {std::string(100'000, 'a'), {}},
  };
  for (const auto& row : rows) {
    const auto words = split_command(row.command);
    EXPECT_EQ(words.ok(), !row.words.empty()) << row.command.substr(0, 100);
    if (words.ok()) {
      EXPECT_EQ(*words, row.words) << row.command;
    } else {
      EXPECT_TRUE(words.error().message.starts_with("server command: ")) << words.error().message;
    }
  }
}

}  // namespace
}  // namespace spillway::load
