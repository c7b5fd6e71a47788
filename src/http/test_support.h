#pragma once

// What the tests of this folder and the fuzz target share: a clock that is told the time, a session without a
// socket, a client that sends exactly the bytes it is given.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/server.h"
#include "http/session.h"
#include "http/uring_loop.h"

namespace spillway::http {

class FakeClock final : public Clock {
 public:
  Timestamp wall() const override { return {1'700'000'000 * kSecond + now_us_.load()}; }
  Micros steady_us() const override { return kSecond + now_us_.load(); }
  void advance(Micros us) { now_us_ += us; }

 private:
  std::atomic<Micros> now_us_{0};
};

class TestSession final : public Session {
 public:
  using Session::Session;
  int touches = 0;

 private:
  void touched() override { ++touches; }
};

/// Tests run with io_uring and with epoll. In SetUp(), or first in the test, which then looks at IsSkipped().
inline void skip_without_network(bool io_uring) {
  struct Nothing final : SocketLoop::Rounds {
    void begin_round() override {}
    bool end_round() override { return false; }
    void tick() override {}
  } nothing;
  if (io_uring && UringLoop::make(0, nothing, kSecond) == nullptr)
    GTEST_SKIP() << "the kernel gives us no io_uring here";
}
inline std::string network_name(const testing::TestParamInfo<bool>& info) {
  return info.param ? "io_uring" : "epoll";
}

/// One session and what it needs; the part of the socket is played by feed() and sent.
class SessionBench {
 public:
  explicit SessionBench(Router made, ServerOptions chosen = {})
      : router(std::move(made)),
        options(std::move(chosen)),
        context{.router = router, .options = options, .clock = clock} {
    context.pool = new SlotPool;
    context.read_clocks();
    open();
  }
  ~SessionBench() {
    session.reset();
    context.pool->orphan();
  }
  SessionBench(const SessionBench&) = delete;
  SessionBench& operator=(const SessionBench&) = delete;

  void open() {
    session = std::make_unique<TestSession>(context, "192.0.2.1");
    sent.clear();
  }
  /// Returns what the session did not want any more.
  std::string_view feed(std::string_view bytes) {
    while (!bytes.empty() && session->wants_input()) {
      std::size_t space = 0;
      char* at = session->read_space(scratch_.data(), scratch_.size(), space);
      const std::size_t n = std::min(space, bytes.size());
      std::memcpy(at, bytes.data(), n);
      session->received(at, n);
      bytes.remove_prefix(n);
      settle();
    }
    return bytes;
  }
  void settle() {
    do {
      sent.append(session->output().view());
      session->output().clear();
    } while (session->resume());
  }
  void advance(Micros us) {
    clock.advance(us);
    context.read_clocks();
    session->tick();
    settle();
  }

  FakeClock clock;
  Router router;
  ServerOptions options;
  SessionContext context;
  std::unique_ptr<TestSession> session;
  std::string sent;

 private:
  std::vector<char> scratch_ = std::vector<char>(limits::kReadBytes);
};

struct Answer {
  int status = 0;  ///< 0: the connection ended before it
  std::string head;
  std::string body;
  std::string field(std::string_view name) const {
    const std::size_t at = head.find("\r\n" + std::string(name) + ": ");
    if (at == std::string::npos) return {};
    const std::size_t start = at + name.size() + 4;
    return head.substr(start, head.find("\r\n", start) - start);
  }
};

/// Takes the first answer off `bytes`; status 0 when it is not complete. Chunked bodies are left encoded, up
/// to and with their last chunk.
inline Answer take_answer(std::string& bytes, bool to_head = false) {
  Answer answer;
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string::npos || !bytes.starts_with("HTTP/1.1 ")) return answer;
  answer.head = bytes.substr(0, end + 2);
  const int status = std::stoi(bytes.substr(9, 3));
  std::size_t size = 0;
  if (!to_head && answer.field("Transfer-Encoding") == "chunked") {
    const std::size_t last = bytes.find("0\r\n\r\n", end + 4);
    if (last == std::string::npos) return answer;
    size = last + 5 - (end + 4);
  } else if (const std::string length = answer.field("Content-Length"); !to_head && !length.empty()) {
    size = std::stoul(length);
  }
  if (bytes.size() < end + 4 + size) return answer;
  answer.status = status;
  answer.body = bytes.substr(end + 4, size);
  bytes.erase(0, end + 4 + size);
  return answer;
}

/// SO_RCVBUF as the kernel counts it.
inline int receive_buffer(int fd) {
  int bytes = 0;
  socklen_t size = sizeof bytes;
  return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size) == 0 ? bytes : -1;
}

/// Of the other end of a connection within this process; -1: there is none.
inline int receive_buffer_of_peer(int fd) {
  sockaddr_in ours{};
  socklen_t size = sizeof ours;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&ours), &size) != 0) return -1;
  constexpr int kMostDescriptors = 1024;  // of a test
  for (int other = 0; other < kMostDescriptors; ++other) {
    sockaddr_in peer{};
    size = sizeof peer;
    const bool connected = getpeername(other, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    if (connected && peer.sin_port == ours.sin_port) return receive_buffer(other);
  }
  return -1;
}

/// A blocking client. A read that takes longer than kPatience ends a test that would hang, and only that.
class Client {
 public:
  /// Not connected yet.
  explicit Client(int receive_buffer_bytes = 0) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer_bytes > 0) {
      setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    const timeval patience{kPatienceSeconds, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  explicit Client(std::uint16_t port, int receive_buffer_bytes = 0) : Client(receive_buffer_bytes) {
    connect_to(port);
  }
  void connect_to(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  int fd() const { return fd_; }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  /// Ends with a reset instead of a FIN.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void end_sending() { shutdown(fd_, SHUT_WR); }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  /// False at the end of the connection (or of the patience).
  bool read_some() {
    char bytes[65536];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, 0);
    if (n <= 0) {
      ended_ = n == 0 || errno == ECONNRESET;
      return false;
    }
    pending.append(bytes, static_cast<std::size_t>(n));
    return true;
  }
  Answer answer(bool to_head = false) {
    while (true) {
      Answer found = take_answer(pending, to_head);
      if (found.status != 0 || !read_some()) return found;
    }
  }
  /// True when the peer closes without a further byte.
  bool closed() {
    while (read_some()) {
    }
    return ended_ && pending.empty();
  }
  bool read_until(std::string_view text) {
    while (pending.find(text) == std::string::npos) {
      if (!read_some()) return false;
    }
    return true;
  }

  std::string pending;

 private:
  static constexpr int kPatienceSeconds = 60;
  int fd_;
  bool connected_ = false;
  bool ended_ = false;
};

}  // namespace spillway::http
