#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace spillway::load {

// TOML as plans use it, with tables in the order of the file: scenarios and thresholds are shown as their
// author wrote them down.

struct TomlEntry;
struct TomlValue;
using TomlArray = std::vector<TomlValue>;
using TomlTable = std::vector<TomlEntry>;  ///< in the order of the file; each key once

struct TomlValue {
  /// Dates and times are their text.
  std::variant<bool, std::int64_t, double, std::string, TomlArray, TomlTable> data;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
  template <class T>
  T* as() {
    return std::get_if<T>(&data);
  }
};

struct TomlEntry {
  std::string key;
  TomlValue value;
};

/// Null when the table has no such key.
const TomlValue* find(const TomlTable&, std::string_view key);
TomlValue* find(TomlTable&, std::string_view key);
void set(TomlTable&, std::string_view key, TomlValue);

/// "a string", "a table": for messages.
std::string_view kind_of(const TomlValue&);

/// Errors: invalid_argument with line and column.
Result<TomlTable> parse_toml(std::string_view);
/// What stands behind `key =`; nothing when it is no value.
std::optional<TomlValue> parse_toml_value(std::string_view);
/// parse_toml() of it gives the same table, but for the order of plain values and tables.
std::string write_toml(const TomlTable&);

}  // namespace spillway::load
