#pragma once

#include <memory>

#include "http/socket_loop.h"

namespace spillway::http {

/// Waits with epoll, on a Boost.Asio io_context.
///
/// Operation: the descriptors stand in an epoll set of their own, and that set is the one descriptor Asio
/// waits for. So a socket is registered once in its life and costs no call to wait again, where Asio's own
/// wait costs one for each request; and the events of a batch are one round that we see the end of.
class EpollLoop final : public SocketLoop {
 public:
  EpollLoop(std::size_t index, Rounds& rounds, Micros tick_us);
  ~EpollLoop() override;

  void run() override;
  void stop() override;
  bool add(int fd, std::uint32_t events, Pollable* pollable) override;
  void modify(int fd, std::uint32_t events, Pollable* pollable) override;
  void remove(int fd) override;

 protected:
  void wake() override;
  void round_soon() override;

 private:
  struct Io;
  void wait_for_events();
  void wait_for_tick();
  void on_events();

  Micros tick_us_;
  std::unique_ptr<Io> io_;
};

}  // namespace spillway::http
