#include "base/manual_clock.h"
#include "contract/intake_engine.h"
#include "intake/embedded.h"
#include "journal/memory_file_system.h"

namespace spillway::intake::contract {
namespace {

class Embedded final : public EngineUnderTest {
 public:
  Embedded() { open(); }
  ~Embedded() override { engine_.reset(); }

  Service& service() override { return *service_; }
  const Clock& clock() const override { return clock_; }
  void advance(Micros by) override { clock_.advance(by); }  // every task and tick looks at the clock
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
    auto opened = journal::Engine::open(files_, clock_, options, {service_.get()}, [] {
      std::vector<std::unique_ptr<journal::Replica>> replicas;
      replicas.push_back(std::make_unique<MachineReplica>(MachineConfig{}));
      return replicas;
    });
    CHECK(opened.ok());
    engine_ = std::move(*opened);
    service_->attach(*engine_, Seed{1, 2, 3});
    engine_->start();
  }

  ManualClock clock_;
  journal::MemoryFileSystem files_;
  std::unique_ptr<EmbeddedService> service_;
  std::unique_ptr<journal::Engine> engine_;
};

}  // namespace

std::unique_ptr<EngineUnderTest> make_embedded() { return std::make_unique<Embedded>(); }

}  // namespace spillway::intake::contract
