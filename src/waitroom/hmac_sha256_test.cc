#include "waitroom/hmac_sha256.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <string>
#include <thread>
#include <vector>

namespace spillway::waitroom {
namespace {

HmacSha256::Mac by_sodium(const std::array<unsigned char, 32>& key, const std::string& text) {
  HmacSha256::Mac mac;
  crypto_auth_hmacsha256(mac.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                         key.data());
  return mac;
}

TEST(HmacSha256, IsWhatAnotherLibraryMakesOfTextsOfEveryLength) {
  const std::array<unsigned char, 32> key{7, 1, 255};
  const HmacSha256 mac(key);
  std::string text;
  for (int size = 0; size < 300; ++size, text += static_cast<char>(size)) {
    ASSERT_EQ(mac(text), by_sodium(key, text)) << size;
  }
}

TEST(HmacSha256, ServesManyThreadsAndKeysAtOnce) {
  const std::array<unsigned char, 32> one{1}, two{2};
  const HmacSha256 first(one), second(two);
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&, n] {
      for (int i = 0; i < 2'000; ++i) {
        const std::string text = std::to_string(n) + "." + std::to_string(i);
        ASSERT_EQ(first(text), by_sodium(one, text));
        ASSERT_EQ(second(text), by_sodium(two, text));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace spillway::waitroom
