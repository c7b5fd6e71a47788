#include "load/wire/process_probe.h"

#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

namespace spillway::load {
ProcessUse read_process(pid_t pid) {
  ProcessUse use;
  const std::string root = "/proc/" + std::to_string(pid);
  std::error_code gone;
  for (const auto& task : std::filesystem::directory_iterator(root + "/task", gone)) {
    std::int64_t on_cpu_ns = 0;
    std::string name;
    std::ifstream(task.path() / "schedstat") >> on_cpu_ns;
    std::getline(std::ifstream(task.path() / "comm"), name);
    use.cpu_ns += on_cpu_ns;
    use.by_thread[name] += on_cpu_ns;
  }
  std::int64_t pages = 0;
  std::int64_t resident_pages = 0;
  std::ifstream(root + "/statm") >> pages >> resident_pages;
  use.resident_bytes = resident_pages * ::sysconf(_SC_PAGESIZE);
  return use;
}

CoreUse read_core(int core) {
  CoreUse use;
  const std::string wanted = "cpu" + std::to_string(core);
  std::ifstream stat("/proc/stat");
  for (std::string line; std::getline(stat, line);) {
    std::istringstream in(line);
    std::string name;
    std::int64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
    in >> name >> user >> nice >> system >> idle >> iowait >> irq >> softirq >> use.steal;
    if (name != wanted) continue;
    use.busy = user + nice + system + irq + softirq;
    use.total = use.busy + idle + iowait + use.steal;
    return use;
  }
  return {};
}

bool pin_to_core(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

}  // namespace spillway::load
