#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "load/replay/request_source.h"
#include "load/wire/histogram.h"
#include "load/wire/process_probe.h"
#include "load/wire/response_parser.h"

namespace spillway::load::replay {

/// How to load the server. Times in nanoseconds.
struct Plan {
  std::uint16_t port = 0;  ///< on 127.0.0.1: this client loads no other machine
  std::size_t connections = 64;
  double rate = 0;                 ///< requests a second, open loop; 0: closed loop
  std::size_t depth = 1;           ///< closed loop: requests without an answer a connection
  std::size_t max_unanswered = 0;  ///< open loop: the same bound; past it a request is not sent. 0: none
  std::int64_t warmup_ns = 0;      ///< before the measured time
  std::int64_t measure_ns = 0;
  std::int64_t drain_ns = 0;       ///< how long to wait for the last answers
  std::uint64_t max_requests = 0;  ///< stop after so many; 0: none but the source's
  bool spin = true;                ///< closed loop: poll without sleeping. Open loop always does
  pid_t server_pid = 0;            ///< 0: its use is not read
  int server_core = -1;
  std::string expect_in_body;  ///< looked for in a sample of the accepted answers
};

struct Latency {
  Histogram response;  ///< from the time the request was due
  Histogram service;   ///< from when it was handed to the socket (open loop: that much the client was late is
                       ///< not in it)
};

struct Report {
  double seconds = 0;                       ///< measured
  std::uint64_t asked = 0;                  ///< requests handed to sockets in the measured time
  std::uint64_t answered = 0;               ///< answers that came in the measured time
  std::array<std::uint64_t, 600> status{};  ///< the same by status
  Latency accepted, refused, other;      ///< 2xx; 429 and 503; the rest. Of requests due in the measured time
  std::uint64_t accepted_total = 0;      ///< 2xx from the first request to the last, measured or not
  Histogram lag;                         ///< open loop: how late the client itself was
  std::uint64_t not_sent = 0;            ///< open loop: due, but the connection could take no more
  std::uint64_t unanswered = 0;          ///< when the drain time was over, or the connection closed
  std::uint64_t closed_connections = 0;  ///< by the server
  std::uint64_t malformed = 0;
  std::uint64_t retry_after_checked = 0, retry_after_missing = 0;  ///< among the refused
  std::uint64_t body_checked = 0, body_wrong = 0;                  ///< among the accepted
  bool ran_dry = false;      ///< the source had no more requests before the time was over
  double client_busy = 0;    ///< share of the time it had in which the client had work to do
  double client_on_cpu = 0;  ///< share in which it was running: a spinning one below 1 was pushed aside
  double client_cpu_us = 0;  ///< CPU time of its work an answer
  ProcessUse server_before, server_after;
  CoreUse core_before, core_after;
  std::string sample;  ///< the first answer, as it came
};

/// One thread, raw epoll (edge-triggered, so that nothing is armed anew), one read and one write for an
/// answer and the next request. Everything that a request needs lies ready before the measured time. Not
/// thread-safe; run() once. Throws std::runtime_error when it cannot connect.
class Client {
 public:
  /// Called for every answer with the number of its request.
  using OnAnswer = std::function<void(std::uint64_t n, const Answer&)>;

  Client(Plan, const RequestSource&, OnAnswer = nullptr);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  Report run();

 private:
  struct Pending {
    std::int64_t due_ns;
    std::int64_t sent_ns;
    std::uint64_t n;
  };
  struct Connection {
    int fd = -1;
    std::vector<Pending> ring;  // a power of two; requests without an answer, oldest at `head`
    std::uint64_t head = 0, tail = 0;
    std::string in;   // the begin of an answer whose end has not come
    std::string out;  // what the socket did not take
    std::uint64_t unanswered() const { return tail - head; }
  };
  enum class Phase : std::uint8_t { kWarmup, kMeasure, kDrain, kDone };

  void connect_all();
  void advance_phase(std::int64_t now_ns);
  void start_measuring(std::int64_t now_ns);
  void stop_measuring(std::int64_t now_ns);
  std::uint64_t limit() const;

  void send_due(std::int64_t now_ns);
  void ask(Connection&, std::size_t count, std::int64_t now_ns);
  void push(Connection&, Pending);
  void send_scratch(Connection&);
  void send_rest(Connection&);

  void on_readable(Connection&);
  std::size_t take_answers(Connection&, std::string_view in, std::int64_t now_ns, std::size_t* used);
  void on_answer(Connection&, const Answer&, std::int64_t now_ns);
  void check_samples(const Answer&, bool accepted, bool refused);
  void lose(Connection&);

  const Plan plan_;
  const RequestSource& source_;
  const OnAnswer on_answer_;
  ResponseParser parser_;
  Report report_;

  int epoll_ = -1;
  std::vector<Connection> connections_;
  std::vector<char> scratch_;  // requests being made
  std::size_t scratch_size_ = 0;
  std::vector<char> input_;
  std::size_t alive_ = 0;

  Phase phase_ = Phase::kWarmup;
  std::uint64_t next_ = 0;  // number of the next request
  std::uint64_t open_ = 0;  // requests without an answer, all connections
  std::uint64_t lost_ = 0;  // those of connections that the server closed
  std::uint64_t accepted_seen_ = 0, refused_seen_ = 0;
  std::int64_t start_ns_ = 0;  // of the schedule
  std::int64_t measure_start_ns_ = 0, measure_end_ns_ = 0, give_up_ns_ = 0;
  std::int64_t idle_ns_ = 0;  // in polls that found nothing, in the measured time
  std::int64_t client_cpu_ns_ = 0;
};

}  // namespace spillway::load::replay
