#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace spillway::cli {

/// Takes a stream of server-sent events apart (HTML Living Standard, 9.2.6), as it comes. Line ends are \n or
/// \r\n; a lone \r, which no server of ours sends, is none.
class EventStream {
 public:
  struct Event {
    std::string type = "message";
    std::string data;
  };
  /// `take` answers false when it has had enough.
  explicit EventStream(std::function<bool(const Event&)> take) : take_(std::move(take)) {}

  /// The next bytes. False when there was enough, or an event is larger than limits::kCliStreamEventBytes.
  bool feed(std::string_view bytes);
  bool too_large() const { return too_large_; }

 private:
  bool line(std::string_view text);

  std::function<bool(const Event&)> take_;
  std::string line_;
  Event event_;
  bool has_data_ = false;
  bool too_large_ = false;
};

}  // namespace spillway::cli
