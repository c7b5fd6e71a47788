// dead_letters DIRECTORY EVENT LETTERS: makes a data directory in which as many requests have used up all
// their tries. The program itself never fails at its built-in work, so nothing that speaks HTTP can bring
// this about. Every third letter is one that the worker could not read; the others failed at every try. All
// of them fit into the event.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "contract/intake_engine.h"
#include "identity/embedded.h"
#include "intake/embedded.h"
#include "journal/engine.h"
#include "ops/audit_log.h"

namespace spillway {
namespace {

using intake::contract::ask;

constexpr std::size_t kLoop = 0;
constexpr std::uint64_t kTries = 5;
const Actor kActor{"admin-token", "127.0.0.1"};

journal::ReplicaFactory replicas() {
  return [] {
    std::vector<std::unique_ptr<journal::Replica>> all;
    all.push_back(std::make_unique<intake::MachineReplica>(intake::MachineConfig{}));
    all.push_back(std::make_unique<identity::MachineReplica>());
    all.push_back(std::make_unique<ops::AuditReplica>());
    return all;
  };
}

void take_part(WaitLoop& loop, intake::Service& service, const std::string& event, std::uint64_t letters) {
  intake::PutEvent put;
  put.event_id = event;
  put.title = "Where nothing works";
  put.capacity_total = letters;
  put.actor = kActor;
  CHECK(ask<intake::EventView>(loop, [&](auto reply) { service.put_event(put, std::move(reply)); }).ok());
  for (std::uint64_t i = 0; i < letters; ++i) {
    const intake::Participate part{event, "person-" + std::to_string(i), R"({"seat":"A1"})"};
    CHECK(ask<intake::Participation>(loop, [&](auto reply) {
            service.participate(part, std::move(reply));
          }).ok());
  }
}

const char* reason_for(const intake::Delivery& delivery) {
  const bool third = std::stoull(delivery.user_id.substr(delivery.user_id.find('-') + 1)) % 3 == 2;
  return third ? "the backend did not answer in time" : "the backend answered 503";
}

/// Fails whatever comes, until there are so many dead letters. False if that takes longer than it can.
bool fail_all(WaitLoop& loop, intake::Service& service, std::uint64_t letters) {
  constexpr std::uint32_t kBatch = 64;
  for (std::uint64_t round = 0; round < letters * kTries; ++round) {
    const auto stats =
        ask<intake::QueueStats>(loop, [&](auto reply) { service.queue_stats(std::move(reply)); });
    CHECK(stats.ok());
    if (stats->dead_letters == letters) return true;
    auto received = ask<std::vector<intake::Delivery>>(loop, [&](auto reply) {
      intake::Receive receive;
      receive.max = kBatch;
      receive.wait_us = kSecond;
      service.receive(receive, std::move(reply));
    });
    CHECK(received.ok());
    intake::Complete complete;
    for (const intake::Delivery& delivery : *received) {
      intake::Outcome outcome;
      outcome.receipt = delivery.receipt;
      outcome.result = intake::WorkResult::kRetry;
      outcome.reason = reason_for(delivery);
      complete.outcomes.push_back(std::move(outcome));
    }
    CHECK(ask<intake::Acks>(loop, [&](auto reply) { service.complete(complete, std::move(reply)); }).ok());
  }
  return false;
}

int make(const std::string& directory, const std::string& event, std::uint64_t letters) {
  const SystemClock clock;
  ops::AuditLog audit;
  intake::EmbeddedService service({}, &audit);
  identity::EmbeddedIdentity people(clock, &audit);
  journal::EngineOptions options;
  options.dir = directory;
  auto engine = journal::Engine::open(journal::posix_file_system(), clock, options,
                                      {&service, &people, &audit}, replicas());
  if (!engine) {
    std::fprintf(stderr, "%s\n", engine.error().message.c_str());
    return 1;
  }
  service.attach(**engine, intake::Seed{1, 2, 3});
  people.attach(**engine);
  audit.attach(**engine);
  (*engine)->start();
  WaitLoop loop(kLoop);
  take_part(loop, service, event, letters);
  const bool done = fail_all(loop, service, letters);
  (*engine)->stop();
  if (!done) std::fprintf(stderr, "they did not all become dead letters\n");
  return done ? 0 : 1;
}

}  // namespace
}  // namespace spillway

int main(int count, char** words) {
  if (count != 4) {
    std::fprintf(stderr, "usage: dead_letters DIRECTORY EVENT LETTERS\n");
    return 2;
  }
  return spillway::make(words[1], words[2], std::strtoull(words[3], nullptr, 10));
}
