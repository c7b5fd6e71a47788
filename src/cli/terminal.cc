#include "cli/terminal.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/ui.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <iostream>
#include <memory>

#include "base/limits.h"

namespace spillway::cli {
namespace {

using Input = std::array<char, limits::kMaxPasswordBytes + 1>;

/// Whether there is a controlling terminal: standard input may be a pipe all the same.
bool has_terminal() {
  std::FILE* terminal = std::fopen("/dev/tty", "r+");
  if (terminal == nullptr) return false;
  std::fclose(terminal);
  return true;
}

}  // namespace

bool RealTerminal::interactive() const { return ::isatty(STDIN_FILENO) == 1; }

bool RealTerminal::confirm(const std::string& question) {
  std::cerr << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<std::string> RealTerminal::password(const std::string& prompt, bool twice) {
  if (!has_terminal()) {
    return invalid_argument("there is no terminal to ask for the password on: give it with --password-stdin");
  }
  // OpenSSL's own reader: it turns the echo off, and on again also when a signal comes.
  const std::unique_ptr<UI, decltype(&UI_free)> ui(UI_new_method(UI_OpenSSL()), &UI_free);
  Input first{}, second{};
  const int most = static_cast<int>(limits::kMaxPasswordBytes);
  const std::string question = prompt + ": ";
  const std::string again = prompt + " again: ";
  bool made = ui != nullptr && UI_add_input_string(ui.get(), question.c_str(), 0, first.data(), 0, most) >= 0;
  if (made && twice) {
    made = UI_add_verify_string(ui.get(), again.c_str(), 0, second.data(), 0, most, first.data()) >= 0;
  }
  const int done = made ? UI_process(ui.get()) : -2;
  std::string password(first.data());
  OPENSSL_cleanse(first.data(), first.size());
  OPENSSL_cleanse(second.data(), second.size());
  if (done == -2) return invalid_argument("no password was given");  // interrupted
  if (done != 0) {
    return invalid_argument(fmt::format("no password was given, of at most {} bytes{}", most,
                                        twice ? " and the same both times" : ""));
  }
  if (password.empty()) return invalid_argument("no password was given");
  return password;
}

Result<std::string> RealTerminal::piped_line() {
  if (::isatty(STDIN_FILENO) == 1) {
    return invalid_argument("--password-stdin needs standard input to be a file or a pipe, not a terminal");
  }
  std::string line;
  char c = 0;
  while (std::cin.get(c) && c != '\n') {
    line.push_back(c);
    if (line.size() > limits::kMaxPasswordBytes + 1) break;
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.size() > limits::kMaxPasswordBytes) {
    return invalid_argument(
        fmt::format("the password must have at most {} bytes", limits::kMaxPasswordBytes));
  }
  if (line.empty()) return invalid_argument("standard input has no password in its first line");
  return line;
}

}  // namespace spillway::cli
