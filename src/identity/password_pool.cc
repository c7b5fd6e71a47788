#include "identity/password_pool.h"

#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/thread.h"

namespace spillway::identity {
namespace {

constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemoryBytes = 19 * 1024 * 1024;
constexpr std::size_t kForAdmins = 16;  ///< places in the queue that logins do not get
constexpr int kNice = 10;
constexpr int kRetryAfterSeconds = 2;

Error stopping() { return {ErrorCode::kDraining, "the server is stopping; nothing was done", 1}; }

}  // namespace

std::string hash_password(std::string_view password) {
  CHECK(sodium_init() >= 0);
  std::array<char, crypto_pwhash_STRBYTES> out;
  // The one way to fail is to run out of memory, which ends this program elsewhere as well.
  CHECK(crypto_pwhash_str_alg(out.data(), password.data(), password.size(), kPasses, kMemoryBytes,
                              crypto_pwhash_ALG_ARGON2ID13) == 0);
  return out.data();
}

bool is_password_of(std::string_view hash, std::string_view password) {
  CHECK(sodium_init() >= 0);
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (hash.size() >= text.size()) return false;
  std::copy(hash.begin(), hash.end(), text.begin());
  return crypto_pwhash_str_verify(text.data(), password.data(), password.size()) == 0;
}

/// Made on a loop, worked on by a thread of the pool, finished on its loop.
class PasswordPool::Job final : public Node {
 public:
  std::string hash;  ///< empty: make one
  std::string password;
  Done<std::string> hashed;
  Done<bool> verified;
  bool is_nobodys = false;
  bool matches = false;
  std::optional<Error> refused;

  ~Job() override { sodium_memzero(password.data(), password.size()); }
  void work() {
    if (hashed)
      hash = hash_password(password);
    else
      matches = is_password_of(hash, password) && !is_nobodys;
  }
  void finish() override {
    const std::unique_ptr<Job> self(this);
    if (hashed)
      hashed(refused ? Result<std::string>(*refused) : Result<std::string>(std::move(hash)));
    else
      verified(refused ? Result<bool>(*refused) : Result<bool>(matches));
  }
};

PasswordPool::PasswordPool(std::size_t threads, std::size_t max_queue)
    : thread_count_(threads), max_queue_(max_queue), nobodys_hash_(hash_password("nobody's")) {
  CHECK(threads > 0 && threads <= limits::kMaxPasswordThreads);
}

PasswordPool::~PasswordPool() { stop(); }

std::size_t PasswordPool::default_threads() {
  return std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 1, limits::kMaxPasswordThreads);
}

void PasswordPool::start() {
  CHECK(threads_.empty());
  for (std::size_t i = 0; i < thread_count_; ++i) threads_.emplace_back([this] { run(); });
}

void PasswordPool::stop() {
  std::deque<std::unique_ptr<Job>> dropped;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
    arrived_.notify_all();
  }
  for (std::unique_ptr<Job>& job : dropped) {
    job->refused = stopping();
    send_home(std::move(job));
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void PasswordPool::hash(std::string password, Done<std::string> done) {
  auto job = std::make_unique<Job>();
  job->password = std::move(password);
  job->hashed = std::move(done);
  push(std::move(job), true);
}

void PasswordPool::verify(std::string hash, std::string password, Done<bool> done) {
  auto job = std::make_unique<Job>();
  job->is_nobodys = hash.empty();
  job->hash = hash.empty() ? nobodys_hash_ : std::move(hash);
  job->password = std::move(password);
  job->verified = std::move(done);
  push(std::move(job), false);
}

void PasswordPool::push(std::unique_ptr<Job> job, bool first) {
  job->home = Loop::current();
  CHECK(job->home != nullptr);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      job->refused = stopping();
    } else if (queue_.size() >= max_queue_ + (first ? kForAdmins : 0)) {
      job->refused =
          Error{ErrorCode::kOverloaded, "too many passwords are being checked", kRetryAfterSeconds};
    } else {
      queue_.insert(first ? queue_.begin() : queue_.end(), std::move(job));
      arrived_.notify_one();
      return;
    }
  }
  job.release()->finish();  // which deletes it
}

void PasswordPool::send_home(std::unique_ptr<Job> job) {
  Loop* home = job->home;
  NodeList done;
  done.push(job.release());
  home->deliver(std::move(done));
}

void PasswordPool::run() {
  name_this_thread("passwords");
  // Of this thread alone, on Linux. A refusal costs the others some speed only.
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice));
  while (true) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;  // stopping
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job->work();
    send_home(std::move(job));
  }
}

}  // namespace spillway::identity
