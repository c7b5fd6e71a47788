#pragma once

#include <string>

#include "base/unique_function.h"
#include "intake/commands.h"

namespace spillway::intake {

/// How a piece of work ended.
struct WorkEnd {
  WorkResult result = WorkResult::kSucceed;
  ResultCode result_code = ResultCode::kNone;  ///< with kReject
  std::string reason = {};
};

/// What is done for a request that has been given a place. At least once: a worker that dies has it done
/// again.
class Work {
 public:
  virtual ~Work() = default;
  /// Called on the workers' loop; must not block. `done` is called exactly once on that loop, perhaps before
  /// this returns. While it is outstanding the delivery is kept by heartbeats.
  virtual void perform(const Delivery&, UniqueFunction<void(WorkEnd)> done) = 0;
};

/// The built-in work: the place is all there is to decide.
class CapacityWork final : public Work {
 public:
  void perform(const Delivery&, UniqueFunction<void(WorkEnd)> done) override { done({}); }
};

}  // namespace spillway::intake
