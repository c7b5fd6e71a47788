#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

namespace spillway::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };

struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <class T>
  requires std::is_integral_v<T> Field(std::string_view k, T v)
      : key(k), value(static_cast<std::int64_t>(v)) {}
};

/// Sets up the log of this process: lines on stderr, because stdout belongs to the ready line. Call once,
/// before threads start; without it only warnings and errors are written, as text.
void configure(Level level, bool json);

/// One line: time, level, the message (a constant, so that lines can be counted) and fields. Any thread.
/// Never pass a secret: no token, no password, no key, no body.
void write(Level level, std::string_view message, std::initializer_list<Field> fields = {});

inline void debug(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::kDebug, m, f); }
inline void info(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::kInfo, m, f); }
inline void warn(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::kWarn, m, f); }
inline void error(std::string_view m, std::initializer_list<Field> f = {}) { write(Level::kError, m, f); }

}  // namespace spillway::log
