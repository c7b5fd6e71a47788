#include "base/person_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace spillway {
namespace {

/// Knows whose the numbers are, as a machine does, and what should be found.
class Model {
 public:
  std::uint64_t find(const PersonKey& key) {
    return index_.find(key, [&](std::uint64_t number) { return keys_.at(number) == key; });
  }
  void add(const PersonKey& key, std::uint64_t number) {
    ASSERT_EQ(find(key), 0U);
    keys_[number] = key;
    index_.add(key, number);
  }
  void remove(std::uint64_t number) {
    const auto at = keys_.find(number);
    ASSERT_TRUE(index_.remove(at->second, number));
    ASSERT_FALSE(index_.remove(at->second, number));
    keys_.erase(at);
  }
  void check() {
    ASSERT_EQ(index_.size(), keys_.size());
    for (const auto& [number, key] : keys_) ASSERT_EQ(find(key), number);
  }
  const std::map<std::uint64_t, PersonKey>& keys() const { return keys_; }

 private:
  PersonIndex index_;
  std::map<std::uint64_t, PersonKey> keys_;
};

TEST(PersonIndex, HoldsAMillionInAllParts) {
  PersonIndex index;
  std::mt19937_64 random(1);
  std::vector<PersonKey> keys(1'000'000);
  for (PersonKey& key : keys) key = {random(), random()};
  const auto number_of = [&](const PersonKey& key) {
    return index.find(key, [&](std::uint64_t number) { return keys[number - 1] == key; });
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    index.prefetch(keys[i]);
    ASSERT_EQ(number_of(keys[i]), 0U);
    index.add(keys[i], i + 1);
  }
  EXPECT_EQ(index.size(), keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(number_of(keys[i]), i + 1);
  for (std::size_t i = 0; i < keys.size(); i += 2) ASSERT_TRUE(index.remove(keys[i], i + 1));
  for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_EQ(number_of(keys[i]), i % 2 == 0 ? 0 : i + 1);
  EXPECT_EQ(index.size(), keys.size() / 2);
}

TEST(PersonIndex, HasRoomForThoseWhoComeWhenOthersHaveGone) {
  PersonIndex index;
  const auto key_of = [](std::uint64_t number) { return PersonKey{number * 0x9e3779b97f4a7c15, number}; };
  constexpr std::uint64_t kAtOnce = 100'000;
  for (std::uint64_t number = 1; number <= kAtOnce; ++number) index.add(key_of(number), number);
  const std::size_t buckets = index.buckets();
  EXPECT_LE(buckets * 64, kAtOnce * 27);
  for (std::uint64_t number = kAtOnce + 1; number <= 20 * kAtOnce; ++number) {
    ASSERT_TRUE(index.remove(key_of(number - kAtOnce), number - kAtOnce));
    index.add(key_of(number), number);
  }
  EXPECT_EQ(index.size(), kAtOnce);
  EXPECT_EQ(index.buckets(), buckets);
}

TEST(PersonIndex, TellsApartKeysWhoseBitsInTheTableAreTheSame) {
  Model model;
  for (std::uint64_t i = 1; i <= 100; ++i) model.add({i << 16, 0}, i);
  model.check();
  EXPECT_EQ(model.find({std::uint64_t{101} << 16, 0}), 0U);
  for (std::uint64_t i = 1; i <= 100; i += 3) model.remove(i);
  model.check();
  EXPECT_EQ(model.find({std::uint64_t{1} << 16, 0}), 0U);
}

/// Few homes, so that buckets are full, runs of them wrap round, and gaps open before what went on.
TEST(PersonIndex, AgreesWithAMapWhateverIsAddedAndRemoved) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::uint64_t homes = 1 + random() % 12, parts = 1 + random() % 2;
    Model model;
    std::uint64_t last = 0;
    for (int step = 0; step < 4'000; ++step) {
      // In waves: it fills up and is emptied again and again.
      const bool grows = step / 500 % 2 == 0;
      if (random() % 10 < (grows ? 7U : 2U)) {
        ++last;
        model.add({random() % homes | last << 16, random() % parts}, last);
      } else if (!model.keys().empty()) {
        auto victim = model.keys().lower_bound(random() % (last + 1));
        if (victim == model.keys().end()) victim = model.keys().begin();
        model.remove(victim->first);
      }
      if (step % 50 == 0) model.check();
      // Whoever is not there is not found, and asking ends.
      ASSERT_EQ(model.find({random() % homes | std::uint64_t{1} << 60, 0}), 0U);
    }
    model.check();
  }
}

}  // namespace
}  // namespace spillway
