#include <gtest/gtest.h>

#include <random>

#include "journal/journal_fixture.h"

namespace spillway::journal {
namespace {

using namespace testing;  // NOLINT: the fixture is made for these files

constexpr int kCuts = kFewRounds ? 40 : 500;
constexpr int kCutsOfOneJournal = 25;

struct Verdict {
  int cuts_under_load = 0;
  std::size_t acknowledged = 0;
  std::size_t lost = 0;
  std::size_t refused_starts = 0;
  std::string first_problem;
};

/// Cuts the power again and again, at a random operation, under load; what was acknowledged, and what a start
/// after a cut has shown, must be there after the next one.
Verdict cut_again_and_again(int cuts, bool sync, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Verdict verdict;
  auto files = std::make_unique<MemoryFileSystem>();
  std::vector<std::uint64_t> must_be_there;
  std::uint64_t next = 1;
  EngineOptions options = small_options();
  options.sync = sync;
  options.snapshot_every_bytes = 128 * 1024;
  const auto problem = [&](int cut, const std::string& what) {
    if (verdict.first_problem.empty()) verdict.first_problem = "cut " + std::to_string(cut) + ": " + what;
  };
  for (int cut = 0; cut < cuts; ++cut) {
    if (cut % kCutsOfOneJournal == 0) {
      files = std::make_unique<MemoryFileSystem>();
      must_be_there.clear();
    }
    files->cut_power_at(1 + random() % 400, random());
    {
      World world(*files, options);
      const std::string why = world.start();
      if (why.empty()) {
        const std::size_t lost = missing(must_be_there, world.resident.numbers);
        verdict.lost += lost;
        if (lost > 0) problem(cut, std::to_string(lost) + " acknowledged numbers are gone");
        must_be_there = world.resident.numbers.values;
        const std::uint64_t to = next + 5'000;
        world.add_all(next, to, 1 + random() % 20, random() % 200);
        next = to + 1;
        verdict.cuts_under_load += world.refused ? 1 : 0;
        verdict.acknowledged += world.acknowledged.size();
        must_be_there.insert(must_be_there.end(), world.acknowledged.begin(), world.acknowledged.end());
        world.engine->stop();
      } else if (files->has_power()) {
        ++verdict.refused_starts;
        problem(cut, why);
        verdict.lost += must_be_there.size();
        files = std::make_unique<MemoryFileSystem>();
        must_be_there.clear();
        continue;
      }
    }
    files->cut_power(random());  // if the load was over before
    files = files->after_power_cut();
  }
  return verdict;
}

TEST(PowerCut, LosesNothingThatWasAcknowledged) {
  const std::uint64_t seed = std::random_device()();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  const Verdict verdict = cut_again_and_again(kCuts, true, seed);
  EXPECT_EQ(verdict.lost, 0u) << verdict.first_problem;
  EXPECT_EQ(verdict.refused_starts, 0u) << verdict.first_problem;
  EXPECT_GT(verdict.cuts_under_load, kCuts / 2);
  std::printf("%d cuts under load, %zu acknowledged, %zu lost\n", verdict.cuts_under_load,
              verdict.acknowledged, verdict.lost);
}

TEST(PowerCut, WithoutSyncTheSameTestReportsLosses) {
  const Verdict verdict = cut_again_and_again(50, false, 1);
  EXPECT_GT(verdict.lost, 0u) << "this test cannot see a loss";
}

}  // namespace
}  // namespace spillway::journal
