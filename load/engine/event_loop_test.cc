#include "load/engine/event_loop.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "load/wire/clock.h"

namespace spillway::load {
namespace {

struct Recording final : LoopTarget {
  Recording(std::vector<std::string>& to, std::string as) : log(to), name(std::move(as)) {}
  void on_ready(std::uint32_t) override { log.push_back(name + " ready"); }
  void on_time(std::int64_t at_ns, std::int64_t now_ns) override {
    EXPECT_GE(now_ns, at_ns);
    log.push_back(name + " time");
  }
  void on_turn() override {
    log.push_back(name + " turn");
    if (in_turn) in_turn();
  }
  std::vector<std::string>& log;
  std::string name;
  std::function<void()> in_turn;
};

class EventLoopTest : public testing::Test {
 protected:
  void run_until(std::size_t events) {
    while (log_.size() < events) loop_->run_once(steady_ns() + 1'000'000'000);
  }
  Result<EventLoop> loop_ = EventLoop::make();
  std::vector<std::string> log_;
};

TEST_F(EventLoopTest, RingsInTheOrderOfTimeWhateverTheOrderOfAsking) {
  Recording a(log_, "a"), b(log_, "b"), c(log_, "c");
  const std::int64_t now = steady_ns();
  loop_->wake_at(c, now + 3'000'000);
  loop_->wake_at(a, now + 1'000'000);
  loop_->wake_at(b, now + 2'000'000);
  run_until(3);
  EXPECT_EQ(log_, (std::vector<std::string>{"a time", "b time", "c time"}));
}

TEST_F(EventLoopTest, ALaterAlarmReplacesTheOneBefore) {
  Recording a(log_, "a"), b(log_, "b");
  const std::int64_t now = steady_ns();
  loop_->wake_at(a, now);
  loop_->wake_at(a, now + 2'000'000);
  loop_->wake_at(b, now + 1'000'000);
  run_until(2);
  EXPECT_EQ(log_, (std::vector<std::string>{"b time", "a time"}));
}

TEST_F(EventLoopTest, WhatIsForgottenDoesNotRing) {
  Recording a(log_, "a"), b(log_, "b");
  loop_->wake_at(a, 0);
  loop_->wake_at(b, 1);
  loop_->forget(a);
  run_until(1);
  EXPECT_EQ(log_, (std::vector<std::string>{"b time"}));
}

TEST_F(EventLoopTest, PostsOnceARoundAndAgainInTheNext) {
  Recording a(log_, "a");
  int left = 2;
  a.in_turn = [&] {
    if (--left > 0) loop_->post(a);
  };
  loop_->post(a);
  loop_->post(a);
  run_until(2);
  loop_->run_once(0);
  EXPECT_EQ(log_, (std::vector<std::string>{"a turn", "a turn"}));
}

TEST_F(EventLoopTest, TellsWhatDescriptorsSay) {
  Recording a(log_, "a");
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  epoll_event want{};
  want.events = EPOLLIN;
  want.data.ptr = static_cast<LoopTarget*>(&a);
  ASSERT_EQ(::epoll_ctl(loop_->epoll(), EPOLL_CTL_ADD, ends[0], &want), 0);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  run_until(1);
  EXPECT_EQ(log_, (std::vector<std::string>{"a ready"}));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace spillway::load
