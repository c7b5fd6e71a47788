#include "base/recycled.h"

#include <array>
#include <new>
#include <utility>

namespace spillway::recycled {
namespace {

constexpr std::size_t kStep = 64;        // sizes are rounded up to it
constexpr std::size_t kMostKept = 1024;  // of one size, for one thread

#ifdef __SANITIZE_ADDRESS__
constexpr bool kOn = false;
#else
constexpr bool kOn = true;
#endif

constexpr std::size_t size_class(std::size_t bytes) { return (bytes + kStep - 1) / kStep; }

/// A list through the blocks themselves.
struct Kept {
  struct Block {
    Block* next;
  };
  Block* first = nullptr;
  std::size_t count = 0;
};

/// Outside of what ends with the thread: destructors that run later may still ask.
thread_local bool ended = false;

struct Lists {
  std::array<Kept, size_class(kMostBytes) + 1> kept;

  ~Lists() {
    ended = true;
    for (Kept& list : kept) {
      for (Kept::Block* block = list.first; block != nullptr;) {
        ::operator delete(std::exchange(block, block->next));
      }
    }
  }
};

/// Null for what is not kept.
Kept* kept_of(std::size_t bytes) {
  if (!kOn || bytes > kMostBytes || ended) return nullptr;
  thread_local Lists lists;
  return &lists.kept[size_class(bytes)];
}

}  // namespace

void* take(std::size_t bytes) {
  Kept* const kept = kept_of(bytes);
  // Rounded up even so: it may be kept when it comes back, and then serves all of its size.
  if (kept == nullptr || kept->first == nullptr) return ::operator new(size_class(bytes) * kStep);
  --kept->count;
  return std::exchange(kept->first, kept->first->next);
}

void give_back(void* block, std::size_t bytes) {
  Kept* const kept = kept_of(bytes);
  if (kept == nullptr || kept->count >= kMostKept) return ::operator delete(block);
  ++kept->count;
  kept->first = new (block) Kept::Block{kept->first};
}

}  // namespace spillway::recycled
