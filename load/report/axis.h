#pragma once

#include <vector>

namespace spillway::load {

/// From values to a place on the upright axis of a chart, with ticks at 1, 2 or 5 times a power of ten.
struct Axis {
  double low = 0, high = 1;
  bool logarithmic = false;
  std::vector<double> ticks;

  /// 0 at the low end, 1 at the high end; what lies beyond is put to the end.
  double place(double value) const;
};

/// From 0 to what `most` needs. With `whole`: ticks are whole numbers.
Axis linear_axis(double most, bool whole);
/// Around both, which are more than 0.
Axis logarithmic_axis(double least, double most);
/// Whether `least` and `most` are so far apart that a linear axis would press the small values to the ground.
bool wants_logarithms(double least, double most);

/// Where a time axis of that length has its ticks: 0 first, round numbers, at most seven.
std::vector<double> time_ticks(double length_s);

}  // namespace spillway::load
