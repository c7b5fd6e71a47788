#pragma once

#include <array>
#include <memory>
#include <string_view>

struct evp_md_ctx_st;  // of OpenSSL

namespace spillway::waitroom {

/// HMAC-SHA256 (RFC 2104) under one key, which is taken in once: a text costs two to three blocks. OpenSSL's,
/// because it uses the processor's instructions for SHA where there are some. Threading: any number of
/// threads at once.
class HmacSha256 {
 public:
  using Mac = std::array<unsigned char, 32>;

  explicit HmacSha256(const std::array<unsigned char, 32>& key);
  Mac operator()(std::string_view text) const;

 private:
  struct Free {
    void operator()(evp_md_ctx_st*) const;
  };
  using Digest = std::unique_ptr<evp_md_ctx_st, Free>;
  static Digest after(const std::array<unsigned char, 32>& key, unsigned char pad);

  Digest inner_, outer_;  // after the key, before any text
};

}  // namespace spillway::waitroom
