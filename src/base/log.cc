#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <string>

#include "base/clock.h"
#include "base/json_writer.h"
#include "base/rfc3339.h"

namespace spillway::log {
namespace {

struct Settings {
  Level level = Level::kWarn;
  bool json = false;
};
Settings g_settings;  // set once before threads start, then only read

spdlog::logger& sink() {
  static const auto kLogger = [] {
    auto logger = spdlog::stderr_logger_mt("spillway");
    logger->set_pattern("%v");  // the line is made here, for both shapes
    logger->set_level(spdlog::level::trace);
    return logger;
  }();
  return *kLogger;
}

constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};

void append_json(std::string& line, Level level, std::string_view message,
                 std::initializer_list<Field> fields) {
  JsonWriter json(line);
  json.open_object().member("time", SystemClock().wall()).member("level", kNames[static_cast<int>(level)]);
  json.member("message", message);
  for (const Field& field : fields) {
    json.key(field.key);
    std::visit([&json](const auto& value) { json.value(value); }, field.value);
  }
  json.close_object();
}

void append_text(std::string& line, Level level, std::string_view message,
                 std::initializer_list<Field> fields) {
  append_time(line, SystemClock().wall());
  line.append(" ").append(kNames[static_cast<int>(level)]).append(" ").append(message);
  for (const Field& field : fields) {
    line.append(" ").append(field.key).append("=");
    JsonWriter value(line);
    std::visit([&value](const auto& v) { value.value(v); }, field.value);
  }
}

}  // namespace

void configure(Level level, bool json) { g_settings = {level, json}; }

void write(Level level, std::string_view message, std::initializer_list<Field> fields) {
  if (level < g_settings.level) return;
  std::string line;
  (g_settings.json ? append_json : append_text)(line, level, message, fields);
  sink().info(line);
  if (level >= Level::kWarn) sink().flush();
}

}  // namespace spillway::log
