#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http/session.h"
#include "http/socket_loop.h"
#include "http/tls.h"
#include "http/uring_loop.h"

namespace spillway::http {

class Connection;

/// What a connection needs of its thread.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  /// settle() is to be called at the end of this round.
  virtual void dirty(Connection& connection) = 0;

  SocketLoop* loop = nullptr;
  char* scratch = nullptr;  ///< limits::kReadBytes, for whoever reads
  char* plain = nullptr;    ///< the same, for what TLS decrypts
  Counter sends;
};

/// A socket and its session. Reads when there is something to read; sends once a round.
///
/// Operation: on a loop that tells what is ready, settle() sends. On one that reads and sends by itself, what
/// was received while nothing was wanted is held back until it is, and the ordinary answer is left to the end
/// of the round; whatever has to be known at once is sent by settle() all the same.
class Connection final : public Session, public Pollable, public UringLoop::Socket {
 public:
  /// Takes `fd`, non-blocking. `tls` may be null.
  Connection(ConnectionHost& host, SessionContext& context, int fd, std::string remote_address,
             const TlsContext* tls, bool is_counted);
  ~Connection() override;

  /// False when the socket cannot be watched.
  bool open();
  /// Answers with `text` and closes: for a connection past the limit. Not with TLS.
  void refuse_with(std::string_view text);
  void on_ready(std::uint32_t epoll_events) override;
  void on_received(char* data, int result, bool last) override;
  std::string_view to_send() override { return output().view(); }
  void on_sent(int result) override;
  /// Sends what is there. False when the connection is over and is to be destroyed.
  bool settle();
  void start_drain();
  void check_time();

  bool is_dirty = false;
  Connection* before = nullptr;  ///< the list of the thread's connections
  Connection* after = nullptr;
  const bool counted;  ///< against the limit of connections

 private:
  enum class State : std::uint8_t { kOpen, kLingering, kOver };

  void touched() override { host_.dirty(*this); }
  void read_some();
  /// What was read: `size` bytes at `data`, the end if there are none.
  void take(char* data, std::size_t size);
  bool take_held();
  void take_plain(char* data, std::size_t size);
  void take_encrypted(const char* data, std::size_t size);
  /// Until all is sent or the socket takes no more.
  void flush();
  void send(ByteBuffer& out);
  void send_with_others();
  void finish();
  void watch();
  void watch_with_uring();
  void over();

  ConnectionHost& host_;
  int fd_;
  State state_ = State::kOpen;
  bool send_blocked_ = false;
  bool refused_ = false;
  std::uint32_t watched_ = 0;
  bool unread_ = false;  ///< there may be more in the kernel than the last event and read told
  Micros since_us_;      ///< the handshake began, the socket took something last, lingering began
  // With io_uring only.
  UringLoop* const uring_;
  UringLoop::Receive* receive_ = nullptr;
  bool cancelling_ = false;
  bool sending_ = false;  ///< until the end of the round
  bool held_end_ = false;
  std::string held_;  ///< received while nothing was wanted
  std::unique_ptr<TlsChannel> tls_;
  ByteBuffer encrypted_;
};

}  // namespace spillway::http
