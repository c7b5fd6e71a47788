// Drives the whole path of a request without a socket: head, strictness, target, routing, body, answers. The
// input is what a peer sends; its first bytes also choose where it is cut into pieces. Properties: what is
// sent, and whether the connection ends, does not depend on the cuts; every answer is one that a client can
// parse; and nothing crashes.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/test_support.h"

namespace {

using namespace spillway;
using namespace spillway::http;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "property violated: %s\n", what);
  std::abort();
}

/// Answers with all that a handler can ask of a request.
void describe(const Request& request, Exchange exchange) {
  std::string text(name(request.method()));
  const auto add = [&text](std::string_view part) { text.append("|").append(part); };
  add(request.path());
  add(request.raw_path());
  add(request.param(0));
  add(request.param(1));
  add(request.query("q").value_or("-"));
  add(request.header("accept"));
  add(request.bearer());
  add(request.body());
  require(request.trace_id().size() == 32, "there is always a trace id");
  require(request.raw_path().starts_with('/'), "a path begins with a slash");
  require(request.raw_path().find_first_of(std::string_view("\0 \r\n?#", 6)) == std::string_view::npos,
          "a path is clean");
  require(request.path().find('\0') == std::string_view::npos, "no NUL in a decoded path");
  require(request.body().size() <= limits::kMaxBodyBytes, "the body's limit holds");
  exchange.reply({.status = 200, .content_type = "text/plain", .body = std::move(text)});
}

SessionBench& bench() {
  static SessionBench made([] {
    Router router;
    router.add(Method::kGet, "/", describe);
    router.add(Method::kGet, "/e/{a}", describe);
    router.add(Method::kPost, "/e/{a}/p/{b}", describe);
    router.add(Method::kPut, "/e/fixed", describe, {.max_body_bytes = 32});
    router.add(Method::kDelete, "/drop", [](const Request&, Exchange) {});
    router.add(Method::kGet, "/s", [](const Request&, Exchange exchange) {
      EventStream stream = exchange.stream();
      stream.send("e", "data\nmore", "1");
    });
    return router;
  }());
  return made;
}

struct Outcome {
  std::string sent;
  bool finished = false;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// The interim answer is sent only if the body has not arrived: the one thing that may differ.
std::string without_continue(std::string sent) {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  for (std::size_t at = 0; (at = sent.find(kContinue, at)) != std::string::npos;)
    sent.erase(at, kContinue.size());
  return sent;
}

/// Cuts `bytes` into pieces of 1 to 64 bytes, or leaves it whole when `seed` is 0.
Outcome play(std::string_view bytes, std::uint32_t seed) {
  SessionBench& b = bench();
  b.open();
  if (seed == 0) {
    b.feed(bytes);
  } else {
    while (!bytes.empty()) {
      seed = seed * 1664525 + 1013904223;
      const std::size_t n = std::min<std::size_t>(bytes.size(), 1 + (seed >> 26));
      b.feed(bytes.substr(0, n));
      bytes.remove_prefix(n);
    }
  }
  Outcome outcome{without_continue(b.sent), b.session->finished()};
  b.session->peer_closed();
  b.settle();
  return outcome;
}

/// Unless HEAD was asked, whose answers have a length and no body, the answers stand one after the other;
/// that of a stream in HTTP/1.0 ends with the connection.
void check_answers(std::string sent, std::string_view asked) {
  if (asked.find("HEAD") != std::string_view::npos) return;
  while (!sent.empty()) {
    const Answer answer = take_answer(sent);
    require(answer.status >= 200 && answer.status <= 599, "complete answers with a final status");
    if (answer.field("Content-Type") == "text/event-stream" && answer.field("Connection") == "close") return;
    require(answer.status != 500 || answer.body.find("/drop") != std::string::npos, "no error of ours");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::uint32_t seed =
      (data[0] | data[1] << 8U | data[2] << 16U | static_cast<std::uint32_t>(data[3]) << 24U) | 1U;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 4, size - 4);
  const Outcome whole = play(bytes, 0);
  require(play(bytes, seed) == whole, "the cuts do not matter");
  check_answers(whole.sent, bytes);
  return 0;
}
