#pragma once

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "cli/exit_codes.h"
#include "cli/json.h"
#include "cli/transport.h"

namespace spillway::cli {

/// A target that is put together from parts that need escaping.
class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}
  /// "/" and the part, escaped.
  Target& segment(std::string_view part);
  /// Left out when `value` is empty.
  Target& query(std::string_view name, std::string_view value);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool has_query_ = false;
};

/// What the server said to one call that it did not refuse.
struct Answer {
  int status = 0;
  std::string body;  ///< as it came
  Json json;         ///< the same, read; null when there is no body
};

/// Calls on behalf of the person, who is told on `errors` why one failed. After nothing came back,
/// exit_code() is what the program should end with.
class Session {
 public:
  Session(Transport& transport, std::string token, std::ostream& errors)
      : transport_(transport), token_(std::move(token)), errors_(errors) {}

  std::optional<Answer> get(const Target& target) { return call("GET", target, ""); }
  std::optional<Answer> put(const Target& target, std::string body) {
    return call("PUT", target, std::move(body));
  }
  std::optional<Answer> post(const Target& target, std::string body = "") {
    return call("POST", target, std::move(body));
  }
  /// The same where 404 is an answer too, to which status is left to look at.
  std::optional<Answer> look_for(const Target& target) { return call("GET", target, "", 404); }
  /// The body of a stream until `take` answers false: then true. False when it ended before, or failed.
  bool stream(const Target& target, const std::function<bool(std::string_view)>& take);

  /// Logs `token` out; true as well when it was no longer good.
  bool end_token(const std::string& token);

  /// Tells why something cannot be done. Returns `exit_code`, as exit_code() does from now on.
  int fail(int exit_code, std::string_view message);
  int exit_code() const { return exit_code_; }
  const std::string& token() const { return token_; }

 private:
  std::optional<Answer> call(std::string method, const Target& target, std::string body, int expected = 200);
  void refused(const Reply& reply);

  Transport& transport_;
  std::string token_;
  std::ostream& errors_;
  int exit_code_ = kExitGood;
};

}  // namespace spillway::cli
