#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "journal/file_system.h"
#include "journal/format.h"

namespace spillway::journal {

/// An error about a place in a file: "DIR/NAME, offset N: WHAT".
Error damage(const std::string& dir, const std::string& name, std::uint64_t offset, const std::string& what);
/// An error of the operating system, which may be another tomorrow: "cannot DO DIR/NAME: Too many open
/// files".
inline constexpr ErrorCode kSystemError = ErrorCode::kOutcomeUnknown;
Error cannot(const std::string& act, const std::string& dir, const std::string& name, int error);

/// What lies in a journal's directory, each list in ascending order.
struct Listing {
  std::vector<std::uint64_t> segments;   ///< by first sequence
  std::vector<std::uint64_t> snapshots;  ///< by sequence
  std::vector<std::string> leftovers;    ///< *.tmp of ours
  bool watermark = false;
  bool lock = false;

  bool empty() const { return segments.empty() && snapshots.empty() && !watermark; }
};
Result<Listing> list_journal(FileSystem&, const std::string& dir);

/// Reads a segment group by group, checking everything. Not thread-safe.
class SegmentReader {
 public:
  enum class Step {
    kGroup,  ///< a whole, sound group: next_record() gives its records
    kEnd,    ///< nothing was ever written here: zeros, or the end of the file
    kBad,    ///< something is here, but no sound group; bad_offset() and why() tell more
  };

  static Result<std::unique_ptr<SegmentReader>> open(FileSystem&, const std::string& dir,
                                                     std::uint64_t first_sequence);

  /// Looks at the next group. An error only when the file cannot be read.
  Result<Step> next();
  const GroupHeader& group() const { return group_; }
  /// False when the group is through. The payload is good until the following next().
  bool next_record(Record*);

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }
  std::uint64_t salt() const { return header_.salt; }
  /// The sequence that must come next.
  std::uint64_t expected() const { return expected_; }
  /// Where the sound groups end so far.
  std::uint64_t offset() const { return offset_; }
  std::uint64_t bad_offset() const { return bad_offset_; }
  const std::string& why() const { return why_; }

  struct Tail {
    std::uint64_t used_to = 0;      ///< past the last byte that is not zero; offset() when there is none
    std::uint64_t later_group = 0;  ///< where a sound group with a later sequence stands; 0: nowhere
  };
  /// Looks at everything after offset(), once next() did not find a group.
  Result<Tail> scan_tail();

 private:
  SegmentReader(std::unique_ptr<File> file, std::string dir, std::string name)
      : file_(std::move(file)), dir_(std::move(dir)), name_(std::move(name)) {}
  Status read_header(std::uint64_t first_sequence);
  /// Bytes at `offset`: `size` of them, or fewer at the end of the file.
  Result<std::string_view> view(std::uint64_t offset, std::size_t size);
  bool check_records(std::string_view bytes);

  std::unique_ptr<File> file_;
  std::string dir_, name_;
  SegmentHeader header_;
  std::uint32_t seed_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t offset_ = kBlockBytes;
  std::uint64_t expected_ = 0;

  GroupHeader group_;
  std::string_view records_;  ///< of the group, those not yet given
  std::uint64_t bad_offset_ = 0;
  std::string why_;

  std::vector<char> window_;
  std::uint64_t window_offset_ = 0;
  std::size_t window_bytes_ = 0;
};

}  // namespace spillway::journal
