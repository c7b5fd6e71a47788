#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/result.h"

namespace spillway::http {

enum class Method : std::uint8_t { kGet, kHead, kPost, kPut, kDelete, kPatch, kOptions };
inline constexpr std::size_t kMethods = 7;
std::string_view name(Method);

struct RequestData;
struct Slot;

/// A request as a handler sees it. All views point into the connection's buffer and are good until the
/// handler returns; what is needed later must be copied.
class Request {
 public:
  Method method() const;
  /// Percent-decoded, without the query. A %2F shows as '/' here but never splits a segment of the route.
  std::string_view path() const;
  /// The path as it was sent, percent-encoded, without the query: printable ASCII.
  std::string_view raw_path() const;
  /// The n-th {parameter} of the route, percent-decoded; empty when there is none.
  std::string_view param(std::size_t n) const;
  /// A query parameter, percent-decoded ('+' is a space); the first of that name.
  std::optional<std::string> query(std::string_view name) const;
  /// The value of a header field (name in any case), without surrounding white space; the first of that name;
  /// empty when absent.
  std::string_view header(std::string_view name) const;
  /// The token of `Authorization: Bearer`, or empty, also when there are several such fields.
  std::string_view bearer() const;
  std::string_view body() const;
  /// 16 bytes as 32 hex digits: from a valid `traceparent`, else made for this request when first asked for.
  std::string_view trace_id() const;
  /// The client's address without its port: the peer's, or, when that is a trusted proxy, the one that it
  /// tells. The one idea of it that the log, the audit log and all limits share.
  std::string_view remote_address() const;
  /// The wall clock when the round began in which the whole request was there.
  Timestamp arrived() const;
  /// Counts this request against the limit of its account, once however often it is called. rate_limited:
  /// there were too many; the answer, if its status is 429, then says so in RateLimit and Retry-After.
  Status count_for(std::string_view account) const;
  /// count_for() will probably follow. Counts nothing; so `account` may be what somebody only claims to be.
  void expect_count_for(std::string_view account) const;

 private:
  friend class Session;
  explicit Request(RequestData& data) : data_(data) {}
  RequestData& data_;
};

/// One cookie of a Cookie field; empty when it is not there.
std::string_view cookie(std::string_view field, std::string_view name);

struct Header {
  std::string name;
  std::string value;
};

/// A reply. Content-Length, Date, Connection and `traceparent` are the session's. Control characters in the
/// values of fields leave as spaces, so that nobody can write a header of their own through one.
struct Response {
  int status = 200;
  std::string_view content_type =
      {};  ///< empty: none. Not copied: a literal, or what outlives the reply() call
  std::string body = {};
  std::vector<Header> headers = {};
  int retry_after_s = 0;      ///< 0: none. In a member of its own because the hot path has it
  std::string location = {};  ///< empty: none. As above
  bool no_store = false;      ///< Cache-Control: no-store. As above

  static Response json(int status, std::string body);
};
/// RFC 9457. `instance` is the path asked for.
Response problem(const Error&, std::string_view instance = {});
/// Appends `text` as a JSON string with its quotes. What is not valid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Server-sent events (HTML Living Standard, 9.2). Movable; closing or dropping it ends the stream after what
/// was sent. On the loop's own thread. A silent stream gets a comment line every
/// ServerOptions::stream_ping_us. A peer that leaves more than limits::kMaxStreamBacklogBytes unread is cut
/// off.
class EventStream {
 public:
  EventStream() = default;  ///< a closed one
  EventStream(EventStream&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  EventStream& operator=(EventStream&& other) noexcept;
  ~EventStream() { close(); }

  /// `id` and `event` may be empty, and end at their first line break; `data` may have several lines;
  /// `retry_ms`, when not 0, tells the peer how long to wait before it comes again. False when the stream is
  /// closed.
  bool send(std::string_view event, std::string_view data, std::string_view id = {}, int retry_ms = 0);
  /// Bytes of it that the peer has not taken yet: who sends much, waits for room below
  /// limits::kMaxStreamBacklogBytes.
  std::size_t unsent() const;
  void close();
  /// By close(), by the peer, because the peer did not read, or because the server drains.
  bool closed() const;

 private:
  friend class Exchange;
  explicit EventStream(Slot* slot) : slot_(slot) {}
  Slot* slot_ = nullptr;
};

/// The right and the duty to answer one request: exactly one reply, on the loop's own thread, at any later
/// time. When the connection is gone the reply goes nowhere, silently. Dropped without a reply it answers
/// 500. One pointer big. After reply(), fail() or stream() it is empty and may only be dropped or assigned
/// to.
class Exchange {
 public:
  Exchange(Exchange&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  Exchange& operator=(Exchange&& other) noexcept;
  ~Exchange();

  void reply(Response);
  void fail(const Error& error);  ///< reply(problem(error, path of the request))
  /// True when the peer has closed its side or the connection broke: most likely nobody waits for the answer
  /// any more. A reply is still sent if it can be.
  bool gone() const;
  /// Answers 200 text/event-stream and keeps the line open.
  EventStream stream();

 private:
  friend class Session;
  explicit Exchange(Slot* slot) : slot_(slot) {}
  Slot* slot_;
};

}  // namespace spillway::http
