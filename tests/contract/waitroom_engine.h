#pragma once

#include <functional>
#include <memory>
#include <ostream>

#include "base/clock.h"
#include "base/wait_loop.h"
#include "waitroom/service.h"

namespace spillway::waitroom::contract {

/// An engine under the contract tests. To put another engine under them, write one of these and add a line to
/// INSTANTIATE_TEST_SUITE_P in waitroom_contract_test.cc.
class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;
  virtual Service& service() = 0;
  virtual const Clock& clock() const = 0;
  /// Time passes for the engine; what is due by the clock has been done when this returns.
  virtual void advance(Micros by) = 0;
  /// As after a crash: everything that was not durable is gone.
  virtual void restart() = 0;
};

struct EngineKind {
  const char* name;
  std::unique_ptr<EngineUnderTest> (*make)();
};
inline std::ostream& operator<<(std::ostream& out, const EngineKind& kind) { return out << kind.name; }

std::unique_ptr<EngineUnderTest> make_embedded();

/// Calls the port from a test's thread and waits for the answer.
template <class T>
Result<T> ask(WaitLoop& loop, const std::function<void(Reply<T>)>& call) {
  std::unique_ptr<Result<T>> answer;
  loop.run_until(
      [&answer] { return answer != nullptr; }, -1,
      [&] {
        call([&answer](Result<T> result) { answer = std::make_unique<Result<T>>(std::move(result)); });
      });
  return std::move(*answer);
}

}  // namespace spillway::waitroom::contract
