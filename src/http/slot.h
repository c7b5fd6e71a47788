#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "http/byte_buffer.h"
#include "http/message.h"
#include "http/rate_limits.h"

namespace spillway::http {

class Session;
class SlotPool;

/// One request in the works: a place in its connection's line of answers. Shared by the session, whose line
/// it stands in, and the Exchange or EventStream that holds it; freed when neither needs it.
struct Slot {
  enum class State : std::uint8_t { kOpen, kStreaming, kAnswered };

  SlotPool* pool = nullptr;
  Session* session = nullptr;  ///< null: the connection is gone
  Slot* next = nullptr;        ///< the request after this one on the connection; the free list
  State state = State::kOpen;
  Method method = Method::kGet;
  bool held = false;  ///< by an Exchange or an EventStream
  bool http11 = true;
  bool keep_alive = true;   ///< the peer wants, and framing allows, another request
  bool close_said = false;  ///< the answer says Connection: close
  std::int16_t route = -1;
  Micros started_us = 0;
  Micros last_sent_us = 0;  ///< of a stream
  std::string path;         ///< raw, without the query
  std::string traceparent;  ///< a valid one of the request, to be echoed; else empty
  std::string trace_id;     ///< set when the access log is on
  std::string client;       ///< likewise, when the client is not the connection's peer
  LimitRefusal refusal;     ///< when a limit is exceeded, for an answer that says 429
  ByteBuffer out;           ///< the answer, while requests before this one are not answered
};

/// The slots of one http thread. Outlives it while exchanges are still held somewhere, so that they can be
/// dropped at any time after the server's end.
class SlotPool {
 public:
  Slot* take(Session* session) {
    Slot* slot = free_;
    if (slot != nullptr) {
      free_ = slot->next;
    } else {
      slot = new Slot;
      slot->pool = this;
    }
    ++taken_;
    slot->session = session;
    slot->next = nullptr;
    slot->state = Slot::State::kOpen;
    slot->held = slot->close_said = false;
    slot->traceparent.clear();
    slot->trace_id.clear();
    slot->client.clear();
    slot->refusal.wait_s = 0;
    return slot;
  }
  void give_back(Slot* slot) {
    slot->session = nullptr;
    slot->out.clear();
    slot->out.shrink();
    if (slot->path.capacity() > kKeptPathBytes) std::string().swap(slot->path);
    slot->next = free_;
    free_ = slot;
    --taken_;
    if (orphaned_ && taken_ == 0) delete this;
  }
  /// The thread is over: the pool deletes itself when the last slot is back.
  void orphan() {
    orphaned_ = true;
    if (taken_ == 0) delete this;
  }

 private:
  static constexpr std::size_t kKeptPathBytes = 512;
  ~SlotPool() {
    while (Slot* slot = free_) {
      free_ = slot->next;
      delete slot;
    }
  }
  Slot* free_ = nullptr;
  std::size_t taken_ = 0;
  bool orphaned_ = false;
};

}  // namespace spillway::http
