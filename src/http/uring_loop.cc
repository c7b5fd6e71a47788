#include "http/uring_loop.h"

#include <liburing.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "base/limits.h"

namespace spillway::http {
namespace {

// What a completion belongs to: the low bits of its user data; the rest is a pointer, or a send's place.
enum class Tag : std::uint64_t { kReceive = 0, kPoll = 1, kSend = 2, kWake = 3, kNothing = 4 };
constexpr std::uint64_t kTagBits = 7;
constexpr unsigned kEntries = 1024;
/// More than one submit can complete at once: each of its entries, and each buffer filled.
constexpr unsigned kCompletions = 8192;
static_assert(kCompletions >= 2 * kEntries + limits::kReceiveBuffers);
constexpr int kBufferGroup = 0;

std::uint64_t tagged(const void* pointer, Tag tag) {
  return reinterpret_cast<std::uintptr_t>(pointer) | static_cast<std::uint64_t>(tag);
}
template <class T>
T* pointer_in(std::uint64_t data) {
  return reinterpret_cast<T*>(static_cast<std::uintptr_t>(data & ~kTagBits));
}
std::string error_text(int error) { return std::generic_category().message(error); }
Tag tag_of(const io_uring_cqe& cqe) { return static_cast<Tag>(cqe.user_data & kTagBits); }

Micros monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kSecond + now.tv_nsec / 1000;
}

}  // namespace

struct alignas(8) UringLoop::Receive {
  Socket* socket;
};

struct alignas(8) UringLoop::Poll {
  int fd;
  std::uint32_t events;
  Pollable* pollable;
  bool armed = false;
};

UringLoop::UringLoop(std::size_t index, Rounds& rounds, Micros tick_us)
    : SocketLoop(index, rounds),
      tick_us_(tick_us),
      wake_fd_(eventfd(0, EFD_CLOEXEC)),
      ring_(std::make_unique<io_uring>()) {
  ring_->ring_fd = -1;
  CHECK(wake_fd_ >= 0);
}

std::unique_ptr<UringLoop> UringLoop::make(std::size_t index, Rounds& rounds, Micros tick_us) {
  std::unique_ptr<UringLoop> loop(new UringLoop(index, rounds, tick_us));
  // On threads of its own, here and in run(): a ring that goes away interrupts whoever made it.
  std::string why;
  std::thread([&] {
    why = loop->open();
    loop->close_ring();
  }).join();
  if (why.empty()) return loop;
  spdlog::info("no io_uring here ({}): using epoll", why);
  return nullptr;
}

std::string UringLoop::open() {
  io_uring_params params{};
  params.flags =
      IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  params.cq_entries = kCompletions;
  if (const int result = io_uring_queue_init_params(kEntries, ring_.get(), &params); result != 0) {
    ring_->ring_fd = -1;
    return error_text(-result);
  }
  constexpr unsigned kNeeded =
      IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP | IORING_FEAT_FAST_POLL;
  if ((params.features & kNeeded) != kNeeded) return "the kernel is too old";

  void* ring_memory = nullptr;
  const std::size_t ring_bytes = limits::kReceiveBuffers * sizeof(io_uring_buf);
  if (posix_memalign(&ring_memory, static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), ring_bytes) != 0)
    return "no memory";
  buffers_ = static_cast<io_uring_buf_ring*>(ring_memory);
  io_uring_buf_ring_init(buffers_);
  io_uring_buf_reg group{};
  group.ring_addr = reinterpret_cast<std::uintptr_t>(buffers_);
  group.ring_entries = limits::kReceiveBuffers;
  group.bgid = kBufferGroup;
  if (const int result = io_uring_register_buf_ring(ring_.get(), &group, 0); result != 0)
    return error_text(-result);
  memory_.reset(new char[limits::kReceiveBuffers * limits::kReceiveBufferBytes]);
  for (unsigned i = 0; i < limits::kReceiveBuffers; ++i) {
    io_uring_buf_ring_add(buffers_, memory_.get() + i * limits::kReceiveBufferBytes,
                          limits::kReceiveBufferBytes, static_cast<unsigned short>(i),
                          io_uring_buf_ring_mask(limits::kReceiveBuffers), static_cast<int>(i));
  }
  io_uring_buf_ring_advance(buffers_, limits::kReceiveBuffers);
  open_file_table();
  return "";
}

/// Without it, or past its end, a descriptor is looked up as usual.
void UringLoop::open_file_table() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const auto size = static_cast<unsigned>(std::min<rlim_t>(files.rlim_cur, limits::kKeptFiles));
  if (io_uring_register_files_sparse(ring_.get(), size) == 0) kept_.assign(size, false);
}

void UringLoop::close_ring() {
  if (ring_->ring_fd >= 0) io_uring_queue_exit(ring_.get());
  ring_->ring_fd = -1;
  std::free(std::exchange(buffers_, nullptr));
  memory_.reset();
  kept_.clear();
}

UringLoop::~UringLoop() {
  close(wake_fd_);
  for (auto& [fd, poll] : polls_) delete poll;
}

void UringLoop::run() {
  const Scope scope(this);
  const std::string why = open();
  if (!why.empty()) spdlog::critical("io_uring: {}", why);
  CHECK(why.empty());
  running_ = true;
  for (auto& [fd, poll] : polls_) arm(poll);
  arm_wake();
  Micros tick_at = monotonic_us() + tick_us_;
  while (!stopping_.load(std::memory_order_acquire)) {
    submit_sends();
    Micros left = tick_at - monotonic_us();
    asleep_.store(true);
    if (soon_ || has_delivered() || stopping_.load()) left = 0;
    wait(std::max<Micros>(left, 0));
    asleep_.store(false);
    soon_ = false;
    take_failed_sends();
    round([&] {
      tell_sent();
      unsigned head = 0;
      unsigned count = 0;
      io_uring_cqe* cqe = nullptr;
      io_uring_for_each_cqe(ring_.get(), head, cqe) {
        dispatch(*cqe);
        ++count;
      }
      io_uring_cq_advance(ring_.get(), count);
      if (const Micros now = monotonic_us(); now >= tick_at) {
        rounds_.tick();
        tick_at = now + tick_us_;
      }
    });
  }
  end_all();
  running_ = false;
  close_ring();
}

void UringLoop::stop() {
  stopping_.store(true);
  wake();
}

void UringLoop::wake() {
  if (!asleep_.exchange(false)) return;  // it looks before it sleeps
  const std::uint64_t one = 1;
  CHECK(write(wake_fd_, &one, sizeof one) == sizeof one);
}

void UringLoop::arm_wake() {
  io_uring_sqe* sqe = entry();
  io_uring_prep_read(sqe, wake_fd_, &wake_value_, sizeof wake_value_, 0);
  sqe->user_data = static_cast<std::uint64_t>(Tag::kWake);
  ++in_kernel_;
}

io_uring_sqe* UringLoop::entry() {
  io_uring_sqe* sqe = io_uring_get_sqe(ring_.get());
  if (sqe == nullptr) {
    submit();
    sqe = io_uring_get_sqe(ring_.get());
  }
  CHECK(sqe != nullptr);
  return sqe;
}

void UringLoop::submit() {
  int result = 0;
  do {
    result = io_uring_submit(ring_.get());
  } while (result == -EINTR || result == -EAGAIN);
  CHECK(result >= 0);
}

void UringLoop::wait(Micros limit_us) {
  __kernel_timespec limit{.tv_sec = limit_us / kSecond, .tv_nsec = limit_us % kSecond * 1000};
  io_uring_cqe* cqe = nullptr;
  const int result = io_uring_submit_and_wait_timeout(ring_.get(), &cqe, 1, &limit, nullptr);
  CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN || result == -EBUSY);
  // What the kernel has not taken is not sent.
  while (io_uring_sq_ready(ring_.get()) > 0) submit();
}

// ---- Sending ----------------------------------------------------------------------------------------------

void UringLoop::send(int fd, Socket& socket) { sends_.push_back({fd, &socket, 0}); }

void UringLoop::keep(int fd) {
  const auto at = static_cast<std::size_t>(fd);
  if (at < kept_.size())
    kept_[at] = io_uring_register_files_update(ring_.get(), static_cast<unsigned>(fd), &fd, 1) == 1;
}

void UringLoop::forget(int fd) {
  if (!is_kept(fd)) return;
  int none = -1;
  CHECK(io_uring_register_files_update(ring_.get(), static_cast<unsigned>(fd), &none, 1) == 1);
  kept_[static_cast<std::size_t>(fd)] = false;
}

void UringLoop::forget_send(Socket& socket) {
  for (Send& send : sends_) {
    if (send.socket == &socket) send.socket = nullptr;
  }
}

/// A send that succeeds as a whole leaves no completion, and MSG_DONTWAIT makes it end within the call that
/// submits it: so whatever has not failed by then is sent.
void UringLoop::submit_sends() {
  for (std::size_t i = 0; i < sends_.size(); ++i) {
    Send& send = sends_[i];
    if (send.socket == nullptr) continue;
    if (io_uring_sq_space_left(ring_.get()) == 0) {
      submit();
      take_failed_sends();
    }
    const std::string_view bytes = send.socket->to_send();
    send.result = static_cast<int>(bytes.size());
    io_uring_sqe* sqe = entry();
    io_uring_prep_send(sqe, send.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    if (is_kept(send.fd)) sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = i << 3 | static_cast<std::uint64_t>(Tag::kSend);
  }
}

/// Before anything else that completed is looked at: it could add to what was being sent.
void UringLoop::take_failed_sends() {
  if (sends_.empty()) return;
  unsigned head = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, cqe) {
    if (tag_of(*cqe) == Tag::kSend) sends_[cqe->user_data >> 3].result = cqe->res;
  }
}

void UringLoop::tell_sent() {
  for (const Send& send : sends_) {
    if (send.socket != nullptr) send.socket->on_sent(send.result);
  }
  sends_.clear();
}

// ---- Receiving --------------------------------------------------------------------------------------------

UringLoop::Receive* UringLoop::receive(int fd, Socket& socket) {
  auto* receive = new Receive{&socket};
  io_uring_sqe* sqe = entry();
  io_uring_prep_recv_multishot(sqe, fd, nullptr, 0, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = kBufferGroup;
  sqe->user_data = tagged(receive, Tag::kReceive);
  ++in_kernel_;
  return receive;
}

void UringLoop::cancel(Receive* receive) {
  if (!running_) return;
  io_uring_sqe* sqe = entry();
  io_uring_prep_cancel64(sqe, tagged(receive, Tag::kReceive), 0);
  sqe->user_data = static_cast<std::uint64_t>(Tag::kNothing);
}

void UringLoop::drop(Receive* receive) {
  receive->socket = nullptr;
  cancel(receive);
}

void UringLoop::on_receive(Receive* receive, const io_uring_cqe& cqe) {
  const bool last = (cqe.flags & IORING_CQE_F_MORE) == 0;
  char* data = nullptr;
  const unsigned id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
  if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) data = memory_.get() + id * limits::kReceiveBufferBytes;
  if (receive->socket != nullptr) receive->socket->on_received(data, cqe.res, last);
  if (data != nullptr) {
    io_uring_buf_ring_add(buffers_, data, limits::kReceiveBufferBytes, static_cast<unsigned short>(id),
                          io_uring_buf_ring_mask(limits::kReceiveBuffers), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }
  if (!last) return;
  --in_kernel_;
  delete receive;
}

// ---- The rest ---------------------------------------------------------------------------------------------

void UringLoop::dispatch(const io_uring_cqe& cqe) {
  switch (tag_of(cqe)) {
    case Tag::kReceive:
      return on_receive(pointer_in<Receive>(cqe.user_data), cqe);
    case Tag::kPoll: {
      auto* poll = pointer_in<Poll>(cqe.user_data);
      --in_kernel_;
      poll->armed = false;
      if (poll->pollable == nullptr) {
        delete poll;
        return;
      }
      if (cqe.res > 0) poll->pollable->on_ready(static_cast<std::uint32_t>(cqe.res));
      if (const auto at = polls_.find(poll->fd); at != polls_.end() && at->second == poll) arm(poll);
      return;
    }
    case Tag::kWake: {
      --in_kernel_;
      return arm_wake();
    }
    case Tag::kSend:
    case Tag::kNothing:
      return;
  }
}

bool UringLoop::add(int fd, std::uint32_t events, Pollable* pollable) {
  auto* poll = new Poll{fd, events, pollable};
  CHECK(polls_.emplace(fd, poll).second);
  arm(poll);
  return true;
}

/// Once for each event, and again after it was handled: so it tells of what is still there, as a
/// level-triggered epoll does.
void UringLoop::arm(Poll* poll) {
  if (poll->armed || poll->events == 0 || !running_) return;
  io_uring_sqe* sqe = entry();
  io_uring_prep_poll_add(sqe, poll->fd, poll->events);
  sqe->user_data = tagged(poll, Tag::kPoll);
  poll->armed = true;
  ++in_kernel_;
}

void UringLoop::modify(int fd, std::uint32_t events, Pollable* pollable) {
  Poll* poll = polls_.at(fd);
  poll->pollable = pollable;
  poll->events = events;
  arm(poll);
}

void UringLoop::remove(int fd) {
  const auto at = polls_.find(fd);
  if (at == polls_.end()) return;
  Poll* poll = at->second;
  polls_.erase(at);
  poll->pollable = nullptr;
  if (!poll->armed || !running_) {
    delete poll;
    return;
  }
  io_uring_sqe* sqe = entry();
  io_uring_prep_cancel64(sqe, tagged(poll, Tag::kPoll), 0);
  sqe->user_data = static_cast<std::uint64_t>(Tag::kNothing);
}

/// The kernel holds every socket that it reads for: closing one of them closes nothing until that has ended.
void UringLoop::end_all() {
  io_uring_sqe* sqe = entry();
  io_uring_prep_cancel64(sqe, 0, static_cast<int>(IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL));
  sqe->user_data = static_cast<std::uint64_t>(Tag::kNothing);
  while (in_kernel_ > 0) {
    wait(tick_us_);
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(ring_.get(), head, cqe) {
      ++count;
      end(*cqe);
    }
    io_uring_cq_advance(ring_.get(), count);
  }
}

void UringLoop::end(const io_uring_cqe& cqe) {
  const Tag tag = tag_of(cqe);
  if (tag == Tag::kWake) --in_kernel_;
  if (tag == Tag::kPoll) {
    --in_kernel_;
    auto* poll = pointer_in<Poll>(cqe.user_data);
    poll->armed = false;
    if (poll->pollable == nullptr) delete poll;
  }
  if (tag == Tag::kReceive && (cqe.flags & IORING_CQE_F_MORE) == 0) {
    --in_kernel_;
    auto* receive = pointer_in<Receive>(cqe.user_data);
    if (receive->socket != nullptr) receive->socket->on_received(nullptr, -ECANCELED, true);
    delete receive;
  }
}

}  // namespace spillway::http
