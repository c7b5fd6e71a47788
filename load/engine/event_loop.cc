#include "load/engine/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "load/wire/clock.h"

namespace spillway::load {
namespace {

constexpr int kMaxEvents = 512;         // of one wait
constexpr int kMaxAlarmsInARow = 1024;  // before descriptors are looked at again

}  // namespace

Result<EventLoop> EventLoop::make() {
  EventLoop loop;
  loop.epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (loop.epoll_ < 0) return Error{ErrorCode::kInternal, std::string("epoll: ") + std::strerror(errno)};
  epoll_event none{};
  const timespec at_once{};
  if (::epoll_pwait2(loop.epoll_, &none, 1, &at_once, nullptr) < 0)
    return Error{ErrorCode::kInternal, std::string("epoll_pwait2 (Linux 5.11): ") + std::strerror(errno)};
  return loop;
}

EventLoop::EventLoop(EventLoop&& other) noexcept
    : epoll_(std::exchange(other.epoll_, -1)),
      alarms_(std::move(other.alarms_)),
      last_alarm_(other.last_alarm_),
      turns_(std::move(other.turns_)) {}

EventLoop::~EventLoop() {
  if (epoll_ >= 0) ::close(epoll_);
}

void EventLoop::wake_at(LoopTarget& target, std::int64_t at_ns) {
  if (++last_alarm_ == 0) ++last_alarm_;
  target.alarm_ = last_alarm_;
  alarms_.push({at_ns, &target, last_alarm_});
}

void EventLoop::forget(LoopTarget& target) { target.alarm_ = 0; }

void EventLoop::post(LoopTarget& target) {
  if (std::exchange(target.posted_, true)) return;
  turns_.push_back(&target);
}

void EventLoop::ring(std::int64_t now_ns) {
  const std::uint32_t newest = last_alarm_;  // what is asked for by those who are rung is for the next round
  for (int rung = 0; rung < kMaxAlarmsInARow && !alarms_.empty() && alarms_.top().at_ns <= now_ns;) {
    const Alarm alarm = alarms_.top();
    if (static_cast<std::int32_t>(alarm.number - newest) > 0) break;
    alarms_.pop();
    if (alarm.target->alarm_ != alarm.number) continue;
    alarm.target->alarm_ = 0;
    alarm.target->on_time(alarm.at_ns, now_ns);
    ++rung;
  }
}

void EventLoop::run_once(std::int64_t until_ns) {
  ring(steady_ns());
  running_.swap(turns_);
  for (LoopTarget* target : running_) {
    target->posted_ = false;
    target->on_turn();
  }
  running_.clear();
  if (!alarms_.empty()) until_ns = std::min(until_ns, alarms_.top().at_ns);
  wait(turns_.empty() ? until_ns : 0);
}

void EventLoop::wait(std::int64_t until_ns) {
  std::array<epoll_event, kMaxEvents> events;
  const std::int64_t left_ns = until_ns <= 0 ? 0 : std::max<std::int64_t>(0, until_ns - steady_ns());
  timespec timeout{};
  timeout.tv_sec = left_ns / 1'000'000'000;
  timeout.tv_nsec = left_ns % 1'000'000'000;
  const int ready = ::epoll_pwait2(epoll_, events.data(), kMaxEvents, &timeout, nullptr);
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<LoopTarget*>(event.data.ptr)->on_ready(event.events);
  }
}

}  // namespace spillway::load
