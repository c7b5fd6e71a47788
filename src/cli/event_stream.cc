#include "cli/event_stream.h"

#include <utility>

#include "base/limits.h"

namespace spillway::cli {

bool EventStream::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    line_.append(bytes.substr(0, end));
    if (line_.size() + event_.data.size() > limits::kCliStreamEventBytes) {
      too_large_ = true;
      return false;
    }
    if (end == std::string_view::npos) return true;
    bytes.remove_prefix(end + 1);
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    const std::string text = std::exchange(line_, {});
    if (!line(text)) return false;
  }
  return true;
}

bool EventStream::line(std::string_view text) {
  if (text.empty()) {
    const Event event = std::exchange(event_, {});
    return !std::exchange(has_data_, false) || take_(event);
  }
  const std::size_t colon = text.find(':');
  const std::string_view field = text.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") event_.type = std::string(value);
  if (field == "data") {
    if (std::exchange(has_data_, true)) event_.data.push_back('\n');
    event_.data.append(value);
  }
  return true;  // comments, ids and fields of others are nothing to us
}

}  // namespace spillway::cli
