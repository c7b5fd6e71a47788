#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace boost::json {
class value;
}

namespace spillway::cli {

/// A value in a document that the server sent. What is not there is null, and null is empty in every way, so
/// that a command shows what there is without asking for each member first. Cheap to copy; keeps the
/// document.
class Json {
 public:
  /// Nothing when `text` is no JSON.
  static std::optional<Json> parse(std::string_view text);

  /// Null when this is no object or has no such member.
  Json operator[](std::string_view name) const;
  /// Of an array; empty for all else.
  std::vector<Json> items() const;
  bool is_null() const;
  bool is_object() const;
  bool is_array() const;
  bool is_true() const;
  /// As people read it: a string as it is, numbers, `yes` and `no`, other values as JSON; empty for null.
  std::string text() const;
  /// 0 for what is no whole number from 0 on.
  std::uint64_t number() const;
  /// 0 for what is no number.
  double real() const;
  /// This value as JSON.
  std::string serialize() const;

 private:
  Json(std::shared_ptr<const boost::json::value> document, const boost::json::value* at)
      : document_(std::move(document)), at_(at) {}
  std::shared_ptr<const boost::json::value> document_;
  const boost::json::value* at_ = nullptr;  ///< null: null
};

/// A member of an object, as it stands in the text.
struct RawMember {
  std::string_view name;  ///< still escaped, without quotes
  std::string_view value;
};
/// The members of an object and the elements of an array as they stand in `json`, which must be one: --json
/// hands on what the server wrote, digit for digit. `json` must be valid.
std::vector<RawMember> raw_members(std::string_view json);
std::vector<std::string_view> raw_elements(std::string_view json);

}  // namespace spillway::cli
