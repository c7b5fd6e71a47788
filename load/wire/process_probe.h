#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>

namespace spillway::load {

/// What a process has used so far, from /proc.
struct ProcessUse {
  std::int64_t cpu_ns = 0;  ///< all its threads (schedstat: nanoseconds, not clock ticks)
  std::map<std::string, std::int64_t>
      by_thread;  ///< the same by thread name; threads of one name are added up
  std::int64_t resident_bytes = 0;
};
/// All zero when there is no such process.
ProcessUse read_process(pid_t pid);

/// What a core has done since the machine started, in clock ticks (10 ms).
struct CoreUse {
  std::int64_t busy = 0;   ///< also that of the kernel's own threads and interrupts
  std::int64_t steal = 0;  ///< taken away by the hypervisor
  std::int64_t total = 0;
};
CoreUse read_core(int core);

/// Keeps the calling thread on one core; false when that core is not there.
bool pin_to_core(int core);

}  // namespace spillway::load
