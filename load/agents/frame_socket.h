#pragma once

#include <poll.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "load/agents/protocol.h"
#include "load/wire/socket.h"

namespace spillway::load {

/// A socket that does not block, with the frames that come and go over it. Not thread-safe.
class FrameSocket {
 public:
  FrameSocket(Fd socket, std::size_t most_frame_bytes);

  int fd() const { return socket_.get(); }
  /// What poll() should look for.
  short wanted_events() const { return static_cast<short>(POLLIN | (unsent() > 0 ? POLLOUT : 0)); }
  /// Kept until flush() can send it.
  void send(FrameType type, std::string_view payload = {}) { append_frame(out_, type, payload); }
  std::size_t unsent() const { return out_.size() - sent_; }
  /// Errors: the connection is gone.
  Status flush();
  /// Takes some of what has come. Errors: the connection is gone.
  Status receive();
  /// As FrameReader::next().
  Result<std::optional<Frame>> next() { return reader_.next(); }
  void set_limit(std::size_t most_frame_bytes) { reader_.set_limit(most_frame_bytes); }
  /// The other side has said its last.
  bool ended() const { return ended_; }
  /// Nothing more will be sent.
  void finish() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_.close(); }

 private:
  Fd socket_;
  FrameReader reader_;
  std::string out_;
  std::size_t sent_ = 0;  // of out_
  bool ended_ = false;
};

}  // namespace spillway::load
