#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http/asio_loop.h"
#include "http/session.h"
#include "http/tls.h"

namespace spillway::http {

class Connection;

/// What a connection needs of its thread.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  /// settle() is to be called at the end of this round.
  virtual void dirty(Connection& connection) = 0;

  AsioLoop* loop = nullptr;
  char* scratch = nullptr;  ///< limits::kReadBytes, for whoever reads
  char* plain = nullptr;    ///< the same, for what TLS decrypts
  Counter sends;
};

/// A socket and its session. Reads when there is something to read; sends once a round, in settle().
class Connection final : public Session, public Pollable {
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
  void take_plain(char* data, std::size_t size);
  void take_encrypted(const char* data, std::size_t size);
  /// Until all is sent or the socket takes no more.
  void flush();
  void send(ByteBuffer& out);
  void finish();
  void watch();
  void over();

  ConnectionHost& host_;
  int fd_;
  State state_ = State::kOpen;
  bool send_blocked_ = false;
  bool refused_ = false;
  std::uint32_t watched_ = 0;
  bool unread_ = false;  ///< there may be more in the kernel than the last event and read told
  Micros since_us_;      ///< the handshake began, the socket took something last, lingering began
  std::unique_ptr<TlsChannel> tls_;
  ByteBuffer encrypted_;
};

}  // namespace spillway::http
