#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/byte_buffer.h"
#include "http/chunk_decoder.h"
#include "http/head.h"
#include "http/message.h"
#include "http/request_data.h"
#include "http/response_writer.h"
#include "http/router.h"
#include "http/server.h"
#include "http/slot.h"

namespace spillway::http {

/// Counts on one thread, read from any.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.store(get() + n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What the sessions of one http thread share.
struct SessionContext {
  const Router& router;
  const ServerOptions& options;
  const Clock& clock;
  RequestObserver* observer = nullptr;
  std::size_t thread = 0;
  Loop* loop = nullptr;  ///< null in tests that have none: then nobody checks the thread
  SlotPool* pool = nullptr;
  bool tls = false;
  Micros now_us = 0;                           ///< the steady clock, read once a round
  std::shared_ptr<const RateLimits> limits{};  ///< null: none
  DateText date{};
  RequestData data{};
  std::string event_text{};
  Counter requests{};
  Counter handler_failures{};

  /// When a round begins: what happens in it happens at one time.
  void read_clocks() {
    now_us = clock.steady_us();
    data.arrived = clock.wall();
    date.update(data.arrived);
  }
};

/// The protocol of one connection: bytes in, calls of handlers, bytes out. Knows neither sockets nor TLS.
///
/// Operation: received() takes what was read, however it was split, and calls a handler for every complete
/// request; answers gather in output() in the order of the requests. Each change that the owner of the socket
/// must look at calls touched(), from which nothing may be called back. Concurrency: the loop's thread only.
class Session {
 public:
  Session(SessionContext& context, std::string remote_address);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session();

  /// True while more bytes are wanted.
  bool wants_input() const;
  /// Where to read to: the buffer of this session when it holds part of a request, else `scratch`, so that an
  /// idle connection has no buffer at all.
  char* read_space(char* scratch, std::size_t scratch_size, std::size_t& size);
  /// `size` bytes were written to read_space().
  void received(char* data, std::size_t size);
  /// The peer sends nothing more.
  void peer_closed();
  /// Goes on with what was read when too much was in the works. True if it did.
  bool resume();

  ByteBuffer& output() { return output_; }
  /// No answer will follow what is in output(), which is to be sent before the connection is closed.
  bool finished() const { return stopped_ || (peer_closed_ && first_ == nullptr); }
  /// Closed by us while the peer may still be sending: its answer would be lost by a plain close().
  bool must_linger() const { return must_linger_; }
  /// To be closed at once, whatever is in output().
  bool aborted() const { return aborted_; }
  bool idle() const { return first_ == nullptr && remaining_ == 0 && phase_ == Phase::kHead; }

  void drain();
  /// Time-outs and pings; about once a second.
  void tick();
  /// The connection is gone; so is everybody who waits for an answer on it.
  void abandon();

 protected:
  virtual void touched() = 0;
  SessionContext& context() { return context_; }
  std::size_t beyond_output_ = 0;  ///< bytes that left output() and are not sent

 private:
  friend class Exchange;
  friend class EventStream;
  enum class Phase : std::uint8_t { kHead, kLengthBody, kChunkedBody, kClosed };
  enum class Wait : std::uint8_t { kNothing, kIdle, kHead, kBody };
  struct Window {
    char* data;
    std::size_t size;
    std::size_t used = 0;
  };

  // session.cc: input
  bool paused() const;
  void process(Window& window);
  bool take_one(Window& window);
  bool take_head(Window& window, bool& fresh);
  bool take_body(Window& window, bool fresh);
  const Refusal* read_head(std::string_view block);
  void dispatch(std::string_view body, std::size_t remaining);
  void answer_unrouted(Slot* slot);
  void locate_client(Slot* slot);
  bool within_limits(Slot* slot);
  Slot* open_slot(bool known);
  void refuse(const Refusal& refusal, bool known);
  void note_wait(bool progress);

  // session_reply.cc: output
  void reply(Slot* slot, const Response& response);
  bool begin_stream(Slot* slot);
  bool stream_send(Slot* slot, std::string_view event, std::string_view data, std::string_view id,
                   int retry_ms);
  std::size_t stream_unsent(Slot* slot);
  void stream_close(Slot* slot);
  void write_chunk(Slot* slot, std::string_view text);
  bool closes_after(const Slot* slot) const;
  void count(Slot* slot, int status);
  void write_head_or_all(Slot* slot, const Response& response, bool chunked);
  void advance();
  void send_continue();
  void stop();
  ByteBuffer& buffer_of(Slot* slot) { return slot == first_ ? output_ : slot->out; }
  void check_thread() const;

  SessionContext& context_;
  IpAddress peer_;
  std::string remote_address_;
  bool by_proxy_;  ///< the peer is a trusted proxy
  Phase phase_ = Phase::kHead;
  Wait wait_ = Wait::kIdle;
  bool stalled_ = false;  ///< process() ended because too much was in the works
  bool continue_due_ = false;
  bool peer_closed_ = false;
  bool draining_ = false;
  bool stopped_ = false;
  bool aborted_ = false;
  bool must_linger_ = false;
  Micros since_us_;  ///< when the waiting that wait_ names began
  std::size_t head_size_ = 0;
  std::size_t body_size_ = 0;  ///< of a body by length; what is decoded of a chunked one
  std::size_t remaining_ = 0;  ///< bytes read that belong to no request yet answered or in the works
  HeadScanner scanner_;
  ChunkDecoder decoder_;
  ByteBuffer in_;
  ByteBuffer output_;
  Slot* first_ = nullptr;  ///< the requests in the works, oldest first
  Slot* last_ = nullptr;
  std::size_t in_works_ = 0;
  std::size_t queued_bytes_ = 0;  ///< in the buffers of slots that are not first
};

}  // namespace spillway::http
