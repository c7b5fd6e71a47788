// What every engine of intake must do, seen through the port alone.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/limits.h"
#include "contract/intake_engine.h"
#include "intake/worker_pool.h"

namespace spillway::intake::contract {
namespace {

class IntakeContract : public testing::TestWithParam<EngineKind> {
 protected:
  void SetUp() override { engine_ = GetParam().make(); }

  Service& service() { return engine_->service(); }
  Timestamp now() { return engine_->clock().wall(); }

  Result<EventView> put(const std::string& id, std::uint64_t capacity, Timestamp opens = {},
                        Timestamp closes = {}) {
    return ask<EventView>(loop_, [&](auto reply) {
      service().put_event({id, "title", capacity, opens, closes, Policy::kFirstCome}, std::move(reply));
    });
  }
  void made(const std::string& id, std::uint64_t capacity, Timestamp opens = {}, Timestamp closes = {}) {
    ASSERT_TRUE(put(id, capacity, opens, closes).ok());
  }
  Result<Participation> take_part(const std::string& event, const std::string& user,
                                  const std::string& body = {}) {
    return ask<Participation>(loop_, [&](auto reply) {
      service().participate({event, user, body}, std::move(reply));
    });
  }
  std::vector<std::string> take_part_many(const std::string& event, int people) {
    std::vector<std::string> ids;
    for (int i = 0; i < people; ++i) ids.push_back(take_part(event, "user-" + std::to_string(i))->request_id);
    return ids;
  }
  Result<RequestDetail> detail(const std::string& id) {
    return ask<RequestDetail>(loop_, [&](auto reply) { service().get_request_detail(id, std::move(reply)); });
  }
  RequestStatus status(const std::string& id) { return detail(id)->view.status; }
  Result<RequestView> look(const std::string& id, const std::string& user) {
    return ask<RequestView>(loop_, [&](auto reply) {
      service().get_request({id, user, 0, {}}, std::move(reply));
    });
  }
  std::uint64_t remaining(const std::string& event) {
    return ask<EventView>(loop_, [&](auto reply) { service().get_event(event, std::move(reply)); })
        ->capacity_remaining;
  }
  QueueStats queue() {
    return *ask<QueueStats>(loop_, [&](auto reply) { service().queue_stats(std::move(reply)); });
  }
  QueueStats set_paused(bool paused) {
    return *ask<QueueStats>(loop_, [&](auto reply) { service().set_paused(paused, {}, std::move(reply)); });
  }
  std::vector<Delivery> receive(std::uint32_t max) {
    return *ask<std::vector<Delivery>>(loop_, [&](auto reply) {
      service().receive({.max = max, .wait_us = 0, .visibility_us = 30 * kSecond}, std::move(reply));
    });
  }
  Ack complete(const Receipt& receipt, WorkResult result, ResultCode code = ResultCode::kNone,
               Micros again_us = 0) {
    Outcome outcome;
    outcome.receipt = receipt;
    outcome.result = result;
    outcome.result_code = code;
    outcome.reason = result == WorkResult::kSucceed ? "" : "because";
    outcome.retry_after_us = again_us;
    return ask<Acks>(loop_, [&](auto reply) { service().complete({{outcome}}, std::move(reply)); })
        ->acks.at(0);
  }
  Ack extend(const Receipt& receipt, Micros visibility_us) {
    return ask<Acks>(loop_,
                     [&](auto reply) {
                       service().extend({{receipt}, visibility_us}, std::move(reply));
                     })
        ->acks.at(0);
  }
  /// Receives and completes until nothing more comes.
  void work_off() {
    for (auto deliveries = receive(7); !deliveries.empty() || queue().visible > 0; deliveries = receive(7)) {
      for (const Delivery& delivery : deliveries) {
        EXPECT_EQ(complete(delivery.receipt, WorkResult::kSucceed), Ack::kApplied);
      }
    }
  }

  WaitLoop loop_{0};
  std::unique_ptr<EngineUnderTest> engine_;
};

TEST_P(IntakeContract, RequestsAreFoundByUserByIdAndByEvent) {
  for (const char* event : {"A", "B", "C"}) made(event, 1);
  std::vector<std::string> anns;
  for (const char* event : {"B", "C", "A"}) {
    anns.insert(anns.begin(), take_part(event, "ann")->request_id);
    ASSERT_TRUE(take_part(event, "bob").ok());
  }
  const auto find = [&](SearchRequests query, std::string* next = nullptr) {
    const auto page = ask<FoundRequests>(
        loop_, [&](auto reply) { service().search_requests(std::move(query), std::move(reply)); });
    std::vector<std::string> ids;
    for (const RequestDetail& item : page->items) ids.push_back(item.view.request_id);
    if (next != nullptr) *next = page->next_cursor;
    return ids;
  };
  EXPECT_EQ(find({.user_id = "ann"}), anns);
  EXPECT_EQ(find({.user_id = "ann", .event_id = "C"}), std::vector{anns[1]});
  EXPECT_EQ(find({.request_id = anns[2]}), std::vector{anns[2]});
  EXPECT_EQ(find({.user_id = "bob", .request_id = anns[2]}), std::vector<std::string>{});
  EXPECT_EQ(find({.event_id = "A"}).size(), 2u);
  EXPECT_EQ(find({.user_id = "ann", .status = RequestStatus::kSucceeded}), std::vector<std::string>{});
  std::string next;
  EXPECT_EQ(find({.user_id = "ann", .limit = 2}, &next), (std::vector{anns[0], anns[1]}));
  EXPECT_EQ(find({.user_id = "ann", .limit = 2, .cursor = next}, &next), std::vector{anns[2]});
  EXPECT_EQ(next, "");
  work_off();
  engine_->restart();
  EXPECT_EQ(find({.user_id = "ann", .status = RequestStatus::kSucceeded}), anns);
  EXPECT_EQ(find({.event_id = "A", .status = RequestStatus::kRejected}).size(), 1u);
  const auto unknown = ask<FoundRequests>(
      loop_, [&](auto reply) { service().search_requests({.event_id = "NONE"}, std::move(reply)); });
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
}

TEST_P(IntakeContract, AnEventTellsWhetherItIsOpen) {
  made("E", 2, now() + 10 * kSecond, now() + 20 * kSecond);
  const auto phase = [&] {
    return ask<EventView>(loop_, [&](auto reply) { service().get_event("E", std::move(reply)); })->phase;
  };
  EXPECT_EQ(phase(), EventPhase::kPending);
  engine_->advance(10 * kSecond);
  EXPECT_EQ(phase(), EventPhase::kOpen);
  engine_->advance(10 * kSecond);
  EXPECT_EQ(phase(), EventPhase::kClosed);
}

TEST_P(IntakeContract, DeadLettersAreRedrivenAlsoAcrossARestart) {
  made("E", 2);
  const auto ids = take_part_many("E", 4);
  std::set<std::string> dead;
  for (int tries = 0; dead.size() < 3; ++tries) {
    ASSERT_LT(tries, 100);
    for (const Delivery& delivery : receive(10)) complete(delivery.receipt, WorkResult::kRetry);
    engine_->advance(1 * kSecond);
    for (const std::string& id : ids) {
      if (status(id) == RequestStatus::kFailedFinal) dead.insert(id);
    }
  }
  const auto page =
      ask<DeadLetterPage>(loop_, [&](auto reply) { service().list_dead_letters({}, std::move(reply)); });
  EXPECT_EQ(page->total, queue().dead_letters);
  const auto preview = ask<RedrivePreview>(
      loop_, [&](auto reply) { service().preview_redrive({.event_id = "E"}, std::move(reply)); });
  EXPECT_EQ(preview->matching, page->total);
  const std::string discarded = page->items.back().request_id;
  EXPECT_EQ(ask<DiscardResult>(loop_,
                               [&](auto reply) {
                                 service().discard_dead_letters(
                                     {{.request_ids = {discarded}}, "not wanted", {"ada", "::1"}},
                                     std::move(reply));
                               })
                ->discarded,
            1u);
  const auto start = [&] {
    return ask<RedriveView>(loop_, [&](auto reply) {
      service().redrive({{}, 1, 10, {"ada", "::1"}}, std::move(reply));
    });
  };
  ASSERT_TRUE(start().ok());
  EXPECT_EQ(start().error().code, ErrorCode::kRedriveRunning);
  engine_->advance(1 * kSecond);
  engine_->restart();
  RedriveView now;
  for (int seconds = 0; seconds < 100; ++seconds) {
    for (const Delivery& delivery : receive(10)) complete(delivery.receipt, WorkResult::kSucceed);
    now = *ask<RedriveView>(loop_, [&](auto reply) { service().get_redrive(std::move(reply)); });
    if (now.state != RedriveState::kRunning) break;
    if (!queue().redrive) {  // it may have ended since it was looked at
      now = *ask<RedriveView>(loop_, [&](auto reply) { service().get_redrive(std::move(reply)); });
      EXPECT_NE(now.state, RedriveState::kRunning);
      break;
    }
    engine_->advance(1 * kSecond);
  }
  EXPECT_EQ(now.state, RedriveState::kDone);
  EXPECT_EQ(now.redriven, now.matching);
  EXPECT_EQ(now.succeeded + now.rejected, now.redriven);
  EXPECT_EQ(remaining("E"), 0u);
  EXPECT_EQ(status(discarded), RequestStatus::kFailedFinal);
  EXPECT_EQ(queue().dead_letters, 0u);
}

TEST_P(IntakeContract, FinalStatesAreToldUntilTheyAreTakenAlsoAcrossARestart) {
  const auto put_hook = [&](const std::string& id, const std::string& url) {
    PutEvent command{id, "title", 2, {}, {}, Policy::kFirstCome};
    command.webhook = Webhook{url, "shop"};
    return ask<EventView>(loop_,
                          [&](auto reply) { service().put_event(std::move(command), std::move(reply)); });
  };
  const auto receive_hooks = [&](std::uint32_t max) {
    return *ask<std::vector<WebhookJob>>(loop_, [&](auto reply) {
      service().receive_webhooks({max, 0, 0}, std::move(reply));
    });
  };
  const auto complete_hook = [&](const WebhookJob& job, WebhookResult result, Micros after = 0) {
    WebhookOutcome outcome{
        job.id, job.attempt, result, 500, "HTTP 500", after, result == WebhookResult::kDelivered};
    ASSERT_TRUE(
        ask<Ok>(loop_, [&](auto reply) { service().complete_webhooks({{outcome}}, std::move(reply)); }).ok());
  };
  const auto hook_of = [&](const std::string& id) { return detail(id)->webhook; };
  EXPECT_EQ(put_hook("E", "https://a.example/")->webhook, (Webhook{"https://a.example/", "shop"}));
  made("PLAIN", 2);
  EXPECT_TRUE(take_part("PLAIN", "ann").ok());
  const auto ids = take_part_many("E", 3);
  EXPECT_TRUE(receive_hooks(10).empty()) << "nothing is final yet";
  work_off();
  auto jobs = receive_hooks(2);
  ASSERT_EQ(jobs.size(), 2u);
  EXPECT_EQ(jobs[0].to, (Webhook{"https://a.example/", "shop"}));
  EXPECT_EQ(receive_hooks(10).size(), 1u) << "what is out is not handed out again";
  EXPECT_TRUE(receive_hooks(10).empty());
  complete_hook(jobs[0], WebhookResult::kDelivered);
  complete_hook(jobs[1], WebhookResult::kRetry, 10 * kSecond);
  EXPECT_TRUE(receive_hooks(10).empty());

  engine_->restart();
  jobs = receive_hooks(10);
  ASSERT_EQ(jobs.size(), 1u) << "what was out and not completed";
  complete_hook(jobs[0], WebhookResult::kGiveUp);
  engine_->advance(10 * kSecond);
  jobs = receive_hooks(10);
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].attempt, 2u);
  complete_hook(jobs[0], WebhookResult::kDelivered);

  std::multiset<WebhookState> states;
  for (const std::string& id : ids) states.insert(hook_of(id)->state);
  EXPECT_EQ(states, (std::multiset<WebhookState>{WebhookState::kDelivered, WebhookState::kDelivered,
                                                 WebhookState::kGivenUp}));
  const auto given_up = ask<WebhookPage>(loop_, [&](auto reply) {
    service().list_webhooks({.state = WebhookState::kGivenUp, .event_id = "E"}, std::move(reply));
  });
  ASSERT_EQ(given_up->items.size(), 1u);
  const auto again = ask<RedeliverResult>(loop_, [&](auto reply) {
    service().redeliver_webhooks({"E", {}}, std::move(reply));
  });
  EXPECT_EQ(again->redelivered, 1u);
  jobs = receive_hooks(10);
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].delivery_id, given_up->items[0].delivery_id);
  complete_hook(jobs[0], WebhookResult::kDelivered);
  EXPECT_FALSE(ask<RedeliverResult>(loop_, [&](auto reply) {
                 service().redeliver_webhooks({"NONE", {}}, std::move(reply));
               }).ok());
}

TEST_P(IntakeContract, AReceiverThatFailsHoldsUpNoOther) {
  const auto put_hook = [&](const std::string& id, const std::string& url) {
    PutEvent command{id, "title", 1'000, {}, {}, Policy::kFirstCome};
    command.webhook = Webhook{url, ""};
    ASSERT_TRUE(ask<EventView>(loop_, [&](auto reply) {
                  service().put_event(std::move(command), std::move(reply));
                }).ok());
  };
  const auto receive_hooks = [&](std::uint32_t max) {
    return *ask<std::vector<WebhookJob>>(loop_, [&](auto reply) {
      service().receive_webhooks({max, 0, 0}, std::move(reply));
    });
  };
  const auto complete_hook = [&](const WebhookJob& job, bool well) {
    WebhookOutcome outcome{
        job.id, job.attempt, well ? WebhookResult::kDelivered : WebhookResult::kRetry, 0, "", 0, well};
    ASSERT_TRUE(
        ask<Ok>(loop_, [&](auto reply) { service().complete_webhooks({{outcome}}, std::move(reply)); }).ok());
  };
  put_hook("DEAD-1", "https://dead.example/");
  put_hook("DEAD-2", "https://dead.example/");
  put_hook("WELL", "https://well.example/");
  take_part_many("DEAD-1", 100);
  take_part_many("DEAD-2", 100);
  take_part_many("WELL", 3);
  work_off();
  std::map<std::string, std::size_t> by_url;
  auto jobs = receive_hooks(1'000);
  for (const WebhookJob& job : jobs) ++by_url[job.to.url];
  EXPECT_EQ(by_url,
            (std::map<std::string, std::size_t>{{"https://dead.example/", limits::kWebhooksPerReceiver},
                                                {"https://well.example/", 3}}));
  for (const WebhookJob& job : jobs) complete_hook(job, job.request.event_id == "WELL");
  // It fails again and again, until it is left alone; then there is one at a time, and not at once.
  std::size_t calls = limits::kWebhooksPerReceiver;
  for (jobs = receive_hooks(1'000); !jobs.empty(); jobs = receive_hooks(1'000)) {
    for (const WebhookJob& job : jobs) complete_hook(job, false);
    calls += jobs.size();
    ASSERT_LE(calls, limits::kBreakerFailures + limits::kWebhooksPerReceiver);
  }
  engine_->advance(limits::kBreakerOpen);
  jobs = receive_hooks(1'000);
  ASSERT_EQ(jobs.size(), 1u) << "the probe";
  complete_hook(jobs[0], true);
  EXPECT_EQ(receive_hooks(1'000).size(), limits::kWebhooksPerReceiver);
}

TEST_P(IntakeContract, OnePersonHasOneRequest) {
  ASSERT_TRUE(put("E", 10)->created);
  const auto first = take_part("E", "ann");
  ASSERT_TRUE(first.ok());
  EXPECT_FALSE(first->duplicate);
  const auto again = take_part("E", "ann");
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->request_id, first->request_id);
  EXPECT_NE(take_part("E", "ben")->request_id, first->request_id);
  made("F", 10);
  EXPECT_NE(take_part("F", "ann")->request_id, first->request_id);
  engine_->restart();
  EXPECT_EQ(take_part("E", "ann")->request_id, first->request_id);
}

TEST_P(IntakeContract, WhoAskedTooOftenGetsTheAnswerToWhatHeRepeatsAndNoOther) {
  made("E", 1);
  const std::string id = take_part("E", "ada")->request_id;
  const auto repeat = [&](const char* event, const char* user) {
    return ask<Participation>(loop_, [&](auto reply) {
      service().participate({.event_id = event, .user_id = user, .body = "", .only_repeat = true},
                            std::move(reply));
    });
  };
  const auto again = repeat("E", "ada");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->request_id, id);
  EXPECT_TRUE(again->duplicate);
  for (const auto& refused : {repeat("E", "bob"), repeat("nowhere", "ada")}) {
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kRateLimited);
  }
  EXPECT_FALSE(take_part("E", "bob")->duplicate) << "nothing was taken of the refused one";
  EXPECT_EQ(queue().visible, 2U);
}

TEST_P(IntakeContract, RefusesWhatCannotBeTakenPartIn) {
  EXPECT_EQ(take_part("nothing", "ann").error().code, ErrorCode::kNotFound);
  made("later", 1, now() + 3600 * kSecond);
  const auto early = take_part("later", "ann");
  EXPECT_EQ(early.error().code, ErrorCode::kEventNotOpen);
  EXPECT_NE(early.error().message.find("202"), std::string::npos)
      << "names the time: " << early.error().message;
  made("short", 1, {}, now() + 60 * kSecond);
  const auto inside = take_part("short", "ann");
  ASSERT_TRUE(inside.ok());
  engine_->advance(61 * kSecond);
  EXPECT_EQ(take_part("short", "ben").error().code, ErrorCode::kEventClosed);
  EXPECT_EQ(take_part("short", "ann")->request_id, inside->request_id) << "who is in stays in";
  engine_->advance(3600 * kSecond);
  EXPECT_TRUE(take_part("later", "ann").ok());
}

TEST_P(IntakeContract, ShowsARequestToItsOwnerOnly) {
  made("E", 1);
  const auto ids = take_part_many("E", 3);
  const auto view = look(ids[2], "user-2");
  ASSERT_TRUE(view.ok());
  EXPECT_EQ(view->status, RequestStatus::kQueued);
  EXPECT_EQ(view->position, 3U);
  EXPECT_EQ(view->event_id, "E");
  EXPECT_TRUE(view->queued_at);
  EXPECT_EQ(look(ids[2], "user-1").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(look("no-such-request", "user-1").error().code, ErrorCode::kNotFound);
}

TEST_P(IntakeContract, GivesExactlyNPlacesInOrder) {
  made("E", 3);
  const auto ids = take_part_many("E", 10);
  EXPECT_EQ(remaining("E"), 3U);
  work_off();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto request = detail(ids[i]);
    EXPECT_EQ(request->view.status, i < 3 ? RequestStatus::kSucceeded : RequestStatus::kRejected) << i;
    EXPECT_EQ(request->view.result_code, i < 3 ? ResultCode::kSuccess : ResultCode::kRejectedCapacity) << i;
    EXPECT_TRUE(request->view.finished_at);
  }
  EXPECT_EQ(remaining("E"), 0U);
  EXPECT_EQ(queue().visible + queue().in_flight + queue().delayed, 0U);
}

TEST_P(IntakeContract, LogsEveryStatusOnceAndForward) {
  made("E", 1);
  const auto ids = take_part_many("E", 2);
  work_off();
  for (const std::string& id : ids) {
    const auto log = detail(id)->status_log;
    ASSERT_GE(log.size(), 4U);
    EXPECT_EQ(log[0].status, RequestStatus::kReceived);
    EXPECT_EQ(log[1].status, RequestStatus::kQueued);
    for (std::size_t i = 1; i < log.size(); ++i) {
      EXPECT_GE(log[i].at, log[i - 1].at);
      EXPECT_TRUE(log[i].status == log[i - 1].status || may_become(log[i - 1].status, log[i].status));
    }
    EXPECT_TRUE(is_final(log.back().status));
  }
}

TEST_P(IntakeContract, AFailingRequestKeepsItsPlaceUntilItsTriesAreUsedUp) {
  made("E", 1);
  const auto ids = take_part_many("E", 2);
  for (std::uint32_t attempt = 1; attempt <= 5; ++attempt) {
    const auto deliveries = receive(10);
    ASSERT_EQ(deliveries.size(), 1U) << attempt;
    EXPECT_EQ(deliveries[0].receipt.request_id, ids[0]);
    EXPECT_EQ(deliveries[0].receipt.receive_count, attempt);
    EXPECT_EQ(complete(deliveries[0].receipt, WorkResult::kRetry, ResultCode::kNone, 10 * kSecond),
              Ack::kApplied);
    if (attempt == 5) break;
    EXPECT_EQ(queue().delayed, 1U);
    EXPECT_EQ(status(ids[0]), RequestStatus::kProcessing);
    EXPECT_TRUE(receive(10).empty()) << "the second must not overtake";
    engine_->advance(11 * kSecond);
  }
  const auto dead = detail(ids[0]);
  EXPECT_EQ(dead->view.status, RequestStatus::kFailedFinal);
  EXPECT_EQ(dead->view.result_code, ResultCode::kFailedRetriesExhausted);
  EXPECT_EQ(dead->failure_class, FailureClass::kRetryable);
  EXPECT_EQ(dead->receive_count, 5U);
  EXPECT_EQ(queue().dead_letters, 1U);
  work_off();
  EXPECT_EQ(status(ids[1]), RequestStatus::kSucceeded) << "the place went to the next";
}

TEST_P(IntakeContract, AnInvalidOneGivesItsPlaceBack) {
  made("E", 1);
  const auto ids = take_part_many("E", 2);
  EXPECT_EQ(complete(receive(1).at(0).receipt, WorkResult::kInvalid), Ack::kApplied);
  const auto invalid = detail(ids[0]);
  EXPECT_EQ(invalid->view.status, RequestStatus::kFailedFinal);
  EXPECT_EQ(invalid->view.result_code, ResultCode::kFailedInvalidMessage);
  EXPECT_EQ(invalid->failure_class, FailureClass::kNonRetryable);
  work_off();
  EXPECT_EQ(status(ids[1]), RequestStatus::kSucceeded);
}

TEST_P(IntakeContract, ALateWorkerDoesNoHarm) {
  made("E", 2);
  const auto ids = take_part_many("E", 1);
  const Receipt late = receive(1).at(0).receipt;
  engine_->advance(31 * kSecond);
  const Receipt current = receive(1).at(0).receipt;
  EXPECT_EQ(current.request_id, late.request_id);
  EXPECT_GT(current.receive_count, late.receive_count);
  EXPECT_EQ(complete(late, WorkResult::kInvalid), Ack::kStale);
  EXPECT_EQ(extend(late, 60 * kSecond), Ack::kStale);
  EXPECT_EQ(status(ids[0]), RequestStatus::kProcessing);
  EXPECT_EQ(complete(current, WorkResult::kSucceed), Ack::kApplied);
  EXPECT_EQ(complete(current, WorkResult::kSucceed), Ack::kStale) << "final already: a no-op";
  EXPECT_EQ(status(ids[0]), RequestStatus::kSucceeded);
  EXPECT_EQ(remaining("E"), 1U);
  EXPECT_EQ(complete({"no-such-request", 1}, WorkResult::kSucceed), Ack::kUnknown);
}

TEST_P(IntakeContract, AHeartbeatKeepsADelivery) {
  made("E", 1);
  take_part_many("E", 1);
  const Receipt receipt = receive(1).at(0).receipt;
  for (int i = 0; i < 5; ++i) {
    engine_->advance(20 * kSecond);
    EXPECT_EQ(extend(receipt, 30 * kSecond), Ack::kApplied);
    EXPECT_TRUE(receive(1).empty());
  }
  EXPECT_EQ(complete(receipt, WorkResult::kSucceed), Ack::kApplied);
}

TEST_P(IntakeContract, PausedMeansThatNothingIsDelivered) {
  made("E", 5);
  EXPECT_TRUE(set_paused(true).paused);
  take_part_many("E", 5);
  EXPECT_TRUE(receive(10).empty());
  EXPECT_EQ(queue().visible, 5U);
  engine_->restart();
  EXPECT_TRUE(queue().paused) << "a pause is remembered";
  EXPECT_FALSE(set_paused(false).paused);
  EXPECT_EQ(receive(10).size(), 5U);
}

TEST_P(IntakeContract, CapacityMayGrowButNotFallBelowWhatIsTaken) {
  made("E", 2);
  const auto ids = take_part_many("E", 4);
  const auto both = receive(2);
  complete(both.at(0).receipt, WorkResult::kSucceed);
  EXPECT_EQ(put("E", 1).error().code, ErrorCode::kCapacityBelowTaken) << "one taken, one kept";
  EXPECT_FALSE(put("E", 3)->created);
  complete(both.at(1).receipt, WorkResult::kSucceed);
  work_off();
  EXPECT_EQ(status(ids[2]), RequestStatus::kSucceeded);
  EXPECT_EQ(status(ids[3]), RequestStatus::kRejected);
}

TEST_P(IntakeContract, AWaitEndsWhenTheStatusChanges) {
  made("E", 1);
  const auto ids = take_part_many("E", 1);
  std::unique_ptr<Result<RequestView>> waited;
  std::unique_ptr<Result<std::vector<Delivery>>> delivered;
  loop_.run_until([&] { return waited != nullptr && delivered != nullptr; }, -1,
                  [&] {
                    service().get_request({ids[0], "user-0", 20 * kSecond, {}}, [&](auto view) {
                      waited = std::make_unique<Result<RequestView>>(std::move(view));
                    });
                    service().receive({.max = 1}, [&](auto deliveries) {
                      delivered = std::make_unique<Result<std::vector<Delivery>>>(std::move(deliveries));
                    });
                  });
  EXPECT_EQ((*waited)->status, RequestStatus::kProcessing);
  complete((**delivered)[0].receipt, WorkResult::kSucceed);
  const auto final_view = ask<RequestView>(loop_, [&](auto reply) {
    service().get_request({ids[0], "user-0", 20 * kSecond, RequestStatus::kProcessing}, std::move(reply));
  });
  EXPECT_EQ(final_view->status, RequestStatus::kSucceeded) << "changed since it was seen: answered at once";
}

TEST_P(IntakeContract, AWaitEndsWhenItsTimeIsUp) {
  made("E", 1);
  const auto ids = take_part_many("E", 1);
  std::unique_ptr<Result<RequestView>> waited;
  loop_.run_until([] { return true; }, -1,
                  [&] {
                    service().get_request({ids[0], "user-0", 20 * kSecond, {}}, [&](auto view) {
                      waited = std::make_unique<Result<RequestView>>(std::move(view));
                    });
                  });
  queue();  // answered after the wait was taken: its time runs from before this
  engine_->advance(10 * kSecond);
  queue();
  EXPECT_EQ(waited, nullptr);
  engine_->advance(11 * kSecond);
  loop_.run_until([&waited] { return waited != nullptr; });
  EXPECT_EQ((*waited)->status, RequestStatus::kQueued);
}

TEST_P(IntakeContract, ALongPollBringsWhatComesLater) {
  made("E", 1);
  std::unique_ptr<Result<std::vector<Delivery>>> delivered;
  std::string id;
  loop_.run_until(
      [&] { return delivered != nullptr; }, -1,
      [&] {
        service().receive({.max = 10, .wait_us = 20 * kSecond}, [&](auto deliveries) {
          delivered = std::make_unique<Result<std::vector<Delivery>>>(std::move(deliveries));
        });
        service().participate({"E", "ann", R"({"note":1})"}, [&](auto taken) { id = taken->request_id; });
      });
  ASSERT_EQ((*delivered)->size(), 1U);
  EXPECT_EQ((**delivered)[0].receipt.request_id, id);
  EXPECT_EQ((**delivered)[0].user_id, "ann");
  EXPECT_EQ((**delivered)[0].body, R"({"note":1})");
}

TEST_P(IntakeContract, ListsEventsInTheOrderOfTheirCreation) {
  const auto list = [this](std::uint32_t limit, const std::string& cursor) {
    return ask<EventPage>(loop_, [&](auto reply) {
      service().list_events({limit, cursor}, std::move(reply));
    });
  };
  EXPECT_TRUE(list(10, "")->items.empty());
  for (const char* id : {"C", "A", "B"}) made(id, 7);
  made("A", 9);
  const auto first = list(2, "");
  ASSERT_EQ(first->items.size(), 2u);
  EXPECT_EQ(first->items[0].event_id, "C");
  EXPECT_EQ(first->items[1].event_id, "A");
  EXPECT_EQ(first->items[1].capacity_total, 9u);
  ASSERT_FALSE(first->next_cursor.empty());
  const auto rest = list(2, first->next_cursor);
  ASSERT_EQ(rest->items.size(), 1u);
  EXPECT_EQ(rest->items[0].event_id, "B");
  EXPECT_TRUE(rest->next_cursor.empty());
  for (const char* bad : {"x", "0", "4", "1x", "-1"}) {
    EXPECT_EQ(list(2, bad).error().code, ErrorCode::kInvalidArgument) << bad;
  }
}

TEST_P(IntakeContract, ListsInOrderPageByPage) {
  made("E", 3);
  const auto ids = take_part_many("E", 25);
  work_off();
  std::vector<std::string> seen;
  ListRequests command{.event_id = "E", .status = {}, .limit = 10, .cursor = {}};
  do {
    const auto page =
        ask<RequestPage>(loop_, [&](auto reply) { service().list_requests(command, std::move(reply)); });
    EXPECT_EQ(page->counts.succeeded, 3U);
    EXPECT_EQ(page->counts.rejected, 22U);
    for (const auto& item : page->items) seen.push_back(item.view.request_id);
    command.cursor = page->next_cursor;
  } while (!command.cursor.empty());
  EXPECT_EQ(seen, ids);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end())) << "queuedAt, then requestId";

  command.status = RequestStatus::kSucceeded;
  const auto winners =
      ask<RequestPage>(loop_, [&](auto reply) { service().list_requests(command, std::move(reply)); });
  EXPECT_EQ(winners->items.size(), 3U);
  command.cursor = "garbage!";
  EXPECT_EQ(ask<RequestPage>(loop_, [&](auto reply) { service().list_requests(command, std::move(reply)); })
                .error()
                .code,
            ErrorCode::kInvalidArgument);
  command.event_id = "nothing";
  EXPECT_EQ(ask<RequestPage>(loop_, [&](auto reply) { service().list_requests(command, std::move(reply)); })
                .error()
                .code,
            ErrorCode::kNotFound);
}

TEST_P(IntakeContract, ARestartKeepsEverythingAndTakesBackWhatWorkersHad) {
  made("E", 2);
  const auto ids = take_part_many("E", 4);
  const auto in_hand = receive(2);
  complete(in_hand.at(0).receipt, WorkResult::kSucceed);
  engine_->restart();
  EXPECT_EQ(status(ids[0]), RequestStatus::kSucceeded);
  EXPECT_EQ(status(ids[1]), RequestStatus::kProcessing) << "no step back";
  EXPECT_EQ(complete(in_hand.at(1).receipt, WorkResult::kInvalid), Ack::kStale) << "of a worker that is gone";
  work_off();
  const RequestStatus expected[] = {RequestStatus::kSucceeded, RequestStatus::kSucceeded,
                                    RequestStatus::kRejected, RequestStatus::kRejected};
  for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(status(ids[i]), expected[i]) << i;
  EXPECT_EQ(detail(ids[1])->receive_count, 2U);
}

// ---- Workers ----------------------------------------------------------------------------------------------

/// Work that does as it is told, by user: fail so many times, hang, or succeed.
class ScriptedWork final : public Work {
 public:
  void perform(const Delivery& delivery, UniqueFunction<void(WorkEnd)> done) override {
    ++performed;
    if (hang.contains(delivery.user_id)) {
      hanging.push_back(std::move(done));
      return;
    }
    auto failures = fail.find(delivery.user_id);
    if (failures != fail.end() && failures->second > 0) {
      --failures->second;
      return done({WorkResult::kRetry, ResultCode::kNone, "scripted failure"});
    }
    done({});
  }
  std::map<std::string, int> fail;
  std::set<std::string> hang;
  std::vector<UniqueFunction<void(WorkEnd)>> hanging;
  std::atomic<int> performed{0};
};

TEST_P(IntakeContract, WorkersBringEveryRequestToItsEnd) {
  made("E", 3);
  const auto ids = take_part_many("E", 20);
  ScriptedWork work;
  work.fail["user-0"] = 2;    // comes through at the third try
  work.fail["user-1"] = 100;  // never does
  WorkerOptions options{.workers = 3, .batch = 4};
  options.backoff_base_us = 1;  // due at once; the clock of these tests stands still
  options.long_poll_us = 10 * kMillisecond;
  options.visibility_us = limits::kMaxVisibility;  // a slow machine gives the clock many pushes below
  WorkerPool pool(service(), work, engine_->clock(), 1, options);
  pool.start();
  for (const std::string& id : ids) {
    const std::string user = detail(id)->user_id;
    RequestView view = *look(id, user);
    while (!is_final(view.status)) {
      engine_->advance(kSecond);
      view = *look(id, user);
    }
  }
  pool.stop(kSecond);
  EXPECT_EQ(status(ids[0]), RequestStatus::kSucceeded);
  EXPECT_EQ(status(ids[1]), RequestStatus::kFailedFinal);
  EXPECT_EQ(status(ids[2]), RequestStatus::kSucceeded);
  EXPECT_EQ(status(ids[3]), RequestStatus::kSucceeded) << "the place of the one that failed";
  for (std::size_t i = 4; i < ids.size(); ++i) EXPECT_EQ(status(ids[i]), RequestStatus::kRejected) << i;
  EXPECT_EQ(work.performed, 3 + 5 + 1 + 1);
}

TEST_P(IntakeContract, WorkThatHangsIsTakenOverAfterItsWorkerIsGone) {
  made("E", 1);
  const auto ids = take_part_many("E", 1);
  ScriptedWork hanging;
  hanging.hang.insert("user-0");
  {
    WorkerPool pool(service(), hanging, engine_->clock(), 1, {.workers = 1});
    pool.start();
    while (hanging.performed == 0) queue();
    pool.stop(0);  // gone with the work in hand: a crash of the worker
  }
  EXPECT_EQ(status(ids[0]), RequestStatus::kProcessing);
  engine_->advance(31 * kSecond);
  CapacityWork good;
  WorkerPool pool(service(), good, engine_->clock(), 2, {.workers = 1});
  pool.start();
  const auto view = ask<RequestView>(loop_, [&](auto reply) {
    service().get_request({ids[0], "user-0", limits::kMaxWait, RequestStatus::kProcessing}, std::move(reply));
  });
  EXPECT_EQ(view->status, RequestStatus::kSucceeded);
  EXPECT_EQ(detail(ids[0])->receive_count, 2U);
  pool.stop(kSecond);
}

INSTANTIATE_TEST_SUITE_P(Engines, IntakeContract, testing::Values(EngineKind{"embedded", &make_embedded}),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace
}  // namespace spillway::intake::contract
