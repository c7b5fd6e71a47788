#include "cli/token_store.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/limits.h"
#include "base/text.h"

namespace spillway::cli {
namespace {

/// Closes a file descriptor when it goes.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Error system_error(const std::string& path) {
  return invalid_argument(fmt::format("{}: {}", path, std::strerror(errno)));
}

/// The whole of a small file.
Result<std::string> read_small(int fd, const std::string& path) {
  std::string text;
  char piece[1024];
  while (true) {
    const ::ssize_t n = ::read(fd, piece, sizeof piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path);
    if (n == 0) return text;
    text.append(piece, static_cast<std::size_t>(n));
    if (text.size() > limits::kMaxTokenFileBytes) {
      return invalid_argument(fmt::format("{}: larger than {} bytes", path, limits::kMaxTokenFileBytes));
    }
  }
}

Status write_whole(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ::ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return Ok{};
}

/// `text` without its line's end, if it can be a bearer token.
Result<std::string> as_token(std::string text, const std::string& source) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  if (text.empty()) return invalid_argument(source + ": there is no token in it");
  if (has_control_characters(text) || text.find(' ') != std::string::npos) {
    return invalid_argument(source + ": a token has no blanks and is one line");
  }
  return text;
}

}  // namespace

Result<std::optional<StoredToken>> TokenStore::load() const {
  const Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::optional<StoredToken>();
    return system_error(path_);
  }
  struct ::stat about {};
  if (::fstat(file.get(), &about) != 0) return system_error(path_);
  if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return invalid_argument(fmt::format("{}: others can read it: chmod 600, and log in again", path_));
  }
  const auto text = read_small(file.get(), path_);
  if (!text) return text.error();
  JsonReader json(*text);
  StoredToken token;
  token.server = json.required_string("server", 1, limits::kMaxTokenFileBytes);
  token.user_id = json.required_string("userId", 1, limits::kMaxIdBytes);
  token.token = json.required_string("token", 1, limits::kMaxTokenFileBytes);
  if (!json.status()) return invalid_argument(fmt::format("{}: {}", path_, json.status().error().message));
  return std::optional<StoredToken>(std::move(token));
}

Status TokenStore::save(const StoredToken& token) const {
  if (path_.empty()) return invalid_argument("neither XDG_CONFIG_HOME nor HOME says where to keep the token");
  std::error_code failed;
  const std::filesystem::path folder = std::filesystem::path(path_).parent_path();
  if (std::filesystem::create_directories(folder, failed)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, failed);
  }
  if (failed) return invalid_argument(fmt::format("{}: {}", folder.string(), failed.message()));
  std::string text;
  JsonWriter(text)
      .open_object()
      .member("server", token.server)
      .member("userId", token.user_id)
      .member("token", token.token)
      .close_object();
  // A new file that takes the place of the old one: never half of it, never with another's permissions.
  std::string fresh = path_ + ".XXXXXX";
  const Descriptor file(::mkostemp(fresh.data(), O_CLOEXEC));  // 0600
  if (file.get() < 0) return system_error(fresh);
  Status written = write_whole(file.get(), text + '\n', fresh);
  if (written && ::rename(fresh.c_str(), path_.c_str()) != 0) written = system_error(path_);
  if (!written) ::unlink(fresh.c_str());
  return written;
}

Status TokenStore::remove() const {
  if (::unlink(path_.c_str()) != 0 && errno != ENOENT) return system_error(path_);
  return Ok{};
}

std::string token_path(const Environment& environment) {
  const auto value = [&environment](const char* name) {
    const char* text = environment(name);
    return std::string(text == nullptr ? "" : text);
  };
  if (const std::string config = value("XDG_CONFIG_HOME"); !config.empty()) return config + "/spillway/token";
  if (const std::string home = value("HOME"); !home.empty()) return home + "/.config/spillway/token";
  return {};
}

Result<std::string> find_token(const std::string& token_file, const Environment& environment,
                               const TokenStore& store, const std::string& server) {
  if (!token_file.empty()) {
    const Descriptor file(::open(token_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return system_error("--token-file " + token_file);
    auto text = read_small(file.get(), "--token-file " + token_file);
    if (!text) return text.error();
    return as_token(std::move(*text), "--token-file " + token_file);
  }
  for (const char* name : {"SPILLWAY_TOKEN", "SPILLWAY_ADMIN_TOKEN"}) {
    const char* value = environment(name);
    if (value != nullptr && *value != '\0') return as_token(value, name);
  }
  if (store.path().empty()) return std::string();
  auto stored = store.load();
  if (!stored) return stored.error();
  const bool counts = *stored && (*stored)->server == server;
  return counts ? as_token((*stored)->token, store.path()) : Result<std::string>(std::string());
}

}  // namespace spillway::cli
