#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/plan/toml.h"

namespace spillway::load {

/// What a number may be, both ends included; `above_zero` excludes 0.
struct Range {
  double least = 0;
  double most = std::numeric_limits<double>::max();
  bool above_zero = false;
};

/// Reads the keys of one table and keeps the first thing that is wrong, so that a reader of many keys asks
/// once, at the end. The keys that were asked for are the keys that it knows.
class TableReader {
 public:
  /// `path` stands before the keys in errors: "scenarios.people". `whose` says in them whose keys these are.
  TableReader(const TomlTable& table, std::string path, std::string whose)
      : table_(table), path_(std::move(path)), whose_(std::move(whose)) {}

  /// The next key that is asked for must be there.
  TableReader& required() {
    required_ = true;
    return *this;
  }
  std::string text(std::string_view key, std::string fallback, std::size_t max_bytes);
  double number(std::string_view key, double fallback, Range);
  double seconds(std::string_view key, double fallback, Range);
  std::uint64_t whole(std::string_view key, std::uint64_t fallback, Range);
  bool flag(std::string_view key, bool fallback);
  /// Null when there is none.
  const TomlTable* table(std::string_view key);
  const TomlArray* array(std::string_view key);
  const TomlValue* any(std::string_view key);

  std::string path_of(std::string_view key) const;
  /// Keeps it as what is wrong with the key, unless something was before.
  void refuse(std::string_view key, const std::string& what);
  void refuse(Error);
  /// Names a key that is not ours, and says what to use.
  void refuse_foreign(std::string_view key, const std::string& instead);
  bool failed() const { return error_.has_value(); }
  /// What is wrong: a key that nobody knows before everything else, for a misspelt key is missing as well.
  Status finish();

 private:
  const TomlValue* look(std::string_view key);
  void wrong_kind(std::string_view key, const std::string& wanted, const TomlValue&);
  double within(std::string_view key, double value, double fallback, Range, std::string_view unit);

  const TomlTable& table_;
  std::string path_;
  std::string whose_;
  bool required_ = false;
  std::vector<std::string_view> known_;
  std::optional<Error> error_;
};

/// "; did you mean "vus"?" or ".": the end of a sentence.
std::string did_you_mean(std::string_view wrong, const std::vector<std::string_view>& known);
std::string joined(const std::vector<std::string_view>&);
/// A-Z a-z 0-9 - _, 1 to 64 of them: what can be a file's name, a tag, a part of a path.
bool is_plain_name(std::string_view);

}  // namespace spillway::load
