// What the state thread and the journal cost without HTTP: one measurement a process, one JSON object on
// stdout. bench/intake.py runs them; see bench/README.md.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/wait_loop.h"
#include "intake/embedded.h"
#include "intake/machine.h"
#include "journal/engine.h"
#include "journal/file_system.h"
#include "load/wire/clock.h"
#include "load/wire/process_probe.h"

namespace spillway::bench {
namespace {

using load::read_process;
using load::steady_ns;
using load::thread_cpu_ns;  // what the machine alone takes is counted in CPU time: neighbours do not
                            // matter then

constexpr std::size_t kLoopIndex = limits::kMaxHttpThreads;
constexpr std::uint64_t kSlice = 50'000;  // commands made at a time, outside the measured time
constexpr Timestamp kNow{1'800'000'000LL * kSecond};

struct Options {
  std::uint64_t count = 1'000'000;
  std::uint64_t window = 4096;
  std::string dir;
  bool snapshot = false;
  std::uint64_t snapshot_every_mb = 0;
};

std::string user(std::uint64_t n) { return fmt::format("user-{:09}", n); }

intake::PutEvent an_event(std::uint64_t capacity) {
  intake::PutEvent put;
  put.event_id = "EVT-009";
  put.title = "Benchmark";
  put.capacity_total = capacity;
  return put;
}

/// The machine, and what the state thread does with it: decide, encode for the journal, evolve.
class Bare {
 public:
  template <class Decide>
  auto decide(Decide&& decide) {
    events_.clear();
    auto reply = decide(events_);
    commit(events_);
    return reply;
  }

  explicit Bare(std::uint64_t capacity) {
    intake::Events seeded;
    machine_.decide_seed({}, seeded);
    commit(seeded);
    const intake::PutEvent put = an_event(capacity);
    decide([&](intake::Events& out) { return machine_.decide(put, kNow, out).ok(); });
  }

  std::uint64_t records() const { return records_; }
  std::uint64_t bytes() const { return bytes_; }
  intake::Machine& machine() { return machine_; }

 private:
  void commit(const intake::Events& events) {
    for (const intake::Event& event : events) {
      payload_.clear();
      intake::encode(event, payload_);
      ++records_;
      bytes_ += payload_.size();
      machine_.evolve(event);
    }
  }

  intake::Machine machine_;
  intake::Events events_;
  std::string payload_;
  std::uint64_t records_ = 0, bytes_ = 0;
};

std::vector<intake::Participate> arrivals(std::uint64_t first, std::uint64_t count) {
  std::vector<intake::Participate> commands(count);
  for (std::uint64_t i = 0; i < count; ++i) commands[i] = {"EVT-009", user(first + i), ""};
  return commands;
}

void must(bool good, const char* what) {
  if (!good) throw std::runtime_error(what);
}

/// Participations of new persons, one after the other; the time of each is looked at too.
struct Arrived {
  std::int64_t took_ns = 0;
  std::int64_t longest_ns = 0;
};
Arrived arrive(Bare& bare, std::uint64_t count, bool look_at_each) {
  Arrived arrived;
  for (std::uint64_t done = 0; done < count; done += kSlice) {
    const std::vector<intake::Participate> commands = arrivals(done, std::min(kSlice, count - done));
    const std::int64_t began = thread_cpu_ns();
    std::int64_t before = began;
    for (const intake::Participate& command : commands) {
      const auto reply =
          bare.decide([&](intake::Events& out) { return bare.machine().decide(command, kNow, out); });
      must(reply.ok() && !reply->duplicate, "a participation was not accepted as new");
      if (!look_at_each) continue;
      const std::int64_t now = thread_cpu_ns();
      arrived.longest_ns = std::max(arrived.longest_ns, now - before);
      before = now;
    }
    arrived.took_ns += thread_cpu_ns() - began;
  }
  return arrived;
}

double per_second(std::uint64_t count, std::int64_t ns) {
  return static_cast<double>(count) * 1e9 / static_cast<double>(std::max<std::int64_t>(ns, 1));
}

/// Deliveries of up to `batch`, each completed with success, until the queue is empty.
std::int64_t work_off(Bare& bare, std::uint64_t count, std::uint32_t batch) {
  const std::int64_t began = thread_cpu_ns();
  std::uint64_t finished = 0;
  while (finished < count) {
    intake::Receive receive;
    receive.max = batch;
    const auto deliveries =
        bare.decide([&](intake::Events& out) { return bare.machine().decide(receive, kNow, out); });
    must(!deliveries.empty(), "the queue ran empty too early");
    intake::Complete complete;
    for (const intake::Delivery& delivery : deliveries) {
      complete.outcomes.push_back(
          {delivery.receipt, intake::WorkResult::kSucceed, intake::ResultCode::kNone, "", 0});
    }
    const auto acks =
        bare.decide([&](intake::Events& out) { return bare.machine().decide(complete, kNow, out); });
    for (const intake::Ack ack : acks.acks) must(ack == intake::Ack::kApplied, "an outcome was refused");
    finished += deliveries.size();
  }
  return thread_cpu_ns() - began;
}

int machine(const Options& o) {
  Bare bare(o.count);
  const std::int64_t arrived_ns = arrive(bare, o.count, false).took_ns;
  const double bytes = static_cast<double>(bare.bytes()) / static_cast<double>(o.count);
  const std::vector<intake::Participate> again = arrivals(0, std::min(kSlice, o.count));
  std::int64_t began = thread_cpu_ns();
  for (const intake::Participate& command : again) {
    const auto reply =
        bare.decide([&](intake::Events& out) { return bare.machine().decide(command, kNow, out); });
    must(reply.ok() && reply->duplicate, "a duplicate was not known");
  }
  const std::int64_t duplicates_ns = thread_cpu_ns() - began;

  std::vector<std::pair<std::string, std::string>> ids;  // spread over all requests
  for (std::uint64_t i = 0; i < again.size(); ++i) {
    const std::uint64_t n = i * 7'919 % o.count;
    const intake::Participate who{"EVT-009", user(n), ""};
    ids.emplace_back(
        bare.decide([&](intake::Events& out) { return bare.machine().decide(who, kNow, out); })->request_id,
        who.user_id);
  }
  began = thread_cpu_ns();
  for (const auto& [id, owner] : ids) must(bare.machine().request(id, owner).ok(), "a request was not found");
  const std::int64_t reads_ns = thread_cpu_ns() - began;

  const std::int64_t worked_ns = work_off(bare, o.count, 256);
  const intake::QueueStats stats = bare.machine().queue_stats(kNow);
  must(stats.visible == 0 && stats.in_flight == 0, "requests were left over");
  fmt::print(R"({{"count":{},"participations_per_s":{:.0f},"duplicates_per_s":{:.0f},"reads_per_s":{:.0f},)"
             R"("deliveries_per_s":{:.0f},"life_cycles_per_s":{:.0f},"payload_bytes":{:.1f}}})"
             "\n",
             o.count, per_second(o.count, arrived_ns), per_second(again.size(), duplicates_ns),
             per_second(ids.size(), reads_ns), per_second(o.count, worked_ns),
             per_second(o.count, arrived_ns + worked_ns), bytes);
  return 0;
}

/// What a queued request takes, in a process that has nothing else.
int resident(const Options& o) {
  Bare bare(o.count);
  { const auto warm = arrivals(0, kSlice); }  // what the commands take is there before
  const std::int64_t before = read_process(::getpid()).resident_bytes;
  const Arrived arrived = arrive(bare, o.count, true);
  const std::int64_t after = read_process(::getpid()).resident_bytes;
  must(bare.machine().queue_stats(kNow).visible == o.count, "not all are queued");
  fmt::print(R"({{"count":{},"bytes_per_request":{:.1f},"longest_decision_us":{:.1f}}})"
             "\n",
             o.count, static_cast<double>(after - before) / static_cast<double>(o.count),
             static_cast<double>(arrived.longest_ns) / 1e3);
  return 0;
}

/// The service on the real engine and disk.
class Running {
 public:
  explicit Running(const Options& o) : loop_(kLoopIndex) {
    journal::EngineOptions options;
    options.dir = o.dir;
    if (o.snapshot_every_mb != 0) options.snapshot_every_bytes = o.snapshot_every_mb << 20;
    const auto factory = [] {
      std::vector<std::unique_ptr<journal::Replica>> replicas;
      replicas.push_back(std::make_unique<intake::MachineReplica>(intake::MachineConfig{}));
      return replicas;
    };
    const std::int64_t began = steady_ns();
    auto opened = journal::Engine::open(journal::posix_file_system(), clock_, options, {&service_}, factory);
    if (!opened) throw std::runtime_error(opened.error().message);
    open_ns_ = steady_ns() - began;
    engine_ = std::move(*opened);
    engine_->on_failure([](const std::string& why) {
      std::fprintf(stderr, "engine_bench: %s\n", why.c_str());
      std::_Exit(3);
    });
    service_.attach(*engine_, {}, true);
    engine_->start();
  }
  ~Running() { engine_->stop(); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void put_event() {
    bool done = false;
    loop_.run_until([&] { return done; }, -1,
                    [&] {
                      service_.put_event(an_event(limits::kMaxCapacity),
                                         [&](Result<intake::EventView> event) {
                                           must(event.ok(), "the event was not made");
                                           done = true;
                                         });
                    });
  }

  /// `count` new persons, at most `window` of them in the works; returns when all are durable.
  std::int64_t arrive(std::uint64_t count, std::uint64_t window) {
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    const auto ask = [&](auto& self) -> void {
      if (asked == count) return;
      service_.participate({"EVT-009", user(asked++), ""}, [&](Result<intake::Participation> reply) {
        must(reply.ok() && !reply->duplicate, "a participation was not accepted as new");
        ++answered;
        self(self);
      });
    };
    const std::int64_t began = steady_ns();
    loop_.run_until([&] { return answered == count; }, -1,
                    [&] {
                      for (std::uint64_t i = 0; i < window; ++i) ask(ask);
                    });
    return steady_ns() - began;
  }

  std::uint64_t queued() {
    std::uint64_t visible = 0;
    bool done = false;
    loop_.run_until([&] { return done; }, -1,
                    [&] {
                      service_.queue_stats([&](Result<intake::QueueStats> stats) {
                        must(stats.ok(), "no queue figures");
                        visible = stats->visible;
                        done = true;
                      });
                    });
    return visible;
  }

  journal::Engine& engine() { return *engine_; }
  std::int64_t open_ns() const { return open_ns_; }

 private:
  SystemClock clock_;
  WaitLoop loop_;
  intake::EmbeddedService service_;
  std::unique_ptr<journal::Engine> engine_;
  std::int64_t open_ns_ = 0;
};

/// A crowd on the real engine: how fast, at what cost a thread, and how long the state thread was ever busy
/// with one.
int engine(const Options& o) {
  Running running(o);
  running.put_event();
  const load::ProcessUse before = read_process(::getpid());
  const std::int64_t took_ns = running.arrive(o.count, o.window);
  const load::ProcessUse after = read_process(::getpid());
  const journal::EngineStats stats = running.engine().stats();
  must(running.queued() == o.count, "not all are queued");
  if (o.snapshot) {
    const Status made = running.engine().snapshot_now();
    if (!made) throw std::runtime_error(made.error().message);
  }
  std::string threads;
  for (const auto& [name, ns] : after.by_thread) {
    const auto old = before.by_thread.find(name);
    fmt::format_to(std::back_inserter(threads), R"({}"{}":{:.3f})", threads.empty() ? "" : ",", name,
                   static_cast<double>(ns - (old == before.by_thread.end() ? 0 : old->second)) / 1e3 /
                       static_cast<double>(o.count));
  }
  fmt::print(
      R"({{"count":{},"per_s":{:.0f},"longest_turn_us":{},"groups":{},"bytes_written":{},"segments":{},)"
      R"("snapshots":{},"resident_bytes":{},"threads_us":{{{}}}}})"
      "\n",
      o.count, per_second(o.count, took_ns), stats.longest_turn_us, stats.groups, stats.bytes_written,
      stats.segments, stats.snapshots, after.resident_bytes, threads);
  return 0;
}

int restart(const Options& o) {
  Running running(o);
  const journal::RecoveryReport& report = running.engine().recovery();
  must(running.queued() == o.count, "not all requests were found again");
  fmt::print(R"({{"count":{},"seconds":{:.3f},"snapshot_sequence":{},"records":{},"resident_bytes":{}}})"
             "\n",
             o.count, static_cast<double>(running.open_ns()) / 1e9, report.snapshot_sequence, report.records,
             read_process(::getpid()).resident_bytes);
  return 0;
}

int run(int argc, char** argv) {
  Options o;
  CLI::App app("Benchmarks of the state thread and the journal");
  app.require_subcommand(1);
  CLI::App* bare = app.add_subcommand("machine", "decisions a second, the machine alone");
  CLI::App* memory = app.add_subcommand("resident", "bytes a queued request, and the longest decision");
  CLI::App* crowd = app.add_subcommand("engine", "a crowd on the real engine in an empty --dir");
  CLI::App* again = app.add_subcommand("restart", "opens what `engine` has left");
  for (CLI::App* each : {bare, memory, crowd, again}) {
    each->add_option("--count", o.count)->check(CLI::Range(1, 50'000'000));
  }
  for (CLI::App* each : {crowd, again}) each->add_option("--dir", o.dir)->required();
  crowd->add_option("--window", o.window, "most in the works")->check(CLI::Range(1, 60'000));
  crowd->add_flag("--snapshot", o.snapshot, "make one at the end");
  crowd->add_option("--snapshot-every-mb", o.snapshot_every_mb, "0: as in production");
  CLI11_PARSE(app, argc, argv);
  if (bare->parsed()) return machine(o);
  if (memory->parsed()) return resident(o);
  if (crowd->parsed()) return engine(o);
  return restart(o);
}

}  // namespace
}  // namespace spillway::bench

int main(int argc, char** argv) {
  try {
    return spillway::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine_bench: %s\n", error.what());
    return 1;
  }
}
