#pragma once

#include <cstddef>

namespace spillway {

/// Memory for what is made and done with a hundred thousand times a second, some hundred of it at once: more
/// than the allocator keeps at hand for a thread (glibc: seven of a size).
///
/// Operation: give_back() keeps blocks of up to kMostBytes for the thread that calls it, limits apply; take()
/// prefers the one that came last, which is still in the cache. Everything else is operator new's. Not under
/// the address sanitizer, which would find less. Concurrency: any thread, also another than took it.
namespace recycled {

inline constexpr std::size_t kMostBytes = 512;

void* take(std::size_t bytes);
void give_back(void* block, std::size_t bytes);

}  // namespace recycled
}  // namespace spillway
