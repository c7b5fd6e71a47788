#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/audit.h"
#include "base/limits.h"
#include "base/unique_function.h"
#include "journal/audit_trail.h"
#include "journal/engine.h"

namespace spillway::ops {

/// The number of the audit log in the journal's records.
inline constexpr std::uint8_t kAuditServiceNumber = 3;

struct AuditItem {
  std::uint64_t sequence = 0;  ///< from 1, without gaps
  Timestamp at;
  AuditEntry entry;
};

/// Newest first. An empty filter lets everything through; the others must be equal.
struct ListAudit {
  std::string actor{};
  std::string action{};
  std::string target{};
  std::uint64_t before = 0;  ///< only older ones than this sequence; 0: from the newest
  std::size_t limit = 100;   ///< 1 to limits::kMaxPage
};
struct AuditPage {
  std::vector<AuditItem> items;
  std::uint64_t next = 0;  ///< the next page's `before`; 0: there is none
};

/// The newest limits::kMaxAuditEntries entries, rebuilt from records alone.
///
/// Record (service 3, event 1, version 1; base/bytes.h): time at (8 bytes, microseconds since 1970), then as
/// `str` actor, address, action, target, before, after, then a varint: how many of the oldest are forgotten.
/// That is in the record so that a change of the limit never changes what an old record means.
class AuditReplica final : public journal::Replica {
 public:
  std::uint8_t service() const override { return kAuditServiceNumber; }
  Status apply(const journal::Record&) override;
  std::uint64_t digest() const override { return digest_; }
  std::uint64_t recompute_digest() const override;
  void save(journal::SnapshotSink&) const override;
  Status load(journal::SnapshotSource&) override;

  /// The payload of the record that adds `entry` and keeps to `max_entries`.
  std::string encode(const AuditEntry& entry, Timestamp at, std::size_t max_entries) const;
  /// Looks at no more than limits::kMaxAuditScan entries; then there is a next page even if this is empty.
  AuditPage list(const ListAudit&) const;

 private:
  bool add(std::string_view payload);

  std::deque<AuditItem> items_;
  std::uint64_t next_ = 1;
  std::uint64_t digest_ = 0;
};

/// Who changed what, and when: every administrative change that took effect.
///
/// Operation: services record() on the state thread in the turn of the change itself, so that both are one
/// commit. Concurrency: list() on a loop's thread, its reply on the same; the rest on the state thread.
class AuditLog final : public journal::AuditTrail, public journal::Resident {
 public:
  explicit AuditLog(std::size_t max_entries = limits::kMaxAuditEntries) : max_entries_(max_entries) {}

  /// After the engine has recovered.
  void attach(journal::Engine& engine) { engine_ = &engine; }
  void list(ListAudit, UniqueFunction<void(Result<AuditPage>)> reply);

  /// record() for what is done outside the state thread: a commit of its own. On a loop's thread. Errors are
  /// the engine's; then it is not recorded, or not known to be.
  void add(AuditEntry, UniqueFunction<void(Result<Ok>)> reply);

  /// `before` and `after` are cut to limits::kMaxAuditValueBytes, in a way that shows.
  void record(journal::Turn&, const AuditEntry&) override;

  journal::Replica& replica() override { return state_; }
  void tick(journal::Turn&, bool) override {}
  void end_of_batch(journal::Turn&, bool) override {}
  void on_stop(journal::Turn&) override {}

 private:
  const std::size_t max_entries_;
  AuditReplica state_;
  journal::Engine* engine_ = nullptr;
};

}  // namespace spillway::ops
