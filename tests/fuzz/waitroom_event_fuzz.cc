// Any bytes as an event of the waiting room's journal: decoding must refuse or give something that encodes
// and decodes to itself.
//
// Input: type, version, payload.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "waitroom/events.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace spillway::waitroom;
  if (size < 2) return 0;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto event = decode(data[0], data[1], payload);
  if (!event.ok()) return 0;
  CHECK(type(*event) == data[0]);
  // Varints may come longer than need be, so that the bytes may differ; the second time they must not.
  std::string once;
  encode(*event, once);
  CHECK(once.size() <= payload.size());
  const auto again = decode(data[0], kVersion, once);
  CHECK(again.ok());
  std::string twice;
  encode(*again, twice);
  CHECK(once == twice);
  return 0;
}
