#include "load/faults/flow.h"

#include <algorithm>
#include <utility>

namespace spillway::load {
namespace {

constexpr double kNsPerMs = 1e6;
// With a bandwidth, bytes are passed on in pieces of about this much time, so that they trickle; no smaller
// than so many bytes, or a low rate would cost a system call for each.
constexpr double kPieceMs = 20;
constexpr std::size_t kLeastPiece = 128;

const std::optional<Toxic>& of(const Toxics& toxics, ToxicKind kind) {
  return toxics[static_cast<std::size_t>(kind)];
}

std::size_t piece_bytes(const Toxics& toxics) {
  const auto& bandwidth = of(toxics, ToxicKind::kBandwidth);
  if (!bandwidth) return std::string::npos;
  return std::max(kLeastPiece, static_cast<std::size_t>(bandwidth->rate_kb_per_s * kPieceMs));
}

}  // namespace

std::int64_t Flow::plan(const Chunk& chunk, std::int64_t now_ns, const Toxics& toxics,
                        std::mt19937_64& random) {
  if (of(toxics, ToxicKind::kTimeout)) return kNever;
  double later_ns = 0;
  if (const auto& latency = of(toxics, ToxicKind::kLatency)) {
    std::uniform_real_distribution<double> jitter(-latency->jitter_ms, latency->jitter_ms);
    later_ns = (latency->latency_ms + (latency->jitter_ms > 0 ? jitter(random) : 0)) * kNsPerMs;
  }
  std::int64_t due = std::max(last_due_ns_, chunk.taken_ns + static_cast<std::int64_t>(later_ns));
  if (const auto& bandwidth = of(toxics, ToxicKind::kBandwidth)) {
    // A KB/s is a byte a millisecond. The time is paid ahead: never faster than asked.
    const auto bytes = static_cast<double>(chunk.bytes.size() - chunk.passed);
    due = std::max(due, now_ns) + static_cast<std::int64_t>(bytes / bandwidth->rate_kb_per_s * kNsPerMs);
  }
  return due;
}

void Flow::take(std::string_view bytes, std::int64_t now_ns, const Toxics& toxics, std::mt19937_64& random) {
  held_ += bytes.size();
  if (bytes.empty()) ended_ = true;
  const std::size_t piece = piece_bytes(toxics);
  do {
    Chunk chunk{std::string(bytes.substr(0, piece)), 0, now_ns, 0};
    bytes.remove_prefix(chunk.bytes.size());
    last_due_ns_ = chunk.due_ns = plan(chunk, now_ns, toxics, random);
    chunks_.push_back(std::move(chunk));
  } while (!bytes.empty());
}

void Flow::plan_anew(std::int64_t now_ns, const Toxics& toxics, std::mt19937_64& random) {
  last_due_ns_ = 0;
  std::deque<Chunk> all = std::exchange(chunks_, {});
  const std::size_t piece = piece_bytes(toxics);
  for (Chunk& chunk : all) {
    std::string_view rest = std::string_view(chunk.bytes).substr(chunk.passed);
    do {
      Chunk part{std::string(rest.substr(0, piece)), 0, chunk.taken_ns, 0};
      rest.remove_prefix(part.bytes.size());
      last_due_ns_ = part.due_ns = plan(part, now_ns, toxics, random);
      chunks_.push_back(std::move(part));
    } while (!rest.empty());
  }
}

std::string_view Flow::due(std::int64_t now_ns) const {
  if (next_due_ns() > now_ns) return {};
  return std::string_view(chunks_.front().bytes).substr(chunks_.front().passed);
}

void Flow::passed(std::size_t bytes) {
  held_ -= bytes;
  Chunk& first = chunks_.front();
  first.passed += bytes;
  if (first.passed == first.bytes.size()) chunks_.pop_front();
}

bool Flow::end_due(std::int64_t now_ns) const {
  return !chunks_.empty() && chunks_.front().bytes.empty() && chunks_.front().due_ns <= now_ns;
}

}  // namespace spillway::load
