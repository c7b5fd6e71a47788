#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "load/replay/request_source.h"
#include "load/wire/histogram.h"
#include "load/wire/process_probe.h"

namespace spillway::load::replay {

/// How many listen, and for how long. Times in nanoseconds.
struct ListenPlan {
  std::uint16_t port = 0;  ///< on 127.0.0.1
  std::size_t connections = 1000;
  std::int64_t settle_ns = 0;  ///< after all of them are told their first event, before the measured time
  std::int64_t measure_ns = 0;
  pid_t server_pid = 0;
};

struct ListenReport {
  std::uint64_t listening = 0;     ///< told their first event
  std::uint64_t refused = 0;       ///< answered, but with no stream
  std::uint64_t closed = 0;        ///< by the server
  std::uint64_t events = 0;        ///< in the measured time
  std::uint64_t positions_up = 0;  ///< a position that was greater than the one before: a defect
  std::uint64_t starved = 0;       ///< listeners who were told nothing in the measured time
  double seconds = 0;              ///< measured
  double client_cpu_us = 0;        ///< an event
  Histogram gap;                   ///< between two events of one listener
  ProcessUse server_idle, server_before, server_after;  ///< with nobody, at the beginning, at the end
  std::string sample;                                   ///< the first answer
};

/// Opens a stream for each of the first `connections` tokens and reads what comes: one thread, epoll. Throws
/// std::runtime_error when it cannot connect, or when the first events do not come within a minute.
ListenReport listen(const ListenPlan&, const LineFile& tokens);

/// One JSON object: what bench/README.md describes.
std::string to_json(const ListenPlan&, const ListenReport&);

}  // namespace spillway::load::replay
