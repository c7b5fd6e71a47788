#include "journal/call.h"

namespace spillway::journal {
namespace {

constexpr int kRetryAfterSeconds = 1;
constexpr int kFullRetryAfterSeconds = 30;

}  // namespace

Error refusal(Fate fate) {
  switch (fate) {
    case Fate::kOverloaded:
      return {ErrorCode::kOverloaded, "more is arriving than can be taken; nothing was done",
              kRetryAfterSeconds};
    case Fate::kStorageFull:
      return {ErrorCode::kStorageFull, "the disk is full; nothing was done", kFullRetryAfterSeconds};
    case Fate::kDraining:
      return {ErrorCode::kDraining, "the server is stopping; nothing was done", kRetryAfterSeconds};
    case Fate::kUnknown:
    case Fate::kDurable:
      break;
  }
  return {ErrorCode::kOutcomeUnknown,
          "writing failed; whether it was done is not known; asking again is safe", kRetryAfterSeconds};
}

}  // namespace spillway::journal
