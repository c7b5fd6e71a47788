#pragma once

// Private to embedded*.cc: how a call of the port becomes a task of the state thread.

#include <optional>
#include <utility>

#include "intake/embedded.h"
#include "journal/call.h"

namespace spillway::intake {

/// One call of the port: `decide` runs on the state thread as Result<R>(Machine&, Timestamp now, Events&).
/// One with a prefetch(const Machine&) is asked to.
template <class R, class Decide>
class EmbeddedService::CallTask final : public journal::Task {
 public:
  CallTask(EmbeddedService& service, bool mutates, Reply<R> reply, Decide decide)
      : service_(service), reply_(std::move(reply)), decide_(std::move(decide)), mutates_(mutates) {}

  bool mutates() const override { return mutates_; }
  void prefetch() const override {
    if constexpr (requires { decide_.prefetch(service_.state_.machine); })
      decide_.prefetch(service_.state_.machine);
  }
  void run(journal::Turn& turn) override {
    if (mutates_) service_.ensure_started(turn);
    Events& events = service_.events_;
    events.clear();
    result_.emplace(decide_(service_.state_.machine, turn.now(), events));
    service_.commit(turn, events);
    service_.record_audit(turn);
  }
  void finish() override {
    reply_(fate == journal::Fate::kDurable ? std::move(*result_) : Result<R>(journal::refusal(fate)));
    delete this;
  }

 private:
  EmbeddedService& service_;
  Reply<R> reply_;
  Decide decide_;
  std::optional<Result<R>> result_;
  bool mutates_;
};

template <class R, class Decide>
void EmbeddedService::call(bool mutates, Reply<R> reply, Decide decide) {
  stage(new CallTask<R, Decide>(*this, mutates, std::move(reply), std::move(decide)));
}

}  // namespace spillway::intake
