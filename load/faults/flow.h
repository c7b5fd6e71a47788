#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "load/faults/toxic.h"
#include "load/wire/clock.h"

namespace spillway::load {

/// By kind: what is in force.
using Toxics = std::array<std::optional<Toxic>, kToxicKinds>;

/// The bytes of one direction of a connection that are not yet passed on, and when they may be. No I/O and no
/// clock: times are steady nanoseconds that come in as values.
class Flow {
 public:
  /// Takes what was read at `now_ns`; when no bytes: the end.
  void take(std::string_view bytes, std::int64_t now_ns, const Toxics&, std::mt19937_64&);
  /// Plans all that is held anew, since other toxics are in force.
  void plan_anew(std::int64_t now_ns, const Toxics&, std::mt19937_64&);

  /// The first bytes if they are due, else none.
  std::string_view due(std::int64_t now_ns) const;
  void passed(std::size_t bytes);
  /// All was passed on and the end is due.
  bool end_due(std::int64_t now_ns) const;
  /// When the first of it is due; kNever when nothing is held.
  std::int64_t next_due_ns() const { return chunks_.empty() ? kNever : chunks_.front().due_ns; }

  std::size_t held() const { return held_; }
  bool ended() const { return ended_; }  ///< took the end

 private:
  struct Chunk {
    std::string bytes;  // none: the end
    std::size_t passed = 0;
    std::int64_t taken_ns = 0, due_ns = 0;
  };
  std::int64_t plan(const Chunk&, std::int64_t now_ns, const Toxics&, std::mt19937_64&);

  std::deque<Chunk> chunks_;
  std::size_t held_ = 0;
  std::int64_t last_due_ns_ = 0;  // of what was planned last: order is kept under jitter
  bool ended_ = false;
};

}  // namespace spillway::load
