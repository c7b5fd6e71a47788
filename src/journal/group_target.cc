#include "journal/group_target.h"

#include <sched.h>
#include <time.h>

#include <algorithm>

#include "base/limits.h"

namespace spillway::journal {

std::size_t GroupTarget::usable_processors() {
  cpu_set_t allowed;
  const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  return known ? static_cast<std::size_t>(std::max(CPU_COUNT(&allowed), 1)) : 1;
}

GroupTarget::Time GroupTarget::processor_time() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

void GroupTarget::committed(std::size_t tasks, Time used, Time went_by) {
  const bool is_short =
      static_cast<double>(used.count()) >= time_per_second_ * static_cast<double>(went_by.count());
  if (!is_short) {
    tasks_ -= (tasks_ + 3) / 4;
  } else if (tasks > 0 && tasks >= tasks_) {
    tasks_ = std::min(tasks_ + 1 + tasks_ / 16, limits::kMostGathered);
  }
}

}  // namespace spillway::journal
