#pragma once

#include <optional>
#include <utility>

#include "base/loop.h"
#include "base/unique_function.h"
#include "journal/engine.h"

namespace spillway::journal {

/// Why a task was not run, or is not known to be durable, as whoever asked is told it. For fates other than
/// kDurable.
Error refusal(Fate);

/// A call of a port: `decide` runs on the state thread as Result<R>(Turn&), and the reply, given when all
/// that was written and seen is durable, on the loop that asked. A `decide` with a prefetch() has that called
/// as Task::prefetch().
template <class R, class Decide>
class Call final : public Task {
 public:
  using Reply = UniqueFunction<void(Result<R>)>;

  Call(bool mutates, Reply reply, Decide decide)
      : reply_(std::move(reply)), decide_(std::move(decide)), mutates_(mutates) {}

  bool mutates() const override { return mutates_; }
  void prefetch() const override {
    if constexpr (requires { decide_.prefetch(); }) decide_.prefetch();
  }
  void run(Turn& turn) override { result_.emplace(decide_(turn)); }
  void finish() override {
    reply_(fate == Fate::kDurable ? std::move(*result_) : Result<R>(refusal(fate)));
    delete this;
  }

 private:
  Reply reply_;
  Decide decide_;
  std::optional<Result<R>> result_;
  bool mutates_;
};

/// On a loop's thread.
template <class R, class Decide>
void call(Engine& engine, bool mutates, UniqueFunction<void(Result<R>)> reply, Decide decide) {
  Loop* loop = Loop::current();
  CHECK(loop != nullptr);
  loop->stage(engine, new Call<R, Decide>(mutates, std::move(reply), std::move(decide)));
}

}  // namespace spillway::journal
