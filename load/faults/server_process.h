#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/wire/socket.h"

namespace spillway::load {

inline constexpr std::chrono::seconds kServerStartTimeout{60};
inline constexpr std::chrono::seconds kServerStopTimeout{15};  ///< from SIGTERM; then SIGKILL

struct ServerCommand {
  std::string command;  ///< one line, split by split_command()
  std::string host;     ///< where it answers; empty: where its line "ready http://HOST:PORT" says
  std::uint16_t port = 0;
  std::string log_file;  ///< its stdout and stderr are added to it
  std::chrono::milliseconds start_timeout = kServerStartTimeout;
  std::chrono::milliseconds stop_timeout = kServerStopTimeout;
};

/// The server that is loaded, as a child of ours in a process group of its own, so that a Ctrl-C at the
/// terminal is not for it and so that it is killed with its own children. It is ready when it takes a
/// connection, and has said "ready http://HOST:PORT" if it is one that says so: known from where no host is
/// given, or from an earlier start. pid() and died() are for any thread, all else is for one at a time.
class ServerProcess {
 public:
  /// Returns when it is ready. Errors say what was seen, with its last lines; also when somebody answers at
  /// its address before it was started: the load would be on the wrong server.
  static Result<std::unique_ptr<ServerProcess>> start(ServerCommand);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  pid_t pid() const;  ///< 0: there is none
  /// How it ended when nobody here had asked for it, with its last lines.
  std::optional<std::string> died() const;
  /// "127.0.0.1:9000": where it was ready.
  std::string address() const;

  // Errors: it does not run.

  Status kill_now();  ///< SIGKILL; returns when it is gone
  Status pause();     ///< SIGSTOP
  Status resume();    ///< SIGCONT
  /// SIGTERM, SIGKILL when it is not gone in time, which is an error.
  Status stop();

  /// Returns when it is ready. A server that runs is an error.
  Status start_again();

  /// For the handler of a signal that ends this program: SIGKILL to the server that was started last and to
  /// its children, so that none stays behind, stopped perhaps, on its port. Safe in a signal handler.
  static void kill_at_our_end() noexcept;

 private:
  explicit ServerProcess(ServerCommand, std::vector<std::string> words);
  Status launch();
  Status spawn();
  Status await_ready();
  Status await_free_address(std::chrono::milliseconds);
  bool await_exit(std::chrono::milliseconds) const;
  void read_log();
  std::string last_lines() const;
  bool takes_connections(std::chrono::milliseconds) const;
  Status signal_group(int signal, const char* what) const;
  /// Kills what is left of the group and takes the leader's exit, as one that was asked for.
  void end_group();
  // The two below with mutex_ held.
  int reap_group() const;
  void reap_if_ended() const;
  Error failure(const std::string& what) const;

  const ServerCommand given_;
  const std::vector<std::string> words_;
  std::string host_;  // of the ready line, or as given
  std::uint16_t port_ = 0;
  bool says_ready_ = false;    // it has once
  bool said_ready_ = false;    // since the last start
  std::int64_t log_from_ = 0;  // where its output since the last start begins
  std::int64_t log_read_to_ = 0;
  std::string log_rest_;  // the line that is not complete
  Fd pid_fd_;

  mutable std::mutex mutex_;
  mutable pid_t pid_ = 0;                     // under mutex_
  bool asked_ = false;                        // under mutex_; told to end, so it has not died when it does
  mutable std::optional<std::string> ended_;  // under mutex_; how, when not by us
};

}  // namespace spillway::load
