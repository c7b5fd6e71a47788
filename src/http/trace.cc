#include "http/trace.h"

#include <cstdint>
#include <random>

namespace spillway::http {
namespace {

bool is_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}
bool all_zeros(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

/// splitmix64: one addition and three multiplications a number, passes the statistical tests that matter
/// here.
std::uint64_t next_random() {
  thread_local std::uint64_t state = [] {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
  }();
  std::uint64_t z = state += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

}  // namespace

bool valid_traceparent(std::string_view value) {
  if (value.size() < 55 || value[2] != '-' || value[35] != '-' || value[52] != '-') return false;
  const std::string_view version = value.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  // A later version may append fields, and we pass on what we do not know, but not without bound.
  if (version == "00" ? value.size() != 55 : value.size() > 55 && value[55] != '-') return false;
  const std::string_view trace = value.substr(3, 32);
  const std::string_view parent = value.substr(36, 16);
  return is_hex(trace) && !all_zeros(trace) && is_hex(parent) && !all_zeros(parent) &&
         is_hex(value.substr(53, 2));
}

void make_trace_id(std::array<char, 32>& out) {
  for (std::size_t half = 0; half < 2; ++half) {
    std::uint64_t bits = next_random();
    if (bits == 0) bits = 1;
    for (std::size_t i = 0; i < 16; ++i) out[half * 16 + i] = "0123456789abcdef"[(bits >> (60 - 4 * i)) & 15];
  }
}

}  // namespace spillway::http
