#include "load/measure/metrics.h"

#include <algorithm>
#include <set>

#include "load/wire/wire_text.h"

namespace spillway::load {

std::string_view name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kRate:
      return "rate";
    case MetricType::kTrend:
      return "trend";
  }
  return "";
}

std::string_view name(Contains contains) {
  switch (contains) {
    case Contains::kDefault:
      return "default";
    case Contains::kTime:
      return "time";
    case Contains::kData:
      return "data";
  }
  return "";
}

void Sink::add(MetricType type, const Sink& other) {
  if (other.samples == 0) return;
  sum += other.sum;
  if (type == MetricType::kGauge) {
    min = samples == 0 ? other.min : std::min(min, other.min);
    max = samples == 0 ? other.max : std::max(max, other.max);
    last = other.last;
  }
  samples += other.samples;
  if (!other.values) return;
  if (!values) values = std::make_shared<Histogram>();
  values->add(*other.values);
}

double Sink::quantile(double fraction) const { return values ? values->quantile_us(fraction) / 1e3 : 0; }
double Sink::avg() const { return values ? values->mean_us() / 1e3 : 0; }
double Sink::smallest() const { return values ? static_cast<double>(values->min_ns()) / 1e6 : 0; }
double Sink::largest() const { return values ? static_cast<double>(values->max_ns()) / 1e6 : 0; }

std::optional<std::size_t> Measurements::find(std::string_view metric_name) const {
  for (std::size_t i = 0; i < metrics_.size(); ++i) {
    if (metrics_[i].name == metric_name) return i;
  }
  return std::nullopt;
}

std::size_t Measurements::metric(const Metric& wanted) {
  if (const auto found = find(wanted.name)) return *found;
  metrics_.push_back(wanted);
  return metrics_.size() - 1;
}

void Measurements::add(std::size_t metric, const Tags& tags, const Sink& sink) {
  const auto [at, is_new] = index_.try_emplace({metric, tags}, series_.size());
  if (is_new) series_.push_back({metric, tags, {}});
  series_[at->second].sink.add(metrics_[metric].type, sink);
}

void Measurements::add(const Measurements& other) {
  std::vector<std::size_t> mine;
  for (const Metric& m : other.metrics_) mine.push_back(metric(m));
  for (const Series& one : other.series_) add(mine[one.metric], one.tags, one.sink);
}

Sink Measurements::select(std::size_t metric, const Tags& having) const {
  Sink all;
  for (const Series& one : series_) {
    if (one.metric != metric) continue;
    const bool matches = std::all_of(having.begin(), having.end(), [&](const auto& tag) {
      const auto found = one.tags.find(tag.first);
      return found != one.tags.end() && found->second == tag.second;
    });
    if (matches) all.add(metrics_[metric].type, one.sink);
  }
  return all;
}

Sink Measurements::select(std::string_view metric_name, const Tags& having) const {
  const auto metric = find(metric_name);
  return metric ? select(*metric, having) : Sink{};
}

std::vector<std::string> Measurements::tag_values(std::string_view metric_name,
                                                  const std::string& tag) const {
  std::set<std::string> values;
  const auto metric = find(metric_name);
  for (const Series& one : series_) {
    if (!metric || one.metric != *metric) continue;
    if (const auto found = one.tags.find(tag); found != one.tags.end()) values.insert(found->second);
  }
  return {values.begin(), values.end()};
}

// ---- For another process ---------------------------------------------------------------------------------

std::string Measurements::encode() const {
  std::string out;
  put_number(out, metrics_.size());
  for (const Metric& m : metrics_) {
    put_text(out, m.name);
    put_number(out, static_cast<int>(m.type));
    put_number(out, static_cast<int>(m.contains));
  }
  for (const Series& one : series_) {
    put_number(out, one.metric);
    put_number(out, one.tags.size());
    for (const auto& [key, value] : one.tags) {
      put_text(out, key);
      put_text(out, value);
    }
    const Sink& sink = one.sink;
    for (const double value : {sink.sum, sink.last, sink.min, sink.max}) put_number(out, value);
    put_number(out, sink.samples);
    put_text(out, sink.values ? sink.values->encode() : "");
  }
  return out;
}

std::optional<Measurements> Measurements::decode(std::string_view text) {
  WireReader in(text);
  Measurements all;
  const auto metrics = in.number<std::size_t>();
  for (std::size_t i = 0; i < metrics && in.good(); ++i) {
    Metric m;
    m.name = in.text();
    const int type = in.number<int>(), contains = in.number<int>();
    if (type < 0 || type > 3 || contains < 0 || contains > 2 || all.find(m.name)) return std::nullopt;
    m.type = static_cast<MetricType>(type);
    m.contains = static_cast<Contains>(contains);
    all.metrics_.push_back(std::move(m));
  }
  while (in.good() && !in.at_end()) {
    const auto metric = in.number<std::size_t>();
    const auto tag_count = in.number<std::size_t>();
    Tags tags;
    for (std::size_t i = 0; i < tag_count && in.good(); ++i) {
      std::string key(in.text());
      tags[std::move(key)] = in.text();
    }
    Sink sink;
    for (double* value : {&sink.sum, &sink.last, &sink.min, &sink.max}) *value = in.number<double>();
    sink.samples = in.number<std::uint64_t>();
    const std::string_view values = in.text();
    if (!in.good() || metric >= all.metrics_.size()) return std::nullopt;
    if (!values.empty()) {
      sink.values = std::make_shared<Histogram>();
      if (!sink.values->add_encoded(values)) return std::nullopt;
    }
    all.add(metric, tags, sink);
  }
  if (!in.good()) return std::nullopt;
  return all;
}

}  // namespace spillway::load
