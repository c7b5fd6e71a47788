#include "load/plan/table_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "load/plan/plan.h"
#include "load/plan/plan_limits.h"

namespace spillway::load {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

/// Letters to insert, remove or replace to make one of the other; the case is no difference.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view wrong, const std::vector<std::string_view>& known) {
  if (wrong.size() > limits::kMaxNameBytes) return ".";
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(2, wrong.size() / 3) + 1;
  for (const std::string_view key : known) {
    const std::size_t d = distance(wrong, key);
    if (d >= least || d >= key.size()) continue;
    least = d;
    nearest = key;
  }
  return nearest.empty() ? "." : fmt::format("; did you mean \"{}\"?", nearest);
}

std::string joined(const std::vector<std::string_view>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= limits::kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
         });
}

std::string TableReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void TableReader::refuse(Error error) {
  if (!error_) error_ = std::move(error);
}

void TableReader::refuse(std::string_view key, const std::string& what) {
  refuse(invalid_argument(path_of(key) + ": " + what));
}

void TableReader::refuse_foreign(std::string_view key, const std::string& instead) {
  if (find(table_, key) != nullptr) error_ = invalid_argument(path_of(key) + ": " + instead);
}

const TomlValue* TableReader::look(std::string_view key) {
  known_.push_back(key);
  const TomlValue* value = find(table_, key);
  if (std::exchange(required_, false) && value == nullptr)
    refuse(key, "is missing, and " + whose_ + " needs it");
  return value;
}

void TableReader::wrong_kind(std::string_view key, const std::string& wanted, const TomlValue& value) {
  refuse(key, fmt::format("must be {}, not {}", wanted, kind_of(value)));
}

double TableReader::within(std::string_view key, double value, double fallback, Range range,
                           std::string_view unit) {
  if (!std::isfinite(value)) {
    refuse(key, "must be a finite number");
  } else if (range.above_zero && value <= 0) {
    refuse(key, fmt::format("must be more than 0, not {}{}", value, unit));
  } else if (value < range.least) {
    refuse(key, fmt::format("must be at least {}{}, not {}{}", range.least, unit, value, unit));
  } else if (value > range.most) {
    refuse(key, fmt::format("must be at most {}{}, not {}{}", range.most, unit, value, unit));
  } else {
    return value;
  }
  return fallback;
}

std::string TableReader::text(std::string_view key, std::string fallback, std::size_t max_bytes) {
  const TomlValue* value = look(key);
  if (value == nullptr) return fallback;
  const auto* text = value->as<std::string>();
  if (text == nullptr) {
    wrong_kind(key, "a string", *value);
  } else if (text->empty()) {
    refuse(key, "must not be empty");
  } else if (text->size() > max_bytes) {
    refuse(key, fmt::format("has {} bytes, at most {}", text->size(), max_bytes));
  } else {
    return *text;
  }
  return fallback;
}

double TableReader::number(std::string_view key, double fallback, Range range) {
  const TomlValue* value = look(key);
  if (value == nullptr) return fallback;
  if (const auto* integer = value->as<std::int64_t>())
    return within(key, static_cast<double>(*integer), fallback, range, "");
  if (const double* number = value->as<double>()) return within(key, *number, fallback, range, "");
  wrong_kind(key, "a number", *value);
  return fallback;
}

double TableReader::seconds(std::string_view key, double fallback, Range range) {
  const TomlValue* value = look(key);
  if (value == nullptr) return fallback;
  if (const auto* integer = value->as<std::int64_t>())
    return within(key, static_cast<double>(*integer), fallback, range, " s");
  if (const double* number = value->as<double>()) return within(key, *number, fallback, range, " s");
  const auto* text = value->as<std::string>();
  if (text == nullptr) {
    wrong_kind(key, "a duration (\"30s\")", *value);
    return fallback;
  }
  const Result<double> duration = parse_duration(*text);
  if (duration) return within(key, *duration, fallback, range, " s");
  refuse(key, duration.error().message);
  return fallback;
}

std::uint64_t TableReader::whole(std::string_view key, std::uint64_t fallback, Range range) {
  const TomlValue* value = look(key);
  if (value == nullptr) return fallback;
  const auto* integer = value->as<std::int64_t>();
  if (integer == nullptr) {
    wrong_kind(key, "an integer", *value);
    return fallback;
  }
  // All ranges end far below 2^53, so a double holds what passes.
  const double checked = within(key, static_cast<double>(*integer), static_cast<double>(fallback), range, "");
  return static_cast<std::uint64_t>(checked);
}

bool TableReader::flag(std::string_view key, bool fallback) {
  const TomlValue* value = look(key);
  if (value == nullptr) return fallback;
  if (const bool* flag = value->as<bool>()) return *flag;
  wrong_kind(key, "true or false", *value);
  return fallback;
}

const TomlTable* TableReader::table(std::string_view key) {
  const TomlValue* value = look(key);
  if (value == nullptr) return nullptr;
  if (value->as<TomlTable>() == nullptr) wrong_kind(key, "a table", *value);
  return value->as<TomlTable>();
}

const TomlArray* TableReader::array(std::string_view key) {
  const TomlValue* value = look(key);
  if (value == nullptr) return nullptr;
  if (value->as<TomlArray>() == nullptr) wrong_kind(key, "an array", *value);
  return value->as<TomlArray>();
}

const TomlValue* TableReader::any(std::string_view key) { return look(key); }

Status TableReader::finish() {
  for (const TomlEntry& entry : table_) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    // One that refuse_foreign() named is unknown as well, and better explained.
    if (error_ && error_->message.starts_with(path_of(entry.key) + ": ")) continue;
    return invalid_argument(fmt::format("{}: {} has no such key{} Known: {}", path_of(entry.key), whose_,
                                        did_you_mean(entry.key, known_), joined(known_)));
  }
  if (error_) return *error_;
  return Ok{};
}

}  // namespace spillway::load
