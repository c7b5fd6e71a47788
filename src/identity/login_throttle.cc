#include "identity/login_throttle.h"

#include <sodium.h>

#include <algorithm>

#include "base/check.h"
#include "base/ip_address.h"

namespace spillway::identity {
namespace {

constexpr Micros kTryAgain = kSecond;  // when as many as may be are in the works

}  // namespace

// ---- Table ------------------------------------------------------------------------------------------------

template <class V>
V* LoginThrottle::Table<V>::find(std::uint64_t key) {
  const auto it = index_.find(key);
  if (it == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, it->second);
  return &it->second->second;
}

template <class V>
V& LoginThrottle::Table<V>::get(std::uint64_t key) {
  if (V* found = find(key)) return *found;
  if (entries_.size() >= max_) {
    index_.erase(entries_.back().first);
    entries_.pop_back();
  }
  entries_.emplace_front(key, V{});
  index_.emplace(key, entries_.begin());
  return entries_.front().second;
}

template <class V>
void LoginThrottle::Table<V>::erase(std::uint64_t key) {
  const auto it = index_.find(key);
  if (it == index_.end()) return;
  entries_.erase(it->second);
  index_.erase(it);
}

// ---- Keys -------------------------------------------------------------------------------------------------

LoginThrottle::LoginThrottle(const Clock& clock, std::size_t max_entries)
    : clock_(clock),
      pairs_(max_entries),
      addresses_(max_entries),
      accounts_(max_entries),
      known_(max_entries) {
  static_assert(sizeof seed_ == crypto_shorthash_KEYBYTES);
  CHECK(sodium_init() >= 0 && max_entries > 0);
  randombytes_buf(seed_.data(), seed_.size());
}

std::uint64_t LoginThrottle::hash(std::string_view text) const {
  std::uint64_t key = 0;
  crypto_shorthash(reinterpret_cast<unsigned char*>(&key),
                   reinterpret_cast<const unsigned char*>(text.data()), text.size(), seed_.data());
  return key;
}

std::uint64_t LoginThrottle::hash_address(std::string_view text) const {
  const auto address = IpAddress::parse(text);
  if (!address) return hash(text);
  const IpAddress group = address->group();
  return hash({reinterpret_cast<const char*>(group.bytes().data()), group.bytes().size()});
}

std::uint64_t LoginThrottle::pair_of(std::uint64_t account, std::uint64_t address) {
  return (account * 0x9e3779b97f4a7c15) ^ address;
}

// ---- The rule ---------------------------------------------------------------------------------------------

Micros LoginThrottle::wait(Table<Tally>& table, std::uint64_t key, const Rule& rule, Micros now) {
  Tally* tally = table.find(key);
  if (tally == nullptr) return 0;
  if (tally->failures > 0 && now - tally->last_failure >= kForget) {
    tally->failures = 0;
    tally->not_before = 0;
  }
  // A pair may be judged by a kinder rule than the one that it failed under: then the kinder pause counts.
  const Micros longest = tally->last_failure + rule.longest;
  const Micros until = tally->failures == 0 ? 0 : std::min(tally->not_before, longest);
  if (until > now) return until - now;
  return rule.at_once != 0 && tally->in_works >= rule.at_once ? kTryAgain : 0;
}

void LoginThrottle::fail(Table<Tally>& table, std::uint64_t key, const Rule& rule, Micros now) {
  Tally& tally = table.get(key);
  if (now - tally.last_failure >= kForget) tally.failures = 0;
  ++tally.failures;
  tally.last_failure = now;
  if (tally.failures < rule.free) return;
  const std::uint32_t doublings = std::min<std::uint32_t>(tally.failures - rule.free, 30);
  tally.not_before = now + std::min(kFirstPause << doublings, rule.longest);
}

void LoginThrottle::add_in_works(Table<Tally>& table, std::uint64_t key, int by) {
  if (by > 0) {
    ++table.get(key).in_works;
    return;
  }
  // An entry that was dropped for want of room in the meantime has lost its count.
  Tally* tally = table.find(key);
  if (tally == nullptr) return;
  if (tally->in_works > 0) --tally->in_works;
  if (tally->in_works == 0 && tally->failures == 0) table.erase(key);
}

bool LoginThrottle::is_known(std::uint64_t account, std::uint64_t address) {
  const Known* known = known_.find(account);
  return known != nullptr &&
         std::find(known->addresses.begin(), known->addresses.end(), address) != known->addresses.end();
}

void LoginThrottle::remember(std::uint64_t account, std::uint64_t address) {
  std::vector<std::uint64_t>& addresses = known_.get(account).addresses;
  const auto it = std::find(addresses.begin(), addresses.end(), address);
  if (it != addresses.end()) addresses.erase(it);
  addresses.insert(addresses.begin(), address);
  if (addresses.size() > limits::kMaxKnownAddresses) addresses.pop_back();
}

LoginThrottle::Attempt LoginThrottle::begin(std::string_view account_text, std::string_view address_text) {
  const std::uint64_t account = hash(account_text);
  const std::uint64_t address = hash_address(address_text);
  const std::uint64_t pair = pair_of(account, address);
  const std::lock_guard lock(mutex_);
  const Micros now = clock_.steady_us();
  const bool known = is_known(account, address);
  Attempt attempt;
  const auto ask = [&](Limit limit, Table<Tally>& table, std::uint64_t key, const Rule& rule) {
    const Micros time = wait(table, key, rule, now);
    if (time > attempt.verdict_.wait_us) attempt.verdict_ = {limit, time};
  };
  ask(Limit::kPair, pairs_, pair, known ? kKnownPairRule : kPairRule);
  if (!known) {
    ask(Limit::kAddress, addresses_, address, kAddressRule);
    ask(Limit::kAccount, accounts_, account, kAccountRule);
  }
  if (attempt.verdict_.limit != Limit::kNone) return attempt;
  attempt.throttle_ = this;
  attempt.account_ = account;
  attempt.address_ = address;
  add_in_works(pairs_, pair, 1);
  add_in_works(accounts_, account, 1);
  return attempt;
}

LoginThrottle::Attempt& LoginThrottle::Attempt::operator=(Attempt&& other) noexcept {
  if (this == &other) return *this;
  end(Outcome::kNone);
  throttle_ = std::exchange(other.throttle_, nullptr);
  account_ = other.account_;
  address_ = other.address_;
  verdict_ = other.verdict_;
  return *this;
}

void LoginThrottle::Attempt::end(Outcome outcome) {
  if (throttle_ == nullptr) return;
  LoginThrottle& throttle = *std::exchange(throttle_, nullptr);
  const std::uint64_t pair = pair_of(account_, address_);
  const std::lock_guard lock(throttle.mutex_);
  const Micros now = throttle.clock_.steady_us();
  if (outcome == Outcome::kFailed) {
    const bool known = throttle.is_known(account_, address_);
    fail(throttle.pairs_, pair, known ? kKnownPairRule : kPairRule, now);
    fail(throttle.addresses_, address_, kAddressRule, now);
    if (!known) fail(throttle.accounts_, account_, kAccountRule, now);
  }
  if (outcome == Outcome::kSucceeded) {
    throttle.remember(account_, address_);
    if (Tally* tally = throttle.pairs_.find(pair)) {
      tally->failures = 0;
      tally->not_before = 0;
    }
  }
  add_in_works(throttle.pairs_, pair, -1);
  add_in_works(throttle.accounts_, account_, -1);
}

}  // namespace spillway::identity
