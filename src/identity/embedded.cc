#include "identity/embedded.h"

#include <algorithm>
#include <utility>

#include "base/json_writer.h"
#include "journal/call.h"

namespace spillway::identity {
namespace {

std::string to_json(const UserView& user) {
  std::string out;
  JsonWriter(out)
      .open_object()
      .member("role", name(user.role))
      .member("disabled", user.disabled)
      .close_object();
  return out;
}

}  // namespace

// ---- Port -------------------------------------------------------------------------------------------------

template <class R, class Decide>
void EmbeddedIdentity::call(bool mutates, Reply<R> reply, Decide decide) {
  CHECK(engine_ != nullptr);
  journal::call<R>(*engine_, mutates, std::move(reply), std::move(decide));
}

template <class Command>
auto EmbeddedIdentity::change(journal::Turn& turn, const Command& command) {
  events_.clear();
  auto result = state_.machine.decide(command, turn.now(), events_);
  commit(turn, events_);
  return result;
}

void EmbeddedIdentity::attach(journal::Engine& engine) {
  engine_ = &engine;
  state_.machine.for_each_revoked(
      [this](std::uint64_t token, Timestamp until) { view_.revoke_token(token, until); });
  state_.machine.for_each_signed_out(
      [this](std::string_view user, Timestamp from) { view_.sign_out(user, from); });
}

void EmbeddedIdentity::credentials(std::string user_id, Reply<Credentials> reply) {
  call<Credentials>(false, std::move(reply), [this, user_id = std::move(user_id)](journal::Turn&) {
    return Result<Credentials>(state_.machine.credentials(user_id));
  });
}

void EmbeddedIdentity::login(Login command, Reply<LoggedInAs> reply) {
  call<LoggedInAs>(true, std::move(reply), [this, command = std::move(command)](journal::Turn& turn) {
    return change(turn, command);
  });
}

void EmbeddedIdentity::logout(Logout command, Reply<Ok> reply) {
  call<Ok>(
      true,
      [this, command, reply = std::move(reply)](Result<Ok> done) mutable {
        if (done) view_.revoke_token(command.token_id, command.expires);
        reply(std::move(done));
      },
      [this, command](journal::Turn& turn) { return change(turn, command); });
}

void EmbeddedIdentity::put_user(PutUser command, Reply<UserView> reply) {
  call<UserChange>(
      true,
      [this, reply = std::move(reply)](Result<UserChange> changed) mutable {
        if (!changed) return reply(changed.error());
        if (changed->valid_from) view_.sign_out(changed->after.user_id, changed->valid_from);
        reply(std::move(changed->after));
      },
      [this, command = std::move(command)](journal::Turn& turn) {
        auto changed = change(turn, command);
        if (changed) audit(turn, command.actor, *changed);
        return changed;
      });
}

void EmbeddedIdentity::list_users(ListUsers command, Reply<UserPage> reply) {
  call<UserPage>(false, std::move(reply), [this, command = std::move(command)](journal::Turn&) {
    return state_.machine.list(command);
  });
}

void EmbeddedIdentity::sign_out(SignOut command, Reply<Ok> reply) {
  std::string user_id = command.user_id;  // here: the command is moved below, in whatever order
  call<Timestamp>(
      true,
      [this, user_id = std::move(user_id), reply = std::move(reply)](Result<Timestamp> from) mutable {
        if (!from) return reply(from.error());
        view_.sign_out(user_id, *from);
        reply(Ok{});
      },
      [this, command = std::move(command)](journal::Turn& turn) {
        auto from = change(turn, command);
        if (from && audit_ != nullptr) {
          audit_->record(turn, {command.actor, "user.sign_out", command.user_id, "", ""});
        }
        return from;
      });
}

// ---- On the state thread ----------------------------------------------------------------------------------

void EmbeddedIdentity::commit(journal::Turn& turn, const Events& events) {
  for (const Event& event : events) {
    payload_.clear();
    encode(event, payload_);
    turn.append({kServiceNumber, type(event), kVersion}, payload_);
    state_.machine.evolve(event);
  }
}

void EmbeddedIdentity::audit(journal::Turn& turn, const Actor& actor, const UserChange& change) {
  if (audit_ == nullptr) return;
  const UserView& after = change.after;
  const auto record = [&](const char* action, std::string before, std::string now) {
    audit_->record(turn, {actor, action, after.user_id, std::move(before), std::move(now)});
  };
  if (!change.before) return record("user.add", "", to_json(after));
  const UserView& before = *change.before;
  if (before.role != after.role) record("user.role", to_json(before), to_json(after));
  if (before.disabled != after.disabled) {
    record(after.disabled ? "user.disable" : "user.enable", to_json(before), to_json(after));
  }
  if (change.password_changed) record("user.password", "", "");
}

void EmbeddedIdentity::tick(journal::Turn& turn, bool may_write) {
  // While the wall clock is behind ours (somebody set it back), tokens live on by the former.
  const Timestamp until = std::min(turn.now(), clock_.wall());
  view_.forget_some(until);
  if (!may_write) return;
  events_.clear();
  state_.machine.decide_due(turn.now(), until, limits::kMaxDuePerTick, events_);
  commit(turn, events_);
}

}  // namespace spillway::identity
