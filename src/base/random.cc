#include "base/random.h"

#include <sodium.h>

#include "base/text.h"

namespace spillway {

void fill_random(void* into, std::size_t bytes) { randombytes_buf(into, bytes); }

std::string random_hex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  fill_random(raw.data(), raw.size());
  return hex(raw);
}

}  // namespace spillway
