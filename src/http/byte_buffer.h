#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace spillway::http {

/// Bytes that are appended at the end and consumed from the front. Unlike a std::string it does not zero what
/// a read is about to fill, and it gives its memory back when told to.
class ByteBuffer {
 public:
  ByteBuffer() = default;
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;
  ~ByteBuffer() { std::free(memory_); }

  char* data() { return memory_ + begin_; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  std::string_view view() const { return {memory_ + begin_, end_ - begin_}; }
  std::size_t space() const { return capacity_ - end_; }

  /// Room for `n` more bytes; what was written there is taken in with commit().
  char* prepare(std::size_t n) {
    if (capacity_ - end_ < n) [[unlikely]]
      grow(n);
    return memory_ + end_;
  }
  void commit(std::size_t n) { end_ += n; }
  void append(std::string_view s) {
    if (s.empty()) return;
    std::memcpy(prepare(s.size()), s.data(), s.size());
    end_ += s.size();
  }
  void consume(std::size_t n) {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  /// Keeps only the first `n` bytes.
  void truncate(std::size_t n) { end_ = begin_ + n; }
  void clear() { begin_ = end_ = 0; }
  /// Of an empty buffer: gives back what is larger than an ordinary connection needs.
  void shrink() {
    constexpr std::size_t kKeep = 4096;
    if (!empty() || capacity_ <= kKeep) return;
    std::free(std::exchange(memory_, nullptr));
    capacity_ = 0;
  }

 private:
  void grow(std::size_t n) {
    const std::size_t size = end_ - begin_;
    if (begin_ > 0) {
      std::memmove(memory_, memory_ + begin_, size);
      begin_ = 0;
      end_ = size;
      if (capacity_ - end_ >= n) return;
    }
    std::size_t capacity = capacity_ == 0 ? 512 : capacity_ * 2;
    while (capacity < size + n) capacity *= 2;
    char* memory = static_cast<char*>(std::realloc(memory_, capacity));
    if (memory == nullptr) throw std::bad_alloc();
    memory_ = memory;
    capacity_ = capacity;
  }

  char* memory_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace spillway::http
