#pragma once

#include <string_view>
#include <utility>

#include "journal/replica.h"

namespace spillway::journal {

/// A service's machine as the journal sees it. `M`: built from a `Config`, with evolve(), digest(),
/// recompute_digest(), save() and load(). `kNumber`: of the service in the journal's records. `kDecode`: of
/// its events, (type, version, payload) to a Result.
template <class M, class Config, std::uint8_t kNumber, auto kDecode>
class MachineReplica final : public Replica {
 public:
  explicit MachineReplica(Config config = {}) : machine(std::move(config)) {}
  std::uint8_t service() const override { return kNumber; }
  Status apply(const Record& record) override {
    auto event = kDecode(record.type.event, record.type.version, record.payload);
    if (!event) return event.error();
    machine.evolve(*event);
    return Ok{};
  }
  std::uint64_t digest() const override { return machine.digest(); }
  std::uint64_t recompute_digest() const override { return machine.recompute_digest(); }
  void save(SnapshotSink& sink) const override {
    machine.save([&sink](std::string_view bytes) { sink.write(bytes); });
  }
  Status load(SnapshotSource& source) override {
    return machine.load([&source](char* into, std::size_t size) { return source.read(into, size); });
  }

  M machine;
};

}  // namespace spillway::journal
