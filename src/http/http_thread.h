#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "http/connection.h"
#include "http/server.h"
#include "http/session.h"
#include "http/socket_loop.h"

namespace spillway::http {

/// What the threads of one server share.
struct ServerShared {
  ServerShared(ServerOptions server_options, const Clock& server_clock, Router server_router,
               RequestObserver* request_observer)
      : options(std::move(server_options)),
        clock(server_clock),
        router(std::move(server_router)),
        observer(request_observer) {}

  ServerOptions options;
  const Clock& clock;
  Router router;
  RequestObserver* observer;
  std::shared_ptr<TlsContext> tls;
  std::atomic<std::size_t> connections{0};  ///< that count against the limit
  std::atomic<std::size_t> refusing{0};

  // For drain(): how many threads still have connections.
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t threads_left = 0;
};

/// One http thread: its loop, its listening socket and its connections.
class HttpThread final : public ConnectionHost, public SocketLoop::Rounds, public Pollable {
 public:
  /// Takes `listen_fd`, which listens and does not block.
  HttpThread(ServerShared& shared, std::size_t thread, int listen_fd);
  ~HttpThread() override;

  void start();
  /// Ends the loop and closes what is open. From another thread.
  void stop();
  void start_drain();  ///< on the loop's thread
  void set_limits(std::shared_ptr<const RateLimits> limits) { context_.limits = std::move(limits); }
  SocketLoop& own_loop() { return *loop_; }
  void add_to(ServerStats& stats) const;

 private:
  void dirty(Connection& connection) override;
  void begin_round() override;
  bool end_round() override;
  void tick() override;
  void on_ready(std::uint32_t epoll_events) override;

  /// False when there is none just now.
  bool accept_one();
  void take(int fd, std::string remote_address);
  void destroy(Connection* connection);
  void close_listener();
  void note_drained();

  ServerShared& shared_;
  std::unique_ptr<SocketLoop> loop_;
  SessionContext context_;
  int listen_fd_;
  bool accept_paused_ = false;
  bool draining_ = false;
  bool drained_ = false;
  std::unique_ptr<char[]> scratch_memory_;
  std::string refusal_;
  Connection* connections_ = nullptr;
  std::vector<Connection*> dirty_;
  std::vector<Connection*> settling_;
  Counter accepted_, refused_, closed_, accept_failures_;
  std::thread thread_;
};

}  // namespace spillway::http
