#pragma once

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "journal/engine.h"

namespace spillway::journal {

/// Gives tasks back to their loops: one hand-over for each loop. One per thread.
class Delivery {
 public:
  explicit Delivery(std::atomic<std::uint64_t>& in_works) : in_works_(in_works) {
    by_loop_.reserve(limits::kMaxLoops);
  }

  void deliver(NodeList tasks) {
    if (tasks.empty()) return;
    in_works_.fetch_sub(tasks.size(), std::memory_order_relaxed);
    while (Node* node = tasks.pop()) list_of(node->home).push(node);
    for (auto& [loop, list] : by_loop_) loop->deliver(std::move(list));
    by_loop_.clear();
  }

 private:
  NodeList& list_of(Loop* loop) {
    for (auto& [known, list] : by_loop_) {
      if (known == loop) return list;
    }
    by_loop_.emplace_back(loop, NodeList());
    return by_loop_.back().second;
  }
  std::atomic<std::uint64_t>& in_works_;
  std::vector<std::pair<Loop*, NodeList>> by_loop_;
};

}  // namespace spillway::journal
