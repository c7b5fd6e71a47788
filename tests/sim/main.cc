// intake_sim: the machine against the model, for as many random steps as one likes.
//
//   intake_sim [--seed N] [--steps N] [--plant NAME] [--list-plants]
//
// Exit 0: no promise was broken; or, with --plant, the planted bug was noticed. 1 otherwise. 2: wrong usage.

#include <fmt/core.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

#include "plants.h"
#include "world.h"

namespace {

using spillway::intake::sim::make_plant;
using spillway::intake::sim::Tally;
using spillway::intake::sim::Violation;
using spillway::intake::sim::World;

void report(const Tally& t) {
  fmt::print(
      "accepted {} duplicates {} refused {} (overloaded {}) delivered {} redelivered {} applied {} stale {}\n"
      "events {} winners {} forgotten {} crashes {} lost before durable {} snapshots {} full comparisons "
      "{}\n"
      "redrives {} (the largest of {}, {} stopped by failures), discarded {}, redriven and won {}, dead in "
      "the "
      "end {}\nwebhooks told {} (again {}), redelivered {}\n",
      t.accepted, t.duplicates, t.refused, t.overloaded, t.delivered, t.redelivered, t.applied, t.stale,
      t.events, t.winners, t.forgotten, t.crashes, t.lost_events, t.snapshots, t.comparisons, t.redrives,
      t.redriven, t.stopped_by_failures, t.discarded, t.redriven_winners, t.dead_letters, t.told,
      t.told_again, t.redelivered_hooks);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = std::random_device{}();
  std::uint64_t steps = 1'000'000;
  std::string plant_name;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const bool has_value = i + 1 < argc;
    if (flag == "--seed" && has_value) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--steps" && has_value) {
      steps = std::strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--plant" && has_value) {
      plant_name = argv[++i];
    } else if (flag == "--list-plants") {
      for (const std::string_view name : spillway::intake::sim::plant_names()) fmt::print("{}\n", name);
      return 0;
    } else {
      fmt::print(stderr, "usage: intake_sim [--seed N] [--steps N] [--plant NAME] [--list-plants]\n");
      return 2;
    }
  }
  const auto plant = make_plant(plant_name);
  if (plant == nullptr) {
    fmt::print(stderr, "there is no plant '{}': see --list-plants\n", plant_name);
    return 2;
  }
  fmt::print("seed {} steps {}{}{}\n", seed, steps, plant_name.empty() ? "" : " plant ", plant_name);
  World world(seed, *plant);
  try {
    for (std::uint64_t i = 0; i < steps; ++i) world.step();
    world.finish();
  } catch (const Violation& violation) {
    fmt::print("step {}: {}\n", world.tally().steps, violation.what());
    if (!plant_name.empty()) {
      fmt::print("caught\n");
      return 0;
    }
    fmt::print("before it:\n{}", world.trace());
    return 1;
  }
  report(world.tally());
  if (plant_name.empty()) return 0;
  fmt::print("NOT caught\n");
  return 1;
}
