#include "http/socket_loop.h"

#include <spdlog/spdlog.h>

#include "http/epoll_loop.h"
#include "http/uring_loop.h"

namespace spillway::http {
namespace {

class Posted final : public Node {
 public:
  explicit Posted(UniqueFunction<void()> work) : work_(std::move(work)) {}
  void finish() override {
    const std::unique_ptr<Posted> self(this);
    work_();
  }

 private:
  UniqueFunction<void()> work_;
};

}  // namespace

std::unique_ptr<SocketLoop> SocketLoop::make(bool io_uring, std::size_t index, Rounds& rounds,
                                             Micros tick_us) {
  if (io_uring) {
    if (auto loop = UringLoop::make(index, rounds, tick_us)) return loop;
  }
  return std::make_unique<EpollLoop>(index, rounds, tick_us);
}

void SocketLoop::request_round_end() {
  staged_more_ = true;
  if (!in_round_) round_soon();
}

void SocketLoop::deliver(NodeList nodes) {
  if (nodes.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    delivered_.append(std::move(nodes));
    if (std::exchange(woken_, true)) return;
  }
  wake();
}

void SocketLoop::run_delivered() {
  NodeList nodes;
  {
    const std::lock_guard lock(mutex_);
    woken_ = false;
    nodes = std::move(delivered_);
  }
  run_all(std::move(nodes));
}

void SocketLoop::post(UniqueFunction<void()> work) {
  NodeList nodes;
  nodes.push(new Posted(std::move(work)));
  deliver(std::move(nodes));
}

}  // namespace spillway::http
