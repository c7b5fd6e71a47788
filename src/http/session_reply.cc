#include <charconv>

#include "http/session.h"

namespace spillway::http {
namespace {

std::string_view first_line(std::string_view text) { return text.substr(0, text.find_first_of("\r\n")); }

/// The text of one event (HTML Living Standard, 9.2.6); any of CR, LF and CR LF ends a line.
void format_event(std::string& out, std::string_view event, std::string_view data, std::string_view id,
                  int retry_ms) {
  out.clear();
  if (retry_ms > 0) out.append("retry: ").append(std::to_string(retry_ms)).push_back('\n');
  if (!id.empty()) out.append("id: ").append(first_line(id)).push_back('\n');
  if (!event.empty()) out.append("event: ").append(first_line(event)).push_back('\n');
  while (true) {
    const std::string_view line = first_line(data);
    out.append("data: ").append(line).push_back('\n');
    if (line.size() == data.size()) break;
    const std::size_t end = line.size() + (data.substr(line.size()).starts_with("\r\n") ? 2 : 1);
    data.remove_prefix(end);
  }
  out.push_back('\n');
}

}  // namespace

void Session::check_thread() const { CHECK(context_.loop == nullptr || context_.loop == Loop::current()); }

/// In a drain, the answer to the last request that was read says that the connection ends with it.
bool Session::closes_after(const Slot* slot) const {
  return !slot->keep_alive || (draining_ && slot->next == nullptr && remaining_ == 0);
}

void Session::count(Slot* slot, int status) {
  context_.requests.add();
  const Micros took = context_.now_us - slot->started_us;
  if (context_.observer != nullptr) context_.observer->on_request(context_.thread, slot->route, status, took);
  if (context_.options.access_log) {
    context_.options.access_log(AccessEntry{context_.clock.wall(), name(slot->method), slot->path,
                                            slot->client.empty() ? remote_address_ : slot->client,
                                            slot->trace_id, status, took});
  }
}

void Session::write_head_or_all(Slot* slot, const Response& response, bool chunked) {
  slot->close_said = closes_after(slot);
  if (slot->close_said && phase_ != Phase::kClosed) {
    phase_ = Phase::kClosed;
    must_linger_ = true;
  }
  ByteBuffer& out = buffer_of(slot);
  const std::size_t before = out.size();
  write_response(out, response,
                 {.date = context_.date.view(),
                  .traceparent = slot->traceparent,
                  .http11 = slot->http11,
                  .close = slot->close_said,
                  .head_only = slot->method == Method::kHead,
                  .chunked = chunked,
                  .refusal = slot->refusal.wait_s != 0 && response.status == 429 ? &slot->refusal : nullptr,
                  .hsts = context_.tls});
  if (slot != first_) queued_bytes_ += out.size() - before;
}

void Session::reply(Slot* slot, const Response& response) {
  check_thread();
  CHECK(slot->state == Slot::State::kOpen);
  CHECK(response.status >= 200 && response.status <= 599);
  count(slot, response.status);
  write_head_or_all(slot, response, false);
  slot->state = Slot::State::kAnswered;
  if (slot == first_) advance();
  touched();
}

/// Takes the answered requests out of the line and moves up the answers that waited behind them.
void Session::advance() {
  while (first_ != nullptr && first_->state == Slot::State::kAnswered) {
    Slot* done = first_;
    first_ = done->next;
    --in_works_;
    const bool close = done->close_said || !done->keep_alive;
    if (done->held) {
      done->session = nullptr;  // a stream that the drain ended; its holder gives it back
    } else {
      done->pool->give_back(done);
    }
    if (close) return stop();
    if (first_ != nullptr) {
      queued_bytes_ -= first_->out.size();
      output_.append(first_->out.view());
      first_->out.clear();
    }
  }
  if (first_ != nullptr) return;
  last_ = nullptr;
  if (draining_ && remaining_ == 0) return stop();
  if (continue_due_) send_continue();
  if (phase_ == Phase::kHead && remaining_ == 0) {
    wait_ = Wait::kIdle;
    since_us_ = context_.now_us;
  }
}

void Session::stop() { abandon(); }

void Session::send_continue() {
  continue_due_ = false;
  output_.append("HTTP/1.1 100 Continue\r\n\r\n");
  touched();
}

void Session::drain() {
  draining_ = true;
  for (Slot* slot = first_; slot != nullptr;) {
    Slot* const next = slot->next;
    if (slot->state == Slot::State::kStreaming) stream_close(slot);
    slot = next;
  }
  if (first_ == nullptr && remaining_ == 0) stop();
  touched();
}

bool Session::begin_stream(Slot* slot) {
  check_thread();
  if (draining_) {
    slot->held = false;
    reply(slot, problem(Error{ErrorCode::kDraining, "the server is stopping", 1}, slot->path));
    return false;
  }
  Response response;
  response.content_type = "text/event-stream";
  response.headers.push_back({"Cache-Control", "no-store"});
  if (!slot->http11) slot->keep_alive = false;
  if (slot->method == Method::kHead) {
    slot->held = false;
    reply(slot, response);
    return false;
  }
  count(slot, response.status);
  write_head_or_all(slot, response, true);
  slot->state = Slot::State::kStreaming;
  slot->last_sent_us = context_.now_us;
  touched();
  return true;
}

void Session::write_chunk(Slot* slot, std::string_view text) {
  ByteBuffer& out = buffer_of(slot);
  if (stream_unsent(slot) + text.size() > limits::kMaxStreamBacklogBytes) {
    aborted_ = true;
    touched();
    return;
  }
  const std::size_t before = out.size();
  if (slot->http11) {
    char size[20];
    const auto end = std::to_chars(size, size + sizeof size, text.size(), 16).ptr;
    out.append({size, static_cast<std::size_t>(end - size)});
    out.append("\r\n");
  }
  out.append(text);
  if (slot->http11) out.append("\r\n");
  if (slot != first_) queued_bytes_ += out.size() - before;
  slot->last_sent_us = context_.now_us;
  touched();
}

std::size_t Session::stream_unsent(Slot* slot) {
  return buffer_of(slot).size() + (slot == first_ ? beyond_output_ : 0);
}

bool Session::stream_send(Slot* slot, std::string_view event, std::string_view data, std::string_view id,
                          int retry_ms) {
  check_thread();
  if (slot->state != Slot::State::kStreaming || aborted_) return false;
  format_event(context_.event_text, event, data, id, retry_ms);
  write_chunk(slot, context_.event_text);
  return !aborted_;
}

void Session::stream_close(Slot* slot) {
  check_thread();
  if (slot->state != Slot::State::kStreaming) return;
  if (slot->http11) {
    buffer_of(slot).append("0\r\n\r\n");
    if (slot != first_) queued_bytes_ += 5;
  }
  slot->state = Slot::State::kAnswered;
  if (slot == first_) advance();
  touched();
}

Exchange& Exchange::operator=(Exchange&& other) noexcept {
  if (this != &other) {
    const Exchange answered_at_the_end(std::move(*this));  // what it held before
    slot_ = std::exchange(other.slot_, nullptr);
  }
  return *this;
}

Exchange::~Exchange() {
  if (slot_ == nullptr) return;
  if (slot_->session == nullptr) {
    slot_->pool->give_back(slot_);
  } else {
    fail(Error{ErrorCode::kInternal, "the request was given up without an answer"});
  }
}

void Exchange::reply(Response response) {
  CHECK(slot_ != nullptr);
  Slot* slot = std::exchange(slot_, nullptr);
  slot->held = false;
  if (slot->session == nullptr) {
    slot->pool->give_back(slot);
  } else {
    slot->session->reply(slot, response);
  }
}

void Exchange::fail(const Error& error) {
  CHECK(slot_ != nullptr);
  reply(problem(error, slot_->path));
}

bool Exchange::gone() const {
  CHECK(slot_ != nullptr);
  return slot_->session == nullptr || slot_->session->peer_closed_ || slot_->session->aborted_;
}

EventStream Exchange::stream() {
  CHECK(slot_ != nullptr);
  Slot* slot = std::exchange(slot_, nullptr);
  if (slot->session == nullptr) {
    slot->pool->give_back(slot);
    return {};
  }
  return slot->session->begin_stream(slot) ? EventStream(slot) : EventStream();
}

EventStream& EventStream::operator=(EventStream&& other) noexcept {
  if (this != &other) {
    close();
    slot_ = std::exchange(other.slot_, nullptr);
  }
  return *this;
}

bool EventStream::send(std::string_view event, std::string_view data, std::string_view id, int retry_ms) {
  return slot_ != nullptr && slot_->session != nullptr &&
         slot_->session->stream_send(slot_, event, data, id, retry_ms);
}

std::size_t EventStream::unsent() const {
  return slot_ == nullptr || slot_->session == nullptr ? 0 : slot_->session->stream_unsent(slot_);
}

void EventStream::close() {
  if (slot_ == nullptr) return;
  Slot* slot = std::exchange(slot_, nullptr);
  slot->held = false;
  if (slot->session == nullptr) {
    slot->pool->give_back(slot);
  } else {
    slot->session->stream_close(slot);
  }
}

bool EventStream::closed() const {
  return slot_ == nullptr || slot_->session == nullptr || slot_->state != Slot::State::kStreaming ||
         slot_->session->aborted_ || slot_->session->peer_closed_;
}

}  // namespace spillway::http
