#include "journal/recovery.h"

#include <algorithm>
#include <cerrno>
#include <memory>

#include "journal/watermark.h"

namespace spillway::journal {
namespace {

std::string number(std::uint64_t n) { return std::to_string(n); }

class Replay {
 public:
  Replay(FileSystem& files, const std::string& dir, const std::vector<Replica*>& replicas,
         const ReplayOptions& options)
      : files_(files), dir_(dir), options_(options) {
    for (Replica* replica : replicas) by_service_[replica->service()] = replica;
    replicas_ = replicas;
    end_.last_sequence = options.after;
  }

  Result<ReplayEnd> run(const Listing& listing) {
    auto needed = needed_segments(listing);
    if (!needed.ok()) return std::move(needed).error();
    for (std::size_t i = 0; i < needed->size(); ++i) {
      std::optional<std::uint64_t> must_end = options_.until;
      if (i + 1 < needed->size()) must_end = (*needed)[i + 1] - 1;
      if (Status status = segment((*needed)[i], must_end); !status.ok()) return std::move(status).error();
    }
    if (options_.until && end_.last_sequence != *options_.until) {
      return missing("sequence " + number(end_.last_sequence + 1), options_.until);
    }
    if (!options_.until && needed->empty() && end_.last_sequence < options_.watermark.sequence) {
      return missing("sequence " + number(end_.last_sequence + 1), options_.watermark.sequence);
    }
    return end_;
  }

 private:
  /// Those with records after options_.after: the last one that begins at or before it, and all later ones.
  Result<std::vector<std::uint64_t>> needed_segments(const Listing& listing) {
    std::vector<std::uint64_t> needed;
    for (const std::uint64_t first : listing.segments) {
      if (options_.until && first > *options_.until) break;
      if (first <= options_.after + 1) needed.clear();
      needed.push_back(first);
    }
    if (!needed.empty() && needed.front() > options_.after + 1) {
      return missing("sequence " + number(options_.after + 1), needed.front() - 1);
    }
    return needed;
  }

  Error missing(const std::string& what, std::optional<std::uint64_t> to) {
    return damage(dir_, segment_name(end_.last_sequence + 1), 0,
                  "this segment is missing: " + what + (to ? " to " + number(*to) : "") +
                      " must be in the journal and cannot be found");
  }

  Status segment(std::uint64_t first, std::optional<std::uint64_t> must_end) {
    auto opened = SegmentReader::open(files_, dir_, first);
    if (!opened.ok()) return std::move(opened).error();
    SegmentReader& reader = **opened;
    while (!(must_end && reader.expected() > *must_end)) {
      if (options_.abandon != nullptr && options_.abandon->load(std::memory_order_relaxed)) {
        return Error{ErrorCode::kDraining, "the replay was abandoned"};
      }
      auto step = reader.next();
      if (!step.ok()) return std::move(step).error();
      if (*step != SegmentReader::Step::kGroup) return end_of_groups(reader, first, must_end);
      if (Status status = group(reader); !status.ok()) return status;
    }
    if (reader.expected() != *must_end + 1) {
      return damage(dir_, reader.name(), reader.offset(),
                    "the segment goes on to sequence " + number(reader.expected() - 1) +
                        ", but the next one begins with " + number(*must_end + 1));
    }
    return Ok{};
  }

  Status group(SegmentReader& reader) {
    const GroupHeader& header = reader.group();
    end_.bytes += padded(header.bytes);
    end_.last_time = std::max(end_.last_time, header.time);
    Record record;
    while (reader.next_record(&record)) {
      if (record.sequence <= options_.after) continue;
      Status status = apply(record);
      if (status.ok() && options_.after_record) status = options_.after_record(record);
      if (!status.ok()) {
        return damage(
            dir_, reader.name(), reader.offset() - padded(header.bytes),
            "sequence " + number(record.sequence) + " of the group here: " + status.error().message);
      }
      end_.last_sequence = record.sequence;
      ++end_.records;
    }
    return Ok{};
  }

  Status apply(const Record& record) {
    if (record.type.service == kEngineService) return checkpoint(record);
    Replica* const replica = by_service_[record.type.service];
    if (replica == nullptr) {
      return Error{ErrorCode::kInternal, "the record belongs to service " + number(record.type.service) +
                                             ", which is not among the services of this program"};
    }
    return replica->apply(record);
  }

  Status checkpoint(const Record& record) {
    const auto read = record.type.version == kCheckpointVersion &&
                              (record.type.event == kSegmentStart || record.type.event == kCleanStop)
                          ? decode_checkpoint(record.payload)
                          : std::nullopt;
    if (!read)
      return Error{ErrorCode::kInternal, "a record of the journal's own is not known to this program"};
    end_.last_time = std::max(end_.last_time, read->time);
    if (const std::string why = compare_digests(read->digests, replicas_); !why.empty()) {
      return Error{ErrorCode::kInternal,
                   "the log does not reproduce the state that was in force here: " + why};
    }
    return Ok{};
  }

  /// No group where one was looked for. In a segment with another after it, that is damage; in the last one
  /// it may be the end of the log.
  Status end_of_groups(SegmentReader& reader, std::uint64_t first, std::optional<std::uint64_t> must_end) {
    const std::string expected = "sequence " + number(reader.expected()) + " was expected here: ";
    if (must_end) {
      return damage(dir_, reader.name(), reader.bad_offset(),
                    expected + reader.why() + ", but the journal goes on after this segment's sequence " +
                        number(*must_end));
    }
    const Watermark& mark = options_.watermark;
    if (end_.last_sequence < mark.sequence) {
      std::string where = number(mark.sequence);
      if (mark.segment != 0)
        where += " (" + segment_name(mark.segment) + ", offset " + number(mark.offset) + ")";
      return damage(dir_, reader.name(), reader.bad_offset(),
                    expected + reader.why() + ", but work was acknowledged up to sequence " + where);
    }
    auto tail = reader.scan_tail();
    if (!tail.ok()) return std::move(tail).error();
    if (tail->later_group != 0) {
      return damage(
          dir_, reader.name(), reader.bad_offset(),
          expected + reader.why() + ", but a later group follows at offset " + number(tail->later_group));
    }
    end_.segment = first;
    end_.segment_end = reader.offset();
    end_.segment_size = reader.size();
    end_.torn_bytes = tail->used_to - reader.offset();
    return Ok{};
  }

  FileSystem& files_;
  const std::string& dir_;
  const ReplayOptions& options_;
  std::vector<Replica*> replicas_;
  Replica* by_service_[256] = {};
  ReplayEnd end_;
};

/// Makes durable what replay() has read, and nothing else part of the log.
Status settle(FileSystem& files, const std::string& dir, const ReplayEnd& end) {
  if (end.segment == 0) return Ok{};
  const std::string name = segment_name(end.segment);
  std::unique_ptr<File> file;
  if (const int error = files.open(in_directory(dir, name), {.write = true}, &file); error != 0) {
    return cannot("open", dir, name, error);
  }
  int error = 0;
  if (end.segment_size > end.segment_end) error = file->truncate(end.segment_end);
  if (error == 0) error = file->sync();
  if (error != 0) return cannot("cut the end of", dir, name, error);
  return Ok{};
}

Status remove_leftovers(FileSystem& files, const std::string& dir, const Listing& listing) {
  for (const std::string& name : listing.leftovers) {
    // The watermark's may have got its final name just now.
    if (const int error = files.remove(in_directory(dir, name)); error != 0 && error != ENOENT) {
      return cannot("remove", dir, name, error);
    }
  }
  return Ok{};
}

}  // namespace

Result<ReplayEnd> replay(FileSystem& files, const std::string& dir, const Listing& listing,
                         const std::vector<Replica*>& replicas, const ReplayOptions& options) {
  return Replay(files, dir, replicas, options).run(listing);
}

Result<std::uint64_t> choose_snapshot(FileSystem& files, const std::string& dir, const Listing& listing,
                                      std::vector<std::string>* notes) {
  std::optional<Error> newest_error;
  for (auto sequence = listing.snapshots.rbegin(); sequence != listing.snapshots.rend(); ++sequence) {
    auto info = check_snapshot(files, dir, *sequence);
    if (info.ok()) return *sequence;
    notes->push_back("a snapshot is damaged and an older one was used: " + info.error().message);
    if (!newest_error) newest_error = info.error();
  }
  const bool from_start = !listing.segments.empty() && listing.segments.front() == 1;
  if (newest_error && !from_start) return *newest_error;
  return std::uint64_t{0};
}

Result<Recovered> recover(FileSystem& files, const std::string& dir, const std::vector<Replica*>& replicas) {
  auto listing = list_journal(files, dir);
  if (!listing.ok()) return std::move(listing).error();
  if (listing->empty()) {
    if (Status status = create_watermark(files, dir); !status.ok()) return std::move(status).error();
  } else if (!listing->watermark) {
    return damage(
        dir, kWatermarkName, 0,
        "the watermark is missing although there is a journal: nobody can tell what was acknowledged");
  }
  auto mark = read_watermark(files, dir);
  if (!mark.ok()) return std::move(mark).error();

  Recovered recovered;
  auto snapshot = choose_snapshot(files, dir, *listing, &recovered.notes);
  if (!snapshot.ok()) return std::move(snapshot).error();
  recovered.snapshot_sequence = *snapshot;
  Timestamp time;
  if (*snapshot != 0) {
    auto loaded = load_snapshot(files, dir, *snapshot, replicas);
    if (!loaded.ok()) return std::move(loaded).error();
    time = loaded->time;
  }
  ReplayOptions options;
  options.after = *snapshot;
  options.watermark = *mark;
  auto end = replay(files, dir, *listing, replicas, options);
  if (!end.ok()) return std::move(end).error();
  recovered.end = *end;
  recovered.end.last_time = std::max(time, end->last_time);
  recovered.generation = mark->generation;

  if (Status status = settle(files, dir, *end); !status.ok()) return std::move(status).error();
  if (Status status = remove_leftovers(files, dir, *listing); !status.ok()) return std::move(status).error();
  if (end->last_sequence > mark->sequence) {
    auto writer = WatermarkWriter::open(files, dir, mark->generation);
    if (!writer.ok()) return std::move(writer).error();
    int error = (*writer)->write(end->last_sequence, end->segment, end->segment_end);
    if (error == 0) error = (*writer)->sync();
    if (error != 0) return cannot("write", dir, kWatermarkName, error);
    ++recovered.generation;
  }
  return recovered;
}

}  // namespace spillway::journal
