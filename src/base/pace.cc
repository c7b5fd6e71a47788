#include "base/pace.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace spillway {
namespace {

constexpr int kRests = 3;  // times as long as it worked

}  // namespace

Pace::Pace(Rest rest) : rest_(std::move(rest)) {
  CHECK(current_ == nullptr);
  current_ = this;
}

Pace::~Pace() { current_ = nullptr; }

void Pace::rest_when_due() {
  const std::chrono::nanoseconds worked = std::chrono::steady_clock::now() - since_;
  if (worked < std::chrono::microseconds(limits::kPaceWork)) return;
  rest_(std::min<std::chrono::nanoseconds>(kRests * worked, std::chrono::microseconds(limits::kMaxPaceRest)));
  since_ = std::chrono::steady_clock::now();
}

}  // namespace spillway
