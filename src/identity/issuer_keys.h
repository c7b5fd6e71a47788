#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/result.h"
#include "identity/jwks.h"

namespace spillway::identity {

/// Whether `url` may be an issuer: https, or http to this very machine (127.0.0.0/8, [::1], localhost), with
/// a host, without user, query or fragment. Errors are sentences without a subject.
Status check_issuer_url(std::string_view url);

/// Where documents of the issuer come from.
class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  /// The body of a 200. Blocks its thread, not for longer than some seconds, and not after cancel().
  virtual Result<std::string> get(const std::string& url, std::size_t max_bytes) = 0;
  /// Any thread: what get() waits for, and what it is asked from now on, fails.
  virtual void cancel() = 0;
};

/// The keys of an OpenID issuer, kept fresh.
///
/// Operation: reads the issuer's discovery document and the key set that it names: at the start, every
/// limits::kOidcRefresh, and when somebody has seen a key id that is not there, but then no sooner than
/// limits::kOidcRefreshGap after the last time, however many ask. After a failure it tries again, with a
/// pause that doubles from kOidcFirstRetry to kOidcLastRetry, and the keys that it has stay good, for no
/// longer than kOidcKeysMaxAge. Concurrency: everything from any thread, but start(), stop() and turn(); a
/// thread of its own does the fetching, so that nobody waits for the issuer. Limitations: in memory only, so
/// nobody from outside gets in after a restart before the issuer has answered.
class IssuerKeys {
 public:
  /// `issuer`: as check_issuer_url() wants it. All must outlive this.
  IssuerKeys(std::string issuer, DocumentSource& source, const Clock& clock);
  ~IssuerKeys();
  IssuerKeys(const IssuerKeys&) = delete;
  IssuerKeys& operator=(const IssuerKeys&) = delete;

  void start();
  /// Cancels the source. Idempotent.
  void stop();

  struct Snapshot {
    std::shared_ptr<const KeySet> keys;  ///< null: none yet, or none any more
    std::uint64_t epoch = 0;
    Timestamp asked_at;  ///< when the issuer was asked for these, by the wall clock
  };
  Snapshot snapshot() const;
  /// Changes whenever a key that counted counts no longer.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }
  bool has_keys() const { return has_keys_.load(std::memory_order_acquire); }
  /// The keys are perhaps not the newest. Cheap to call for every token.
  void ask_for_refresh();
  /// Until the next fetch, if there is reason for one: 1 to limits::kOidcLastRetry.
  int retry_after_s() const;

  struct Stats {
    std::uint64_t fetched = 0;
    std::uint64_t failed = 0;
    std::size_t keys = 0;
    Timestamp fetched_at;  ///< the last time that it went well; unset: never
  };
  Stats stats() const;

  /// For the thread, and for tests in its stead: fetches if it is time to. How long until it is again.
  Micros turn();

 private:
  void run();
  Micros due(Micros now) const;
  Result<KeySet> fetch();
  Result<std::string> find_key_set_url();
  void publish(KeySet, Timestamp asked_at);
  void give_up_old_keys(Micros now);
  Micros after_failure(const Error&);

  const std::string issuer_;
  DocumentSource& source_;
  const Clock& clock_;
  std::thread thread_;
  std::atomic<bool> wanted_{false};
  std::atomic<bool> has_keys_{false};
  std::atomic<std::uint64_t> epoch_{1};
  std::atomic<Micros> next_us_;             ///< steady: by itself
  std::atomic<Micros> gap_us_;              ///< steady: when asked, and nothing failed
  std::atomic<std::uint32_t> failures_{0};  ///< in a row

  Micros fetched_us_ = 0;  ///< steady; the thread's own

  mutable std::mutex mutex_;  ///< of what follows
  std::condition_variable woken_;
  bool stopping_ = false;
  Snapshot snapshot_;
  Stats stats_;
};

}  // namespace spillway::identity
