#include "intake/routes_held.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "base/limits.h"
#include "intake/routes_shared.h"

namespace spillway::intake {
namespace {

using http::Exchange;

class HeldView : public std::enable_shared_from_this<HeldView> {
 public:
  HeldView(const identity::Gate& gate, AskRequest ask, identity::Caller caller, GetRequest command,
           Exchange exchange)
      : gate_(gate),
        ask_(std::move(ask)),
        caller_(std::move(caller)),
        command_(std::move(command)),
        left_us_(command_.wait_us),
        exchange_(std::move(exchange)) {}

  void next() {
    // A wait of several pieces begins with a look, or nobody could tell a change in the first piece from its
    // end.
    const bool look = !command_.seen && left_us_ > limits::kHeldTokenCheckEvery;
    command_.wait_us =
        look ? 0 : std::min({left_us_, limits::kHeldTokenCheckEvery, gate_.remaining(caller_)});
    left_us_ -= command_.wait_us;
    ask_(command_, [self = shared_from_this()](Result<RequestView> view) { self->arrived(view); });
  }

 private:
  void arrived(const Result<RequestView>& view) {
    if (gate_.remaining(caller_) == 0) {
      return exchange_.fail({ErrorCode::kUnauthenticated, "the access token has ended while it waited"});
    }
    if (!view) return exchange_.fail(view.error());
    const bool changed = command_.seen && view->status != *command_.seen;
    command_.seen = command_.seen.value_or(view->status);
    if (changed || is_final(view->status) || left_us_ <= 0 || exchange_.gone()) {
      return exchange_.reply(view_response(*view));
    }
    next();
  }

  const identity::Gate& gate_;
  AskRequest ask_;
  identity::Caller caller_;
  GetRequest command_;
  Micros left_us_;
  Exchange exchange_;
};

class ViewStream : public std::enable_shared_from_this<ViewStream> {
 public:
  ViewStream(const identity::Gate& gate, AskRequest ask, identity::Caller caller, GetRequest command,
             Exchange exchange)
      : gate_(gate),
        ask_(std::move(ask)),
        caller_(std::move(caller)),
        command_(std::move(command)),
        exchange_(std::move(exchange)) {}

  void next() {
    ask_(command_, [self = shared_from_this()](Result<RequestView> view) { self->arrived(view); });
  }

 private:
  void arrived(const Result<RequestView>& view) {
    if (!stream_) {
      if (!view) return exchange_.fail(view.error());
      stream_.emplace(exchange_.stream());
    }
    const Micros remaining = gate_.remaining(caller_);
    // A stream cannot carry an error in its status any more: it ends, and the client comes again.
    if (!view || stream_->closed() || remaining == 0) return stream_->close();
    if (view->status != command_.seen) {
      if (!stream_->send("status", to_json(*view), name(view->status))) return;
      command_.seen = view->status;
    }
    if (is_final(view->status)) return stream_->close();
    command_.wait_us = std::min({limits::kMaxWait, limits::kHeldTokenCheckEvery, remaining});
    next();
  }

  const identity::Gate& gate_;
  AskRequest ask_;
  identity::Caller caller_;
  GetRequest command_;
  Exchange exchange_;
  std::optional<http::EventStream> stream_;
};

}  // namespace

void hold_view(const identity::Gate& gate, AskRequest ask, identity::Caller caller, GetRequest command,
               Exchange exchange) {
  std::make_shared<HeldView>(gate, std::move(ask), std::move(caller), std::move(command), std::move(exchange))
      ->next();
}

void stream_view(const identity::Gate& gate, AskRequest ask, identity::Caller caller, GetRequest command,
                 Exchange exchange) {
  std::make_shared<ViewStream>(gate, std::move(ask), std::move(caller), std::move(command),
                               std::move(exchange))
      ->next();
}

}  // namespace spillway::intake
