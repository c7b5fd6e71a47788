#include "load/command/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "base/rfc3339.h"
#include "load/faults/server_process.h"
#include "load/report/progress.h"

namespace spillway::load {
namespace {

constexpr std::uint64_t kLogEverySeconds = 10;

std::atomic<bool> stop_asked_flag{false};

void on_signal(int number) {
  if (!stop_asked_flag.exchange(true)) return;
  // Whoever asks twice does not want to wait.
  ServerProcess::kill_at_our_end();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

/// 20261121T150405Z
std::string utc_now() {
  std::string text = format_time(SystemClock().wall());
  text.resize(std::min(text.size(), std::size_t{19}));
  std::erase(text, '-');
  std::erase(text, ':');
  return text + "Z";
}

}  // namespace

Result<Console> Console::make(const std::string& report_dir, const std::string& plan_name) {
  Console console;
  console.dir_ = report_dir;
  console.plan_ = plan_name;
  console.utc_ = utc_now();
  console.terminal_ = ::isatty(STDERR_FILENO) == 1;
  if (!report_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(report_dir, error);
    const std::string file = console.file_beside("console", "log");
    console.log_ = std::fopen(file.c_str(), "w");
    if (console.log_ == nullptr)
      return invalid_argument(fmt::format("--report-dir {}: {}: {}", report_dir, file, std::strerror(errno)));
  }
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  return console;
}

Console::Console(Console&& other) noexcept
    : dir_(std::move(other.dir_)),
      plan_(std::move(other.plan_)),
      utc_(std::move(other.utc_)),
      log_(std::exchange(other.log_, nullptr)),
      terminal_(other.terminal_),
      line_open_(std::exchange(other.line_open_, false)) {}

Console::~Console() {
  clear_line();
  if (log_ != nullptr) std::fclose(log_);
}

const std::atomic<bool>& Console::stop_asked() { return stop_asked_flag; }

void Console::clear_line() {
  if (std::exchange(line_open_, false)) std::fputs("\r\x1b[K", stderr);
}

void Console::say(const std::string& line) {
  clear_line();
  fmt::print(stderr, "{}\n", line);
  if (log_ != nullptr) fmt::print(log_, "{} {}\n", format_time(SystemClock().wall()), line);
}

void Console::progress(const TimelinePoint& point, double total_s, std::uint64_t requests,
                       std::uint64_t failed) {
  const std::string line = progress_line(point, total_s, requests, failed);
  const bool tenth = static_cast<std::uint64_t>(point.at_s) % kLogEverySeconds == 0;
  if (terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", line);
    line_open_ = true;
  } else if (tenth) {
    fmt::print(stderr, "{}\n", line);
  }
  if (log_ == nullptr || !tenth) return;
  fmt::print(log_, "{}", progress_lines(point, total_s, requests, failed));
  std::fflush(log_);
}

void Console::print(const std::string& text) {
  clear_line();
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
  if (log_ != nullptr) std::fputs(text.c_str(), log_);
}

std::string Console::file_beside(std::string_view what, std::string_view ending) const {
  const std::string dir = dir_.empty() ? std::filesystem::temp_directory_path().string() : dir_;
  return fmt::format("{}/{}_{}_{}.{}", dir, plan_, what, utc_, ending);
}

Status Console::write(std::string_view what, std::string_view ending, std::string_view text) {
  const std::string file = file_beside(what, ending), unfinished = file + ".new";
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  out.close();
  if (!out || std::rename(unfinished.c_str(), file.c_str()) != 0)
    return Error{ErrorCode::kStorageFull,
                 fmt::format("{} cannot be written: {}", file, std::strerror(errno))};
  say("written: " + file);
  return Ok{};
}

}  // namespace spillway::load
