#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"

namespace spillway::identity {

/// Limits guessing at passwords. The rule, in full, is in README.md.
///
/// Operation: counts failures by the pair of account and address, by address, and by account, and after some
/// free ones asks for a pause that doubles with each. An address from which an account was logged in to
/// before answers for itself alone there: what strangers do elsewhere does not hold it up. Accounts that do
/// not exist are treated as those that do. Concurrency: any thread; one mutex, since each attempt costs tens
/// of milliseconds of hashing anyway. Limitations: in memory only, so a restart forgets; each table keeps
/// limits::kMaxThrottleEntries and drops what was not used for the longest.
class LoginThrottle {
 public:
  /// What stands in the way of an attempt.
  enum class Limit : std::uint8_t { kNone, kPair, kAddress, kAccount };
  struct Verdict {
    Limit limit = Limit::kNone;
    Micros wait_us = 0;  ///< until an attempt may be made
  };

  /// One attempt that is being made. Tell it how it ended; dropped, it counts as not made.
  class Attempt {
   public:
    Attempt() = default;
    Attempt(Attempt&& other) noexcept { *this = std::move(other); }
    Attempt& operator=(Attempt&& other) noexcept;
    ~Attempt() { end(Outcome::kNone); }

    void failed() { end(Outcome::kFailed); }
    void succeeded() { end(Outcome::kSucceeded); }
    /// Why it may not be made; only a good one needs telling.
    const Verdict& verdict() const { return verdict_; }

   private:
    friend class LoginThrottle;
    enum class Outcome : std::uint8_t { kNone, kFailed, kSucceeded };
    void end(Outcome);

    LoginThrottle* throttle_ = nullptr;  ///< null: over, or refused
    std::uint64_t account_ = 0;
    std::uint64_t address_ = 0;
    Verdict verdict_;
  };

  explicit LoginThrottle(const Clock& clock, std::size_t max_entries = limits::kMaxThrottleEntries);

  /// `address`: counted by its IpAddress::group().
  Attempt begin(std::string_view account, std::string_view address);

  // The rule's figures.
  struct Rule {
    std::uint32_t free;     ///< failures without a pause
    Micros longest;         ///< pause
    std::uint32_t at_once;  ///< attempts in the works; 0: any number
  };
  static constexpr Rule kPairRule{5, 900 * kSecond, 8};
  static constexpr Rule kKnownPairRule{5, 60 * kSecond, 8};
  static constexpr Rule kAddressRule{30, 900 * kSecond, 0};
  static constexpr Rule kAccountRule{20, 60 * kSecond, 32};
  static constexpr Micros kForget = 3600 * kSecond;  ///< after the last failure
  static constexpr Micros kFirstPause = kSecond;

 private:
  struct Tally {
    std::uint32_t failures = 0;
    std::uint32_t in_works = 0;
    Micros last_failure = 0;
    Micros not_before = 0;
  };
  struct Known {
    std::vector<std::uint64_t> addresses;  ///< the newest first
  };
  /// The `max` entries that were used last.
  template <class V>
  class Table {
   public:
    explicit Table(std::size_t max) : max_(max) {}
    V* find(std::uint64_t key);
    V& get(std::uint64_t key);
    void erase(std::uint64_t key);

   private:
    using Entries = std::list<std::pair<std::uint64_t, V>>;
    std::size_t max_;
    Entries entries_;  ///< the one used last first
    std::unordered_map<std::uint64_t, typename Entries::iterator> index_;
  };

  static std::uint64_t pair_of(std::uint64_t account, std::uint64_t address);
  std::uint64_t hash(std::string_view text) const;
  std::uint64_t hash_address(std::string_view address) const;
  static Micros wait(Table<Tally>&, std::uint64_t key, const Rule&, Micros now);
  static void fail(Table<Tally>&, std::uint64_t key, const Rule&, Micros now);
  static void add_in_works(Table<Tally>&, std::uint64_t key, int by);
  bool is_known(std::uint64_t account, std::uint64_t address);
  void remember(std::uint64_t account, std::uint64_t address);

  const Clock& clock_;
  std::array<std::uint8_t, 16> seed_;
  std::mutex mutex_;
  Table<Tally> pairs_, addresses_, accounts_;
  Table<Known> known_;
};

}  // namespace spillway::identity
