#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.h"

namespace spillway {

class Loop;

/// A piece of work that travels: made on the thread of a Loop, carried out elsewhere, finished on the loop it
/// came from. Nodes are linked into lists by their own pointer, so that handing over a thousand costs what
/// handing over one costs. Whoever holds a node owns it; `finish()` passes it back to itself.
class Node {
 public:
  virtual ~Node() = default;
  /// On the thread of `home`. The node owns itself here: it deletes or reuses itself.
  virtual void finish() = 0;

  Node* next = nullptr;
  Loop* home = nullptr;
};

/// An owning singly linked list of nodes, first in, first out.
class NodeList {
 public:
  NodeList() = default;
  NodeList(NodeList&& other) noexcept { swap(other); }
  NodeList& operator=(NodeList&& other) noexcept {
    CHECK(empty());
    swap(other);
    return *this;
  }
  ~NodeList() {
    while (Node* node = pop()) delete node;
  }

  bool empty() const { return head_ == nullptr; }
  std::size_t size() const { return size_; }
  Node* front() const { return head_; }
  void push(Node* node) {
    node->next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = node;
    tail_ = node;
    ++size_;
  }
  Node* pop() {
    Node* node = head_;
    if (node != nullptr) {
      head_ = node->next;
      node->next = nullptr;
      --size_;
    }
    return node;
  }
  void append(NodeList&& other) {
    if (other.empty()) return;
    (head_ == nullptr ? head_ : tail_->next) = other.head_;
    tail_ = other.tail_;
    size_ += other.size_;
    other.head_ = nullptr;
    other.size_ = 0;
  }

 private:
  void swap(NodeList& other) {
    std::swap(head_, other.head_);
    std::swap(tail_, other.tail_);
    std::swap(size_, other.size_);
  }

  Node* head_ = nullptr;
  Node* tail_ = nullptr;
  std::size_t size_ = 0;
};

/// A thread's event loop, as seen by code that starts work on it and gets the answer back on it.
///
/// Operation: what is staged during a round of the loop is handed over to its sink at the end of the round,
/// all at once; answers come back the same way through deliver(). A hand-over wakes a thread, which costs
/// more than the decision itself: measured, one hand-over a request instead of one a round halves the
/// throughput. Concurrency: deliver() from any thread; everything else on the loop's own thread.
class Loop {
 public:
  /// Takes what loops stage. take() is called on the loop's thread and must not block.
  class Sink {
   public:
    virtual ~Sink() = default;
    virtual void take(NodeList nodes) = 0;
  };

  /// `index` tells the loops of one process apart, 0 to limits::kMaxLoops - 1.
  explicit Loop(std::size_t index) : index_(index) {}
  virtual ~Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// The loop that runs on this thread, or null.
  static Loop* current() { return current_; }
  std::size_t index() const { return index_; }

  void stage(Sink& sink, Node* node) {
    node->home = this;
    if (staged_.empty()) request_round_end();
    for (Staged& staged : staged_) {
      if (staged.sink == &sink) return staged.nodes.push(node);
    }
    staged_.push_back({&sink, {}});
    staged_.back().nodes.push(node);
  }

  /// Any thread. Each node's finish() runs on this loop's thread, in order.
  virtual void deliver(NodeList nodes) = 0;

 protected:
  /// Asks the implementation to call flush_staged() once, when the events at hand have been handled.
  virtual void request_round_end() = 0;
  void flush_staged() {
    std::vector<Staged> staged;
    staged.swap(staged_);
    for (Staged& each : staged) each.sink->take(std::move(each.nodes));
    staged.clear();
    if (staged_.empty()) staged_.swap(staged);  // keeps the capacity
  }
  static void run_all(NodeList nodes) {
    while (Node* node = nodes.pop()) node->finish();
  }
  /// Marks this loop as the one of the calling thread while it lives.
  class Scope {
   public:
    explicit Scope(Loop* loop) : before_(std::exchange(current_, loop)) {}
    ~Scope() { current_ = before_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Loop* before_;
  };

 private:
  struct Staged {
    Sink* sink;
    NodeList nodes;
  };
  static inline thread_local Loop* current_ = nullptr;
  std::size_t index_;
  std::vector<Staged> staged_;
};

}  // namespace spillway
