#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace spillway {

struct JsonDocument;
struct JsonNode;

/// Whether `text` is one JSON value as we take it: strict UTF-8, no member twice, no deeper than
/// limits::kMaxJsonDepth. Errors are invalid_argument; they name the member that is there twice.
Status check_json(std::string_view text);

/// A JSON object that came in, read member by member. Members that nobody asks for are ignored. The first
/// thing that is wrong is kept as the error and names its member; reads after it answer defaults, so that a
/// caller reads all and asks status() once.
class JsonReader {
 public:
  /// What check_json() refuses is an error from the start, and so is a value that is no object. `text`
  /// outlives this.
  explicit JsonReader(std::string_view text);
  ~JsonReader();

  /// And it is not null.
  bool has(std::string_view name) const;
  /// Is there, as null: where that says more than being absent.
  bool is_null(std::string_view name) const;
  std::string required_string(std::string_view name, std::size_t min_bytes, std::size_t max_bytes);
  std::string optional_string(std::string_view name, std::size_t max_bytes, std::string fallback = {});
  std::uint64_t required_uint(std::string_view name, std::uint64_t min, std::uint64_t max);
  /// Nothing when absent or null.
  std::optional<bool> optional_bool(std::string_view name);
  /// RFC 3339; unset when absent or null.
  Timestamp optional_time(std::string_view name);
  /// `fallback` when absent or null.
  std::uint64_t optional_uint(std::string_view name, std::uint64_t min, std::uint64_t max,
                              std::uint64_t fallback);
  /// At most `max_count` strings of 1 to `max_bytes` bytes; empty when absent or null.
  std::vector<std::string> optional_strings(std::string_view name, std::size_t max_count,
                                            std::size_t max_bytes);
  /// Calls `read` with the members of an object, unless it is absent or null. What is wrong inside is this
  /// one's error too, and names the member as `name.member`.
  void optional_object(std::string_view name, const std::function<void(JsonReader&)>& read);
  /// Makes this the error unless there is one already.
  void refuse(std::string message);

  Status status() const;

 private:
  /// Reads an object inside of another's document.
  explicit JsonReader(const JsonNode& object);
  /// Null when it is absent.
  const JsonNode* member(std::string_view name) const;
  /// Null when it is absent or null.
  const JsonNode* find(std::string_view name) const;

  std::unique_ptr<const JsonDocument> document_;  ///< null when it is another's
  const JsonNode* object_ = nullptr;              ///< whose members are read; null: there is an error
  std::optional<Error> error_;
};

}  // namespace spillway
