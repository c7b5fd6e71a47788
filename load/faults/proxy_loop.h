#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "load/faults/flow.h"
#include "load/faults/tcp_proxy.h"
#include "load/wire/socket.h"

namespace spillway::load {

/// The inside of TcpProxy: epoll, sockets and the clock around Flow.
class ProxyLoop {
 public:
  explicit ProxyLoop(const SocketAddress& target);
  Status open();
  std::uint16_t port() const { return port_; }

  /// On the proxy's thread, until end().
  void run();

  // From any thread.
  void end();
  /// Returns when the toxics that `edit` left are in force.
  Status change(const std::function<void(Toxics&)>& edit);
  ProxyCounts counts() const;

 private:
  // Of a connection, side 0 is who connected, side 1 is the target. Flow i comes from side i.
  struct Side {
    Fd fd;
    std::uint32_t events = 0;  // what epoll watches; 0: it does not know the file
  };
  struct Connection {
    Connection() { cut_at_ns.fill(kNever); }
    std::uint64_t id = 0;
    std::array<Side, 2> sides;
    std::array<Flow, 2> flows;
    std::array<bool, 2> blocked{};        // flow i: the other side takes no more for now
    std::array<bool, 2> end_passed{};     // flow i
    std::array<bool, kToxicKinds> hit{};  // by those in force: drawn by their percent
    bool connected = false;
    std::array<std::int64_t, kToxicKinds> cut_at_ns;  // by reset_peer or timeout
    std::int64_t timer_ns = kNever;                   // when timers_ names it next
  };
  using Timer = std::pair<std::int64_t, std::uint64_t>;  // when, whose

  Status listen();
  void watch_listener();
  void forget_listener();
  void pause_listener();
  void wake();
  void accept_some();
  void connect_on(Fd client, const SocketAddress& from);
  void handle(std::uint64_t id, int side, std::uint32_t events);
  void handle_timers();
  void read_from(Connection&, int side);
  /// Passes on what is due. False: the connection is gone.
  bool pass_on(Connection&, int flow, std::int64_t now_ns);
  bool finish_connect(Connection&);
  /// After anything happened to it: passes on, closes, or waits for what comes next.
  void settle(Connection&);
  void watch(Connection&, int side);
  void set_timer(std::uint64_t id, std::int64_t* current_ns, std::int64_t at_ns);
  void arm_timer();
  void close(Connection&, bool with_reset);

  void take_change();
  Status put_in_force(const Toxics&);
  void draw(Connection&, ToxicKind, std::int64_t now_ns);
  Toxics toxics_of(const Connection&) const;
  std::size_t room(const Flow&) const;
  void hold(std::int64_t bytes);

  const SocketAddress target_;
  std::uint16_t port_ = 0;
  Fd reserved_;  // keeps the port for us while there is no listener
  Fd listener_, epoll_, wake_, timer_;
  Fd next_target_;  // for whoever connects next
  bool watches_listener_ = false;
  std::int64_t listen_again_ns_ = kNever;
  std::unordered_map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::uint64_t last_id_ = 0;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::int64_t armed_ns_ = kNever;
  Toxics toxics_;
  bool any_toxic_ = false;
  std::mt19937_64 random_;
  std::vector<char> scratch_;

  std::mutex change_mutex_;  // one change at a time
  std::mutex mutex_;
  std::condition_variable changed_;
  Toxics wanted_;              // under mutex_
  bool change_waits_ = false;  // under mutex_
  Status outcome_ = Ok{};      // under mutex_
  bool ended_ = false;         // under mutex_

  struct {
    std::atomic<std::uint64_t> connections{0}, open{0}, bytes_up{0}, bytes_down{0}, resets{0}, broken{0},
        connect_failures{0}, accept_failures{0}, held{0}, most_held{0};
  } counts_;
};

}  // namespace spillway::load
