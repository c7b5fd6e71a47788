#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/loop.h"
#include "base/unique_function.h"

namespace spillway::http {

/// A file descriptor's owner. Must stay alive until the end of the round in which it is removed.
class Pollable {
 public:
  virtual ~Pollable() = default;
  virtual void on_ready(std::uint32_t epoll_events) = 0;
};

class UringLoop;

/// The loop of one http thread. What it waits with is the business of EpollLoop and UringLoop.
///
/// Operation: a round is: begin_round(), events or delivered nodes or a tick, hand-over of what was staged,
/// end_round(). Concurrency: run() on the thread that becomes the loop's; deliver(), post() and stop() from
/// any; the rest on the loop's thread, or before run().
class SocketLoop : public Loop {
 public:
  class Rounds {
   public:
    virtual ~Rounds() = default;
    virtual void begin_round() = 0;
    /// Sends. True when something was handled that may have staged more.
    virtual bool end_round() = 0;
    virtual void tick() = 0;
  };

  /// By io_uring when `io_uring` and the kernel lets us, else by epoll. `rounds` outlives the loop.
  static std::unique_ptr<SocketLoop> make(bool io_uring, std::size_t index, Rounds& rounds, Micros tick_us);

  virtual void run() = 0;
  virtual void stop() = 0;
  void deliver(NodeList nodes) final;
  void post(UniqueFunction<void()> work);

  /// Tells of `events`, those of epoll. Errors of the calls below are those of epoll_ctl; false: errno says
  /// which.
  virtual bool add(int fd, std::uint32_t events, Pollable* pollable) = 0;
  virtual void modify(int fd, std::uint32_t events, Pollable* pollable) = 0;
  virtual void remove(int fd) = 0;
  /// The loop that reads and sends for its sockets, if this is one.
  virtual UringLoop* uring() { return nullptr; }

 protected:
  SocketLoop(std::size_t index, Rounds& rounds) : Loop(index), rounds_(rounds) {}

  /// Any thread: there is something delivered, or it is time to stop.
  virtual void wake() = 0;
  /// Called on the loop's thread when nothing is in a round that would hand over what was staged.
  virtual void round_soon() = 0;
  void request_round_end() final;

  template <class Work>
  void round(Work&& work) {
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

  bool has_delivered() {
    const std::lock_guard lock(mutex_);
    return woken_;
  }

  Rounds& rounds_;

 private:
  void run_delivered();

  bool in_round_ = false;
  bool staged_more_ = false;
  std::mutex mutex_;
  NodeList delivered_;
  bool woken_ = false;
};

}  // namespace spillway::http
