// What the line costs the state thread: by CPU time, at ten thousand people and at ten million; bytes a
// person; the longest turn while ten million arrive. Prints figures, one JSON object a line, and judges
// nothing.
//
//   waitroom_machine_bench [people=10000000]

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "waitroom/machine.h"
#include "waitroom/ordered_set.h"

namespace spillway::waitroom {
namespace {

double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}
/// Of this process's CPU time: what others do on the machine is not ours.
double cpu() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0, resident = 0;
  statm >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

bool keep_journal = false;

Settings only(std::uint64_t max_active) {
  Settings settings;
  settings.max_active = max_active;
  return settings;
}

/// A machine and the buffers that the state thread would keep.
class Driver {
 public:
  Driver() {
    machine_.decide_seed(Seed{1, 2, 3}, events_);
    machine_.decide_key(1, now_, events_);
    apply();
    put(only(0));  // all of them wait
  }
  void put(const Settings& settings) {
    PutConcert command;
    command.concert_id = command_.concert_id = "a-concert";
    command.settings = settings;
    if (!machine_.decide(command, now_, events_)) std::abort();
    apply();
  }
  TicketRef enter(std::uint64_t person) {
    // As long as a UUID, and cheap to make: what is measured is the machine.
    command_.user_id = "00000000-0000-4000-8000-000000000000";
    for (std::size_t i = 0; i < 8; ++i) {
      command_.user_id[i] = "0123456789abcdef"[(person * 2654435761u >> 4 * i) & 15];
      command_.user_id[35 - i] = "0123456789abcdef"[(person >> 4 * i) & 15];
    }
    now_ = now_ + 5;
    const auto ref = machine_.decide(command_, now_, events_);
    if (!ref) std::abort();
    apply();
    return *ref;
  }
  std::uint64_t poll(std::uint32_t number) {
    now_ = now_ + 1;
    machine_.saw({0, number}, now_);
    return machine_.view({0, number}, now_)->position.value_or(0);
  }
  /// As EmbeddedService::tick().
  void tick() {
    machine_.advance_draws(limits::kDrawPerTick);
    machine_.decide_expiries(now_, limits::kMaxExpiredPerTurn, events_);
    apply();
    machine_.decide_looked_after(now_, limits::kMaxLookedAfter, events_);
    apply();
    machine_.decide_admissions(now_, limits::kMaxAdmitPerTurn, events_);
    apply();
    machine_.decide_forget(now_, limits::kMaxForgottenPerTurn, events_);
    apply();
  }
  Timestamp now() const { return now_; }
  void pass(Micros by) { now_ = now_ + by; }
  const Machine& machine() const { return machine_; }
  const std::vector<std::pair<std::uint8_t, std::string>>& journal() const { return journal_; }

 private:
  void apply() {
    for (const Event& event : events_) {
      payload_.clear();
      encode(event, payload_);
      if (keep_journal) journal_.emplace_back(type(event), payload_);
      machine_.evolve(event);
    }
    events_.clear();
  }
  Machine machine_;
  Timestamp now_{1'800'000'000 * kSecond};
  Enter command_;
  Events events_;
  std::string payload_;
  std::vector<std::pair<std::uint8_t, std::string>> journal_;
};

constexpr int kRounds = 400'000;

double per_call_ns(double since) { return (cpu() - since) / kRounds * 1e9; }

void report_rank(std::uint32_t people) {
  OrderedSet line;
  for (std::uint32_t n = 1; n <= people; ++n) line.insert(n);
  std::mt19937 random(1);
  std::uint64_t sum = 0;
  const double since = cpu();
  for (int i = 0; i < kRounds; ++i) sum += line.rank(1 + static_cast<std::uint32_t>(random() % people));
  const double ns = per_call_ns(since);
  if (sum == 0) std::abort();  // so that the compiler cannot leave the work out
  fmt::print(R"({{"people":{},"a position, the order alone, ns":{:.1f}}})"
             "\n",
             people, ns);
}

/// Newcomers and polls with so many in line. The longest turn on the way there is in CPU time as
/// well.
void report_machine(std::uint32_t people) {
  Driver driver;
  const double before = resident_bytes();
  double longest = 0;
  for (std::uint32_t i = 0; i < people; ++i) {
    const double began = cpu();
    driver.enter(i);
    if (i % 2'000 == 0) driver.tick();
    longest = std::max(longest, cpu() - began);
  }
  const double bytes = (resident_bytes() - before) / people;
  std::mt19937 random(1);
  std::uint64_t sum = 0;
  double since = cpu();
  for (int i = 0; i < kRounds; ++i) sum += driver.poll(1 + static_cast<std::uint32_t>(random() % people));
  const double poll = per_call_ns(since);
  since = cpu();
  for (int i = 0; i < kRounds; ++i) sum += driver.enter(random() % people).number;
  const double again = per_call_ns(since);
  since = cpu();
  for (std::uint32_t i = 0; i < kRounds; ++i) sum += driver.enter(people + i).number;
  const double enter = per_call_ns(since);
  if (sum == 0) std::abort();
  fmt::print(R"({{"people":{},"poll, ns":{:.1f},"enter again, ns":{:.1f},"enter, ns":{:.1f},)"
             R"("bytes a person":{:.1f},"longest turn, ms":{:.2f}}})"
             "\n",
             people, poll, again, enter, bytes, longest * 1e3);
}

/// The longest tick, in ms of CPU time, until `done`.
template <class Done>
double longest_tick(Driver& driver, Done done, std::uint64_t* ticks) {
  double longest = 0;
  for (*ticks = 0; !done() && *ticks < 1'000'000; ++*ticks) {
    driver.pass(limits::kTick);
    const double since = cpu();
    driver.tick();
    longest = std::max(longest, (cpu() - since) * 1e3);
  }
  return longest;
}

/// What a tick takes while a line opens, and while all of those who were let in run out of time together; and
/// while a lottery is drawn.
void report_opening(std::uint32_t people) {
  const std::uint64_t slots_wanted = std::min(200'000u, people / 2);
  std::uint64_t ticks = 0;
  Driver driver;
  for (std::uint32_t i = 0; i < people; ++i) driver.enter(i);
  Settings slots = only(slots_wanted);
  slots.ready_us = 3600 * kSecond;
  driver.put(slots);
  double longest = longest_tick(
      driver, [&] { return driver.machine().occupied() >= slots_wanted; }, &ticks);
  fmt::print(R"({{"people":{},"ticks to let {} in":{},"the longest, ms":{:.2f}}})"
             "\n",
             people, slots_wanted, ticks, longest);
  driver.put(only(0));
  driver.pass(3600 * kSecond);
  longest = longest_tick(
      driver, [&] { return driver.machine().occupied() == 0; }, &ticks);
  fmt::print(R"({{"people":{},"ticks until all {} expired":{},"the longest, ms":{:.2f}}})"
             "\n",
             people, slots_wanted, ticks, longest);

  Driver lottery;
  Settings drawn = only(0);
  drawn.mode = Mode::kLottery;
  drawn.opens_at = lottery.now() + 3600 * kSecond;
  lottery.put(drawn);
  for (std::uint32_t i = 0; i < people; ++i) lottery.enter(i);
  lottery.pass(3600 * kSecond);
  lottery.tick();
  longest = longest_tick(
      lottery, [&] { return !lottery.machine().drawing(); }, &ticks);
  fmt::print(R"({{"people":{},"ticks to draw a lottery":{},"the longest, ms":{:.2f}}})"
             "\n",
             people, ticks, longest);
}

/// What a restart takes: one thread, no disk.
void report_restart(std::uint32_t people) {
  keep_journal = true;
  Driver driver;
  for (std::uint32_t i = 0; i < people; ++i) driver.enter(i);
  keep_journal = false;
  std::string snapshot;
  driver.machine().save([&](std::string_view bytes) { snapshot.append(bytes); });
  double since = cpu();
  Machine machine;
  std::size_t from = 0;
  const Status loaded = machine.load([&](char* into, std::size_t size) {
    if (size > snapshot.size() - from) return false;
    snapshot.copy(into, size, from);
    from += size;
    return true;
  });
  if (!loaded) std::abort();
  const double from_snapshot = cpu() - since;
  const auto& journal = driver.journal();
  since = cpu();
  Machine replayed;
  for (const auto& [type, payload] : journal) {
    const auto event = decode(type, kVersion, payload);
    if (!event) std::abort();
    replayed.evolve(*event);
  }
  if (replayed.digest() != driver.machine().digest()) std::abort();
  fmt::print(
      R"({{"people":{},"bytes a person in a snapshot":{:.0f},"from it, s":{:.2f},"from {} events, s":{:.2f}}})"
      "\n",
      people, static_cast<double>(snapshot.size()) / people, from_snapshot, journal.size(), cpu() - since);
}

}  // namespace
}  // namespace spillway::waitroom

int main(int argc, char** argv) {
  const auto most = static_cast<std::uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000'000);
  for (const std::uint32_t people : {10'000u, 1'000'000u, most}) spillway::waitroom::report_rank(people);
  for (const std::uint32_t people : {10'000u, 1'000'000u, most}) spillway::waitroom::report_machine(people);
  for (const std::uint32_t people : {1'000'000u, most}) spillway::waitroom::report_opening(people);
  spillway::waitroom::report_restart(1'000'000);
}
