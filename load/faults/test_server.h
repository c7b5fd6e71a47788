#pragma once

// For the tests of what starts and stops servers: a small one of its own kind, as a command.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "load/faults/server_process.h"

namespace spillway::load::testing_server {

/// Its log, and whatever else a test leaves; gone with it.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "faults-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline std::string python(const std::string& code) { return "/usr/bin/python3 -c '" + code + "'"; }

/// Listens, says so, and answers everybody with "hello"; port 0: any.
inline std::string hello_server(std::uint16_t port = 0, const std::string& first = "") {
  return python(first +
                "\nimport socket\n"
                "s = socket.create_server((\"127.0.0.1\", " +
                std::to_string(port) +
                "))\n"
                "print(\"ready http://127.0.0.1:%d\" % s.getsockname()[1], flush=True)\n"
                "while True:\n"
                "    c = s.accept()[0]\n"
                "    try:\n"
                "        c.sendall(b\"hello\")\n"
                "        c.close()\n"
                "    except OSError:\n"
                "        pass\n");
}

/// No file when nobody is there.
inline Fd connects(std::uint16_t port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.close();
  return fd;
}

/// What it is answered, "" when nobody is there.
inline std::string ask(std::uint16_t port) {
  const Fd fd = connects(port);
  if (!fd) return "";
  std::string got(5, '\0');
  const ssize_t bytes = ::recv(fd.get(), got.data(), got.size(), MSG_WAITALL);
  got.resize(bytes < 0 ? 0 : static_cast<std::size_t>(bytes));
  return got;
}

/// A port that nobody has; `keeper` listens on it.
inline std::uint16_t free_port(Fd* keeper = nullptr) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
  EXPECT_EQ(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  if (keeper != nullptr) {
    EXPECT_EQ(::listen(fd.get(), 16), 0);
    *keeper = std::move(fd);
  }
  return ntohs(address.sin_port);
}

/// 'R', 'S', 'T' for stopped, 'Z'; '?' when there is no such process.
inline char state_of(pid_t pid) {
  std::string stat;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/stat"), stat);
  const std::size_t name_end = stat.rfind(") ");
  return name_end == std::string::npos ? '?' : stat[name_end + 2];
}

}  // namespace spillway::load::testing_server
