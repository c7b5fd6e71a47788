#include "load/report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "load/report/axis.h"
#include "load/report/html_text.h"

namespace spillway::load {
namespace {

constexpr double kWidth = 1000;  // of the plot, in its own units: it is stretched to what room there is
constexpr double kHeight = 170, kLargeHeight = 250;  // in pixels
constexpr double kTop = 22;                          // above the plot, for the marks
constexpr double kBottom = 26;                       // below, for the times
constexpr double kLeastBand = 0.3;  // per cent of the width: what lasted a second is still seen
constexpr double kBoundIsNear = 3;  // a bound that is so many times the largest value is left out
constexpr double kBoundIsNearLog = 30;
constexpr std::size_t kLabelCharacters = 26;
constexpr double kLabelPercent = 1.15;  // of the width, for each character
constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

struct Range {
  double least = 0, least_positive = 0, most = 0;
};

std::optional<Range> range_of(const std::vector<double>& values) {
  std::optional<Range> range;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    if (!range) range = Range{value, 0, value};
    range->least = std::min(range->least, value);
    range->most = std::max(range->most, value);
    if (value > 0 && (range->least_positive == 0 || value < range->least_positive))
      range->least_positive = value;
  }
  return range;
}

/// Of one bucket the smallest and the largest value, in the order in which they came.
std::pair<double, double> extremes(const std::vector<double>& values, std::size_t from, std::size_t until) {
  std::optional<std::size_t> least, most;
  for (std::size_t i = from; i < until; ++i) {
    if (!std::isfinite(values[i])) continue;
    if (!least || values[i] < values[*least]) least = i;
    if (!most || values[i] > values[*most]) most = i;
  }
  if (!least) return {kGap, kGap};
  return {values[std::min(*least, *most)], values[std::max(*least, *most)]};
}

class Figure {
 public:
  Figure(const Chart& chart, const ChartTime& time)
      : chart_(chart),
        time_(time),
        drawn_(drawn_points(time.at_s, chart.lines)),
        height_(chart.large ? kLargeHeight : kHeight) {
    for (const double at : time.at_s) length_ = std::max(length_, at);
    length_ = std::max(length_, time.length_s);
    if (!std::isfinite(length_) || length_ <= 0) length_ = 1;
    choose_axis();
  }

  std::string html() {
    if (!has_values_) return empty();
    const std::string id = html_escape(chart_.id);
    std::string times, out;
    for (const double at : drawn_.at_s) append_value(times, at);
    out = fmt::format(
        R"(<figure class="chart{}" id="{}" data-unit="{}" data-length="{:.6g}" data-t="{}"><figcaption>)"
        R"(<h3>{}</h3><p>{}{}</p></figcaption>{}<div class="plot"><svg role="img" height="{}" )"
        R"(aria-labelledby="{}-t {}-d"><title id="{}-t">{}</title><desc id="{}-d">{}</desc>)",
        chart_.large ? " large" : "", id, unit_name(), length_, times, html_escape(chart_.title),
        html_escape(chart_.about), axis_.logarithmic ? " Logarithmic axis." : "", legend(),
        kTop + height_ + kBottom, id, id, id, html_escape(chart_.title), id, html_escape(description()));
    out += bands() + grid() + lines() + bounds() + spikes() + "</svg></div>";
    if (drawn_.per_bucket > 1) {
      out += fmt::format(
          R"(<p class="note">Drawn from {} points: of every {} the smallest and the largest.</p>)",
          grouped(time_.at_s.size()), drawn_.per_bucket);
    }
    return out + "</figure>\n";
  }

 private:
  std::string empty() const {
    return fmt::format(R"(<figure class="chart{}" id="{}"><figcaption><h3>{}</h3><p>{}</p></figcaption>)"
                       R"(<p class="nothing">Nothing was measured.</p></figure>)"
                       "\n",
                       chart_.large ? " large" : "", html_escape(chart_.id), html_escape(chart_.title),
                       html_escape(chart_.about));
  }

  void choose_axis() {
    Range all;
    for (const ChartLine& line : chart_.lines) {
      const auto range = range_of(line.values);
      if (!range) continue;
      if (!has_values_) all = *range;
      has_values_ = true;
      all.least = std::min(all.least, range->least);
      all.most = std::max(all.most, range->most);
      if (range->least_positive > 0 &&
          (all.least_positive == 0 || range->least_positive < all.least_positive)) {
        all.least_positive = range->least_positive;
      }
    }
    const bool logarithmic = chart_.may_be_logarithmic && wants_logarithms(all.least_positive, all.most);
    double most = all.most;
    for (const ChartBound& bound : chart_.bounds) {
      if (!std::isfinite(bound.value) || bound.value <= 0) continue;
      if (bound.value > all.most * (logarithmic ? kBoundIsNearLog : kBoundIsNear)) continue;
      if (logarithmic && bound.value < all.least_positive) continue;
      shown_bounds_.push_back(bound);
      most = std::max(most, bound.value);
    }
    axis_ = logarithmic ? logarithmic_axis(all.least_positive, most)
                        : linear_axis(std::max(most, chart_.reach), chart_.unit == ChartUnit::kWhole);
  }

  double percent(double at_s) const { return std::clamp(at_s / length_, 0.0, 1.0) * 100; }
  double up(double value) const { return height_ * (1 - axis_.place(value)); }

  const char* unit_name() const {
    if (chart_.unit == ChartUnit::kMs) return "ms";
    return chart_.unit == ChartUnit::kCores ? "cores" : "";
  }

  static void append_value(std::string& out, double value) {
    if (!out.empty()) out += ',';
    if (std::isfinite(value)) {
      out += std::fabs(value) >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
    }
  }

  std::string legend() const {
    std::string out = R"(<ul class="legend">)";
    for (const ChartLine& line : chart_.lines) {
      const auto range = range_of(line.values);
      out += fmt::format(
          R"(<li><svg class="swatch" width="22" height="8" aria-hidden="true"><line class="line {}" )"
          R"(x1="1" y1="4" x2="21" y2="4"/></svg><bdi>{}</bdi> <span>{}</span></li>)",
          line.look, html_escape(line.name),
          range ? "max " + unit_text(chart_.unit, range->most) : std::string("none"));
    }
    return out + "</ul>";
  }

  std::string description() const {
    std::string text = fmt::format("From 00:00 to {}.", clock_text(length_));
    for (const ChartLine& line : chart_.lines) {
      const auto range = range_of(line.values);
      text += range ? fmt::format(" {}: {} to {}.", line.name, unit_text(chart_.unit, range->least),
                                  unit_text(chart_.unit, range->most))
                    : fmt::format(" {}: nothing measured.", line.name);
    }
    for (std::size_t i = 0; i < std::min(time_.bands.size(), kMaxBands); ++i) {
      const auto& band = time_.bands[i];
      text += fmt::format(" Fault from {} to {}: {}.", clock_text(band.from_s), clock_text(band.until_s),
                          band.name);
    }
    return text;
  }

  /// The label of a fault stands beside its number where no other one is in the way.
  std::string bands() const {
    std::string out;
    double free_from = 0;
    const std::size_t count = std::min(time_.bands.size(), kMaxBands);
    for (std::size_t i = 0; i < count; ++i) {
      const auto& band = time_.bands[i];
      const double from = percent(band.from_s), until = std::max(percent(band.until_s), from + kLeastBand);
      const double recovered = std::max(percent(band.recovered_s), until);
      const auto rect = [&](const char* look, double left, double right) {
        return fmt::format(R"(<rect class="{}" x="{:.2f}%" y="{}" width="{:.2f}%" height="{}"/>)", look, left,
                           kTop, right - left, height_);
      };
      if (recovered > until) out += rect("recovery", until, recovered);
      out += rect("fault", from, until);
      const std::string label = shortened(band.name, kLabelCharacters);
      const double width = kLabelPercent * static_cast<double>(label.size() + 4);
      const double next = i + 1 < count ? percent(time_.bands[i + 1].from_s) : 100;
      const bool to_the_left = from + width > 100;
      const bool fits = to_the_left ? from - width >= free_from && next >= from + 5 : from + width <= next;
      out += fmt::format(R"(<text class="flag{}" x="{:.2f}%" y="{}">F{}{}</text>)", to_the_left ? " end" : "",
                         to_the_left ? until : from, kTop - 7, i + 1,
                         fits ? fmt::format(R"(<tspan class="long"> {}</tspan>)", html_escape(label)) : "");
      free_from = fits && !to_the_left ? from + width : from + 5;
    }
    return out;
  }

  std::string grid() const {
    std::string out;
    for (const double tick : axis_.ticks) {
      const double y = kTop + up(tick);
      out += fmt::format(R"(<line class="grid" x1="0" x2="100%" y1="{:.1f}" y2="{:.1f}"/>)"
                         R"(<text class="tick y" x="-8" y="{:.1f}">{}</text>)",
                         y, y, y + 4, unit_text(chart_.unit, tick));
    }
    for (const double tick : time_ticks(length_)) {
      out += fmt::format(R"(<line class="grid" x1="{:.2f}%" x2="{:.2f}%" y1="{}" y2="{}"/>)"
                         R"(<text class="tick x" x="{:.2f}%" y="{}">{}</text>)",
                         percent(tick), percent(tick), kTop + height_, kTop + height_ + 5, percent(tick),
                         kTop + height_ + 19, clock_text(tick));
    }
    return out;
  }

  std::string path(const std::vector<double>& values, bool area) const {
    std::string out;
    bool open = false;
    const auto close = [&] {
      if (!open) return;
      // A lone point becomes a dot: the caps are round.
      out += area ? fmt::format("V{:.1f}Z", height_) : std::string("h0.01");
      open = false;
    };
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) {
        close();
        continue;
      }
      const double x = percent(drawn_.at_s[i]) * kWidth / 100, y = up(values[i]);
      if (!open) {
        out += area ? fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", x, height_, x, y)
                    : fmt::format("M{:.1f} {:.1f}", x, y);
      } else {
        out += fmt::format("L{:.1f} {:.1f}", x, y);
      }
      open = true;
    }
    close();
    return out;
  }

  std::string lines() const {
    std::string out = fmt::format(R"(<svg class="lines" x="0" y="{}" width="100%" height="{}" )"
                                  R"(viewBox="0 0 {} {}" preserveAspectRatio="none">)",
                                  kTop, height_, kWidth, height_);
    for (std::size_t i = 0; i < chart_.lines.size(); ++i) {
      const ChartLine& line = chart_.lines[i];
      std::string values;
      for (std::size_t k = 0; k < drawn_.at_s.size(); ++k) {
        if (k > 0) values += ',';
        std::string one;
        append_value(one, drawn_.lines[i][k]);
        values += one;
      }
      if (line.area)
        out += fmt::format(R"(<path class="area {}" d="{}"/>)", line.look, path(drawn_.lines[i], true));
      out += fmt::format(R"(<path class="line {}" data-name="{}" data-v="{}" d="{}"/>)", line.look,
                         html_escape(line.name), values, path(drawn_.lines[i], false));
    }
    return out + "</svg>";
  }

  std::string bounds() const {
    std::string out;
    for (const ChartBound& bound : shown_bounds_) {
      const double y = kTop + up(bound.value);
      out += fmt::format(R"(<line class="bound {}" x1="0" x2="100%" y1="{:.1f}" y2="{:.1f}"/>)"
                         R"(<text class="bound-name" x="100%" y="{:.1f}">{}</text>)",
                         bound.look, y, y, y - 4, html_escape(bound.name));
    }
    return out;
  }

  std::string spikes() const {
    std::string out;
    for (std::size_t i = 0; i < std::min(time_.spikes_s.size(), kMaxSpikes); ++i) {
      const double x = percent(time_.spikes_s[i]);
      out += fmt::format(R"(<line class="spike" x1="{:.2f}%" x2="{:.2f}%" y1="{}" y2="{}"/>)"
                         R"(<text class="spike-mark" x="{:.2f}%" y="{}">▲</text>)",
                         x, x, kTop, kTop + height_, x, kTop + height_);
    }
    return out;
  }

  const Chart& chart_;
  const ChartTime& time_;
  DrawnPoints drawn_;
  double height_;
  double length_ = 0;
  bool has_values_ = false;
  Axis axis_;
  std::vector<ChartBound> shown_bounds_;
};

}  // namespace

DrawnPoints drawn_points(const std::vector<double>& at_s, const std::vector<ChartLine>& lines) {
  DrawnPoints drawn;
  drawn.lines.resize(lines.size());
  const auto value = [](const ChartLine& line, std::size_t i) {
    return i < line.values.size() ? line.values[i] : kGap;
  };
  if (at_s.size() <= kMaxDrawnPoints) {
    drawn.at_s = at_s;
    for (std::size_t k = 0; k < lines.size(); ++k) {
      for (std::size_t i = 0; i < at_s.size(); ++i) drawn.lines[k].push_back(value(lines[k], i));
    }
    return drawn;
  }
  drawn.per_bucket = (at_s.size() * 2 + kMaxDrawnPoints - 1) / kMaxDrawnPoints;
  for (std::size_t from = 0; from < at_s.size(); from += drawn.per_bucket) {
    const std::size_t until = std::min(at_s.size(), from + drawn.per_bucket);
    drawn.at_s.push_back(at_s[from]);
    drawn.at_s.push_back(at_s[from + (until - from) / 2]);
    for (std::size_t k = 0; k < lines.size(); ++k) {
      const auto [first, second] = extremes(lines[k].values, from, std::min(until, lines[k].values.size()));
      drawn.lines[k].push_back(first);
      drawn.lines[k].push_back(second);
    }
  }
  return drawn;
}

std::string unit_text(ChartUnit unit, double value) {
  if (unit == ChartUnit::kMs) return ms_text(value);
  constexpr double kMany = 1e5;
  if (std::isfinite(value) && value >= kMany * 10) return short_number_text(value / 1e6) + " M";
  return short_number_text(value);
}

std::string chart_html(const Chart& chart, const ChartTime& time) { return Figure(chart, time).html(); }

}  // namespace spillway::load
