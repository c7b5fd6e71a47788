#include "http/epoll_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "http/asio_impl.h"

namespace spillway::http {
namespace {

namespace asio = boost::asio;

}  // namespace

struct EpollLoop::Io {
  asio::io_context context{1};
  asio::posix::stream_descriptor set{context};
  asio::steady_timer timer{context};
  std::array<epoll_event, 256> events;
};

EpollLoop::EpollLoop(std::size_t index, Rounds& rounds, Micros tick_us)
    : SocketLoop(index, rounds), tick_us_(tick_us), io_(std::make_unique<Io>()) {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  CHECK(fd >= 0);
  io_->set.assign(fd);
}

EpollLoop::~EpollLoop() = default;

void EpollLoop::run() {
  const Scope scope(this);
  wait_for_events();
  wait_for_tick();
  io_->context.run();
}

void EpollLoop::stop() { io_->context.stop(); }

void EpollLoop::wake() {
  asio::post(io_->context, [this] { round([] {}); });
}

void EpollLoop::round_soon() { wake(); }

void EpollLoop::wait_for_events() {
  io_->set.async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code ec) {
    if (ec) return;
    on_events();
    wait_for_events();
  });
}

void EpollLoop::on_events() {
  round([this] {
    const int count =
        epoll_wait(io_->set.native_handle(), io_->events.data(), static_cast<int>(io_->events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = io_->events[static_cast<std::size_t>(i)];
      static_cast<Pollable*>(event.data.ptr)->on_ready(event.events);
    }
  });
}

void EpollLoop::wait_for_tick() {
  io_->timer.expires_after(std::chrono::microseconds(tick_us_));
  io_->timer.async_wait([this](boost::system::error_code ec) {
    if (ec) return;
    round([this] { rounds_.tick(); });
    wait_for_tick();
  });
}

bool EpollLoop::add(int fd, std::uint32_t events, Pollable* pollable) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = pollable;
  return epoll_ctl(io_->set.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void EpollLoop::modify(int fd, std::uint32_t events, Pollable* pollable) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = pollable;
  CHECK(epoll_ctl(io_->set.native_handle(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EpollLoop::remove(int fd) { epoll_ctl(io_->set.native_handle(), EPOLL_CTL_DEL, fd, nullptr); }

}  // namespace spillway::http
