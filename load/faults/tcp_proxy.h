#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.h"
#include "load/faults/toxic.h"

namespace spillway::load {

inline constexpr std::size_t kMostProxied = 20'000;        ///< connections; past it they wait in the backlog
inline constexpr std::size_t kMostHeldBytes = 256 * 1024;  ///< of a direction: then it stops reading
/// When so much is held in all, a direction stops at kFewHeldBytes instead; so it is never more than
/// kManyHeldBytes + 2 * kMostProxied * kFewHeldBytes.
inline constexpr std::size_t kManyHeldBytes = 128 * 1024 * 1024;
inline constexpr std::size_t kFewHeldBytes = 8 * 1024;

struct ProxyCounts {
  std::uint64_t connections = 0;  ///< taken since the start
  std::uint64_t open = 0;
  std::uint64_t bytes_up = 0;          ///< to the target
  std::uint64_t bytes_down = 0;        ///< to who connected
  std::uint64_t resets = 0;            ///< by a toxic
  std::uint64_t broken = 0;            ///< by one of the two sides; the other one was reset as well
  std::uint64_t connect_failures = 0;  ///< the target was not there
  std::uint64_t accept_failures = 0;   ///< no more files or memory of our own
  std::uint64_t held_bytes = 0;        ///< read and not passed on yet
  std::uint64_t most_held_bytes = 0;
};

class ProxyLoop;

/// A TCP proxy with a thread of its own, in front of anything. It takes two files a connection. To a target
/// on 127/8 it connects from the address that it was connected from, so that limits by address still see as
/// many.
class TcpProxy {
 public:
  struct Target {
    std::string host;
    std::uint16_t port = 0;
  };
  /// Listens on 127.0.0.1, on any port that is free. Errors: invalid_argument for a host that is none;
  /// internal with what the system said.
  static Result<std::unique_ptr<TcpProxy>> start(const Target&);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  std::uint16_t port() const;

  // From any thread. They return when it is so.

  /// One of each kind is in force, beside those of other kinds; it takes the place of the one before.
  Status apply(const Toxic&);
  /// What was held back by it is passed on at once. Errors: kDown whose port cannot be listened on again.
  Status clear(ToxicKind);
  Status clear();

  ProxyCounts counts() const;

 private:
  explicit TcpProxy(std::unique_ptr<ProxyLoop>);
  std::unique_ptr<ProxyLoop> loop_;
  std::thread thread_;
};

}  // namespace spillway::load
