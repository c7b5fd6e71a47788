#include "waitroom/embedded.h"

#include <algorithm>
#include <utility>

#include "base/json_writer.h"
#include "journal/call.h"

namespace spillway::waitroom {
namespace {

std::string audit_json(const Settings& s) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("maxActive", s.max_active).member("admitPerSecond", s.admit_per_second);
  json.member("readySeconds", s.ready_us / kSecond).member("activeSeconds", s.active_us / kSecond);
  json.member("idleExtends", s.idle_extends).member("mode", name(s.mode));
  if (s.opens_at) json.member("opensAt", s.opens_at);
  json.close_object();
  return out;
}

std::string audit_key(std::uint8_t key) {
  std::string out;
  JsonWriter(out).open_object().member("key", std::uint32_t{key}).close_object();
  return out;
}

template <class Bounds, class H>
void observe(const Bounds& bounds, H& histogram, Micros took_us) {
  const double seconds = static_cast<double>(std::max<Micros>(took_us, 0)) / kSecond;
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), seconds);
  ++histogram.counts[static_cast<std::size_t>(bound - bounds.begin())];
  histogram.sum_seconds += seconds;
}

}  // namespace

// ---- Port -------------------------------------------------------------------------------------------------

void EmbeddedService::attach(journal::Engine& engine, const Seed& seed, std::uint8_t key) {
  engine_ = &engine;
  seed_ = seed;
  key_ = key;
}

template <class R, class Decide, class Tell>
struct EmbeddedService::Change {
  EmbeddedService& s;
  Decide decide;
  Tell tell;

  void prefetch() const {
    if constexpr (requires { decide.prefetch(s.state_.machine); }) decide.prefetch(s.state_.machine);
  }
  Result<R> operator()(journal::Turn& turn) {
    s.begin(turn);
    s.ensure_started(turn);
    s.events_.clear();
    auto decided = decide(s.state_.machine, turn.now(), s.events_);
    s.commit(turn, s.events_);
    s.record_audit(turn);
    if (!decided) return decided.error();
    return tell(s.state_.machine, turn.now(), *decided);
  }
};

template <class R, class Decide, class Tell>
void EmbeddedService::change(Reply<R> reply, Decide decide, Tell tell) {
  journal::call<R>(*engine_, true, std::move(reply),
                   Change<R, Decide, Tell>{*this, std::move(decide), std::move(tell)});
}

template <class R, class Tell>
struct EmbeddedService::Read {
  EmbeddedService& s;
  Tell tell;

  void prefetch() const {
    if constexpr (requires { tell.prefetch(s.state_.machine); }) tell.prefetch(s.state_.machine);
  }
  Result<R> operator()(journal::Turn& turn) {
    s.begin(turn);
    return tell(s.state_.machine, turn.now());
  }
};

template <class R, class Tell>
void EmbeddedService::read(Reply<R> reply, Tell tell) {
  journal::call<R>(*engine_, false, std::move(reply), Read<R, Tell>{*this, std::move(tell)});
}

void EmbeddedService::enter(Enter command, Reply<TicketView> reply) {
  if (!engine_->accepting()) return reply(journal::refusal(journal::Fate::kOverloaded));
  struct Decide {
    Enter command;
    void prefetch(const Machine& machine) const { machine.prefetch(command); }
    Result<TicketRef> operator()(Machine& machine, Timestamp now, Events& events) const {
      return machine.decide(command, now, events);
    }
  };
  change<TicketView>(std::move(reply), Decide{std::move(command)},
                     [](Machine& machine, Timestamp now, TicketRef ref) {
                       machine.saw(ref, now);
                       return machine.view(ref, now);
                     });
}

void EmbeddedService::status(TicketRef ref, Reply<TicketView> reply) {
  struct Tell {
    TicketRef ref;
    void prefetch(const Machine& machine) const { machine.prefetch(ref); }
    Result<TicketView> operator()(Machine& machine, Timestamp now) const {
      machine.saw(ref, now);
      return machine.view(ref, now);
    }
  };
  read<TicketView>(std::move(reply), Tell{ref});
}

void EmbeddedService::look(std::vector<TicketRef> refs, Reply<std::vector<Result<TicketView>>> reply) {
  using Views = std::vector<Result<TicketView>>;
  read<Views>(std::move(reply), [refs = std::move(refs)](Machine& machine, Timestamp now) {
    Views views;
    views.reserve(refs.size());
    for (const TicketRef ref : refs) {
      machine.saw(ref, now);
      views.push_back(machine.view(ref, now));
    }
    return Result<Views>(std::move(views));
  });
}

void EmbeddedService::activate(TicketRef ref, Reply<TicketDetail> reply) {
  change<TicketDetail>(
      std::move(reply),
      [ref](Machine& machine, Timestamp now, Events& events) {
        machine.saw(ref, now);
        return machine.decide_activate(ref, now, events);
      },
      [ref](Machine& machine, Timestamp now, Ok) { return machine.detail(ref, now); });
}

void EmbeddedService::leave(TicketRef ref, Reply<Ok> reply) {
  change<Ok>(
      std::move(reply),
      [ref](Machine& machine, Timestamp now, Events& events) {
        return machine.decide_leave(ref, now, events);
      },
      [](Machine&, Timestamp, Ok ok) { return Result<Ok>(ok); });
}

void EmbeddedService::detail(TicketRef ref, Reply<TicketDetail> reply) {
  read<TicketDetail>(std::move(reply), [ref](Machine& machine, Timestamp now) {
    machine.saw(ref, now);
    return machine.detail(ref, now);
  });
}

void EmbeddedService::lottery(std::string concert_id, Reply<LotteryView> reply) {
  read<LotteryView>(std::move(reply), [id = std::move(concert_id)](Machine& machine, Timestamp) {
    return machine.lottery(id);
  });
}

void EmbeddedService::put_concert(PutConcert command, Reply<ConcertView> reply) {
  auto shared = std::make_shared<const PutConcert>(std::move(command));
  auto created = std::make_shared<bool>(false);
  change<ConcertView>(
      std::move(reply),
      [this, shared, created](Machine& machine, Timestamp now, Events& events) -> Status {
        const auto before = machine.concert(shared->concert_id, now);
        *created = !before || !before->configured;
        Status decided = machine.decide(*shared, now, events);
        if (decided && !events.empty()) {
          to_audit_ =
              AuditEntry{shared->actor, *created ? "waitroom.create" : "waitroom.change", shared->concert_id,
                         *created ? "" : audit_json(before->settings), audit_json(shared->settings)};
        }
        return decided;
      },
      [shared, created](Machine& machine, Timestamp now, Ok) {
        auto view = machine.concert(shared->concert_id, now);
        if (view) view->created = *created;
        return view;
      });
}

void EmbeddedService::get_concert(std::string concert_id, Reply<ConcertView> reply) {
  read<ConcertView>(std::move(reply), [id = std::move(concert_id)](Machine& machine, Timestamp now) {
    return machine.concert(id, now);
  });
}

void EmbeddedService::list_concerts(ListConcerts query, Reply<ConcertPage> reply) {
  read<ConcertPage>(std::move(reply), [query = std::move(query)](Machine& machine, Timestamp now) {
    return machine.concerts(query, now);
  });
}

void EmbeddedService::take_key(std::uint8_t key, Actor actor, Reply<Ok> reply) {
  change<Ok>(
      std::move(reply),
      [this, key, actor = std::move(actor)](Machine& machine, Timestamp now, Events& events) -> Status {
        const std::uint8_t before = machine.key();
        machine.decide_key(key, now, events);
        if (!events.empty()) {
          to_audit_ =
              AuditEntry{actor, "waitroom_keys.rotate", "waitroom-keys", audit_key(before), audit_key(key)};
        }
        return Ok{};
      },
      [](Machine&, Timestamp, Ok ok) { return Result<Ok>(ok); });
}

void EmbeddedService::metrics(Reply<Metrics> reply) {
  read<Metrics>(std::move(reply), [this](Machine& machine, Timestamp now) {
    Metrics metrics = metrics_;
    if (metrics.concerts.empty()) metrics.concerts.push_back({.concert_id = "other"});
    std::uint64_t waiting = 0, occupied = 0;
    for (const auto& [concert, place] : labelled_) {
      const Machine::Sizes sizes = machine.sizes(concert, now);
      Metrics::Concert& told = metrics.concerts[place];
      told.waiting += sizes.waiting;
      told.occupied += sizes.occupied;
      told.present += sizes.present;
      told.max_active += sizes.max_active;
      told.admitted += sizes.admitted;
      told.paused = told.paused || sizes.paused;
      told.admitting = told.admitting || sizes.admitting;
      waiting += sizes.waiting;
      occupied += sizes.occupied;
    }
    metrics.concerts[0].waiting = machine.waiting() - waiting;
    metrics.concerts[0].occupied = machine.occupied() - occupied;
    return Result<Metrics>(std::move(metrics));
  });
}

// ---- On the state thread ----------------------------------------------------------------------------------

void EmbeddedService::begin(journal::Turn& turn) {
  if (began_) return;
  began_ = true;
  state_.machine.start(turn.now());
}

void EmbeddedService::ensure_started(journal::Turn& turn) {
  if (started_) return;
  started_ = true;
  Events events;
  if (!state_.machine.seeded()) state_.machine.decide_seed(seed_, events);
  state_.machine.decide_key(key_, turn.now(), events);
  commit(turn, events);
}

void EmbeddedService::commit(journal::Turn& turn, const Events& events) {
  for (const Event& event : events) {
    payload_.clear();
    encode(event, payload_);
    turn.append({kServiceNumber, type(event), kVersion}, payload_);
    count(event);
    state_.machine.evolve(event);
  }
}

void EmbeddedService::record_audit(journal::Turn& turn) {
  if (!to_audit_) return;
  if (audit_ != nullptr) audit_->record(turn, *to_audit_);
  to_audit_.reset();
}

Metrics::Concert& EmbeddedService::counters(std::uint32_t concert) {
  if (metrics_.concerts.empty()) metrics_.concerts.push_back({.concert_id = "other"});
  if (const auto known = labelled_.find(concert); known != labelled_.end()) {
    return metrics_.concerts[known->second];
  }
  // Concerts that anybody may name take no more than a fifth of the labels.
  const std::size_t most =
      state_.machine.configured(concert) ? limits::kMaxConcertLabels : limits::kMaxConcertLabels / 5;
  const std::string_view id = state_.machine.concert_id(concert);
  if (metrics_.concerts.size() > most || id.empty() || id == "other") return metrics_.concerts[0];
  for (std::size_t i = 1; i < metrics_.concerts.size(); ++i) {
    if (metrics_.concerts[i].concert_id != id) continue;  // named again after it was forgotten
    labelled_[concert] = i;
    return metrics_.concerts[i];
  }
  labelled_[concert] = metrics_.concerts.size();
  return metrics_.concerts.emplace_back(Metrics::Concert{.concert_id = std::string(id)});
}

void EmbeddedService::count_gone(TicketRef ref, Timestamp at, std::uint64_t Metrics::Concert::*reason) {
  ++(counters(ref.concert).*reason);
  if (const Timestamp activated = state_.machine.activated_at(ref)) {
    observe(Metrics::kUsageBounds, metrics_.active_usage, at - activated);
  }
}

/// Before the event is applied.
void EmbeddedService::count(const Event& event) {
  if (const auto* entered = std::get_if<Entered>(&event)) {
    ++counters(entered->ticket.concert).entered;
  } else if (const auto* activated = std::get_if<Activated>(&event)) {
    observe(kWaitBounds, metrics_.activation_wait,
            activated->at - state_.machine.entered_at(activated->ticket));
  } else if (const auto* left = std::get_if<Left>(&event)) {
    count_gone(left->ticket, left->at, &Metrics::Concert::left);
  } else if (const auto* expired = std::get_if<Expired>(&event)) {
    for (const Expired::Item& item : expired->items) {
      count_gone(item.ticket, expired->at,
                 item.why == Expiry::kIdle           ? &Metrics::Concert::idle
                 : item.why == Expiry::kNotActivated ? &Metrics::Concert::not_activated
                                                     : &Metrics::Concert::too_old);
    }
  }
}

void EmbeddedService::tick(journal::Turn& turn, bool may_write) {
  begin(turn);
  state_.machine.advance_draws(limits::kDrawPerTick);
  if (!may_write) return;
  ensure_started(turn);
  Machine& machine = state_.machine;
  const Timestamp now = turn.now();
  const auto step = [&](auto decide) {
    events_.clear();
    decide();
    commit(turn, events_);
  };
  step([&] { machine.decide_expiries(now, limits::kMaxExpiredPerTurn, events_); });
  step([&] { machine.decide_looked_after(now, limits::kMaxLookedAfter, events_); });
  step([&] { machine.decide_admissions(now, limits::kMaxAdmitPerTurn, events_); });
  step([&] { machine.decide_forget(now, limits::kMaxForgottenPerTurn, events_); });
}

void EmbeddedService::end_of_batch(journal::Turn& turn, bool may_write) {
  if (!may_write || !started_) return;
  events_.clear();
  state_.machine.decide_admissions(turn.now(), limits::kMaxAdmitPerTurn, events_);
  commit(turn, events_);
}

}  // namespace spillway::waitroom
