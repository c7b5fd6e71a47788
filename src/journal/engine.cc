#include "journal/engine.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "journal/group_writer.h"
#include "journal/recovery.h"
#include "journal/snapshot_maker.h"
#include "journal/spare.h"
#include "journal/state_thread.h"
#include "journal/watermark.h"

namespace spillway::journal {
namespace {

/// Below this a quarter of a segment would not hold a turn worth the name.
constexpr std::size_t kMinSegmentBytes = 64 * 1024;

std::vector<Replica*> replicas_of(const std::vector<Resident*>& residents) {
  std::vector<Replica*> replicas;
  for (Resident* resident : residents) replicas.push_back(&resident->replica());
  return replicas;
}

void check_services(const std::vector<Replica*>& replicas, const ReplicaFactory& factory) {
  const auto copies = factory();
  CHECK(copies.size() == replicas.size());
  bool seen[256] = {true};  // 0 is the journal's own
  for (std::size_t i = 0; i < copies.size(); ++i) {
    CHECK(copies[i]->service() == replicas[i]->service());
    CHECK(!seen[copies[i]->service()]);
    seen[copies[i]->service()] = true;
  }
}

void set_fate(NodeList& tasks, Fate fate) {
  for (Node* node = tasks.front(); node != nullptr; node = node->next) static_cast<Task&>(*node).fate = fate;
}

}  // namespace

struct Engine::Impl {
  Impl(FileSystem& file_system, EngineOptions engine_options)
      : files(file_system), options(std::move(engine_options)) {}

  FileSystem& files;
  const EngineOptions options;
  std::unique_ptr<File> lock;
  RecoveryReport report;
  std::uint64_t segments_found = 0;
  std::uint64_t recovered_to = 0;
  std::atomic<std::uint64_t> segments_opened{0};
  std::atomic<std::uint64_t> in_works{0};
  std::atomic<bool> stopping{false};
  bool stopped = false;
  Failure failure;
  std::unique_ptr<SparePreparer> spare;
  std::unique_ptr<GroupWriter> writer;
  std::unique_ptr<SnapshotMaker> snapshots;
  std::unique_ptr<StateThread> state;

  Status recover_into(const std::vector<Replica*>&, Recovered*);
  Status assemble(const Clock&, std::vector<Resident*>, ReplicaFactory, const Recovered&);
  void refuse(NodeList tasks, Fate fate) {
    set_fate(tasks, fate);
    Delivery(in_works).deliver(std::move(tasks));
  }
};

Status Engine::Impl::recover_into(const std::vector<Replica*>& replicas, Recovered* recovered) {
  if (const int error = files.make_directory(options.dir); error != 0) {
    return cannot("make the directory", options.dir, "", error);
  }
  if (const int error = files.lock(in_directory(options.dir, kLockName), &lock); error != 0) {
    if (error != EWOULDBLOCK) return cannot("lock", options.dir, kLockName, error);
    return Error{ErrorCode::kInternal,
                 in_directory(options.dir, kLockName) + ": another process is using this directory"};
  }
  const auto began = std::chrono::steady_clock::now();
  auto result = recover(files, options.dir, replicas);
  if (!result.ok()) return std::move(result).error();
  *recovered = std::move(result).value();
  report.snapshot_sequence = recovered->snapshot_sequence;
  report.records = recovered->end.records;
  report.bytes_cut = recovered->end.torn_bytes;
  report.notes = recovered->notes;
  const auto took = std::chrono::steady_clock::now() - began;
  report.took_us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  return Ok{};
}

Status Engine::Impl::assemble(const Clock& clock, std::vector<Resident*> residents, ReplicaFactory factory,
                              const Recovered& recovered) {
  auto listing = list_journal(files, options.dir);
  if (!listing.ok()) return std::move(listing).error();
  recovered_to = recovered.end.last_sequence;
  const std::uint64_t next = recovered_to + 1;
  // An empty segment of this name is replaced by the one that is opened next.
  for (const std::uint64_t first : listing->segments) segments_found += first < next ? 1 : 0;

  spare = std::make_unique<SparePreparer>(files, options, failure);
  if (Status status = spare->prepare_first(); !status.ok()) return status;
  std::unique_ptr<File> directory;
  if (const int error = files.open_directory(options.dir, &directory); error != 0) {
    return cannot("open", options.dir, "", error);
  }
  auto watermark = WatermarkWriter::open(files, options.dir, recovered.generation);
  if (!watermark.ok()) return std::move(watermark).error();
  writer = std::make_unique<GroupWriter>(files, options, std::move(directory), std::move(watermark).value(),
                                         *spare, failure, in_works, Sizes(options).capacity);
  snapshots = std::make_unique<SnapshotMaker>(files, options, std::move(factory), failure,
                                              recovered.snapshot_sequence, recovered.end.bytes);
  state = std::make_unique<StateThread>(options, clock, std::move(residents), *writer, *spare, failure,
                                        in_works, StateThread::Start{next, recovered.end.last_time});
  writer->on_segment_opened([this](GroupWriter::Opened opened) {
    segments_opened.fetch_add(1, std::memory_order_relaxed);
    snapshots->segment_opened(opened.first_sequence, opened.closed_bytes, std::move(opened.checkpoint));
  });
  failure.wake_with([this] {
    spare->wake();
    snapshots->wake();
  });
  return Ok{};
}

Result<std::unique_ptr<Engine>> Engine::open(FileSystem& files, const Clock& clock, EngineOptions options,
                                             std::vector<Resident*> residents, ReplicaFactory factory) {
  CHECK(options.segment_bytes >= kMinSegmentBytes && options.segment_bytes % kBlockBytes == 0);
  const auto replicas = replicas_of(residents);
  check_services(replicas, factory);
  auto impl = std::make_unique<Impl>(files, std::move(options));
  Recovered recovered;
  if (Status status = impl->recover_into(replicas, &recovered); !status.ok())
    return std::move(status).error();
  if (Status status = impl->assemble(clock, std::move(residents), std::move(factory), recovered);
      !status.ok()) {
    return std::move(status).error();
  }
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() { stop(); }

const RecoveryReport& Engine::recovery() const { return impl_->report; }

void Engine::on_failure(std::function<void(const std::string& why)> callback) {
  impl_->failure.on_failure(std::move(callback));
}

void Engine::start() {
  impl_->spare->start();
  impl_->snapshots->start();
  impl_->writer->start();
  impl_->state->start();
}

void Engine::stop() {
  if (std::exchange(impl_->stopped, true)) return;
  impl_->stopping.store(true);
  impl_->state->stop();
  impl_->writer->finish();
  impl_->snapshots->stop();
  impl_->spare->stop();
  impl_->lock.reset();
}

void Engine::take(NodeList tasks) {
  const std::size_t count = tasks.size();
  const std::size_t limit = impl_->options.inbox_tasks;
  const std::uint64_t before = impl_->in_works.fetch_add(count, std::memory_order_relaxed);
  if (before + count > limit) {
    NodeList taken;
    while (before + taken.size() < limit) taken.push(tasks.pop());
    impl_->refuse(std::move(tasks), Fate::kOverloaded);
    tasks = std::move(taken);
    if (tasks.empty()) return;
  }
  if (!impl_->state->take(tasks)) impl_->refuse(std::move(tasks), Fate::kDraining);
}

bool Engine::accepting() const {
  return !impl_->stopping.load(std::memory_order_relaxed) && !impl_->failure.failed() &&
         impl_->in_works.load(std::memory_order_relaxed) < impl_->options.inbox_tasks;
}

EngineStats Engine::stats() const {
  const WriterCounters& counters = impl_->writer->counters();
  EngineStats stats;
  stats.last_sequence = impl_->state->last_sequence();
  stats.durable_sequence =
      std::max(impl_->recovered_to, counters.durable_sequence.load(std::memory_order_relaxed));
  stats.groups = counters.groups.load(std::memory_order_relaxed);
  stats.bytes_written = counters.bytes_written.load(std::memory_order_relaxed);
  stats.in_works = impl_->in_works.load(std::memory_order_relaxed);
  stats.segments = impl_->segments_found + impl_->segments_opened.load(std::memory_order_relaxed) -
                   impl_->snapshots->segments_removed();
  stats.snapshots = impl_->snapshots->made();
  stats.snapshot_sequence = impl_->snapshots->newest();
  stats.snapshot_failures = impl_->snapshots->failures();
  stats.longest_turn_us = impl_->state->longest_turn_us();
  stats.storage_full = impl_->state->storage_full();
  stats.failed = impl_->failure.failed();
  return stats;
}

Status Engine::snapshot_now() {
  auto last = impl_->state->close_segment();
  if (!last.ok()) return std::move(last).error();
  return impl_->snapshots->make_after(*last);
}

}  // namespace spillway::journal
