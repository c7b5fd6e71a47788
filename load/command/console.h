#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>

#include "base/result.h"
#include "load/measure/results.h"

namespace spillway::load {

/// What whoever runs a plan sees, and the log of it in the report directory. One thread.
class Console {
 public:
  /// `report_dir`: made when it is not there; empty: no files. Errors: invalid_argument.
  static Result<Console> make(const std::string& report_dir, const std::string& plan_name);
  ~Console();
  Console(Console&&) noexcept;
  Console& operator=(Console&&) = delete;

  /// A line of its own.
  void say(const std::string&);
  /// On a terminal one line that changes; in the log a line every ten seconds.
  void progress(const TimelinePoint&, double total_s, std::uint64_t requests, std::uint64_t failed);
  /// The end of a run: to stdout, and into the log.
  void print(const std::string&);

  bool has_report_dir() const { return !dir_.empty(); }
  /// DIR/PLAN_WHAT_UTC.ENDING, one UTC for all of a run; in the temporary directory when there is none.
  std::string file_beside(std::string_view what, std::string_view ending) const;
  /// Errors: storage_full.
  Status write(std::string_view what, std::string_view ending, std::string_view text);

  /// True from the first SIGINT or SIGTERM on; at the second the program ends at once, and a server that it
  /// started.
  static const std::atomic<bool>& stop_asked();

 private:
  Console() = default;
  void clear_line();

  std::string dir_, plan_, utc_;
  std::FILE* log_ = nullptr;
  bool terminal_ = false;
  bool line_open_ = false;
};

}  // namespace spillway::load
