// spillway_flaky: the whole program with work that fails, so that there are dead letters to kill a server
// with.
//
// Who fails, and how often, follows from the name alone: of 100 people about 20 fail once, 20 use up the
// tries of
// --max-receive-count 3 and are healed by a redrive, 6 need two redrives, 4 are refused as invalid.

#include <cstdint>
#include <string_view>

#include "app/command_line.h"
#include "intake/work.h"

namespace {

using spillway::intake::Delivery;
using spillway::intake::WorkEnd;
using spillway::intake::WorkResult;

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

class FlakyWork final : public spillway::intake::Work {
 public:
  void perform(const Delivery& delivery, spillway::UniqueFunction<void(WorkEnd)> done) override {
    const std::uint64_t dice = fnv1a(delivery.user_id + "@" + delivery.event_id) % 100;
    if (dice < 4) {
      done({WorkResult::kInvalid, {}, "makes no sense"});
      return;
    }
    const std::uint32_t failures = dice < 10 ? 6 : dice < 30 ? 3 : dice < 50 ? 1 : 0;
    if (delivery.receipt.receive_count <= failures) {
      done({WorkResult::kRetry, {}, "bad gateway"});
    } else {
      done({});
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  FlakyWork work;
  return spillway::app::run(argc, argv, &work);
}
