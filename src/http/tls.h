#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/byte_buffer.h"

struct ssl_st;

namespace spillway::http {

/// Certificate, key and policy of a TLS server: TLS 1.2 and later, ALPN http/1.1.
class TlsContext {
 public:
  static Result<std::shared_ptr<TlsContext>> load(const std::string& certificate_file,
                                                  const std::string& key_file);
  ~TlsContext();

 private:
  friend class TlsChannel;
  struct Impl;
  explicit TlsContext(std::unique_ptr<Impl>);
  std::unique_ptr<Impl> impl_;
};

/// One connection's TLS between two buffers: it never touches the socket, so reading, writing and batching
/// are the same with and without it.
class TlsChannel {
 public:
  explicit TlsChannel(const TlsContext& context);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  /// What came from the socket. False when it cannot be taken.
  bool feed(const char* data, std::size_t size);
  enum class Read : std::uint8_t { kData, kNothing, kClosed, kFailed };
  /// The next piece of what the peer sent; call until it is not kData. Does the handshake on the way.
  Read read(char* out, std::size_t size, std::size_t& count);
  bool established() const;
  /// Encrypts all of `plain`. False when the channel is broken.
  bool write(std::string_view plain);
  /// Says goodbye (close_notify).
  void shutdown();
  /// Moves what is to be sent to the end of `out`.
  void take_output(ByteBuffer& out);

 private:
  ssl_st* ssl_;
};

}  // namespace spillway::http
