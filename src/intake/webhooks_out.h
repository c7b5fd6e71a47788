#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "intake/circuit_breaker.h"
#include "intake/commands.h"

namespace spillway::intake {

/// Which deliveries of webhooks are handed out, and how their receivers (URLs) take them.
///
/// Operation: a receiver has so many at once; one that fails time after time is left alone for a while, then
/// probed with a single one. So one that is slow or dead neither holds all the calls there are nor uses up
/// the tries of what waits for it. Forgotten at a restart. Pure, and no thread's in particular.
class WebhooksOut {
 public:
  bool contains(std::uint64_t id) const { return out_.contains(id); }
  std::size_t size() const { return out_.size(); }

  /// How many more this URL may be given now. What belongs to no URL any more needs no call.
  std::size_t room(std::string_view url, Timestamp now) const {
    if (url.empty()) return limits::kWebhookConcurrency;
    const auto found = receivers_.find(url);
    if (found == receivers_.end()) return limits::kWebhooksPerReceiver;
    const Receiver& receiver = found->second;
    switch (receiver.breaker.state(now.us)) {
      case CircuitBreaker::State::kClosed:
        return limits::kWebhooksPerReceiver - std::min(receiver.out, limits::kWebhooksPerReceiver);
      case CircuitBreaker::State::kOpen:
        return 0;
      case CircuitBreaker::State::kHalfOpen:
        break;
    }
    return receiver.out == 0 ? 1 : 0;  // the probe, when those from before are back
  }
  /// One for which there was room.
  void add(const WebhookJob& job, Timestamp now) {
    if (receivers_.size() >= limits::kMaxWebhookReceivers) {
      std::erase_if(receivers_, [](const auto& each) { return each.second.out == 0; });
    }
    const auto receiver = receivers_.try_emplace(job.to.url).first;
    const auto ticket = receiver->second.breaker.admit(now.us);
    CHECK(ticket && out_.emplace(job.id, Out{receiver, *ticket}).second);
    ++receiver->second.out;
  }
  /// It was completed.
  void remove(const WebhookOutcome& outcome, Timestamp now) {
    const auto found = out_.find(outcome.id);
    if (found == out_.end()) return;
    const auto [at, ticket] = found->second;
    out_.erase(found);
    Receiver& receiver = at->second;
    --receiver.out;
    if (!outcome.receiver_is_well) {
      receiver.breaker.told_nothing(ticket);
    } else if (*outcome.receiver_is_well) {
      receiver.breaker.succeeded(ticket);
    } else {
      receiver.breaker.failed(ticket, now.us);
    }
    if (receiver.out == 0 && receiver.breaker.is_untroubled()) receivers_.erase(at);
  }

 private:
  struct Receiver {
    CircuitBreaker breaker{BreakerOptions{}};
    std::size_t out = 0;
  };
  using Receivers = std::map<std::string, Receiver, std::less<>>;
  struct Out {
    Receivers::iterator receiver;
    CircuitBreaker::Ticket ticket;
  };

  Receivers receivers_;
  std::map<std::uint64_t, Out> out_;
};

}  // namespace spillway::intake
