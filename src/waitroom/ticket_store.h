#pragma once

// Private to the machine: its tickets, in memory.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/pace.h"
#include "base/person_key.h"
#include "waitroom/types.h"

namespace spillway::waitroom {

/// One ticket. 48 bytes, of which millions are kept: look twice before adding one.
struct Ticket {
  PersonKey person;
  std::int64_t entered_at_us;
  std::int64_t until_us;  ///< READY, ACTIVE: the deadline; gone: when; else 0
  std::int64_t seen_us;   ///< the last poll; in no event, no digest, no snapshot
  /// WAITING: the place in the order, 0 until a lottery has drawn it. ACTIVE: hundredths of a second from
  /// entering to activation.
  std::uint32_t place;
  TicketStatus status;  ///< 0: forgotten
  Expiry expiry;
  std::uint8_t key;  ///< which key signs its token
};
static_assert(sizeof(Ticket) == 48);

/// The tickets of one concert by number, dense from 1. Chunks of fixed size: nothing that exists ever moves,
/// and no insert stalls. A chunk goes when all of its tickets are forgotten.
class TicketStore {
 public:
  static constexpr std::uint32_t kChunkBits = 8;
  static constexpr std::uint32_t kChunkTickets = 1 << kChunkBits;

  static std::uint32_t chunk_of(std::uint32_t number) { return number >> kChunkBits; }

  /// Zeroed. The number must be greater than all before.
  Ticket& add(std::uint32_t number) {
    CHECK(number > last_);
    last_ = number;
    const std::uint32_t index = chunk_of(number);
    if (index >= chunks_.size()) chunks_.resize(index + 1);
    if (chunks_[index] == nullptr) chunks_[index] = std::make_unique<Chunk>();
    ++chunks_[index]->kept;
    ++chunks_[index]->live;
    ++size_;
    return chunks_[index]->tickets[number % kChunkTickets];
  }
  /// Fetches what find() will read. Always inline: see PersonIndex::prefetch.
  [[gnu::always_inline]] void prefetch(std::uint32_t number) const {
    const std::uint32_t index = chunk_of(number);
    if (index < chunks_.size() && chunks_[index] != nullptr)
      __builtin_prefetch(&chunks_[index]->tickets[number % kChunkTickets]);
  }
  /// Null when it never was or is forgotten.
  Ticket* find(std::uint32_t number) {
    const std::uint32_t index = chunk_of(number);
    if (index >= chunks_.size() || chunks_[index] == nullptr) return nullptr;
    Ticket& ticket = chunks_[index]->tickets[number % kChunkTickets];
    return ticket.status == TicketStatus{} ? nullptr : &ticket;
  }
  const Ticket* find(std::uint32_t number) const { return const_cast<TicketStore*>(this)->find(number); }
  Ticket& at(std::uint32_t number) {
    Ticket* ticket = find(number);
    CHECK(ticket != nullptr);
    return *ticket;
  }
  const Ticket& at(std::uint32_t number) const { return const_cast<TicketStore*>(this)->at(number); }

  /// The ticket is gone. True when it was the last of its chunk, and no other can come into that.
  bool went(std::uint32_t number) {
    Chunk& chunk = *chunks_[chunk_of(number)];
    return --chunk.live == 0 && chunk_of(last_) != chunk_of(number);
  }
  /// Nobody of it is there any more. False for one that is forgotten.
  bool all_gone(std::uint32_t index) const {
    return index < chunks_.size() && chunks_[index] != nullptr && chunks_[index]->live == 0;
  }
  /// Under which time the machine has listed a chunk as one to forget; 0: it has not.
  std::int64_t& listed_us(std::uint32_t index) { return chunks_[index]->listed_us; }
  bool has_chunk(std::uint32_t index) const { return index < chunks_.size() && chunks_[index] != nullptr; }
  void forget(std::uint32_t index) {
    size_ -= chunks_[index]->kept;
    chunks_[index].reset();
  }

  std::uint32_t last() const { return last_; }  ///< the greatest number ever
  void set_last(std::uint32_t last) { last_ = last; }
  std::uint32_t chunks() const { return static_cast<std::uint32_t>(chunks_.size()); }
  std::size_t size() const { return size_; }

  /// By ascending number: visit(number, ticket).
  template <class F>
  void for_each(F&& visit) const {
    for (std::uint32_t index = 0; index < chunks_.size(); ++index) for_each_of(index, visit);
  }
  template <class F>
  void for_each_of(std::uint32_t index, F&& visit) const {
    if (chunks_[index] == nullptr) return;
    Pace::breathe();
    for (std::uint32_t slot = 0; slot < kChunkTickets; ++slot) {
      const Ticket& ticket = chunks_[index]->tickets[slot];
      if (ticket.status != TicketStatus{}) visit(index << kChunkBits | slot, ticket);
    }
  }

 private:
  struct Chunk {
    std::uint32_t kept = 0;  ///< ever added
    std::uint32_t live = 0;  ///< not gone
    std::int64_t listed_us = 0;
    Ticket tickets[kChunkTickets]{};
  };
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::uint32_t last_ = 0;
  std::size_t size_ = 0;
};

}  // namespace spillway::waitroom
