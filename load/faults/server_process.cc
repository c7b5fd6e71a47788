#include "load/faults/server_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <deque>
#include <fstream>
#include <string_view>
#include <utility>

#include "load/faults/command_line.h"

extern char** environ;  // NOLINT: POSIX's name

namespace spillway::load {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr milliseconds kTryAgain{20};           // between two looks whether it is ready
constexpr milliseconds kConnectTimeout{1'000};  // on one machine: it is there or it is not
constexpr std::size_t kLastLines = 10;
constexpr std::int64_t kLastBytes = 16 * 1024;
constexpr std::size_t kLogPiece = 64 * 1024;
constexpr std::size_t kMostOfLine = 4 * 1024;  // a longer line is none that is looked for
constexpr std::string_view kReadyLine = "ready http://";
constexpr int kFirstOwnFile = 3;

std::atomic<pid_t> last_group{0};  // 0: it was reaped
static_assert(std::atomic<pid_t>::is_always_lock_free);

std::string how(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

milliseconds left(SteadyClock::time_point until) {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(until - SteadyClock::now()));
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::start(ServerCommand command) {
  Result<std::vector<std::string>> words = split_command(command.command);
  if (!words) return std::move(words).error();
  std::unique_ptr<ServerProcess> server(new ServerProcess(std::move(command), std::move(words).value()));
  if (Status free = server->await_free_address(milliseconds(0)); !free) return std::move(free).error();
  if (Status launched = server->launch(); !launched) return std::move(launched).error();
  return server;
}

ServerProcess::ServerProcess(ServerCommand command, std::vector<std::string> words)
    : given_(std::move(command)), words_(std::move(words)), host_(given_.host), port_(given_.port) {}

ServerProcess::~ServerProcess() {
  if (pid() != 0) static_cast<void>(stop());
}

pid_t ServerProcess::pid() const {
  const std::lock_guard lock(mutex_);
  reap_if_ended();
  return pid_;
}

std::optional<std::string> ServerProcess::died() const {
  const std::lock_guard lock(mutex_);
  reap_if_ended();
  return ended_;
}

std::string ServerProcess::address() const {
  const std::lock_guard lock(mutex_);
  return host_.find(':') == std::string::npos ? fmt::format("{}:{}", host_, port_)
                                              : fmt::format("[{}]:{}", host_, port_);
}

void ServerProcess::reap_if_ended() const {
  siginfo_t ended{};
  if (pid_ == 0 || asked_ ||
      ::waitid(P_PID, static_cast<id_t>(pid_), &ended, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      ended.si_pid != pid_)
    return;
  const int status = reap_group();
  ended_ = fmt::format("{}{}", how(status), last_lines());
}

Status ServerProcess::launch() {
  Status done = spawn();
  if (done) done = await_ready();
  if (!done && pid() != 0) end_group();
  return done;
}

Status ServerProcess::spawn() {
  Fd log(::open(given_.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log) return system_error("server log " + given_.log_file, errno);
  log_from_ = log_read_to_ = ::lseek(log.get(), 0, SEEK_END);
  log_rest_.clear();
  said_ready_ = false;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t how_to;
  sigset_t none, all;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawnattr_init(&how_to);
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, log.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, log.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&files, kFirstOwnFile);
  ::posix_spawnattr_setpgroup(&how_to, 0);
  ::posix_spawnattr_setsigmask(&how_to, &none);
  ::posix_spawnattr_setsigdefault(&how_to, &all);
  ::posix_spawnattr_setflags(&how_to, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  for (const std::string& word : words_) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, arguments[0], &files, &how_to, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  ::posix_spawnattr_destroy(&how_to);
  if (error != 0) return system_error("server command: " + words_[0], error);

  // glibc 2.36 declares pidfd_open() without C linkage.
  pid_fd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const std::lock_guard lock(mutex_);
  pid_ = pid;
  last_group = pid;
  asked_ = false;
  ended_.reset();
  return Ok{};
}

Status ServerProcess::await_ready() {
  const auto until = SteadyClock::now() + given_.start_timeout;
  for (;;) {
    read_log();
    const bool may_be = said_ready_ || (!says_ready_ && !given_.host.empty());
    const bool connects = may_be && takes_connections(std::min(kConnectTimeout, left(until)));
    if (auto ended = died()) return Error{ErrorCode::kInternal, "the server " + *ended};
    if (connects) return Ok{};
    if (left(until) == milliseconds(0)) {
      return failure(fmt::format("the server was not ready within {:.0f} s: {}",
                                 std::chrono::duration<double>(given_.start_timeout).count(),
                                 may_be ? address() + " takes no connections"
                                        : std::string("it did not say \"ready http://HOST:PORT\"")));
    }
    static_cast<void>(await_exit(std::min(kTryAgain, left(until))));
  }
}

Status ServerProcess::await_free_address(milliseconds bound) {
  const auto until = SteadyClock::now() + bound;
  while (port_ != 0 && takes_connections(kConnectTimeout)) {
    if (left(until) == milliseconds(0))
      return Error{ErrorCode::kInternal, fmt::format("{} answers before the server was started", address())};
    ::poll(nullptr, 0, static_cast<int>(kTryAgain.count()));
  }
  return Ok{};
}

bool ServerProcess::await_exit(milliseconds bound) const {
  pollfd ended{pid_fd_.get(), POLLIN, 0};
  return ::poll(&ended, 1, static_cast<int>(bound.count())) > 0;
}

bool ServerProcess::takes_connections(milliseconds bound) const {
  const Result<SocketAddress> address = resolve(host_, port_);
  if (!address) return false;
  const Fd fd = stream_socket(address->family());
  if (!fd) return false;
  if (::connect(fd.get(), address->get(), address->size) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd writable{fd.get(), POLLOUT, 0};
  if (::poll(&writable, 1, static_cast<int>(bound.count())) <= 0) return false;
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

void ServerProcess::read_log() {
  std::ifstream log(given_.log_file, std::ios::binary);
  log.seekg(log_read_to_);
  std::string piece(kLogPiece, '\0');
  while (log.read(piece.data(), kLogPiece), log.gcount() > 0) {
    log_read_to_ += log.gcount();
    log_rest_.append(piece, 0, static_cast<std::size_t>(log.gcount()));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = log_rest_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string_view line = std::string_view(log_rest_).substr(begin, end - begin);
      if (!line.starts_with(kReadyLine)) continue;
      const std::string_view where = line.substr(kReadyLine.size());
      const auto at = split_host_port(where.substr(0, where.find_first_of("/ \r")));
      if (!at || at->port == 0) continue;
      says_ready_ = said_ready_ = true;
      if (!given_.host.empty()) continue;
      const std::lock_guard lock(mutex_);
      host_ = at->host;
      port_ = at->port;
    }
    log_rest_.erase(0, begin);
    if (log_rest_.size() > kMostOfLine) log_rest_.resize(kMostOfLine);
  }
}

std::string ServerProcess::last_lines() const {
  std::ifstream log(given_.log_file, std::ios::binary | std::ios::ate);
  const std::int64_t size = log ? static_cast<std::int64_t>(log.tellg()) : 0;
  log.seekg(std::max(log_from_, size - kLastBytes));
  std::deque<std::string> lines;
  for (std::string line; std::getline(log, line);) {
    lines.push_back(line);
    if (lines.size() > kLastLines) lines.pop_front();
  }
  if (lines.empty()) return "; it wrote nothing";
  std::string text = "; its last lines:";
  for (const std::string& line : lines) text += "\n  " + line;
  return text;
}

Error ServerProcess::failure(const std::string& what) const {
  return {ErrorCode::kInternal, what + last_lines()};
}

Status ServerProcess::signal_group(int signal, const char* what) const {
  const std::lock_guard lock(mutex_);
  reap_if_ended();
  if (pid_ == 0) return Error{ErrorCode::kInternal, fmt::format("{}: the server does not run", what)};
  if (::kill(-pid_, signal) != 0) return system_error(what, errno);
  return Ok{};
}

Status ServerProcess::pause() { return signal_group(SIGSTOP, "pause"); }
Status ServerProcess::resume() { return signal_group(SIGCONT, "resume"); }

void ServerProcess::end_group() {
  const std::lock_guard lock(mutex_);
  if (pid_ != 0) static_cast<void>(reap_group());
}

void ServerProcess::kill_at_our_end() noexcept {
  const pid_t group = last_group;
  if (group != 0) ::kill(-group, SIGKILL);
}

int ServerProcess::reap_group() const {
  // While the leader is not reaped nobody else can have its number.
  ::kill(-pid_, SIGKILL);
  pid_t mine = pid_;
  last_group.compare_exchange_strong(mine, 0);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  pid_ = 0;
  return status;
}

Status ServerProcess::kill_now() {
  if (pid() == 0) return Error{ErrorCode::kInternal, "kill: the server does not run"};
  end_group();
  return Ok{};
}

Status ServerProcess::stop() {
  {
    const std::lock_guard lock(mutex_);
    reap_if_ended();
    if (pid_ == 0) return Error{ErrorCode::kInternal, "stop: the server does not run"};
    asked_ = true;
  }
  static_cast<void>(signal_group(SIGTERM, "stop"));
  // One that is stopped hears nothing else.
  static_cast<void>(signal_group(SIGCONT, "stop"));
  const bool ended = await_exit(given_.stop_timeout);
  end_group();
  if (ended) return Ok{};
  return failure(fmt::format("the server had to be killed: it did not end within {:.0f} s of SIGTERM",
                             std::chrono::duration<double>(given_.stop_timeout).count()));
}

Status ServerProcess::start_again() {
  if (pid() != 0) return Error{ErrorCode::kInternal, "start again: the server runs"};
  read_log();  // a ready line that came after the first connection
  // Children that were killed with it may hold its port for a moment.
  if (Status free = await_free_address(given_.stop_timeout); !free) return free;
  return launch();
}

}  // namespace spillway::load
