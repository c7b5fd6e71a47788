#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "base/loop.h"
#include "base/result.h"
#include "base/unique_function.h"

namespace spillway::identity {

/// A password hash in the form of Argon2's reference implementation ("$argon2id$v=19$m=19456,t=2,p=1$...").
/// Takes 19 MiB and tens of milliseconds; any thread.
std::string hash_password(std::string_view password);
/// The same cost. False also for what is no hash.
bool is_password_of(std::string_view hash, std::string_view password);

/// Hashes passwords and compares them, off the loops: Argon2id with 19 MiB and 2 passes, RFC 9106.
///
/// Operation: a bounded queue before a few threads, which give way to everybody else (nice), so that a storm
/// of logins takes neither more memory than threads * 19 MiB nor the crowd's CPU. hash() is for admins and
/// goes ahead of what waits. Concurrency: hash() and verify() on the thread of a Loop, where the reply then
/// runs; start() and stop() by the owner. Errors: overloaded when too many wait, draining after stop().
class PasswordPool {
 public:
  template <class T>
  using Done = UniqueFunction<void(Result<T>)>;

  explicit PasswordPool(std::size_t threads, std::size_t max_queue = limits::kMaxPasswordQueue);
  ~PasswordPool();
  PasswordPool(const PasswordPool&) = delete;
  PasswordPool& operator=(const PasswordPool&) = delete;

  /// Half the cores, at least one, at most limits::kMaxPasswordThreads.
  static std::size_t default_threads();

  void start();
  /// Finishes what is in hand, refuses what waits and what comes. While the loops still run. Idempotent.
  void stop();

  void hash(std::string password, Done<std::string> done);
  /// An empty `hash` is compared with nobody's, at the same cost, and never matches.
  void verify(std::string hash, std::string password, Done<bool> done);

 private:
  class Job;
  void push(std::unique_ptr<Job>, bool first);
  static void send_home(std::unique_ptr<Job>);
  void run();

  const std::size_t thread_count_;
  const std::size_t max_queue_;
  const std::string nobodys_hash_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::unique_ptr<Job>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace spillway::identity
