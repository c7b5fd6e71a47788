// What the state thread can do by itself: decisions a second (of CPU time), bytes a request, the longest
// decision while a crowd arrives. Prints figures, judges nothing; `bench/` holds what later changes are
// compared with.
//
//   intake_machine_bench [requests=1000000] [crowd=5000000]

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "intake/machine.h"

namespace spillway::intake {
namespace {

/// Of this process's CPU time: what others do on the machine is not ours.
double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

/// A machine and the buffers that the state thread would keep.
class Driver {
 public:
  Driver() {
    machine_.decide_seed(Seed{1, 2, 3}, events_);
    apply();
    const PutEvent put{"EVT-1", "a crowd", limits::kMaxCapacity, {}, {}};
    if (!machine_.decide(put, now(), events_)) std::abort();
    apply();
    command_.event_id = "EVT-1";
  }
  void participate(std::uint64_t person) {
    // As long as a UUID, and cheap to make: what is measured is the machine.
    command_.user_id = "00000000-0000-4000-8000-000000000000";
    for (std::size_t i = 0; i < 8; ++i) {
      command_.user_id[i] = "0123456789abcdef"[(person * 2654435761u >> 4 * i) & 15];
      command_.user_id[35 - i] = "0123456789abcdef"[(person >> 4 * i) & 15];
    }
    if (!machine_.decide(command_, now(), events_)) std::abort();
    apply();
  }
  std::size_t work(std::uint32_t batch) {
    Receive receive;
    receive.max = batch;
    const auto deliveries = machine_.decide(receive, now(), events_);
    apply();
    Complete complete;
    for (const Delivery& delivery : deliveries)
      complete.outcomes.push_back({delivery.receipt, WorkResult::kSucceed, ResultCode::kNone, {}, 0});
    const Acks acks = machine_.decide(complete, now(), events_);
    apply();
    return acks.acks.size();
  }
  Machine& machine() { return machine_; }
  std::size_t encoded_bytes() const { return encoded_bytes_; }

 private:
  Timestamp now() { return {++now_us_}; }
  void apply() {
    for (const Event& event : events_) {
      payload_.clear();
      encode(event, payload_);
      encoded_bytes_ += payload_.size();
      machine_.evolve(event);
    }
    events_.clear();
  }
  Machine machine_;
  Events events_;
  Participate command_;
  std::string payload_;
  std::size_t encoded_bytes_ = 0;
  std::int64_t now_us_ = 1'800'000'000'000'000;
};

void life_cycles(std::uint64_t requests) {
  const std::size_t before = resident_bytes();
  Driver driver;
  auto start = cpu_seconds();
  for (std::uint64_t i = 0; i < requests; ++i) driver.participate(i);
  const double joined = (cpu_seconds() - start);
  const std::size_t after = resident_bytes();
  const auto n = static_cast<double>(requests);
  std::printf("participate (new person, decide + evolve + encode): %.0f ns, %.2f million a second\n",
              joined / n * 1e9, n / joined / 1e6);
  std::printf("resident: %.1f bytes a queued request at %llu\n", static_cast<double>(after - before) / n,
              static_cast<unsigned long long>(requests));
  std::printf("journal payload: %.1f bytes a request\n", static_cast<double>(driver.encoded_bytes()) / n);
  start = cpu_seconds();
  for (std::uint64_t i = 0; i < requests; ++i) driver.participate(i);
  std::printf("participate (known person): %.0f ns\n", (cpu_seconds() - start) / n * 1e9);
  start = cpu_seconds();
  std::size_t done = 0;
  while (const std::size_t some = driver.work(500)) done += some;
  const double worked = (cpu_seconds() - start);
  if (done != requests) std::abort();
  std::printf("receive and complete in batches of 500: %.0f ns a request\n", worked / n * 1e9);
  std::printf("decisions a second over whole lives (3 each): %.2f million\n",
              3 * n / (joined + worked) / 1e6);
  std::string snapshot;
  start = cpu_seconds();
  driver.machine().save([&](std::string_view bytes) { snapshot.append(bytes); });
  std::printf("snapshot: %.1f bytes a request, saved in %.0f ms", static_cast<double>(snapshot.size()) / n,
              (cpu_seconds() - start) * 1e3);
  Machine loaded;
  std::size_t at = 0;
  start = cpu_seconds();
  const Status status = loaded.load([&](char* into, std::size_t size) {
    if (size > snapshot.size() - at) return false;
    snapshot.copy(into, size, at);
    at += size;
    return true;
  });
  std::printf(", loaded and checked in %.0f ms\n", (cpu_seconds() - start) * 1e3);
  if (!status || loaded.digest() != driver.machine().digest()) std::abort();
}

void crowd_arrives(std::uint64_t people) {
  Driver driver;
  std::vector<double> slowest;
  const double start = cpu_seconds();
  double before = start;
  for (std::uint64_t i = 0; i < people; ++i) {
    driver.participate(i);
    const double after = cpu_seconds();
    const double ms = (after - before) * 1e3;
    before = after;
    if (slowest.size() < 5 || ms > slowest.back()) {
      slowest.push_back(ms);
      std::sort(slowest.rbegin(), slowest.rend());
      if (slowest.size() > 5) slowest.pop_back();
    }
  }
  std::printf("%llu people; the longest decisions: ", static_cast<unsigned long long>(people));
  for (const double ms : slowest) std::printf("%.2f ms ", ms);
  std::printf("\n");
}

}  // namespace
}  // namespace spillway::intake

int main(int argc, char** argv) {
  const auto number = [&](int i, std::uint64_t otherwise) {
    return argc > i ? std::strtoull(argv[i], nullptr, 10) : otherwise;
  };
  spillway::intake::life_cycles(number(1, 1'000'000));
  if (const std::uint64_t crowd = number(2, 5'000'000)) spillway::intake::crowd_arrives(crowd);
  return 0;
}
