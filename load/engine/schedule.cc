#include "load/engine/schedule.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace spillway::load {
namespace {

constexpr double kNanoseconds = 1e9;  // of a second
constexpr double kBillionths = 1e9;   // of an iteration

std::int64_t magnitude(std::int64_t value) { return value < 0 ? -value : value; }

}  // namespace

ArrivalSchedule::ArrivalSchedule(const Scenario& scenario) {
  CHECK(scenario.open_model());
  iteration_ = static_cast<Area>(2) * ns_of(scenario.time_unit_s) * static_cast<Area>(kBillionths);
  CHECK(iteration_ > 0);
  first_at_0_ = scenario.executor == Executor::kConstantArrivalRate;
  if (first_at_0_) {
    add(0, ns_of(scenario.duration_s), scenario.rate, scenario.rate);
  } else {
    std::int64_t start_ns = 0;
    double from = scenario.start_rate;
    for (const Stage& stage : scenario.stages) {
      add(start_ns, ns_of(stage.duration_s), from, stage.target);
      start_ns += ns_of(stage.duration_s);
      from = stage.target;
    }
  }
  const Area all = segments_.empty() ? 0 : segments_.back().after;
  // What would be due when a constant rate ends is not started any more.
  total_ = static_cast<std::uint64_t>(first_at_0_ ? (all + iteration_ - 1) / iteration_ : all / iteration_);
}

void ArrivalSchedule::add(std::int64_t start_ns, std::int64_t length_ns, double from, double to) {
  const Area a = std::llround(std::floor(from)) * static_cast<Area>(kBillionths) +
                 std::llround((from - std::floor(from)) * kBillionths);
  const Area b = std::llround(std::floor(to)) * static_cast<Area>(kBillionths) +
                 std::llround((to - std::floor(to)) * kBillionths);
  const Area before = segments_.empty() ? 0 : segments_.back().after;
  const Area area = (a + b) * length_ns;
  if (area > 0) segments_.push_back({start_ns, length_ns, a, b, before, before + area});
}

/// When the area within the segment is so much. From the side on which the rate is lower: seen from the
/// other, two large numbers would be taken from one another, and near a rate of 0 nothing would be left of
/// their difference.
std::int64_t ArrivalSchedule::reached_ns(const Segment& segment, Area area) {
  if (segment.from == segment.to) return static_cast<std::int64_t>(area / (segment.from + segment.to));
  const bool up = segment.to > segment.from;
  const Area rest = up ? area : segment.after - segment.before - area;
  if (rest == 0) return up ? 0 : segment.length_ns;
  const auto low = static_cast<long double>(up ? segment.from : segment.to);
  const auto slope = static_cast<long double>(up ? segment.to - segment.from : segment.from - segment.to) /
                     static_cast<long double>(segment.length_ns);
  // area = slope t^2 + 2 low t, solved in the form that does not cancel
  const auto c = static_cast<long double>(rest);
  const long double t = c / (low + std::sqrt(low * low + slope * c));
  const std::int64_t ns = std::clamp<std::int64_t>(std::llroundl(t), 0, segment.length_ns);
  return up ? ns : segment.length_ns - ns;
}

std::int64_t ArrivalSchedule::due_ns(std::uint64_t k) const {
  if (k >= total_) return kNever;
  const Area wanted = (static_cast<Area>(k) + (first_at_0_ ? 0 : 1)) * iteration_;
  const auto segment = std::lower_bound(segments_.begin(), segments_.end(), wanted,
                                        [](const Segment& one, Area area) { return one.after < area; });
  return segment->start_ns + reached_ns(*segment, wanted - segment->before);
}

VuSchedule::VuSchedule(const Scenario& scenario) {
  if (scenario.executor == Executor::kConstantVus) {
    const auto vus = static_cast<std::int64_t>(scenario.vus);
    add(ns_of(scenario.duration_s), vus, vus);
    return;
  }
  CHECK(scenario.executor == Executor::kRampingVus);
  auto from = static_cast<std::int64_t>(scenario.start_vus);
  for (const Stage& stage : scenario.stages) {
    const std::int64_t to = std::llround(stage.target);
    add(ns_of(stage.duration_s), from, to);
    from = to;
  }
}

void VuSchedule::add(std::int64_t length_ns, std::int64_t from, std::int64_t to) {
  if (length_ns <= 0) return;  // a jump: the next one begins elsewhere
  Segment* last = segments_.empty() ? nullptr : &segments_.back();
  if (last != nullptr && last->from == last->to && from == to && last->to == from)
    last->length_ns += length_ns;
  else
    segments_.push_back({end_ns_, length_ns, from, to});
  end_ns_ += length_ns;
}

std::size_t VuSchedule::segment_at(std::int64_t at_ns) const {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), at_ns,
                                      [](std::int64_t at, const Segment& one) { return at < one.start_ns; });
  return static_cast<std::size_t>(after - segments_.begin()) - 1;
}

std::uint64_t VuSchedule::target(std::int64_t at_ns) const {
  if (at_ns < 0 || at_ns >= end_ns_) return 0;
  const Segment& segment = segments_[segment_at(at_ns)];
  const std::int64_t change = magnitude(segment.to - segment.from);
  const auto changed = static_cast<std::int64_t>(static_cast<__int128>(change) * (at_ns - segment.start_ns) /
                                                 segment.length_ns);
  return static_cast<std::uint64_t>(segment.to > segment.from ? segment.from + changed
                                                              : segment.from - changed);
}

std::int64_t VuSchedule::next_change_ns(std::int64_t at_ns) const {
  if (at_ns >= end_ns_) return kNever;
  const std::uint64_t now = target(at_ns);
  if (at_ns < 0) {
    at_ns = 0;
    if (target(0) != now) return 0;
  }
  for (std::size_t i = segment_at(at_ns); i < segments_.size(); ++i) {
    const Segment& segment = segments_[i];
    const std::int64_t change = magnitude(segment.to - segment.from);
    const std::int64_t end = segment.start_ns + segment.length_ns;
    if (change > 0) {
      const std::int64_t since = std::max(at_ns, segment.start_ns) - segment.start_ns;
      const __int128 done = static_cast<__int128>(change) * since / segment.length_ns;
      const __int128 next = ((done + 1) * segment.length_ns + change - 1) / change;
      if (next < segment.length_ns) return segment.start_ns + static_cast<std::int64_t>(next);
    }
    if (target(end) != now) return end;
  }
  return kNever;
}

}  // namespace spillway::load
