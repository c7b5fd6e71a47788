#include "load/faults/conductor.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "load/faults/test_server.h"
#include "load/wire/clock.h"

namespace spillway::load {
namespace {

using namespace testing_server;  // NOLINT: the test's own words

constexpr double kNeverS = 1e6;  // long after the test

Fault fault(std::string kind, double at_s, double for_s, std::map<std::string, double> numbers = {}) {
  Fault f;
  f.kind = std::move(kind);
  f.at_s = at_s;
  f.for_s = for_s;
  f.numbers = std::move(numbers);
  return f;
}

class ConductorTest : public testing::Test {
 protected:
  void start_server(const std::string& first = "") {
    port_ = free_port();
    ServerCommand command;
    command.command = hello_server(port_, first);
    command.host = "127.0.0.1";
    command.port = port_;
    command.log_file = directory_.file("server.log");
    auto server = ServerProcess::start(command);
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(server).value();
  }
  void start_proxy() {
    auto proxy = TcpProxy::start({"127.0.0.1", port_});
    ASSERT_TRUE(proxy.ok()) << proxy.error().message;
    proxy_ = std::move(proxy).value();
  }
  static void await_begun(const Conductor& conductor, std::size_t many) {
    while (conductor.results().size() < many) std::this_thread::yield();
  }

  Directory directory_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<TcpProxy> proxy_;
};

TEST_F(ConductorTest, KillsTheServerAndStartsItAgain) {
  start_server();
  const pid_t before = server_->pid();
  Conductor conductor(server_.get(), nullptr);
  conductor.start({fault("kill", 0.02, 0.03)}, steady_ns());
  await_begun(conductor, 1);
  while (conductor.results()[0].until_s <= conductor.results()[0].from_s) std::this_thread::yield();
  conductor.stop();
  EXPECT_EQ(ask(port_), "hello");
  EXPECT_NE(server_->pid(), before);
  const FaultResult result = conductor.results().at(0);
  EXPECT_FALSE(conductor.failed()) << result.detail;
  EXPECT_EQ(result.name, "kill -9 the server");
  EXPECT_GE(result.from_s, 0.02);
  EXPECT_GE(result.until_s, 0.05);
  EXPECT_EQ(result.detail, "");
}

TEST_F(ConductorTest, AServerThatIsStoppedGoesOnWhenTheRunIsAborted) {
  start_server();
  const pid_t pid = server_->pid();
  {
    Conductor conductor(server_.get(), nullptr);
    conductor.start({fault("stop", 0, kNeverS), fault("kill", 2 * kNeverS, 1)}, steady_ns());
    while (state_of(pid) != 'T') std::this_thread::yield();
    await_begun(conductor, 1);
    conductor.stop();
    EXPECT_EQ(ask(port_), "hello");
    ASSERT_EQ(conductor.results().size(), 1u) << "the second one's time had not come";
    EXPECT_GT(conductor.results()[0].until_s, conductor.results()[0].from_s);
    EXPECT_FALSE(conductor.failed());
  }
  {
    Conductor conductor(server_.get(), nullptr);  // its destructor alone does it as well
    conductor.start({fault("stop", 0, kNeverS)}, steady_ns());
    while (state_of(pid) != 'T') std::this_thread::yield();
  }
  EXPECT_EQ(ask(port_), "hello");
  EXPECT_EQ(server_->pid(), pid);
}

TEST_F(ConductorTest, AServerThatIsDownIsStartedAgainWhenTheRunIsAborted) {
  for (const char* kind : {"kill", "restart"}) {
    start_server();
    Conductor conductor(server_.get(), nullptr);
    conductor.start({fault(kind, 0, kNeverS)}, steady_ns());
    await_begun(conductor, 1);
    EXPECT_EQ(ask(port_), "");
    conductor.stop();
    EXPECT_EQ(ask(port_), "hello");
    EXPECT_FALSE(conductor.failed());
    EXPECT_EQ(server_->died(), std::nullopt);
  }
}

TEST_F(ConductorTest, FaultsOfTheServerFollowOneAnother) {
  start_server();
  Conductor conductor(server_.get(), nullptr);
  // A zero length, an end that is the next one's beginning, and an order that is not by time.
  conductor.start({fault("kill", 0.04, 0), fault("stop", 0.02, 0.02), fault("restart", 0.01, 0)},
                  steady_ns());
  await_begun(conductor, 3);
  while (conductor.results()[2].until_s <= conductor.results()[2].from_s) std::this_thread::yield();
  conductor.stop();
  EXPECT_EQ(ask(port_), "hello");
  const auto results = conductor.results();
  EXPECT_FALSE(conductor.failed()) << results[0].detail << results[1].detail << results[2].detail;
  EXPECT_EQ(results[0].name, "restart the server");
  EXPECT_EQ(results[1].name, "stop the server (SIGSTOP)");
  EXPECT_EQ(results[2].name, "kill -9 the server");
}

TEST_F(ConductorTest, AppliesToxicsAndTakesThemBack) {
  start_server();
  start_proxy();
  Conductor conductor(nullptr, proxy_.get());
  conductor.start({fault("down", 0, kNeverS), fault("latency", 0, 0.03, {{"latency_ms", 20}})}, steady_ns());
  await_begun(conductor, 2);
  EXPECT_EQ(ask(proxy_->port()), "");
  conductor.stop();
  EXPECT_EQ(ask(proxy_->port()), "hello");
  for (const FaultResult& result : conductor.results())
    EXPECT_GT(result.until_s, result.from_s) << result.name;
  EXPECT_FALSE(conductor.failed());
  EXPECT_EQ(ask(port_), "hello");
}

TEST_F(ConductorTest, AProxysFaultDoesNotWaitForAServerThatStarts) {
  // After the kill it does not listen until the gate is there.
  const std::string gate = directory_.file("gate");
  std::ofstream(gate) << "open";
  start_server("import os\nwhile not os.path.exists(\"" + gate + "\"): pass");
  start_proxy();
  std::filesystem::remove(gate);
  Conductor conductor(server_.get(), proxy_.get());
  conductor.start({fault("kill", 0, 0), fault("latency", 0.05, 0.01, {{"latency_ms", 1}})}, steady_ns());
  await_begun(conductor, 2);
  EXPECT_EQ(ask(port_), "") << "the server is not back";
  std::ofstream(gate) << "open";
  conductor.stop();
  EXPECT_EQ(ask(port_), "hello");
  EXPECT_FALSE(conductor.failed());
}

TEST_F(ConductorTest, AServerThatDoesNotComeBackIsTold) {
  const std::string gate = directory_.file("gate");
  std::ofstream(gate) << "open";
  start_server("import os, sys\nif not os.path.exists(\"" + gate + "\"): sys.exit(\"disk is broken\")");
  std::filesystem::remove(gate);
  Conductor conductor(server_.get(), nullptr);
  conductor.start({fault("kill", 0, 0), fault("stop", 0.01, 0)}, steady_ns());
  await_begun(conductor, 2);
  conductor.stop();
  EXPECT_TRUE(conductor.failed());
  const auto results = conductor.results();
  EXPECT_NE(results[0].detail.find("not taken back"), std::string::npos) << results[0].detail;
  EXPECT_NE(results[0].detail.find("disk is broken"), std::string::npos) << results[0].detail;
  EXPECT_NE(results[1].detail, "");
}

TEST_F(ConductorTest, AServerThatDiedByItselfIsNotStartedAgain) {
  start_server();
  ASSERT_EQ(::kill(server_->pid(), SIGKILL), 0);
  while (!server_->died()) std::this_thread::yield();
  Conductor conductor(server_.get(), nullptr);
  conductor.start({fault("kill", 0, 0)}, steady_ns());
  await_begun(conductor, 1);
  conductor.stop();
  EXPECT_TRUE(conductor.failed());
  EXPECT_NE(conductor.results()[0].detail.find("signal 9"), std::string::npos);
  EXPECT_EQ(server_->pid(), 0);
}

TEST(ConductorCheck, NamesTheFaultThatCannotBeDone) {
  const struct {
    std::vector<Fault> faults;
    bool server, proxy;
    std::string error;  // its beginning; empty: all is well
  } rows[] = {
      {{}, false, false, ""},
      {{fault("kill", 1, 1), fault("stop", 2, 1), fault("restart", 3, 0)}, true, false, ""},
      {{fault("down", 1, 1), fault("reset", 1, 1, {{"percent", 5}})}, false, true, ""},
      {{fault("kill", 1, 9), fault("latency", 1, 1, {{"latency_ms", 5}})}, true, true, ""},
      {{fault("down", 1, 1), fault("kill", 1, 1)},
       false,
       true,
       "faults[1].kind: \"kill\" needs --server-command"},
      {{fault("down", 1, 1)}, true, false, "faults[0].kind: \"down\" needs the proxy"},
      {{fault("flood", 1, 1)}, true, true, "faults[0].kind: \"flood\" is none of"},
      {{fault("kill", -1, 1)}, true, true, "faults[0].at: "},
      {{fault("kill", 1, -1)}, true, true, "faults[0].for: "},
      {{fault("latency", 1, 1)}, true, true, "faults[0].latency_ms: "},
      {{fault("bandwidth", 1, 1)}, true, true, "faults[0].rate_kb_per_s: "},
      {{fault("reset", 1, 1, {{"percent", 101}})}, true, true, "faults[0].percent: "},
      {{fault("kill", 1, 5), fault("stop", 3, 1)}, true, true, "faults[1].at: begins before faults[0] ends"},
      {{fault("stop", 3, 1), fault("kill", 1, 5)}, true, true, "faults[0].at: begins before faults[1] ends"},
      {{fault("kill", 1, 5), fault("stop", 1, 1)}, true, true, "faults[1].at: begins before faults[0] ends"},
      {{fault("down", 1, 5), fault("down", 2, 1)}, true, true, "faults[1].at: begins before faults[0] ends"},
  };
  for (const auto& row : rows) {
    Plan plan;
    plan.faults = row.faults;
    const Status sound = Conductor::check(plan, row.server, row.proxy);
    const std::string told = sound ? "" : sound.error().message;
    EXPECT_EQ(told.empty(), row.error.empty()) << told;
    EXPECT_EQ(told.substr(0, row.error.size()), row.error);
  }
}

}  // namespace
}  // namespace spillway::load
