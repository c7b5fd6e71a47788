#include "ops/audit_log.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "base/bytes.h"
#include "base/json_writer.h"
#include "journal/call.h"

namespace spillway::ops {
namespace {

constexpr journal::RecordType kRecorded{kAuditServiceNumber, 1, 1};
constexpr std::uint64_t kSnapshotVersion = 1;

std::string payload_of(const AuditEntry& entry, Timestamp at) {
  std::string out;
  ByteWriter w(out);
  w.i64(at.us);
  w.string(entry.actor.id);
  w.string(entry.actor.address);
  w.string(entry.action);
  w.string(entry.target);
  w.string(entry.before);
  w.string(entry.after);
  return out;
}

std::uint64_t hash(const AuditItem& item) {
  const std::string bytes = payload_of(item.entry, item.at);
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), item.sequence);
}

/// As it is when it is short enough; else its beginning as a JSON string, which says that it was cut.
std::string cut(const std::string& json) {
  if (json.size() <= limits::kMaxAuditValueBytes) return json;
  std::size_t end = limits::kMaxAuditValueBytes / 2;                                // quoting may double it
  while (end > 0 && (static_cast<unsigned char>(json[end]) & 0xc0) == 0x80) --end;  // not inside a character
  std::string out;
  JsonWriter(out).open_object().member("cut", std::string_view(json).substr(0, end)).close_object();
  return out;
}

bool fits(const std::string& filter, const std::string& value) { return filter.empty() || filter == value; }

Error unreadable() {
  return {ErrorCode::kInternal,
          "audit: the snapshot cannot be read by this program, or is not what was saved"};
}

void write_number(journal::SnapshotSink& sink, std::uint64_t number) {
  std::string bytes;
  ByteWriter(bytes).u64(number);
  sink.write(bytes);
}

bool read_number(journal::SnapshotSource& source, std::uint64_t& number) {
  char bytes[sizeof number];
  if (!source.read(bytes, sizeof bytes)) return false;
  number = ByteReader({bytes, sizeof bytes}).u64();
  return true;
}

}  // namespace

// ---- What is kept -----------------------------------------------------------------------------------------

std::string AuditReplica::encode(const AuditEntry& entry, Timestamp at, std::size_t max_entries) const {
  std::string out = payload_of(entry, at);
  ByteWriter(out).varint(items_.size() + 1 > max_entries ? items_.size() + 1 - max_entries : 0);
  return out;
}

bool AuditReplica::add(std::string_view payload) {
  ByteReader r(payload);
  AuditItem item;
  item.sequence = next_;
  item.at = {r.i64()};
  for (std::string* text : {&item.entry.actor.id, &item.entry.actor.address, &item.entry.action,
                            &item.entry.target, &item.entry.before, &item.entry.after}) {
    *text = r.string();
  }
  const std::uint64_t forgotten = r.varint();
  if (!r.done() || forgotten > items_.size()) return false;
  for (std::uint64_t i = 0; i < forgotten; ++i) {
    digest_ -= hash(items_.front());
    items_.pop_front();
  }
  ++next_;
  digest_ += hash(item);
  items_.push_back(std::move(item));
  return true;
}

Status AuditReplica::apply(const journal::Record& record) {
  if (record.type.event != kRecorded.event || record.type.version != kRecorded.version ||
      !add(record.payload)) {
    return Error{ErrorCode::kInternal, "audit: a record that this program cannot read"};
  }
  return Ok{};
}

std::uint64_t AuditReplica::recompute_digest() const {
  std::uint64_t sum = 0;
  for (const AuditItem& item : items_) sum += hash(item);
  return sum;
}

/// Layout: u64 version, u64 next sequence, u64 entries; of each: u64 size, its record's payload; the digest.
void AuditReplica::save(journal::SnapshotSink& sink) const {
  write_number(sink, kSnapshotVersion);
  write_number(sink, next_);
  write_number(sink, items_.size());
  for (const AuditItem& item : items_) {
    std::string payload = payload_of(item.entry, item.at);
    ByteWriter(payload).varint(0);
    write_number(sink, payload.size());
    sink.write(payload);
  }
  write_number(sink, digest_);
}

Status AuditReplica::load(journal::SnapshotSource& source) {
  CHECK(items_.empty());
  std::uint64_t version = 0, next = 0, entries = 0, digest = 0;
  if (!read_number(source, version) || version != kSnapshotVersion || !read_number(source, next) ||
      !read_number(source, entries) || entries >= next) {
    return unreadable();
  }
  next_ = next - entries;
  std::string payload;
  for (std::uint64_t i = 0; i < entries; ++i) {
    std::uint64_t size = 0;
    if (!read_number(source, size) || size > limits::kMaxRecordBytes) return unreadable();
    payload.resize(size);
    if (!source.read(payload.data(), size) || !add(payload)) return unreadable();
  }
  if (!read_number(source, digest) || digest != digest_) return unreadable();
  return Ok{};
}

AuditPage AuditReplica::list(const ListAudit& query) const {
  AuditPage page;
  const std::uint64_t oldest = next_ - items_.size();
  std::uint64_t at = query.before == 0 ? next_ : std::min(query.before, next_);
  std::size_t looked_at = 0;
  for (; at > oldest && page.items.size() < query.limit && looked_at < limits::kMaxAuditScan; ++looked_at) {
    const AuditItem& item = items_[--at - oldest];
    const AuditEntry& entry = item.entry;
    if (fits(query.actor, entry.actor.id) && fits(query.action, entry.action) &&
        fits(query.target, entry.target)) {
      page.items.push_back(item);
    }
  }
  if (at > oldest) page.next = at;
  return page;
}

// ---- The port ---------------------------------------------------------------------------------------------

void AuditLog::record(journal::Turn& turn, const AuditEntry& entry) {
  AuditEntry kept = entry;
  kept.before = cut(kept.before);
  kept.after = cut(kept.after);
  const std::string payload = state_.encode(kept, turn.now(), max_entries_);
  turn.append(kRecorded, payload);
  CHECK(state_.apply({.sequence = 0, .type = kRecorded, .payload = payload}).ok());
}

void AuditLog::add(AuditEntry entry, UniqueFunction<void(Result<Ok>)> reply) {
  CHECK(engine_ != nullptr);
  journal::call<Ok>(*engine_, true, std::move(reply), [this, entry = std::move(entry)](journal::Turn& turn) {
    record(turn, entry);
    return Result<Ok>(Ok{});
  });
}

void AuditLog::list(ListAudit query, UniqueFunction<void(Result<AuditPage>)> reply) {
  CHECK(engine_ != nullptr);
  journal::call<AuditPage>(
      *engine_, false, std::move(reply),
      [this, query = std::move(query)](journal::Turn&) { return Result<AuditPage>(state_.list(query)); });
}

}  // namespace spillway::ops
