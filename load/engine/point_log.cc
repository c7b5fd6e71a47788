#include "load/engine/point_log.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "base/json_writer.h"

namespace spillway::load {

Result<std::unique_ptr<PointLog>> PointLog::make(const std::string& file) {
  std::FILE* opened = std::fopen(file.c_str(), "w");
  if (opened == nullptr) return invalid_argument(fmt::format("--points {}: {}", file, std::strerror(errno)));
  return std::unique_ptr<PointLog>(new PointLog(opened));
}

PointLog::~PointLog() {
  if (file_ != nullptr) std::fclose(file_);
}

void PointLog::add(const Metric& metric, const Tags& tags, double value) {
  const Timestamp now = SystemClock().wall();
  const std::lock_guard lock(mutex_);
  std::string line;
  if (told_.insert(metric.name).second) {
    JsonWriter json(line);
    json.open_object().member("type", "Metric").member("metric", metric.name).key("data").open_object();
    json.member("name", metric.name)
        .member("type", name(metric.type))
        .member("contains", name(metric.contains));
    json.key("thresholds")
        .open_array()
        .close_array()
        .key("submetrics")
        .raw("null")
        .close_object()
        .close_object();
    line += '\n';
  }
  JsonWriter json(line);
  json.open_object().member("metric", metric.name).member("type", "Point").key("data").open_object();
  json.member("time", now).member("value", value).key("tags").open_object();
  for (const auto& [key, text] : tags) json.member(key, text);
  json.close_object().close_object().close_object();
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), file_);
}

Status PointLog::finish() {
  const std::lock_guard lock(mutex_);
  const bool bad = std::ferror(file_) != 0;
  const bool closed = std::fclose(std::exchange(file_, nullptr)) == 0;
  if (bad || !closed)
    return Error{ErrorCode::kStorageFull, "the points could not be written: is the disk full?"};
  return Ok{};
}

}  // namespace spillway::load
