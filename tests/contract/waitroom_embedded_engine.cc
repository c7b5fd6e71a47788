#include <condition_variable>
#include <mutex>

#include "base/manual_clock.h"
#include "contract/waitroom_engine.h"
#include "journal/memory_file_system.h"
#include "waitroom/embedded.h"

namespace spillway::waitroom::contract {
namespace {

/// Tells how many ticks have been since the clock was moved: a resident after the one under test.
class TickCounter final : public journal::Resident {
 public:
  journal::Replica& replica() override { return replica_; }
  void tick(journal::Turn&, bool) override {
    const std::lock_guard lock(mutex_);
    ++ticks_;
    ticked_.notify_all();
  }
  void end_of_batch(journal::Turn&, bool) override {}
  void on_stop(journal::Turn&) override {}

  void await_whole_ticks(std::uint64_t more) {
    std::unique_lock lock(mutex_);
    const std::uint64_t until = ticks_ + more;
    ticked_.wait(lock, [&] { return ticks_ >= until; });
  }

  class Nothing final : public journal::Replica {
   public:
    std::uint8_t service() const override { return 99; }
    Status apply(const journal::Record&) override { return Ok{}; }
    std::uint64_t digest() const override { return 0; }
    std::uint64_t recompute_digest() const override { return 0; }
    void save(journal::SnapshotSink&) const override {}
    Status load(journal::SnapshotSource&) override { return Ok{}; }
  };

 private:
  Nothing replica_;
  std::mutex mutex_;
  std::condition_variable ticked_;
  std::uint64_t ticks_ = 0;
};

class Embedded final : public EngineUnderTest {
 public:
  Embedded() { open(); }
  ~Embedded() override { engine_.reset(); }

  Service& service() override { return *service_; }
  const Clock& clock() const override { return clock_; }
  void advance(Micros by) override {
    clock_.advance(by);
    ticks_.await_whole_ticks(3);  // the first may have looked at the clock before; a draw takes one more
  }
  void restart() override {
    engine_.reset();
    service_.reset();
    open();
  }

 private:
  void open() {
    service_ = std::make_unique<EmbeddedService>();
    journal::EngineOptions options;
    options.dir = "/data";
    options.segment_bytes = 1024 * 1024;
    auto opened = journal::Engine::open(files_, clock_, options, {service_.get(), &ticks_}, [] {
      std::vector<std::unique_ptr<journal::Replica>> replicas;
      replicas.push_back(std::make_unique<MachineReplica>());
      replicas.push_back(std::make_unique<TickCounter::Nothing>());
      return replicas;
    });
    CHECK(opened.ok());
    engine_ = std::move(*opened);
    service_->attach(*engine_, Seed{1, 2, 3}, 1);
    engine_->start();
  }

  ManualClock clock_;
  journal::MemoryFileSystem files_;
  TickCounter ticks_;
  std::unique_ptr<EmbeddedService> service_;
  std::unique_ptr<journal::Engine> engine_;
};

}  // namespace

std::unique_ptr<EngineUnderTest> make_embedded() { return std::make_unique<Embedded>(); }

}  // namespace spillway::waitroom::contract
