#include "load/faults/toxic.h"

#include <fmt/format.h>

#include <utility>

namespace spillway::load {
namespace {

constexpr double kMostMs = 600'000;         // ten minutes: longer than any client waits
constexpr double kMostKbPerS = 10'000'000;  // 80 Gbit/s: more is no limit

/// Written so that NaN is outside too.
bool within(double value, double least, double most) { return value >= least && value <= most; }

}  // namespace

std::string_view name(ToxicKind kind) {
  constexpr std::string_view kNames[kToxicKinds] = {"latency", "bandwidth", "reset_peer", "timeout", "down"};
  return kNames[static_cast<int>(kind)];
}

Status check(const Toxic& toxic) {
  for (const auto& [field, value] : {std::pair{"latency_ms", toxic.latency_ms},
                                     {"jitter_ms", toxic.jitter_ms},
                                     {"timeout_ms", toxic.timeout_ms}}) {
    if (!within(value, 0, kMostMs))
      return invalid_argument(fmt::format("{}: {} is not between 0 and {}", field, value, kMostMs));
  }
  if (!within(toxic.percent, 0, 100))
    return invalid_argument(fmt::format("percent: {} is not between 0 and 100", toxic.percent));
  if (toxic.kind == ToxicKind::kLatency && toxic.latency_ms == 0 && toxic.jitter_ms == 0)
    return invalid_argument("latency_ms: a latency of 0 is none");
  if (toxic.kind == ToxicKind::kLatency && toxic.jitter_ms > toxic.latency_ms)
    return invalid_argument(
        fmt::format("jitter_ms: {} is more than latency_ms, {}: nothing can come before it was sent",
                    toxic.jitter_ms, toxic.latency_ms));
  if (toxic.kind == ToxicKind::kBandwidth && !within(toxic.rate_kb_per_s, 0.001, kMostKbPerS))
    return invalid_argument(
        fmt::format("rate_kb_per_s: {} is not between 0.001 and {}", toxic.rate_kb_per_s, kMostKbPerS));
  return Ok{};
}

std::string describe(const Toxic& toxic) {
  std::string text;
  switch (toxic.kind) {
    case ToxicKind::kLatency:
      text = fmt::format("latency {} ms", toxic.latency_ms);
      if (toxic.jitter_ms > 0) text += fmt::format(" +- {} ms", toxic.jitter_ms);
      break;
    case ToxicKind::kBandwidth:
      text = fmt::format("bandwidth {} KB/s a connection", toxic.rate_kb_per_s);
      break;
    case ToxicKind::kResetPeer:
      text = toxic.timeout_ms > 0 ? fmt::format("connections reset after {} ms", toxic.timeout_ms)
                                  : std::string("connections reset");
      break;
    case ToxicKind::kTimeout:
      text = "no data passes";
      if (toxic.timeout_ms > 0) text += fmt::format(", closed after {} ms", toxic.timeout_ms);
      break;
    case ToxicKind::kDown:
      return "proxy down";
  }
  if (toxic.percent < 100) text += fmt::format(", {}% of connections", toxic.percent);
  return text;
}

}  // namespace spillway::load
