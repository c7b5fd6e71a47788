#include "base/person_key.h"

#include <sodium.h>

#include <cstring>

#include "base/check.h"

namespace spillway {

PersonKey person_key(const std::array<std::uint8_t, 16>& secret, std::uint32_t index,
                     std::string_view user_id) {
  static_assert(crypto_shorthash_siphashx24_BYTES == sizeof(PersonKey));
  static_assert(crypto_shorthash_siphashx24_KEYBYTES == std::tuple_size_v<std::array<std::uint8_t, 16>>);
  unsigned char in[sizeof index + 255];
  CHECK(user_id.size() <= 255);
  std::memcpy(in, &index, sizeof index);
  std::memcpy(in + sizeof index, user_id.data(), user_id.size());
  PersonKey key;
  unsigned char hash[sizeof key];
  crypto_shorthash_siphashx24(hash, in, sizeof index + user_id.size(), secret.data());
  std::memcpy(&key, hash, sizeof key);
  return key;
}

}  // namespace spillway
