#include "waitroom/lottery.h"

#include <sodium.h>

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace spillway::waitroom {
namespace {

constexpr std::uint32_t kLotsOfBucket = 64;
constexpr unsigned kMaxBucketBits = 18;

void add_big_endian(crypto_hash_sha256_state& hash, std::uint64_t value) {
  unsigned char bytes[8];
  for (int i = 7; i >= 0; --i, value >>= 8) bytes[i] = static_cast<unsigned char>(value);
  CHECK(crypto_hash_sha256_update(&hash, bytes, sizeof bytes) == 0);
}

}  // namespace

std::array<std::uint8_t, 32> commitment_of(const DrawSeed& seed) {
  std::array<std::uint8_t, 32> out{};
  static_assert(sizeof out == crypto_hash_sha256_BYTES);
  CHECK(crypto_hash_sha256(out.data(), seed.data(), seed.size()) == 0);
  return out;
}

std::uint64_t lot_of(const DrawSeed& seed, std::string_view concert_id, std::uint32_t number) {
  crypto_hash_sha256_state hash;
  CHECK(crypto_hash_sha256_init(&hash) == 0);
  CHECK(crypto_hash_sha256_update(&hash, seed.data(), seed.size()) == 0);
  CHECK(crypto_hash_sha256_update(&hash, reinterpret_cast<const unsigned char*>(concert_id.data()),
                                  concert_id.size()) == 0);
  add_big_endian(hash, number);
  unsigned char out[crypto_hash_sha256_BYTES];
  CHECK(crypto_hash_sha256_final(&hash, out) == 0);
  std::uint64_t lot = 0;
  for (int i = 0; i < 8; ++i) lot = lot << 8 | out[i];
  return lot;
}

Draw::Draw(const DrawSeed& seed, std::string_view concert_id, std::uint32_t gathered)
    : seed_(seed), concert_id_(concert_id), gathered_(gathered) {
  bucket_bits_ = std::min(kMaxBucketBits, static_cast<unsigned>(std::bit_width(gathered / kLotsOfBucket)));
  buckets_.resize(gathered == 0 ? 0 : std::size_t{1} << bucket_bits_);
}

void Draw::add(std::uint32_t number) {
  const std::uint64_t lot = lot_of(seed_, concert_id_, number);
  buckets_[bucket_bits_ == 0 ? 0 : lot >> (64 - bucket_bits_)].push_back({lot, number});
}

std::vector<Draw::Lot>& Draw::sorted_bucket(std::size_t index) {
  auto& bucket = buckets_[index];
  std::sort(bucket.begin(), bucket.end(),
            [](const Lot& a, const Lot& b) { return a.lot != b.lot ? a.lot < b.lot : a.number < b.number; });
  return bucket;
}

}  // namespace spillway::waitroom
