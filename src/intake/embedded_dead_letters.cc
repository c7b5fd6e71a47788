// Dead letters on the embedded engine.

#include "base/json_writer.h"
#include "intake/embedded_call.h"

namespace spillway::intake {
namespace {

std::string audit_json(const RedriveView& redrive) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("redriveId", redrive.redrive_id).member("state", name(redrive.state));
  json.member("matching", redrive.matching).member("redriven", redrive.redriven);
  json.member("ratePerSecond", redrive.rate_per_second);
  json.member("stopAfterFailures", redrive.stop_after_failures).close_object();
  return out;
}

std::string audit_json(const DiscardResult& result, const std::string& reason) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("discarded", result.discarded).member("reason", reason).close_object();
  return out;
}

}  // namespace

void EmbeddedService::list_dead_letters(ListDeadLetters command, Reply<DeadLetterPage> reply) {
  call<DeadLetterPage>(
      false, std::move(reply),
      [command = std::move(command)](Machine& machine, Timestamp, Events&) { return machine.list(command); });
}

void EmbeddedService::get_dead_letter(std::string request_id, Reply<DeadLetterDetail> reply) {
  call<DeadLetterDetail>(false, std::move(reply),
                         [request_id = std::move(request_id)](Machine& machine, Timestamp, Events&) {
                           return machine.dead_letter(request_id);
                         });
}

void EmbeddedService::preview_redrive(DeadLetterFilter filter, Reply<RedrivePreview> reply) {
  call<RedrivePreview>(false, std::move(reply),
                       [filter = std::move(filter)](Machine& machine, Timestamp, Events&) {
                         return machine.preview_redrive(filter);
                       });
}

void EmbeddedService::redrive(Redrive command, Reply<RedriveView> reply) {
  call<RedriveView>(true, std::move(reply),
                    [this, command = std::move(command)](Machine& machine, Timestamp now, Events& events) {
                      auto started = machine.decide(command, now, events);
                      if (started) {
                        to_audit_ = AuditEntry{command.actor, "dead_letters.redrive", "participations", "",
                                               audit_json(*started)};
                      }
                      return started;
                    });
}

void EmbeddedService::get_redrive(Reply<RedriveView> reply) {
  call<RedriveView>(false, std::move(reply),
                    [](Machine& machine, Timestamp, Events&) { return machine.redrive(); });
}

void EmbeddedService::stop_redrive(Actor actor, Reply<RedriveView> reply) {
  call<RedriveView>(true, std::move(reply),
                    [this, actor = std::move(actor)](Machine& machine, Timestamp now, Events& events) {
                      const auto before = machine.redrive();
                      auto stopped = machine.decide_stop_redrive(now, events);
                      if (stopped && !events.empty()) {
                        to_audit_ = AuditEntry{actor, "dead_letters.redrive_stop", "participations",
                                               audit_json(*before), audit_json(*stopped)};
                      }
                      return stopped;
                    });
}

void EmbeddedService::discard_dead_letters(DiscardDeadLetters command, Reply<DiscardResult> reply) {
  call<DiscardResult>(true, std::move(reply),
                      [this, command = std::move(command)](Machine& machine, Timestamp now, Events& events) {
                        auto result = machine.decide(command, now, events);
                        if (result && result->discarded != 0) {
                          const auto& ids = command.filter.request_ids;
                          to_audit_ = AuditEntry{command.actor, "dead_letter.discard",
                                                 ids.size() == 1 ? ids.front() : "participations", "",
                                                 audit_json(*result, command.reason)};
                        }
                        return result;
                      });
}

}  // namespace spillway::intake
