#pragma once

// The entries of a snapshot, in blocks of `u32 size, bytes`. Entries follow each other and never span two
// blocks, so each is read in one piece.

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace spillway {

/// Hands what is written to `write` in blocks. flush() at the end.
class BlockWriter {
 public:
  explicit BlockWriter(const std::function<void(std::string_view)>& write) : write_(write) {}
  /// For one entry.
  ByteWriter entry() {
    if (block_.size() >= kBlockBytes) flush();
    return ByteWriter(block_);
  }
  void flush() {
    std::string size;
    ByteWriter(size).u32(static_cast<std::uint32_t>(block_.size()));
    write_(size);
    write_(block_);
    block_.clear();
  }

 private:
  static constexpr std::size_t kBlockBytes = 64 * 1024;  ///< written when it has grown to this
  const std::function<void(std::string_view)>& write_;
  std::string block_;
};

/// Reads them with `read`, which fills what it is given or returns false. What is damaged makes ok() false.
class BlockReader {
 public:
  explicit BlockReader(const std::function<bool(char*, std::size_t)>& read) : read_(read) {}
  /// For one entry; good until the next is asked for.
  ByteReader& entry() {
    if (ok() && reader_.done()) next_block();
    return reader_;
  }
  bool ok() const { return ok_ && reader_.ok(); }
  bool at_end() const { return ok_ && reader_.done(); }

 private:
  static constexpr std::size_t kMaxBlockBytes = 1024 * 1024;  ///< what is taken at most

  void next_block() {
    std::uint32_t size = 0;
    char bytes[sizeof size];
    ok_ = read_(bytes, sizeof bytes);
    if (!ok_) return;
    std::memcpy(&size, bytes, sizeof size);
    ok_ = size > 0 && size <= kMaxBlockBytes;
    if (!ok_) return;
    block_.resize(size);
    ok_ = read_(block_.data(), size);
    if (ok_) reader_ = ByteReader(block_);
  }
  const std::function<bool(char*, std::size_t)>& read_;
  std::string block_;
  ByteReader reader_{{}};
  bool ok_ = true;
};

}  // namespace spillway
