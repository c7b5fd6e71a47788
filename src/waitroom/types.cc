#include "waitroom/types.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"

namespace spillway::waitroom {

std::string_view name(TicketStatus status) {
  switch (status) {
    case TicketStatus::kWaiting:
      return "WAITING";
    case TicketStatus::kReady:
      return "READY";
    case TicketStatus::kActive:
      return "ACTIVE";
    case TicketStatus::kLeft:
      return "LEFT";
    case TicketStatus::kExpired:
      return "EXPIRED";
  }
  CHECK(false);
}

std::string_view name(Expiry expiry) {
  switch (expiry) {
    case Expiry::kNone:
      return "none";
    case Expiry::kNotActivated:
      return "not_activated";
    case Expiry::kIdle:
      return "idle";
    case Expiry::kTooOld:
      return "too_old";
  }
  CHECK(false);
}

std::string_view name(Mode mode) {
  switch (mode) {
    case Mode::kFifo:
      return "fifo";
    case Mode::kLottery:
      return "lottery";
    case Mode::kPaused:
      return "paused";
    case Mode::kOpen:
      return "open";
  }
  CHECK(false);
}

std::string_view name(DrawState state) {
  switch (state) {
    case DrawState::kNone:
      return "NONE";
    case DrawState::kGathering:
      return "GATHERING";
    case DrawState::kDrawn:
      return "DRAWN";
  }
  CHECK(false);
}

std::optional<Mode> parse_mode(std::string_view text) {
  for (const Mode mode : {Mode::kFifo, Mode::kLottery, Mode::kPaused, Mode::kOpen}) {
    if (text == name(mode)) return mode;
  }
  return std::nullopt;
}

bool is_concert_id(std::string_view id) {
  return !id.empty() && id.size() <= limits::kMaxIdBytes && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '~' || c == '-';
  });
}

bool is_user_id(std::string_view utf8) {
  return !utf8.empty() && utf8.size() <= limits::kMaxIdBytes && !has_control_characters(utf8);
}

}  // namespace spillway::waitroom
