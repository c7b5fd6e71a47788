#include "journal/inspect.h"

#include <cerrno>
#include <map>
#include <memory>
#include <ostream>
#include <tuple>

#include "journal/recovery.h"
#include "journal/segment.h"
#include "journal/snapshot.h"
#include "journal/watermark.h"

namespace spillway::journal {
namespace {

void inspect_segment(FileSystem& files, const std::string& dir, std::uint64_t first, std::ostream& out) {
  out << "segment " << segment_name(first) << "\n";
  auto opened = SegmentReader::open(files, dir, first);
  if (!opened.ok()) {
    out << "  DAMAGED: " << opened.error().message << "\n";
    return;
  }
  SegmentReader& reader = **opened;
  std::map<std::tuple<int, int, int>, std::uint64_t> by_type;
  std::uint64_t groups = 0;
  std::int64_t first_time = 0, last_time = 0;
  auto step = reader.next();
  while (step.ok() && *step == SegmentReader::Step::kGroup) {
    if (groups++ == 0) first_time = reader.group().time.us;
    last_time = reader.group().time.us;
    Record record;
    while (reader.next_record(&record)) {
      ++by_type[{record.type.service, record.type.event, record.type.version}];
    }
    step = reader.next();
  }
  out << "  sequences " << first << " to " << reader.expected() - 1 << ", " << groups << " groups, "
      << reader.offset() << " of " << reader.size() << " bytes used\n";
  if (groups > 0) out << "  times " << first_time << " to " << last_time << " us\n";
  for (const auto& [type, count] : by_type) {
    const auto& [service, event, version] = type;
    out << "  service " << service << " event " << event << " version " << version << ": " << count << "\n";
  }
  if (!step.ok()) {
    out << "  UNREADABLE: " << step.error().message << "\n";
    return;
  }
  auto tail = reader.scan_tail();
  if (!tail.ok()) {
    out << "  UNREADABLE: " << tail.error().message << "\n";
  } else if (tail->used_to > reader.offset()) {
    out << "  offset " << reader.bad_offset() << ": " << reader.why() << "; "
        << tail->used_to - reader.offset() << " bytes are no sound group";
    if (tail->later_group != 0) out << ", and a later group stands at offset " << tail->later_group;
    out << "\n";
  }
}

/// A start takes the newest sound one, and ends when this program cannot read the state in it.
Status check_loadable(FileSystem& files, const std::string& dir, std::uint64_t snapshot,
                      const ReplicaFactory& factory) {
  const auto owned = factory();
  std::vector<Replica*> replicas;
  for (const auto& replica : owned) replicas.push_back(replica.get());
  auto loaded = load_snapshot(files, dir, snapshot, replicas);
  if (!loaded.ok()) return std::move(loaded).error();
  return Ok{};
}

/// The oldest point that replay can begin from.
Result<std::uint64_t> oldest_base(const Listing& listing, const std::map<std::uint64_t, SnapshotInfo>& sound,
                                  const std::vector<std::string>& notes) {
  if (listing.segments.empty()) return sound.empty() ? 0 : sound.rbegin()->first;
  if (listing.segments.front() == 1) return std::uint64_t{0};
  for (const auto& [sequence, info] : sound) {
    if (sequence + 1 >= listing.segments.front()) return sequence;
  }
  return Error{ErrorCode::kInternal, notes.empty() ? "the journal begins with " +
                                                         segment_name(listing.segments.front()) +
                                                         ", and there is no snapshot of what came before"
                                                   : notes.back()};
}

Status check_end(const std::vector<Replica*>& replicas) {
  for (const Replica* replica : replicas) {
    if (replica->digest() == replica->recompute_digest()) continue;
    return Error{ErrorCode::kInternal,
                 "service " + std::to_string(replica->service()) + " keeps a digest that is not its state's"};
  }
  return Ok{};
}

}  // namespace

Status inspect(FileSystem& files, const std::string& dir, std::ostream& out) {
  auto listing = list_journal(files, dir);
  if (!listing.ok()) return std::move(listing).error();
  if (listing->empty()) return not_found(dir + " holds no journal");
  if (auto mark = read_watermark(files, dir); mark.ok()) {
    out << "watermark: acknowledged up to sequence " << mark->sequence;
    if (mark->segment != 0) out << ", " << segment_name(mark->segment) << " offset " << mark->offset;
    out << "\n";
  } else {
    out << "watermark DAMAGED: " << mark.error().message << "\n";
  }
  for (const std::uint64_t sequence : listing->snapshots) {
    auto info = check_snapshot(files, dir, sequence);
    out << "snapshot " << snapshot_name(sequence) << ": ";
    if (info.ok())
      out << "sound, sequence " << sequence << ", time " << info->time.us << " us\n";
    else
      out << "DAMAGED: " << info.error().message << "\n";
  }
  for (const std::uint64_t first : listing->segments) inspect_segment(files, dir, first, out);
  return Ok{};
}

Result<VerifyReport> verify(FileSystem& files, const std::string& dir, const ReplicaFactory& factory) {
  auto listing = list_journal(files, dir);
  if (!listing.ok()) return std::move(listing).error();
  if (listing->empty()) return not_found(dir + " holds no journal");
  std::unique_ptr<File> lock;
  if (listing->lock && files.lock(in_directory(dir, kLockName), &lock) == EWOULDBLOCK) {
    return Error{ErrorCode::kInternal,
                 in_directory(dir, kLockName) + ": a running server is using this directory"};
  }
  auto mark = read_watermark(files, dir);
  if (!mark.ok()) return std::move(mark).error();

  VerifyReport report;
  report.watermark_sequence = mark->sequence;
  std::map<std::uint64_t, SnapshotInfo> sound;
  for (const std::uint64_t sequence : listing->snapshots) {
    auto info = check_snapshot(files, dir, sequence);
    if (info.ok())
      sound[sequence] = std::move(info).value();
    else
      report.notes.push_back(info.error().message);
  }
  report.snapshots = sound.size();
  report.damaged_snapshots = report.notes.size();
  for (const auto& [sequence, info] : sound) {
    if (Status status = check_loadable(files, dir, sequence, factory); !status.ok()) {
      return std::move(status).error();
    }
  }
  auto base = oldest_base(*listing, sound, report.notes);
  if (!base.ok()) return std::move(base).error();
  report.from_sequence = *base;

  const auto owned = factory();
  std::vector<Replica*> replicas;
  for (const auto& replica : owned) replicas.push_back(replica.get());
  if (*base != 0) {
    auto loaded = load_snapshot(files, dir, *base, replicas);
    if (!loaded.ok()) return std::move(loaded).error();
  }
  ReplayOptions options;
  options.after = *base;
  options.watermark = *mark;
  options.after_record = [&](const Record& record) -> Status {
    const auto here = sound.find(record.sequence);
    if (here == sound.end()) return Ok{};
    const std::string why = compare_digests(here->second.digests, replicas);
    if (why.empty()) return Ok{};
    return Error{ErrorCode::kInternal,
                 "the log does not reproduce " + snapshot_name(record.sequence) + ": " + why};
  };
  auto end = replay(files, dir, *listing, replicas, options);
  if (!end.ok()) return std::move(end).error();
  if (Status status = check_end(replicas); !status.ok()) return std::move(status).error();
  report.last_sequence = end->last_sequence;
  report.records = end->records;
  report.torn_bytes = end->torn_bytes;
  report.digests = digests_of(replicas);
  return report;
}

}  // namespace spillway::journal
