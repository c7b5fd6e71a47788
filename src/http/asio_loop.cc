#include "http/asio_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "http/asio_impl.h"

namespace spillway::http {
namespace {

namespace asio = boost::asio;

class Posted final : public Node {
 public:
  explicit Posted(UniqueFunction<void()> work) : work_(std::move(work)) {}
  void finish() override {
    const std::unique_ptr<Posted> self(this);
    work_();
  }

 private:
  UniqueFunction<void()> work_;
};

}  // namespace

struct AsioLoop::Io {
  asio::io_context context{1};
  asio::posix::stream_descriptor set{context};
  asio::steady_timer timer{context};
  std::array<epoll_event, 256> events;
};

AsioLoop::AsioLoop(std::size_t index, Rounds& rounds, Micros tick_us)
    : Loop(index), rounds_(rounds), tick_us_(tick_us), io_(std::make_unique<Io>()) {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  CHECK(fd >= 0);
  io_->set.assign(fd);
}

AsioLoop::~AsioLoop() = default;

void AsioLoop::run() {
  const Scope scope(this);
  wait_for_events();
  wait_for_tick();
  io_->context.run();
}

void AsioLoop::stop() { io_->context.stop(); }

template <class Work>
void AsioLoop::round(Work&& work) {
  in_round_ = true;
  rounds_.begin_round();
  work();
  run_delivered();
  do {
    staged_more_ = false;
    flush_staged();
  } while (rounds_.end_round() || staged_more_);
  in_round_ = false;
}

void AsioLoop::request_round_end() {
  staged_more_ = true;
  if (!in_round_) asio::post(io_->context, [this] { round([] {}); });
}

void AsioLoop::wait_for_events() {
  io_->set.async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code ec) {
    if (ec) return;
    on_events();
    wait_for_events();
  });
}

void AsioLoop::on_events() {
  round([this] {
    const int count =
        epoll_wait(io_->set.native_handle(), io_->events.data(), static_cast<int>(io_->events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = io_->events[static_cast<std::size_t>(i)];
      static_cast<Pollable*>(event.data.ptr)->on_ready(event.events);
    }
  });
}

void AsioLoop::wait_for_tick() {
  io_->timer.expires_after(std::chrono::microseconds(tick_us_));
  io_->timer.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    round([this] { rounds_.tick(); });
    wait_for_tick();
  });
}

void AsioLoop::deliver(NodeList nodes) {
  if (nodes.empty()) return;
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    delivered_.append(std::move(nodes));
    wake = !std::exchange(wake_posted_, true);
  }
  if (!wake) return;
  asio::post(io_->context, [this] {
    {
      const std::lock_guard lock(mutex_);
      wake_posted_ = false;
    }
    round([] {});
  });
}

void AsioLoop::run_delivered() {
  NodeList nodes;
  {
    const std::lock_guard lock(mutex_);
    nodes = std::move(delivered_);
  }
  run_all(std::move(nodes));
}

void AsioLoop::post(UniqueFunction<void()> work) {
  NodeList nodes;
  nodes.push(new Posted(std::move(work)));
  deliver(std::move(nodes));
}

bool AsioLoop::add(int fd, std::uint32_t events, Pollable* pollable) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = pollable;
  return epoll_ctl(io_->set.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void AsioLoop::modify(int fd, std::uint32_t events, Pollable* pollable) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = pollable;
  CHECK(epoll_ctl(io_->set.native_handle(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void AsioLoop::remove(int fd) { epoll_ctl(io_->set.native_handle(), EPOLL_CTL_DEL, fd, nullptr); }

}  // namespace spillway::http
