#include "http/session.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>

#include "http/trace.h"

namespace spillway::http {
namespace {

constexpr Refusal kTooLarge{ErrorCode::kPayloadTooLarge, "the body is larger than this route takes"};
constexpr Refusal kTimeout{ErrorCode::kRequestTimeout, "the request did not arrive in time"};

}  // namespace

Session::Session(SessionContext& context, std::string remote_address)
    : context_(context),
      remote_address_(std::move(remote_address)),
      by_proxy_(false),
      since_us_(context.now_us) {
  const auto peer = IpAddress::parse(remote_address_);
  if (!peer) return;
  peer_ = *peer;
  remote_address_ = peer_.text();  // ::ffff:192.0.2.1 is 192.0.2.1
  by_proxy_ = context.options.trusted_proxies.trusts(peer_);
}

Session::~Session() { abandon(); }

void Session::abandon() {
  while (Slot* slot = first_) {
    first_ = slot->next;
    slot->session = nullptr;
    if (!slot->held) slot->pool->give_back(slot);
  }
  last_ = nullptr;
  in_works_ = 0;
  phase_ = Phase::kClosed;
  stopped_ = true;
}

bool Session::paused() const {
  return in_works_ >= limits::kMaxPipelined ||
         output_.size() + beyond_output_ + queued_bytes_ >= limits::kMaxOutputBytes;
}

bool Session::wants_input() const {
  return phase_ != Phase::kClosed && !peer_closed_ && !stalled_ && !paused() &&
         !(draining_ && remaining_ == 0);
}

char* Session::read_space(char* scratch, std::size_t scratch_size, std::size_t& size) {
  if (in_.empty()) {
    size = scratch_size;
    return scratch;
  }
  std::size_t wanted = 4096;
  if (phase_ == Phase::kLengthBody)
    wanted = std::max(wanted, head_size_ + body_size_ - std::min(in_.size(), head_size_ + body_size_));
  if (phase_ == Phase::kChunkedBody) wanted = 16 * 1024;
  size = std::min(wanted, limits::kReadBytes);
  return in_.prepare(size);
}

void Session::received(char* data, std::size_t size) {
  const bool own = !in_.empty();
  if (own) in_.commit(size);
  Window window{own ? in_.data() : data, own ? in_.size() : size};
  process(window);
  if (own) {
    in_.truncate(window.size);
    in_.consume(window.used);
    in_.shrink();
  } else if (window.used < window.size) {
    in_.append({window.data + window.used, window.size - window.used});
  }
}

bool Session::resume() {
  if (!stalled_ || paused()) return false;
  stalled_ = false;
  if (in_.empty()) return true;
  Window window{in_.data(), in_.size()};
  process(window);
  in_.truncate(window.size);
  in_.consume(window.used);
  in_.shrink();
  return true;
}

void Session::peer_closed() {
  peer_closed_ = true;
  for (const Slot* slot = first_; slot != nullptr; slot = slot->next) {
    if (slot->state == Slot::State::kStreaming)
      aborted_ = true;  // nobody reads an endless answer with half a line
  }
  touched();
}

void Session::process(Window& window) {
  bool progress = false;
  while (window.used < window.size) {
    if (phase_ == Phase::kClosed) {
      window.used = window.size;
      break;
    }
    if (paused()) {
      stalled_ = true;
      break;
    }
    const std::size_t before = window.used;
    if (!take_one(window)) break;
    progress = progress || window.used > before + 2;  // an empty line before a request is none
  }
  remaining_ = window.size - window.used;
  note_wait(progress);
}

/// When nothing more can be done the peer is waited for: from when on, and for what, decides which time-out
/// holds.
void Session::note_wait(bool progress) {
  Wait wait = Wait::kNothing;
  if (phase_ == Phase::kClosed || stalled_) {
    wait = Wait::kNothing;
  } else if (phase_ != Phase::kHead) {
    wait = Wait::kBody;
  } else if (remaining_ > 0) {
    wait = Wait::kHead;
  } else if (first_ == nullptr) {
    wait = Wait::kIdle;
  }
  if (wait != wait_ || progress) since_us_ = context_.now_us;
  wait_ = wait;
}

bool Session::take_one(Window& window) {
  bool fresh = false;
  if (phase_ == Phase::kHead) {
    if (!take_head(window, fresh)) return false;
    if (!fresh) return true;
  }
  return take_body(window, fresh);
}

/// True when something was taken; `fresh` when a head is complete and its body follows.
bool Session::take_head(Window& window, bool& fresh) {
  const std::string_view data(window.data + window.used, window.size - window.used);
  if (data[0] == '\r' && data.size() < 2) return false;
  if (data.starts_with("\r\n")) {  // RFC 9112, 2.2: an empty line before a request
    window.used += 2;
    return true;
  }
  const Refusal* refusal = nullptr;
  const std::size_t size = scanner_.scan(data, refusal);
  if (size == 0 && refusal == nullptr) return false;
  scanner_.reset();
  if (refusal == nullptr) refusal = read_head(data.substr(0, size));
  if (refusal != nullptr) {
    refuse(*refusal, false);
    return true;
  }
  RequestData& request = context_.data;
  const Head& head = request.head;
  head_size_ = size;
  if (head.framing == Head::Framing::kNone) {
    dispatch({}, data.size() - size);
    window.used += size;
    return true;
  }
  const std::size_t max = context_.router.max_body_bytes(request.match.route);
  if (head.framing == Head::Framing::kLength && head.content_length > max) {
    refuse(kTooLarge, true);
    return true;
  }
  if (head.expect_continue && request.match.route < 0) {
    // The peer waits to be told whether to send the body, and it shall not: it is answered instead.
    Slot* slot = open_slot(true);
    slot->keep_alive = false;
    phase_ = Phase::kClosed;
    must_linger_ = true;
    answer_unrouted(slot);
    return true;
  }
  const bool chunked = head.framing == Head::Framing::kChunked;
  phase_ = chunked ? Phase::kChunkedBody : Phase::kLengthBody;
  body_size_ = chunked ? 0 : static_cast<std::size_t>(head.content_length);
  if (chunked) decoder_.reset(max);
  if (head.expect_continue && data.size() == size) {
    continue_due_ = true;
    if (first_ == nullptr) send_continue();
  }
  fresh = true;
  return true;
}

/// `fresh`: the head in context_.data is that of this request; else other requests were read since, and it is
/// read again, which costs less than keeping it for each connection.
bool Session::take_body(Window& window, bool fresh) {
  char* const data = window.data + window.used;
  const std::size_t size = window.size - window.used;
  std::size_t total = head_size_ + body_size_;
  std::size_t body = body_size_;
  if (phase_ == Phase::kLengthBody) {
    if (size < total) return false;
  } else {
    const ChunkDecoder::State state = decoder_.decode(data + total, size - total, data + total);
    body_size_ += decoder_.written();
    body = body_size_;
    if (state == ChunkDecoder::State::kMore) {
      window.size = window.used + head_size_ + body_size_;
      return false;
    }
    if (state == ChunkDecoder::State::kRefused) {
      refuse(*decoder_.refusal(), false);
      return true;
    }
    total += decoder_.consumed();
  }
  if (!fresh) CHECK(read_head({data, head_size_}) == nullptr);
  phase_ = Phase::kHead;
  continue_due_ = false;
  dispatch({data + head_size_, body}, size - total);
  window.used += total;
  return true;
}

const Refusal* Session::read_head(std::string_view block) {
  RequestData& request = context_.data;
  if (const Refusal* refusal = parse_head(block, request.head)) return refusal;
  const Head& head = request.head;
  const std::size_t count = split_path(head.path, head.escaped_path, request.segment_storage,
                                       request.segments.data(), request.segments.size());
  request.match = {};
  if (count <= request.segments.size() && !head.asterisk) {
    context_.router.match(head.method, request.segments.data(), count, request.match);
  }
  return nullptr;
}

/// `known`: context_.data holds the head of the request.
Slot* Session::open_slot(bool known) {
  Slot* slot = context_.pool->take(this);
  (first_ == nullptr ? first_ : last_->next) = slot;
  last_ = slot;
  ++in_works_;
  slot->started_us = context_.now_us;
  slot->method = Method::kGet;
  slot->http11 = true;
  slot->keep_alive = known;
  slot->route = -1;
  slot->path.clear();
  if (!known) return slot;
  const RequestData& request = context_.data;
  slot->method = request.head.method;
  slot->http11 = request.head.http11;
  slot->keep_alive = request.head.keep_alive;
  slot->route = static_cast<std::int16_t>(request.match.route);
  slot->path = request.head.path;
  if (!request.head.traceparent.empty() && valid_traceparent(request.head.traceparent)) {
    slot->traceparent = request.head.traceparent;
  }
  return slot;
}

void Session::refuse(const Refusal& refusal, bool known) {
  Slot* slot = open_slot(known);
  slot->keep_alive = false;
  phase_ = Phase::kClosed;
  must_linger_ = true;
  continue_due_ = false;
  reply(slot, problem(Error{refusal.code, refusal.message}, slot->path));
}

void Session::dispatch(std::string_view body, std::size_t remaining) {
  RequestData& request = context_.data;
  request.body = body;
  request.decoded_path.clear();
  request.has_trace_id = false;
  remaining_ = remaining;
  Slot* slot = open_slot(true);
  locate_client(slot);
  const Request view(request);
  if (context_.options.access_log) slot->trace_id = view.trace_id();
  if (!slot->keep_alive) {
    phase_ = Phase::kClosed;
    must_linger_ = remaining > 0;
  }
  if (request.match.route < 0) return answer_unrouted(slot);
  if (!within_limits(slot)) return;
  slot->held = true;
  try {
    context_.router.handler(request.match.route)(view, Exchange(slot));
  } catch (const std::exception& e) {
    // The exchange has answered 500 while the stack was unwound.
    context_.handler_failures.add();
    spdlog::error("a handler threw: {}", e.what());
  }
}

void Session::locate_client(Slot* slot) {
  RequestData& request = context_.data;
  request.client = peer_;
  request.remote_address = remote_address_;
  if (!by_proxy_) return;
  request.client = client_address(request.head, peer_, context_.options.trusted_proxies);
  if (request.client == peer_) return;
  request.client_text = request.client.text();
  request.remote_address = request.client_text;
  if (context_.options.access_log) slot->client = request.client_text;
}

/// Counts the request for its address, and leaves what is needed to count it for its account. False when it
/// has been answered.
bool Session::within_limits(Slot* slot) {
  RequestData& request = context_.data;
  request.limits = nullptr;
  if (context_.limits == nullptr) return true;
  request.route_class = context_.router.route_class(request.match.route);
  if (request.route_class == RouteClass::kNone) return true;
  request.limits = context_.limits.get();
  request.now_us = context_.now_us;
  request.refusal = &slot->refusal;
  request.counted = false;
  if (request.limits->count(request.route_class, request.client, request.now_us, slot->refusal)) return true;
  reply(slot, problem(slot->refusal.error(), slot->path));
  return false;
}

void Session::answer_unrouted(Slot* slot) {
  const RequestData& request = context_.data;
  const std::uint8_t allowed = request.match.allowed;
  if (request.head.method == Method::kOptions && (allowed != 0 || request.head.asterisk)) {
    Response response;
    response.status = 204;
    response.headers.push_back({"Allow", Router::allow(request.head.asterisk ? 0x7f : allowed)});
    return reply(slot, response);
  }
  if (allowed == 0) return reply(slot, problem(not_found("no such path"), slot->path));
  Response response = problem(Error{ErrorCode::kMethodNotAllowed, "see Allow"}, slot->path);
  response.headers.push_back({"Allow", Router::allow(allowed)});
  reply(slot, response);
}

void Session::tick() {
  const ServerOptions& options = context_.options;
  const Micros now = context_.now_us;
  if (first_ != nullptr && first_->state == Slot::State::kStreaming &&
      now - first_->last_sent_us >= options.stream_ping_us) {
    write_chunk(first_, ": ping\n\n");
  }
  if (stopped_ || phase_ == Phase::kClosed) return;
  const Micros waited = now - since_us_;
  switch (wait_) {
    case Wait::kNothing:
      break;
    case Wait::kIdle:
      if (first_ == nullptr && waited >= options.idle_timeout_us) {
        stop();
        touched();
      }
      break;
    case Wait::kHead:
      if (waited >= options.header_timeout_us) refuse(kTimeout, false);
      break;
    case Wait::kBody:
      if (waited >= options.body_timeout_us) refuse(kTimeout, false);
      break;
  }
}

}  // namespace spillway::http
