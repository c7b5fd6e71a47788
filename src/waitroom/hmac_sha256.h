#pragma once

#include <array>
#include <memory>
#include <string_view>

namespace spillway::waitroom {

/// HMAC-SHA256 (RFC 2104) under one key, which is taken in once: a text costs two to three blocks. OpenSSL's,
/// because it uses the processor's instructions for SHA where there are some. By its older calls, whose
/// state is a plain struct: copying that of the newer ones (EVP) costs an allocation, twice for each text,
/// and as much as the hashing. Threading: any number of threads at once.
class HmacSha256 {
 public:
  using Mac = std::array<unsigned char, 32>;

  explicit HmacSha256(const std::array<unsigned char, 32>& key);
  HmacSha256(HmacSha256&&) noexcept;
  HmacSha256& operator=(HmacSha256&&) noexcept;
  ~HmacSha256();
  Mac operator()(std::string_view text) const;

 private:
  struct States;
  std::unique_ptr<const States> states_;
};

}  // namespace spillway::waitroom
