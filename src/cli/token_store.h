#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/result.h"

namespace spillway::cli {

/// A token and where it counts: it is never sent anywhere else.
struct StoredToken {
  std::string server;  ///< URL
  std::string user_id;
  std::string token;
};

/// The token of the last login, in a file that only its owner can read.
class TokenStore {
 public:
  explicit TokenStore(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  /// Nothing when there is none. Errors: invalid_argument (others can read the file, or it is none of ours).
  Result<std::optional<StoredToken>> load() const;
  /// Errors: invalid_argument, with the reason.
  Status save(const StoredToken& token) const;
  Status remove() const;

 private:
  std::string path_;
};

/// Answers null for what is not set.
using Environment = std::function<const char*(const char*)>;

/// $XDG_CONFIG_HOME/spillway/token, else $HOME/.config/spillway/token; empty when neither is set.
std::string token_path(const Environment& environment);

/// The token to use at `server`: of `token_file` when that is not empty, else SPILLWAY_TOKEN, else
/// SPILLWAY_ADMIN_TOKEN, else the stored one when it is for `server`. Empty when there is none. Errors:
/// invalid_argument, naming the source and not the secret.
Result<std::string> find_token(const std::string& token_file, const Environment& environment,
                               const TokenStore& store, const std::string& server);

}  // namespace spillway::cli
