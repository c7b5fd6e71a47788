#pragma once

// What the contract suites of all services share.

#include <functional>
#include <memory>
#include <ostream>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_function.h"
#include "base/wait_loop.h"

namespace spillway::contract {

/// An engine under the contract tests of a service's port. To put another engine under them, write one of
/// these and add a line to INSTANTIATE_TEST_SUITE_P of the suite.
template <class Port>
class EngineUnderTest {
 public:
  virtual ~EngineUnderTest() = default;
  virtual Port& service() = 0;
  virtual const Clock& clock() const = 0;
  /// Time passes for the engine; whoever asks next sees what is due by then done.
  virtual void advance(Micros by) = 0;
  /// As after a crash: everything that was not durable is gone, and what was in hand is taken back.
  virtual void restart() = 0;
};

template <class Port>
struct EngineKind {
  const char* name;
  std::unique_ptr<EngineUnderTest<Port>> (*make)();
};
template <class Port>
std::ostream& operator<<(std::ostream& out, const EngineKind<Port>& kind) {
  return out << kind.name;
}

/// Calls the port from a test's thread and waits for the answer.
template <class T>
Result<T> ask(WaitLoop& loop, const std::function<void(UniqueFunction<void(Result<T>)>)>& call) {
  std::unique_ptr<Result<T>> answer;
  loop.run_until(
      [&answer] { return answer != nullptr; }, -1,
      [&] {
        call([&answer](Result<T> result) { answer = std::make_unique<Result<T>>(std::move(result)); });
      });
  return std::move(*answer);
}

}  // namespace spillway::contract
