#include "load/faults/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

namespace spillway::load {
namespace {

constexpr double kBeforeS = 30;   // how far back "before the fault" goes
constexpr double kSteadyS = 3;    // so long it must be good again
constexpr double kMostP95 = 1.5;  // times that of before
constexpr double kMoreP95Ms = 5;  // or so much above it
constexpr double kMostFailed = 0.001;
constexpr double kLeastRate = 0.5;  // of that of before
constexpr double kExact = 1e-6;     // seconds: the ends of points are sums of fractions

/// One point with its beginning.
struct Span {
  double from_s, until_s;
  const TimelinePoint* point;
  double rate() const { return static_cast<double>(point->requests) / std::max(until_s - from_s, kExact); }
};

struct Usual {
  double p95_ms = 0, rate = 0, failed = 0;
};

std::vector<Span> spans_of(const std::vector<TimelinePoint>& timeline) {
  std::vector<Span> spans;
  for (const TimelinePoint& point : timeline) {
    const double from = spans.empty() ? std::max(0.0, point.at_s - 1) : spans.back().until_s;
    spans.push_back({from, point.at_s, &point});
  }
  return spans;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// Nothing when no second had a request.
std::optional<Usual> usual_of(const std::vector<Span>& spans) {
  std::vector<double> p95s, rates;
  double requests = 0, failed = 0;
  for (const Span& span : spans) {
    rates.push_back(span.rate());
    if (span.point->requests == 0) continue;
    p95s.push_back(span.point->service.p95);
    requests += static_cast<double>(span.point->requests);
    failed += static_cast<double>(span.point->failed);
  }
  if (p95s.empty()) return std::nullopt;
  return Usual{median(p95s), median(rates), failed / requests};
}

bool in_force(const FaultResult& fault, const Span& span) {
  const double until = std::max(fault.until_s, fault.from_s + kExact * 2);
  return span.from_s < until - kExact && span.until_s > fault.from_s + kExact;
}

bool quiet(const std::vector<FaultResult>& faults, const Span& span) {
  return std::none_of(faults.begin(), faults.end(), [&](const FaultResult& f) { return in_force(f, span); });
}

/// The ones that no fault touched and that `wanted` takes.
template <class Wanted>
std::vector<Span> quiet_spans(const std::vector<Span>& spans, const std::vector<FaultResult>& faults,
                              const Wanted& wanted) {
  std::vector<Span> found;
  for (const Span& span : spans)
    if (wanted(span) && quiet(faults, span)) found.push_back(span);
  return found;
}

bool good(const Span& span, const Usual& usual) {
  const TimelinePoint& point = *span.point;
  if (point.requests == 0) return false;
  const double failed = static_cast<double>(point.failed) / static_cast<double>(point.requests);
  return point.service.p95 <= std::max(kMostP95 * usual.p95_ms, usual.p95_ms + kMoreP95Ms) &&
         failed <= std::max(usual.failed, kMostFailed) && span.rate() >= kLeastRate * usual.rate;
}

/// When the first three good seconds in a row began; nothing when there were none.
std::optional<double> good_again(const std::vector<Span>& spans, double after_s, const Usual& usual) {
  std::optional<double> since;
  for (const Span& span : spans) {
    if (span.until_s <= after_s + kExact) continue;
    if (!good(span, usual)) {
      since.reset();
      continue;
    }
    if (!since) since = std::max(span.from_s, after_s);
    if (span.until_s - *since >= kSteadyS - kExact) return since;
  }
  return std::nullopt;
}

void tell(FaultResult& fault, std::string_view sentence) {
  if (!fault.detail.empty()) fault.detail += "; ";
  fault.detail += sentence;
}

void compute_one(const std::vector<Span>& spans, const std::vector<FaultResult>& faults, FaultResult& fault) {
  const double begun = fault.from_s;
  std::optional<Usual> usual = usual_of(quiet_spans(spans, faults, [&](const Span& span) {
    return span.until_s <= begun + kExact && span.from_s >= begun - kBeforeS - kExact;
  }));
  if (!usual) {
    usual = usual_of(quiet_spans(spans, faults, [](const Span&) { return true; }));
    tell(fault, usual ? "no second before it to compare with: held against the run's quiet seconds"
                      : "no second without a fault to compare with");
  }
  const double until = std::max(fault.until_s, fault.from_s);
  const std::optional<double> again = usual ? good_again(spans, until, *usual) : std::nullopt;
  fault.recovery_s = again ? *again - until : -1;
  fault.failed_requests = 0;
  for (const Span& span : spans) {
    if (span.until_s > begun + kExact && (!again || span.from_s < *again - kExact))
      fault.failed_requests += span.point->failed;
  }
  for (const FaultResult& other : faults) {
    if (other.from_s > begun && (!again || other.from_s < *again) &&
        (spans.empty() || other.from_s < spans.back().until_s))
      tell(fault, fmt::format("\"{}\" began at {:.1f} s, before it had recovered", other.name, other.from_s));
  }
}

}  // namespace

void compute_recovery(const std::vector<TimelinePoint>& timeline, std::vector<FaultResult>& faults) {
  const std::vector<Span> spans = spans_of(timeline);
  const std::vector<FaultResult> as_given = faults;
  for (FaultResult& fault : faults) compute_one(spans, as_given, fault);
}

}  // namespace spillway::load
