#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/socket_loop.h"

struct io_uring;
struct io_uring_buf_ring;
struct io_uring_cqe;
struct io_uring_sqe;

namespace spillway::http {

/// Waits, reads and sends with io_uring.
///
/// Operation: each socket has one receive in the kernel that completes again and again, into buffers from a
/// ring that all sockets share; what a round has to send is given to the kernel in the one call that then
/// waits. So a round costs one system call, where epoll costs one to wait and two for each request. The sends
/// do not wait: when the call returns each of them is done, in part or as a whole, so that no buffer is lent
/// to the kernel for longer. Asks for Linux 6.1. Concurrency: as SocketLoop.
class UringLoop final : public SocketLoop {
 public:
  /// Who reads and sends through this loop.
  class Socket {
   public:
    virtual ~Socket() = default;
    /// result: bytes at `data`, 0 at the end of the stream, or a negative errno. `last`: the receive is over
    /// and may be begun again.
    virtual void on_received(char* data, int result, bool last) = 0;
    /// What on_sent() will be told of.
    virtual std::string_view to_send() = 0;
    /// result: bytes that the socket took, or a negative errno. The round that follows has a look at whoever
    /// asks for it in here.
    virtual void on_sent(int result) = 0;
  };
  /// A receive in the kernel.
  struct Receive;

  /// Null when the kernel does not let us, or is too old: the log says why.
  static std::unique_ptr<UringLoop> make(std::size_t index, Rounds& rounds, Micros tick_us);
  ~UringLoop() override;

  void run() override;
  void stop() override;
  bool add(int fd, std::uint32_t events, Pollable* pollable) override;
  void modify(int fd, std::uint32_t events, Pollable* pollable) override;
  void remove(int fd) override;
  UringLoop* uring() override { return this; }

  /// The kernel keeps the socket at hand for send(), so that it need not look it up each time (1% of a small
  /// request). It stays open until forget(), which comes before close().
  void keep(int fd);
  void forget(int fd);
  /// Valid until on_received() with `last`, or drop().
  Receive* receive(int fd, Socket& socket);
  /// Asks for the end: on_received() with `last` follows.
  void cancel(Receive*);
  /// The same, but nobody is told any more.
  void drop(Receive*);
  /// to_send() is sent at the end of this round. Once a round.
  void send(int fd, Socket& socket);
  /// The socket goes before the end of the round in which send() was called.
  void forget_send(Socket& socket);

 protected:
  void wake() override;
  void round_soon() override { soon_ = true; }

 private:
  struct Poll;
  struct Send {
    int fd;
    Socket* socket;
    int result;
  };

  UringLoop(std::size_t index, Rounds& rounds, Micros tick_us);
  /// Empty, or why not.
  std::string open();
  void open_file_table();
  void close_ring();
  bool is_kept(int fd) const {
    const auto at = static_cast<std::size_t>(fd);
    return at < kept_.size() && kept_[at];
  }
  io_uring_sqe* entry();
  void submit();
  void submit_sends();
  void take_failed_sends();
  void tell_sent();
  void wait(Micros limit_us);
  void dispatch(const io_uring_cqe& cqe);
  void on_receive(Receive* receive, const io_uring_cqe& cqe);
  void arm(Poll* poll);
  void arm_wake();
  void end_all();
  void end(const io_uring_cqe& cqe);

  const Micros tick_us_;
  const int wake_fd_;
  std::unique_ptr<io_uring> ring_;
  io_uring_buf_ring* buffers_ = nullptr;
  std::unique_ptr<char[]> memory_;
  std::uint64_t wake_value_ = 0;
  std::atomic<bool> asleep_{false};
  std::atomic<bool> stopping_{false};
  bool soon_ = false;
  bool running_ = false;
  std::size_t in_kernel_ = 0;  ///< receives, polls and the wake-up that have not had their last completion
  std::vector<Send> sends_;
  std::vector<bool> kept_;  ///< by descriptor; as large as the ring's table of files
  std::unordered_map<int, Poll*> polls_;
};

}  // namespace spillway::http
