#include "load/report/axis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace spillway::load {
namespace {

constexpr int kMostSteps = 5;  // of a linear axis
constexpr std::size_t kMostLogTicks = 7;
constexpr double kFarApart = 50;  // largest over smallest
constexpr int kMostTimeSteps = 6;
constexpr double kLeast = 1e-6, kMost = 1e15;  // what an axis can show
constexpr std::array<double, 3> kRound{1, 2, 5};

/// The largest of 1, 2, 5 times a power of ten that is not above `value`.
double round_down(double value) {
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (auto factor = kRound.rbegin(); factor != kRound.rend(); ++factor) {
    if (*factor * decade <= value * (1 + 1e-9)) return *factor * decade;
  }
  return decade;
}

double round_up(double value) {
  const double below = round_down(value);
  if (below >= value * (1 - 1e-9)) return below;
  const double decade = std::pow(10, std::floor(std::log10(value)));
  for (const double factor : kRound) {
    if (factor * decade >= value) return factor * decade;
  }
  return 10 * decade;
}

}  // namespace

double Axis::place(double value) const {
  double at = 0;
  if (logarithmic) {
    at = value <= low ? 0 : std::log(value / low) / std::log(high / low);
  } else {
    at = (value - low) / (high - low);
  }
  return std::clamp(at, 0.0, 1.0);
}

Axis linear_axis(double most, bool whole) {
  Axis axis;
  double step = 1;
  if (most > 0) {
    most = std::clamp(most, kLeast, kMost);
    step = round_up(most / kMostSteps);
    if (whole) step = std::max(1.0, step);
    axis.high = std::max(1.0, std::ceil(most / step * (1 - 1e-9))) * step;
  }
  const auto steps = static_cast<int>(std::lround(axis.high / step));
  for (int i = 0; i <= steps; ++i) axis.ticks.push_back(i * step);
  return axis;
}

Axis logarithmic_axis(double least, double most) {
  Axis axis;
  axis.logarithmic = true;
  axis.low = round_down(std::clamp(least, kLeast, kMost / 10));
  axis.high = std::max(round_up(std::clamp(most, kLeast, kMost)), axis.low * 10);
  std::vector<double> all, decades;
  for (double decade = std::pow(10, std::floor(std::log10(axis.low))); decade <= axis.high * 1.001;
       decade *= 10) {
    for (const double factor : kRound) {
      const double tick = factor * decade;
      if (tick < axis.low * 0.999 || tick > axis.high * 1.001) continue;
      all.push_back(tick);
      if (factor == 1) decades.push_back(tick);
    }
  }
  axis.ticks = all.size() <= kMostLogTicks ? all : decades;
  if (axis.ticks.size() > kMostLogTicks) {  // every second power of ten, or every third
    const std::size_t every = (axis.ticks.size() + kMostLogTicks - 1) / kMostLogTicks;
    std::vector<double> fewer;
    for (std::size_t i = 0; i < axis.ticks.size(); i += every) fewer.push_back(axis.ticks[i]);
    axis.ticks = fewer;
  }
  return axis;
}

bool wants_logarithms(double least, double most) { return least > 0 && most / least > kFarApart; }

std::vector<double> time_ticks(double length_s) {
  constexpr std::array<double, 16> kSteps{1,   2,   5,   10,   15,   30,   60,    120,
                                          300, 600, 900, 1800, 3600, 7200, 14400, 43200};
  double step = 86400;
  for (const double each : kSteps) {
    if (length_s / each > kMostTimeSteps) continue;
    step = each;
    break;
  }
  while (length_s / step > kMostTimeSteps && length_s < kMost) step *= 2;
  std::vector<double> ticks;
  for (int i = 0; i <= kMostTimeSteps && i * step <= length_s; ++i) ticks.push_back(i * step);
  return ticks;
}

}  // namespace spillway::load
