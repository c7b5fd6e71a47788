#include <algorithm>
#include <thread>
#include <utility>

#include "load/engine/run.h"
#include "load/wire/clock.h"

namespace spillway::load {
namespace {

class LocalSlices final : public SliceSource {
 public:
  LocalSlices(const Plan& plan, std::string run_id, std::vector<Target> targets,
              std::shared_ptr<TlsSettings> tls, std::size_t threads, PointLog* points)
      : plan_(plan),
        run_id_(std::move(run_id)),
        targets_(std::move(targets)),
        tls_(std::move(tls)),
        threads_(threads),
        points_(points) {}

  Result<std::size_t> prepare() override { return threads_; }

  Status start(Collector& collector, std::int64_t in_ns) override {
    const std::int64_t start_ns = steady_ns() + in_ns;
    for (std::size_t i = 0; i < threads_; ++i) {
      const Slice slice{static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(threads_)};
      auto worker = Worker::start(
          {plan_, run_id_, targets_, tls_, slice, start_ns, points_},
          [&collector, i](SliceSecond second) { collector.add(i, std::move(second)); },
          [&collector, i](SliceEvidence evidence) { collector.end(i, std::move(evidence)); });
      if (!worker) {
        for (auto& begun : workers_) begun->abandon();
        workers_.clear();  // while the collector is there
        return worker.error();
      }
      workers_.push_back(std::move(*worker));
    }
    return Ok{};
  }
  void stop() override {
    for (auto& worker : workers_) worker->stop();
  }
  void join() override {
    for (auto& worker : workers_) worker->join();
  }

 private:
  const Plan& plan_;
  const std::string run_id_;
  const std::vector<Target> targets_;
  const std::shared_ptr<TlsSettings> tls_;
  const std::size_t threads_;
  PointLog* const points_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

std::unique_ptr<SliceSource> local_slices(const Plan& plan, const std::string& run_id,
                                          std::vector<Target> targets, std::shared_ptr<TlsSettings> tls,
                                          std::size_t threads, PointLog* points) {
  if (threads == 0) threads = std::max(2U, std::thread::hardware_concurrency()) - 1;
  threads = std::min<std::size_t>(threads, plan.most_slices());
  return std::make_unique<LocalSlices>(plan, run_id, std::move(targets), std::move(tls), threads, points);
}

}  // namespace spillway::load
