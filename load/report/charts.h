#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace spillway::load {

// Charts over time as SVG inside of an HTML figure: drawn here, so that they are there without script and on
// paper. report.css gives them their looks; report.js adds a crosshair and a table of the figures.

enum class ChartUnit : std::uint8_t { kPlain, kWhole, kMs, kCores };

struct ChartLine {
  std::string name;
  const char* look = "line-1";  ///< classes of report.css: "p95", "p95 dashed"
  std::vector<double> values;   ///< one for each time; what is not finite is a gap
  bool area = false;            ///< filled down to the ground
};

/// A level that should not be passed, drawn where it is near enough to the values to be in the chart.
struct ChartBound {
  std::string name;
  double value = 0;
  const char* look = "p95";
};

struct Chart {
  std::string id;  ///< ours, unique in the document: a-z, 0-9 and -
  std::string title;
  std::string about;  ///< one sentence: what is shown, in which unit
  ChartUnit unit = ChartUnit::kPlain;
  bool may_be_logarithmic = false;
  bool large = false;
  std::vector<ChartLine> lines;
  std::vector<ChartBound> bounds = {};
  double reach = 0;  ///< a linear axis goes at least that high
};

/// What all charts of a run have in common.
struct ChartTime {
  struct Band {
    std::string name;
    double from_s = 0, until_s = 0;
    double recovered_s = 0;  ///< the recovery's end
  };
  std::vector<double> at_s;  ///< rising
  double length_s = 0;
  std::vector<Band> bands;
  std::vector<double> spikes_s;
};

/// The points that are drawn.
struct DrawnPoints {
  std::vector<double> at_s;
  std::vector<std::vector<double>> lines;
  std::size_t per_bucket =
      1;  ///< more than 1: of so many seconds the smallest and the largest value are drawn
};
inline constexpr std::size_t kMaxDrawnPoints = 600;
inline constexpr std::size_t kMaxBands = 40;
inline constexpr std::size_t kMaxSpikes = 200;

DrawnPoints drawn_points(const std::vector<double>& at_s, const std::vector<ChartLine>& lines);

/// A <figure>.
std::string chart_html(const Chart&, const ChartTime&);

/// "12.5 ms", "1,200", "0.75".
std::string unit_text(ChartUnit, double value);

}  // namespace spillway::load
