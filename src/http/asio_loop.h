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

/// The loop of one http thread, on a Boost.Asio io_context.
///
/// Operation: the descriptors stand in an epoll set of their own, and that set is the one descriptor Asio
/// waits for. So a socket is registered once in its life and costs no call to wait again, where Asio's own
/// wait costs one for each request; and the events of a batch are one round that we see the end of. A round:
/// begin_round(), events or delivered nodes or a tick, hand-over of what was staged, end_round().
/// Concurrency: run() on the thread that becomes the loop's; deliver(), post() and stop() from any; the rest
/// on the loop's thread, or before run().
class AsioLoop final : public Loop {
 public:
  class Rounds {
   public:
    virtual ~Rounds() = default;
    virtual void begin_round() = 0;
    /// Sends. True when something was handled that may have staged more.
    virtual bool end_round() = 0;
    virtual void tick() = 0;
  };

  AsioLoop(std::size_t index, Rounds& rounds, Micros tick_us);
  ~AsioLoop() override;

  void run();
  void stop();
  void deliver(NodeList nodes) override;
  void post(UniqueFunction<void()> work);

  /// Errors of the calls below are those of epoll_ctl; false: errno says which.
  bool add(int fd, std::uint32_t events, Pollable* pollable);
  void modify(int fd, std::uint32_t events, Pollable* pollable);
  void remove(int fd);

 protected:
  void request_round_end() override;

 private:
  struct Io;
  template <class Work>
  void round(Work&& work);
  void wait_for_events();
  void wait_for_tick();
  void on_events();
  void run_delivered();

  Rounds& rounds_;
  Micros tick_us_;
  std::unique_ptr<Io> io_;
  bool in_round_ = false;
  bool staged_more_ = false;
  std::mutex mutex_;
  NodeList delivered_;
  bool wake_posted_ = false;
};

}  // namespace spillway::http
