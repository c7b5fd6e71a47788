#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/unique_function.h"
#include "intake/commands.h"

namespace spillway::intake {

/// How a piece of work ended.
struct WorkEnd {
  WorkResult result = WorkResult::kSucceed;
  ResultCode result_code = ResultCode::kNone;  ///< with kReject
  std::string reason = {};
};

/// How much more work may be asked for.
struct WorkRoom {
  std::size_t deliveries = SIZE_MAX;  ///< asked for or in hand together
  Micros look_again_at_us = 0;        ///< steady; when that may change by itself. For when there is a limit
};

/// What is done for a request that has been given a place. At least once: a worker that dies has it done
/// again.
class Work {
 public:
  virtual ~Work() = default;
  /// Called on the workers' loop; must not block. `done` is called exactly once on that loop, perhaps before
  /// this returns. While it is outstanding the delivery is kept by heartbeats.
  virtual void perform(const Delivery&, UniqueFunction<void(WorkEnd)> done) = 0;
  /// Called on the workers' loop before each receive, with the steady time. A delivery past it must be taken
  /// all the same: it may have been on its way.
  virtual WorkRoom room(Micros now_us) {
    static_cast<void>(now_us);
    return {};
  }
};

/// The built-in work: the place is all there is to decide.
class CapacityWork final : public Work {
 public:
  void perform(const Delivery&, UniqueFunction<void(WorkEnd)> done) override { done({}); }
};

}  // namespace spillway::intake
