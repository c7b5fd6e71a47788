#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace spillway {

/// Bytes that nobody can guess, from the operating system's generator. From any thread.
void fill_random(void* into, std::size_t bytes);

template <std::size_t n>
std::array<std::uint8_t, n> random_bytes() {
  std::array<std::uint8_t, n> bytes;
  fill_random(bytes.data(), n);
  return bytes;
}

/// Two digits for each of so many bytes.
std::string random_hex(std::size_t bytes);

}  // namespace spillway
