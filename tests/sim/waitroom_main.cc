// waitroom_sim: the waiting room's machine against a plain model, for as many random steps as one likes.
//
//   waitroom_sim [--seed N] [--steps N] [--plant NAME] [--list-plants]
//
// Exit 0: no promise was broken; or, with --plant, the planted bug was noticed. 1 otherwise. 2: wrong usage.

#include <fmt/core.h>

#include <cstdlib>
#include <deque>
#include <functional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>

#include "waitroom/machine.h"
#include "waitroom_model.h"

namespace spillway::waitroom::sim {
namespace {

struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

constexpr std::string_view kPlants[] = {"cap-exceeded-by-one", "position-up",        "skipped-person",
                                        "lost-on-replay",      "another-seed",       "another-order",
                                        "second-place",        "deadline-late",      "rate-ignored",
                                        "absent-let-in",       "absent-loses-place", "idle-not-extended",
                                        "expiry-forgotten",    "leave-not-written",  "snapshot-loses-absent"};

struct Record {
  std::uint8_t type;
  std::string payload;
};

struct Tally {
  std::uint64_t entered = 0, again = 0, refused = 0, admitted = 0, activated = 0, expired = 0, left = 0,
                extended = 0, draws = 0, crashes = 0, lost = 0, forgotten = 0, comparisons = 0,
                passed_over = 0;
};

/// Everybody around the machine: people who come, ask, go away and come back; an operator who changes his
/// mind; a clock that jumps; a machine room where the power fails. Each reply is compared with the model's.
class World {
 public:
  World(std::uint64_t seed, std::string plant, Tally& tally)
      : random_(seed), plant_(std::move(plant)), tally_(tally) {
    config_.gone_kept_us = 120 * kSecond;
    config_.max_unconfigured = 3;
    machine_ = std::make_unique<Machine>(config_);
    Events events;
    machine_->decide_seed(Seed{1, 2, 3}, events);
    machine_->decide_key(1, now_, events);
    commit(events);
    sync();
    snapshot();
  }

  void step() {
    ++steps_;
    switch (random(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        enter();
        break;
      case 4:
      case 5:
      case 6:
      case 7:
        ask();
        break;
      case 8:
      case 9:
      case 10:
        activate();
        break;
      case 11:
        leave();
        break;
      case 12:
        if (one_in(12)) put();
        break;
      case 13:
      case 14:
      case 15:
      case 16:
        time_passes();
        break;
      case 17:
        tick();
        break;
      case 18:
        sync();
        break;
      default:
        if (one_in(6)) snapshot();
        if (one_in(12)) crash();
    }
    settle();
    if (one_in(25)) compare_all();
  }
  void finish() {
    compare_all();
    if (machine_->recompute_digest() != machine_->digest()) fail("the digest is not that of the state");
  }
  std::uint64_t steps() const { return steps_; }
  std::string trace() const {
    std::string out;
    for (const std::string& line : trace_) out += "  " + line + "\n";
    return out;
  }

 private:
  // ---- What happens
  // -----------------------------------------------------------------------------------------

  std::string some_concert() {
    const std::uint64_t n = random(40);
    return n < 12   ? "fifo"
           : n < 20 ? "lottery-" + std::to_string(lotteries_)
           : n < 34 ? "shaped"
           : n < 39 ? "idle"
                    : "nobody-configured-" + std::to_string(random(5));
  }
  std::string some_user() { return "u" + std::to_string(random(60)); }

  void enter() {
    Enter command{some_concert(), some_user()};
    note("enter " + command.concert_id + " " + command.user_id);
    const bool is_new = model_.find(command.concert_id) == nullptr;
    const auto unconfigured = std::count_if(model_.concerts.begin(), model_.concerts.end(),
                                            [](const auto& c) { return !c.second.configured; });
    if (planted("second-place") && one_in(3)) command.user_id += "'";
    Events events;
    const auto ref = machine_->decide(command, now_, events);
    if (planted("second-place") && command.user_id.ends_with("'")) command.user_id.pop_back();
    commit(events);
    if (is_new && static_cast<std::size_t>(unconfigured) >= config_.max_unconfigured) {
      if (ref.ok()) fail("more concerts than may be that nobody configured");
      ++tally_.refused;
      return;
    }
    const Model::Entry expected = model_.enter(command.concert_id, command.user_id, now_);
    if (expected.refused) {
      if (ref.ok() || ref.error().code != *expected.refused) fail("entered where it was to be refused");
      ++tally_.refused;
      return;
    }
    if (!ref.ok()) fail("refused: " + ref.error().message);
    if (*ref != expected.ref)
      fail(fmt::format("{}.{} is not the place {}.{}", ref->concert, ref->number, expected.ref.concert,
                       expected.ref.number));
    machine_->saw(*ref, now_);
    ++(expected.again ? tally_.again : tally_.entered);
    settle();
    compare(*ref);
  }

  std::optional<TicketRef> some_ticket() {
    if (model_.concerts.empty()) return std::nullopt;
    auto concert = model_.concerts.begin();
    std::advance(concert, static_cast<long>(random(model_.concerts.size())));
    if (concert->second.tickets.empty()) return std::nullopt;
    // Mostly somebody who is there, and among those the ones in front.
    for (int tries = 0; tries < 3; ++tries) {
      auto ticket = concert->second.tickets.begin();
      std::advance(ticket, static_cast<long>(random(concert->second.tickets.size())));
      if (!is_gone(ticket->second.status)) return TicketRef{concert->first, ticket->first};
    }
    return TicketRef{concert->first, concert->second.tickets.begin()->first};
  }

  void ask() {
    const auto ref = some_ticket();
    if (!ref) return;
    note(fmt::format("ask {}.{}", ref->concert, ref->number));
    machine_->saw(*ref, now_);
    if (ModelTicket* t = model_.find(*ref)) t->seen = now_;
    settle();
    compare(*ref);
  }

  void activate() {
    const auto ref = some_ticket();
    if (!ref) return;
    note(fmt::format("activate {}.{}", ref->concert, ref->number));
    machine_->saw(*ref, now_);
    Events events;
    const Status done = machine_->decide_activate(*ref, now_, events);
    commit(events);
    const auto expected = model_.activate(*ref, now_);
    if (done.ok() != !expected) fail("activated otherwise than it should");
    if (!done.ok() && done.error().code != *expected)
      fail("not activated, but for another reason: " + done.error().message);
    settle();
    compare(*ref);
  }

  void leave() {
    const auto ref = some_ticket();
    if (!ref) return;
    note(fmt::format("leave {}.{}", ref->concert, ref->number));
    Events events;
    const Status done = machine_->decide_leave(*ref, now_, events);
    if (planted("leave-not-written")) events.clear();
    commit(events);
    if (!done.ok()) fail("could not leave: " + done.error().message);
    model_.leave(*ref, now_);
    settle();
    compare(*ref);
  }

  void put() {
    PutConcert command;
    command.concert_id = some_concert();
    if (command.concert_id.starts_with("nobody")) return;
    Settings& s = command.settings;
    s.max_active = random(12);
    s.ready_us = static_cast<Micros>(1 + random(40)) * kSecond;
    s.active_us = static_cast<Micros>(1 + random(90)) * kSecond;
    if (command.concert_id == "shaped") s.admit_per_second = static_cast<std::uint32_t>(random(4) * 3);
    s.idle_extends = command.concert_id == "idle" || one_in(4);
    s.mode = one_in(8) ? Mode::kPaused : one_in(10) ? Mode::kOpen : Mode::kFifo;
    if (command.concert_id.starts_with("lottery") && !one_in(4)) s.mode = Mode::kLottery;
    if (s.mode == Mode::kLottery || one_in(4)) s.opens_at = now_ + static_cast<Micros>(random(60)) * kSecond;
    for (auto& b : command.seed) b = static_cast<std::uint8_t>(random(256));
    note("put " + command.concert_id + " " + std::string(name(s.mode)) + " max " +
         std::to_string(s.max_active));
    PutConcert told = command;
    if (planted("another-seed")) told.seed[0] ^= 1;
    if (planted("rate-ignored")) told.settings.admit_per_second = 0;
    Events events;
    const Status done = machine_->decide(told, now_, events);
    commit(events);
    if (done.ok() != model_.put(command, now_))
      fail("the settings were taken or refused otherwise than they should");
    settle();
    const ModelConcert* c = model_.find(command.concert_id);
    if (done.ok()) allowed_[command.concert_id] = std::max(s.max_active, c->occupied());
    if (c == nullptr || c->draw == DrawState::kNone) return;
    const auto lottery = machine_->lottery(command.concert_id);
    if (!lottery.ok() || lottery->commitment != commitment_of(c->seed)) fail("another seed is committed to");
    if (lottery->state == DrawState::kDrawn && (lottery->seed != c->seed || lottery->gathered != c->gathered))
      fail("another draw is told");
    if (lottery->state != DrawState::kDrawn && lottery->seed != DrawSeed{})
      fail("the seed is told before the draw");
    if (c->draw == DrawState::kDrawn && one_in(2)) ++lotteries_;
  }

  void time_passes() {
    now_ = now_ + (one_in(60)  ? static_cast<Micros>(random(400)) * kSecond
                   : one_in(4) ? static_cast<Micros>(random(20)) * kSecond
                               : static_cast<Micros>(random(900)) * kMillisecond);
    tick();
  }

  void tick() {
    for (int guard = 0; machine_->drawing() && guard < 100'000; ++guard)
      machine_->advance_draws(1 + random(50));
    model_.drawn();
    if (planted("absent-let-in")) {
      for (const auto& [index, c] : model_.concerts) {
        for (const auto& [number, t] : c.tickets) machine_->saw({index, number}, now_);
      }
    }
    while (!planted("expiry-forgotten") || !one_in(3)) {
      Events events;
      machine_->decide_expiries(now_, 1 + random(5), events);
      if (planted("idle-not-extended")) {
        for (Event& event : events) {
          const auto* extended = std::get_if<Extended>(&event);
          if (extended != nullptr) event = Expired{now_, {{extended->items.at(0).ticket, Expiry::kIdle}}};
        }
      }
      if (events.empty()) break;
      commit(events);
    }
    model_.expire(now_);
    Events events;
    machine_->decide_looked_after(now_, 100'000, events);
    commit(events);
    settle();
    events.clear();
    machine_->decide_forget(now_, 3, events);
    commit(events);
    for (const Event& event : events) forgotten(std::get<Forgotten>(event));
  }

  void forgotten(const Forgotten& event) {
    ++tally_.forgotten;
    ModelConcert& c = model_.concerts.at(event.concert);
    const auto may_go = [&](const ModelTicket& t) {
      return is_gone(t.status) && t.until + config_.gone_kept_us <= now_;
    };
    if (event.chunks.empty()) {
      for (const auto& [number, t] : c.tickets) {
        if (!may_go(t)) fail("a concert is forgotten in which somebody is");
      }
      if (c.configured) fail("a concert is forgotten that was configured");
      model_.concerts.erase(event.concert);
      return;
    }
    for (const std::uint32_t chunk : event.chunks) {
      for (auto it = c.tickets.lower_bound(chunk << 8); it != c.tickets.end() && it->first >> 8 == chunk;) {
        if (!may_go(it->second)) fail("a ticket is forgotten too soon");
        it = c.tickets.erase(it);
      }
    }
  }

  /// Slots that are free are given: as at the end of every batch.
  void settle() {
    for (int guard = 0; guard < 1000; ++guard) {
      Events events;
      machine_->decide_admissions(now_, 1 + random(30), events);
      plant_admission(events);
      if (events.empty()) break;
      commit(events);
    }
    model_.admit(now_);
  }

  void plant_admission(Events& events) {
    for (Event& event : events) {
      auto* admitted = std::get_if<Admitted>(&event);
      if (admitted == nullptr) continue;
      const ModelConcert& c = model_.concerts.at(admitted->concert);
      const auto line = c.line();
      const auto first_other = std::find_if(line.begin(), line.end(), [&](std::uint32_t n) {
        return std::find(admitted->numbers.begin(), admitted->numbers.end(), n) == admitted->numbers.end();
      });
      if (first_other == line.end()) continue;
      const TicketRef other{admitted->concert, *first_other};
      if (machine_->status_of(other) != TicketStatus::kWaiting) continue;
      if (planted("cap-exceeded-by-one")) admitted->numbers.push_back(*first_other);
      if (planted("skipped-person")) admitted->numbers.back() = *first_other;
      if (planted("absent-loses-place") && model_.find(other)->seen + limits::kAbsentAfter <= now_) {
        events.emplace_back(Left{now_, other});
        return;
      }
    }
  }

  // ---- The journal
  // ------------------------------------------------------------------------------------------

  void commit(Events& events) {
    for (Event& event : events) {
      if (planted("deadline-late")) {
        if (auto* activated = std::get_if<Activated>(&event))
          activated->until = activated->until + 200 * kMillisecond;
      }
      if (const auto* admitted = std::get_if<Admitted>(&event)) tally_.admitted += admitted->numbers.size();
      tally_.activated += std::holds_alternative<Activated>(event);
      tally_.left += std::holds_alternative<Left>(event);
      tally_.draws += std::holds_alternative<Drawn>(event);
      if (const auto* expired = std::get_if<Expired>(&event)) tally_.expired += expired->items.size();
      if (const auto* extended = std::get_if<Extended>(&event)) tally_.extended += extended->items.size();
      Record& record = journal_.emplace_back();
      record.type = type(event);
      encode(event, record.payload);
      machine_->evolve(event);
    }
  }
  void sync() {
    durable_ = journal_.size();
    durable_digest_ = machine_->digest();
    durable_model_ = model_;
    durable_now_ = now_;
    durable_shown_ = shown_;
    durable_allowed_ = allowed_;
  }
  void snapshot() {
    sync();
    snapshot_.clear();
    machine_->save([this](std::string_view bytes) { snapshot_.append(bytes); });
    journal_.clear();
    durable_ = 0;
  }
  void crash() {
    note("crash");
    ++tally_.crashes;
    tally_.lost += journal_.size() - durable_;
    journal_.resize(durable_);
    machine_ = std::make_unique<Machine>(config_);
    std::size_t from = 0;
    const Status loaded = machine_->load([&](char* into, std::size_t size) {
      if (size > snapshot_.size() - from) return false;
      snapshot_.copy(into, size, from);
      from += size;
      return true;
    });
    if (!loaded.ok()) fail("the snapshot: " + loaded.error().message);
    if (planted("lost-on-replay") && !journal_.empty()) journal_.pop_back();
    for (const Record& record : journal_) {
      const auto event = decode(record.type, kVersion, record.payload);
      if (!event.ok()) fail(event.error().message);
      machine_->evolve(*event);
    }
    if (machine_->digest() != durable_digest_) fail("recovered to another state");
    if (machine_->recompute_digest() != machine_->digest())
      fail("the recovered state does not agree with itself");
    model_ = durable_model_;
    shown_ = durable_shown_;
    allowed_ = durable_allowed_;
    now_ = std::max(now_, durable_now_);
    if (!planted("snapshot-loses-absent")) machine_->start(now_);
    model_.restart(now_);
    for (int guard = 0; machine_->drawing() && guard < 100'000; ++guard) machine_->advance_draws(100);
    model_.drawn();
    durable_ = journal_.size();
    tick();
    sync();
  }

  // ---- Checks
  // -----------------------------------------------------------------------------------------------

  void compare(TicketRef ref) {
    ++tally_.comparisons;
    const ModelTicket* t = model_.find(ref);
    const auto view = spoiled(machine_->view(ref, now_));
    if (t == nullptr) {
      if (view.ok()) fail("a ticket is there that was forgotten");
      return;
    }
    const ModelConcert& c = model_.concerts.at(ref.concert);
    if (is_gone(t->status)) {
      if (view.ok()) fail("somebody is still there who is gone");
      const bool left = view.error().code == ErrorCode::kTicketLeft;
      if (left != (t->status == TicketStatus::kLeft))
        fail("gone for another reason: " + view.error().message);
      if (!left && view.error().message.find(name(t->expiry)) == std::string::npos)
        fail("expired for another reason: " + view.error().message);
      return;
    }
    if (!view.ok()) fail(fmt::format("{}.{} is lost: {}", ref.concert, ref.number, view.error().message));
    if (view->status != t->status)
      fail(fmt::format("{}.{} is {} and should be {}", ref.concert, ref.number, name(view->status),
                       name(t->status)));
    if (view->total_waiting != c.count(TicketStatus::kWaiting)) fail("another number of people waits");
    if (t->status != TicketStatus::kWaiting) {
      if (view->until != c.end_of(*t))
        fail(fmt::format("{}.{} has another deadline, by {} us", ref.concert, ref.number,
                         view->until - c.end_of(*t)));
      return;
    }
    const auto line = c.line();
    const auto at = std::find(line.begin(), line.end(), ref.number);
    const std::optional<std::uint64_t> position =
        at == line.end() ? std::nullopt : std::optional<std::uint64_t>(at - line.begin() + 1);
    if (view->position != position)
      fail(fmt::format("{}.{} is told position {} and has {}", ref.concert, ref.number,
                       view->position.value_or(0), position.value_or(0)));
    if (!position) return;
    const auto [shown, is_new] = shown_.emplace(ref, *position);
    if (*position > shown->second) fail("a position went up");
    shown->second = *position;
  }

  Result<TicketView> spoiled(Result<TicketView> view) {
    if (!view.ok() || !view->position) return view;
    if (planted("position-up") && one_in(50)) ++*view->position;
    const auto& c = model_.concerts.at(view->ref.concert);
    if (planted("another-order") && c.draw == DrawState::kDrawn && *view->position <= 2)
      view->position = 3 - *view->position;
    return view;
  }

  void compare_all() {
    std::uint64_t waiting = 0, occupied = 0;
    for (const auto& [index, c] : model_.concerts) {
      for (const auto& [number, t] : c.tickets) {
        if (!is_gone(t.status) || one_in(10)) compare({index, number});
      }
      const Machine::Sizes sizes = machine_->sizes(index, now_);
      const auto allowed = allowed_.find(c.id);
      const std::uint64_t cap = allowed == allowed_.end() ? c.settings.max_active : allowed->second;
      if (sizes.occupied > cap) fail("more people are in than the cap allows");
      if (allowed != allowed_.end()) allowed->second = std::max(c.settings.max_active, sizes.occupied);
      waiting += sizes.waiting;
      occupied += sizes.occupied;
      if (const auto view = machine_->concert(c.id, now_); view.ok()) tally_.passed_over += view->absent;
    }
    if (waiting != machine_->waiting() || occupied != machine_->occupied())
      fail("the sums are not those of the concerts");
    if (one_in(20) && machine_->recompute_digest() != machine_->digest())
      fail("the digest is not that of the state");
  }

  [[noreturn]] void fail(const std::string& what) { throw Violation(what); }
  bool planted(std::string_view what) const { return plant_ == what; }
  std::uint64_t random(std::uint64_t below) { return random_() % below; }
  bool one_in(std::uint64_t n) { return random(n) == 0; }
  void note(std::string line) {
    trace_.push_back(fmt::format("{} {}", now_.us, std::move(line)));
    if (trace_.size() > 40) trace_.pop_front();
  }

  std::mt19937_64 random_;
  std::string plant_;
  MachineConfig config_;
  Timestamp now_{1'800'000'000 * kSecond}, durable_now_ = now_;
  std::unique_ptr<Machine> machine_;
  Model model_, durable_model_;
  std::vector<Record> journal_;
  std::size_t durable_ = 0;
  std::uint64_t durable_digest_ = 0;
  std::string snapshot_;
  std::map<TicketRef, std::uint64_t> shown_, durable_shown_;        ///< the least position that was told
  std::map<std::string, std::uint64_t> allowed_, durable_allowed_;  ///< the cap, or who was in at a lowering
  std::uint64_t lotteries_ = 0, steps_ = 0;
  std::deque<std::string> trace_;
  Tally& tally_;
};

// Lotteries are drawn once and concerts that were set up stay: a new world now and then keeps it small.
constexpr std::uint64_t kStepsOfAWorld = 25'000;

int run(std::uint64_t seed, std::uint64_t steps, const std::string& plant) {
  fmt::print("seed {} steps {}{}{}\n", seed, steps, plant.empty() ? "" : " plant ", plant);
  Tally t;
  for (std::uint64_t from = 0; from < steps; from += kStepsOfAWorld) {
    World world(seed + from, plant, t);
    try {
      for (std::uint64_t i = from; i < std::min(steps, from + kStepsOfAWorld); ++i) world.step();
      world.finish();
    } catch (const Violation& violation) {
      fmt::print("step {}: {}\n", from + world.steps(), violation.what());
      if (!plant.empty()) {
        fmt::print("caught\n");
        return 0;
      }
      fmt::print("before it:\n{}", world.trace());
      return 1;
    }
  }
  fmt::print(
      "entered {} again {} refused {} admitted later {} activated {} left {} expired {} extended {} draws "
      "{}\n"
      "absent when compared {} crashes {} events lost {} forgotten {} comparisons {}\n",
      t.entered, t.again, t.refused, t.admitted, t.activated, t.left, t.expired, t.extended, t.draws,
      t.passed_over, t.crashes, t.lost, t.forgotten, t.comparisons);
  if (plant.empty()) return 0;
  fmt::print("NOT caught\n");
  return 1;
}

}  // namespace
}  // namespace spillway::waitroom::sim

int main(int argc, char** argv) {
  using namespace spillway::waitroom::sim;
  std::uint64_t seed = std::random_device{}(), steps = 1'000'000;
  std::string plant;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const bool has_value = i + 1 < argc;
    if (flag == "--seed" && has_value) {
      seed = std::strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--steps" && has_value) {
      steps = std::strtoull(argv[++i], nullptr, 10);
    } else if (flag == "--plant" && has_value) {
      plant = argv[++i];
    } else if (flag == "--list-plants") {
      for (const auto each : kPlants) fmt::print("{}\n", each);
      return 0;
    } else {
      fmt::print(stderr, "usage: waitroom_sim [--seed N] [--steps N] [--plant NAME] [--list-plants]\n");
      return 2;
    }
  }
  if (!plant.empty() && std::find(std::begin(kPlants), std::end(kPlants), plant) == std::end(kPlants)) {
    fmt::print(stderr, "there is no plant '{}': see --list-plants\n", plant);
    return 2;
  }
  return run(seed, steps, plant);
}
