#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/wire/target.h"

struct ssl_ctx_st;
struct ssl_st;

namespace spillway::load {

/// What TLS connections share. Certificates are verified against the system's authorities, or those of a
/// file.
class TlsSettings {
 public:
  /// `ca_file`: PEM; empty: the system's. Errors: invalid_argument.
  static Result<std::shared_ptr<TlsSettings>> make(const std::string& ca_file, bool verify);
  ~TlsSettings();
  TlsSettings(const TlsSettings&) = delete;
  TlsSettings& operator=(const TlsSettings&) = delete;
  ssl_ctx_st* context() const { return context_; }

 private:
  TlsSettings() = default;
  ssl_ctx_st* context_ = nullptr;
};

/// A non-blocking connection of one virtual user, in an epoll set of its owner, edge-triggered, so that
/// nothing is armed anew. It holds no buffers. Not thread-safe.
class Connection {
 public:
  enum class State : std::uint8_t { kClosed, kConnecting, kHandshaking, kOpen };
  /// Why a connection could not be made or did not last.
  enum class Failure : std::uint8_t {
    kNone,
    kLocal,    ///< this machine's fault: no more ports, files or memory
    kRefused,  ///< or no route, or a time-out of the network
    kTls,
    kReset,  ///< while it was open
  };

  Connection() = default;
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Begins to connect. `source`: null, or what to bind to. `tag`: what epoll answers. Afterwards kConnecting
  /// or (with failure()) kClosed.
  void open(int epoll, const Target&, const sockaddr_in* source, TlsSettings*, void* tag);
  /// What epoll said of it while connecting or shaking hands: goes on as far as it can.
  void advance();
  /// How much was taken, 0 when nothing can be taken now; negative: closed, see failure().
  std::ptrdiff_t send(std::string_view);
  /// How much came, 0 when nothing is there; negative: the end, or closed with failure().
  std::ptrdiff_t receive(char* into, std::size_t size);
  void close();

  State state() const { return state_; }
  Failure failure() const { return failure_; }
  /// Steady clock; TLS: when its handshake began.
  std::int64_t connected_ns() const { return connected_ns_; }

 private:
  void fail(Failure);
  void shake_hands();

  int fd_ = -1;
  State state_ = State::kClosed;
  Failure failure_ = Failure::kNone;
  ssl_st* tls_ = nullptr;
  std::int64_t connected_ns_ = 0;
};

}  // namespace spillway::load
