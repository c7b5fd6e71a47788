#include "load/engine/task.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spillway::load {
namespace {

/// Something to wait for that a test lets happen.
struct Gate {
  std::coroutine_handle<> waiting;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) noexcept { waiting = h; }
  void await_resume() const noexcept {}
  void open() { std::exchange(waiting, {}).resume(); }
};

struct Guard {
  std::vector<std::string>& log;
  ~Guard() { log.emplace_back("destroyed"); }
};

Task<int> inner(Gate& gate, std::vector<std::string>& log) {
  const Guard guard{log};
  log.emplace_back("inner");
  co_await gate;
  log.emplace_back("inner goes on");
  co_return 7;
}

Task<> outer(Gate& gate, std::vector<std::string>& log) {
  log.emplace_back("outer");
  const int seven = co_await inner(gate, log);
  log.emplace_back("outer has " + std::to_string(seven));
}

TEST(Task, RunsWhenStartedAndGoesOnWhereItWaited) {
  Gate gate;
  std::vector<std::string> log;
  Task<> task = outer(gate, log);
  EXPECT_TRUE(log.empty());
  task.start();
  EXPECT_EQ(log, (std::vector<std::string>{"outer", "inner"}));
  EXPECT_FALSE(task.done());
  gate.open();
  EXPECT_TRUE(task.done());
  EXPECT_EQ(log, (std::vector<std::string>{"outer", "inner", "inner goes on", "destroyed", "outer has 7"}));
}

TEST(Task, EndsWithAllThatItHadBegunWhenItIsDestroyed) {
  Gate gate;
  std::vector<std::string> log;
  Task<> task = outer(gate, log);
  task.start();
  task.reset();
  EXPECT_TRUE(task.done());
  EXPECT_EQ(log, (std::vector<std::string>{"outer", "inner", "destroyed"}));
}

TEST(Task, MovesWithItsOwner) {
  Gate gate;
  std::vector<std::string> log;
  Task<> other;
  {
    Task<> task = outer(gate, log);
    task.start();
    other = std::move(task);
  }
  gate.open();
  EXPECT_TRUE(other.done());
}

}  // namespace
}  // namespace spillway::load
