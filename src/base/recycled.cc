#include "base/recycled.h"

#include <array>
#include <new>

namespace spillway::recycled {
namespace {

constexpr std::size_t kStep = 64;        // sizes are rounded up to it
constexpr std::size_t kMostKept = 1024;  // of one size, for one thread

#ifdef __SANITIZE_ADDRESS__
constexpr bool kOn = false;
#else
constexpr bool kOn = true;
#endif

/// A list through the blocks themselves.
struct Kept {
  struct Block {
    Block* next;
  };
  Block* first = nullptr;
  std::size_t count = 0;

  ~Kept() {
    while (first != nullptr) {
      Block* const block = first;
      first = block->next;
      ::operator delete(block);
    }
    count = kMostKept;  // whatever comes after the thread's end goes straight back
  }
};

constexpr std::size_t size_class(std::size_t bytes) { return (bytes + kStep - 1) / kStep; }

Kept& kept_of(std::size_t bytes) {
  thread_local std::array<Kept, size_class(kMostBytes) + 1> kept;
  return kept[size_class(bytes)];
}

}  // namespace

void* take(std::size_t bytes) {
  if (!kOn || bytes > kMostBytes) return ::operator new(bytes);
  Kept& kept = kept_of(bytes);
  if (kept.first == nullptr) return ::operator new(size_class(bytes) * kStep);
  --kept.count;
  Kept::Block* const block = kept.first;
  kept.first = block->next;
  return block;
}

void give_back(void* block, std::size_t bytes) {
  if (!kOn || bytes > kMostBytes) return ::operator delete(block);
  Kept& kept = kept_of(bytes);
  if (kept.count >= kMostKept) return ::operator delete(block);
  ++kept.count;
  kept.first = new (block) Kept::Block{kept.first};
}

}  // namespace spillway::recycled
