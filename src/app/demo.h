#pragma once

#include <cstdint>
#include <string>

namespace spillway::app {

inline constexpr char kDemoEvent[] = "EVT-009";
inline constexpr std::uint64_t kDemoCapacity = 100;

/// Lets a small crowd loose on the server at `port`, over real HTTP, and prints the evidence to standard
/// error: every answer a 202, the queue rises while the workers are paused and drains when they run, exactly
/// N winners, nobody lost. Makes the event kDemoEvent when it is not there, and an event of its own for the
/// crowd. False when any of that was not so. Blocks until it is done or the server no longer answers.
class Demo {
 public:
  Demo(std::string host, std::uint16_t port, std::string admin_token)
      : host_(std::move(host)), port_(port), admin_token_(std::move(admin_token)) {}
  bool run();

 private:
  std::string host_;
  std::uint16_t port_;
  std::string admin_token_;
};

}  // namespace spillway::app
