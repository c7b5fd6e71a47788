#include "load/plan/toml.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <iterator>
#include <sstream>
#include <utility>

#include "load/plan/plan_limits.h"

namespace spillway::load {
namespace {

template <class T>
std::string text_of(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::optional<TomlValue> convert(const toml::node&, int depth);

std::optional<TomlTable> convert_table(const toml::table& from, int depth) {
  struct Placed {
    toml::source_position at;
    TomlEntry entry;
  };
  std::vector<Placed> placed;
  for (const auto& [key, node] : from) {
    std::optional<TomlValue> value = convert(node, depth + 1);
    if (!value) return std::nullopt;
    placed.push_back({key.source().begin, {std::string(key.str()), std::move(*value)}});
  }
  std::stable_sort(placed.begin(), placed.end(), [](const Placed& a, const Placed& b) {
    return std::pair(a.at.line, a.at.column) < std::pair(b.at.line, b.at.column);
  });
  TomlTable table;
  for (Placed& one : placed) table.push_back(std::move(one.entry));
  return table;
}

/// Nothing when it is nested too deeply.
std::optional<TomlValue> convert(const toml::node& node, int depth) {
  if (depth > limits::kMaxNesting) return std::nullopt;
  switch (node.type()) {
    case toml::node_type::boolean:
      return TomlValue{**node.as_boolean()};
    case toml::node_type::integer:
      return TomlValue{**node.as_integer()};
    case toml::node_type::floating_point:
      return TomlValue{**node.as_floating_point()};
    case toml::node_type::string:
      return TomlValue{**node.as_string()};
    case toml::node_type::date:
      return TomlValue{text_of(**node.as_date())};
    case toml::node_type::time:
      return TomlValue{text_of(**node.as_time())};
    case toml::node_type::date_time:
      return TomlValue{text_of(**node.as_date_time())};
    case toml::node_type::table: {
      std::optional<TomlTable> table = convert_table(*node.as_table(), depth);
      if (!table) return std::nullopt;
      return TomlValue{std::move(*table)};
    }
    case toml::node_type::array: {
      TomlArray array;
      for (const toml::node& element : *node.as_array()) {
        std::optional<TomlValue> value = convert(element, depth + 1);
        if (!value) return std::nullopt;
        array.push_back(std::move(*value));
      }
      return TomlValue{std::move(array)};
    }
    case toml::node_type::none:
      break;
  }
  return std::nullopt;
}

/// Where the string that begins here ends: behind its closing quotes, or at the end of the line or text.
std::size_t end_of_string(std::string_view text, std::size_t begin) {
  const char quote = text[begin];
  const bool many_lines = text.substr(begin, 3) == std::string(3, quote);
  const std::string closing(many_lines ? 3 : 1, quote);
  for (std::size_t i = begin + closing.size(); i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text[i] == '\n' && !many_lines) {
      return i;
    } else if (text.compare(i, closing.size(), closing) == 0) {
      i += closing.size();
      // Up to two more quotes may be the last characters of the string.
      for (int more = 0; many_lines && more < 2 && i < text.size() && text[i] == quote; ++more) ++i;
      return i;
    }
  }
  return text.size();
}

/// The parser makes a table of every dot in a key and takes tables down by recursion, without a bound of its
/// own. Outside of strings and comments, many dots with nothing between them that ends a key are such a key.
bool has_endless_key(std::string_view text) {
  std::size_t dots = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"' || c == '\'') {
      i = end_of_string(text, i);
      continue;
    }
    if (c == '#') {
      i = std::min(text.find('\n', i), text.size());
      continue;
    }
    if (c == '.' && ++dots > limits::kMaxKeyDots) return true;
    if (std::string_view("=,{}[]\n").find(c) != std::string_view::npos) dots = 0;
    ++i;
  }
  return false;
}

void write_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

void write_key(std::string& out, std::string_view key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  if (bare)
    out += key;
  else
    write_string(out, key);
}

/// In one line.
void write_value(std::string& out, const TomlValue& value) {
  if (const bool* flag = value.as<bool>()) {
    out += *flag ? "true" : "false";
  } else if (const auto* integer = value.as<std::int64_t>()) {
    out += std::to_string(*integer);
  } else if (const double* number = value.as<double>()) {
    const std::string text = fmt::format("{}", *number);
    out += text;
    if (text.find_first_not_of("-0123456789") == std::string::npos) out += ".0";
  } else if (const auto* text = value.as<std::string>()) {
    write_string(out, *text);
  } else if (const auto* array = value.as<TomlArray>()) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ", ";
      write_value(out, (*array)[i]);
    }
    out += ']';
  } else if (const auto* table = value.as<TomlTable>()) {
    out += '{';
    for (std::size_t i = 0; i < table->size(); ++i) {
      if (i > 0) out += ", ";
      write_key(out, (*table)[i].key);
      out += " = ";
      write_value(out, (*table)[i].value);
    }
    out += '}';
  }
}

bool is_array_of_tables(const TomlValue& value) {
  const auto* array = value.as<TomlArray>();
  return array != nullptr && !array->empty() &&
         std::all_of(array->begin(), array->end(),
                     [](const TomlValue& element) { return element.as<TomlTable>() != nullptr; });
}

void write_plain(std::string& out, const TomlEntry& entry) {
  write_key(out, entry.key);
  out += " = ";
  write_value(out, entry.value);
  out += '\n';
}

/// Plain values first, for what follows a header belongs to it.
void write_table(std::string& out, const TomlTable& table, const std::string& path) {
  const auto own_header = [&path](const TomlEntry& entry) {
    return entry.value.as<TomlTable>() != nullptr || (path.empty() && is_array_of_tables(entry.value));
  };
  for (const TomlEntry& entry : table)
    if (!own_header(entry)) write_plain(out, entry);
  for (const TomlEntry& entry : table) {
    if (!own_header(entry)) continue;
    std::string inner = path.empty() ? "" : path + ".";
    write_key(inner, entry.key);
    if (const auto* sub = entry.value.as<TomlTable>()) {
      const bool only_tables = !sub->empty() && std::all_of(sub->begin(), sub->end(), [](const TomlEntry& e) {
        return e.value.as<TomlTable>() != nullptr;
      });
      if (!only_tables) out += "\n[" + inner + "]\n";
      write_table(out, *sub, inner);
      continue;
    }
    for (const TomlValue& element : *entry.value.as<TomlArray>()) {
      out += "\n[[" + inner + "]]\n";
      for (const TomlEntry& field : *element.as<TomlTable>()) write_plain(out, field);
    }
  }
}

}  // namespace

const TomlValue* find(const TomlTable& table, std::string_view key) {
  for (const TomlEntry& entry : table)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

TomlValue* find(TomlTable& table, std::string_view key) {
  return const_cast<TomlValue*>(find(std::as_const(table), key));
}

void set(TomlTable& table, std::string_view key, TomlValue value) {
  if (TomlValue* there = find(table, key))
    *there = std::move(value);
  else
    table.push_back({std::string(key), std::move(value)});
}

std::string_view kind_of(const TomlValue& value) {
  if (value.as<bool>()) return "true or false";
  if (value.as<std::int64_t>()) return "an integer";
  if (value.as<double>()) return "a number";
  if (value.as<std::string>()) return "a string";
  return value.as<TomlArray>() ? "an array" : "a table";
}

Result<TomlTable> parse_toml(std::string_view text) {
  if (text.size() > limits::kMaxPlanBytes)
    return invalid_argument(
        fmt::format("the plan has {} bytes, at most {}", text.size(), limits::kMaxPlanBytes));
  if (has_endless_key(text))
    return invalid_argument(fmt::format("a key has more than {} dots", limits::kMaxKeyDots));
  try {
    std::optional<TomlTable> table = convert_table(toml::parse(text), 0);
    if (!table) return invalid_argument(fmt::format("nested deeper than {}", limits::kMaxNesting));
    return std::move(*table);
  } catch (const toml::parse_error& e) {
    const toml::source_position at = e.source().begin;
    return invalid_argument(fmt::format("line {}, column {}: {}", at.line, at.column, e.description()));
  }
}

std::optional<TomlValue> parse_toml_value(std::string_view text) {
  // A line break could end the value and begin another key.
  if (text.find_first_of("\r\n") != std::string_view::npos) return std::nullopt;
  Result<TomlTable> table = parse_toml("value = " + std::string(text));
  if (!table || table->size() != 1) return std::nullopt;
  return std::move(table->front().value);
}

std::string write_toml(const TomlTable& table) {
  std::string out;
  write_table(out, table, "");
  return out;
}

}  // namespace spillway::load
