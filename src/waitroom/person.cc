#include "waitroom/person.h"

#include <sodium.h>

#include <cstring>

#include "base/check.h"

namespace spillway::waitroom {

PersonKey person_key(const Seed& seed, std::uint32_t concert, std::string_view user_id) {
  static_assert(crypto_shorthash_siphashx24_BYTES == sizeof(PersonKey));
  static_assert(crypto_shorthash_siphashx24_KEYBYTES == std::tuple_size_v<Seed>);
  unsigned char in[sizeof concert + 255];
  CHECK(user_id.size() <= 255);
  std::memcpy(in, &concert, sizeof concert);
  std::memcpy(in + sizeof concert, user_id.data(), user_id.size());
  PersonKey key;
  unsigned char hash[sizeof key];
  crypto_shorthash_siphashx24(hash, in, sizeof concert + user_id.size(), seed.data());
  std::memcpy(&key, hash, sizeof key);
  return key;
}

}  // namespace spillway::waitroom
