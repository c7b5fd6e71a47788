// The live figures of lines on a real server, with an engine that answers when it is told to.

#include "app/waitroom_live.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/check.h"
#include "http/server.h"
#include "http/test_support.h"
#include "identity/token.h"

namespace spillway::app {
namespace {

using namespace waitroom;

constexpr const char* kSecret = "a-secret-of-an-administrator-0123456789";

/// Knows the concerts "C..."; may keep an answer to the sampler back.
class SlowService final : public Service {
 public:
  std::atomic<bool> answers{true};
  std::vector<Reply<ConcertView>> kept;  ///< the sampler's, which are asked on the test's thread
  std::atomic<std::uint64_t> entered{0};

  ConcertView view() const {
    ConcertView concert;
    concert.concert_id = "C";
    concert.waiting = concert.all_entered = entered;
    return concert;
  }
  void get_concert(std::string id, Reply<ConcertView> reply) override {
    if (!id.starts_with('C')) return reply(not_found("no such concert"));
    if (!answers) return kept.push_back(std::move(reply));
    ConcertView concert = view();
    concert.concert_id = id;
    reply(std::move(concert));
  }
  void list_concerts(ListConcerts, Reply<ConcertPage> reply) override { reply(ConcertPage{}); }

  void enter(Enter, Reply<TicketView>) override { CHECK(false); }
  void status(TicketRef, Reply<TicketView>) override { CHECK(false); }
  void look(std::vector<TicketRef>, Reply<std::vector<Result<TicketView>>>) override { CHECK(false); }
  void activate(TicketRef, Reply<TicketDetail>) override { CHECK(false); }
  void leave(TicketRef, Reply<Ok>) override { CHECK(false); }
  void detail(TicketRef, Reply<TicketDetail>) override { CHECK(false); }
  void lottery(std::string, Reply<LotteryView>) override { CHECK(false); }
  void put_concert(PutConcert, Reply<ConcertView>) override { CHECK(false); }
  void take_key(std::uint8_t, Actor, Reply<Ok>) override { CHECK(false); }
  void metrics(Reply<Metrics>) override { CHECK(false); }
  bool accepting() const override { return true; }
};

class WaitroomLiveTest : public testing::Test {
 protected:
  void SetUp() override {
    http::Router router;
    add_waitroom_live_routes(router, live, gate);
    http::ServerOptions options;
    options.port = 0;
    auto made = http::Server::listen(options, clock, std::move(router), nullptr);
    ASSERT_TRUE(made.ok()) << made.error().message;
    server = std::move(*made);
    server->start();
  }
  void ask(http::Client& client, const std::string& concert) {
    ASSERT_TRUE(client.send("GET /admin/queues/waitroom/" + concert +
                            "/live HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + kSecret + "\r\n\r\n"));
  }
  void second() {
    clock.advance(kSecond);
    live.tick();
  }

  http::FakeClock clock;
  identity::TokenAuthority tokens{identity::KeyRing{}, "open"};
  identity::RevocationView revocations;
  identity::Gate gate{tokens, clock, kSecret, &revocations};
  SlowService service;
  WaitroomLive live{clock, service};
  std::unique_ptr<http::Server> server;
};

TEST_F(WaitroomLiveTest, WhatIsNotKnownIsNullAndQuestionsDoNotHeapUp) {
  http::Client client(server->port());
  ask(client, "C");
  ASSERT_TRUE(client.read_until(R"("last":true)"));
  second();  // nothing to compare with
  ASSERT_TRUE(client.read_until(R"("waiting":0,)"));
  ASSERT_TRUE(client.read_until(R"("entered":null)"));
  service.entered = 5;
  second();
  ASSERT_TRUE(client.read_until(R"("entered":5)"));
  service.answers = false;
  second();
  second();  // the second before is over without an answer
  ASSERT_TRUE(client.read_until(R"("waiting":null)"));
  second();
  EXPECT_EQ(service.kept.size(), 1U);
  EXPECT_TRUE(live.waiting());
  service.entered = 7;
  service.kept.front()(service.view());  // late: only what follows is counted from it
  EXPECT_FALSE(live.waiting());
  service.answers = true;
  service.entered = 8;
  second();
  ASSERT_TRUE(client.read_until(R"("entered":1,)"));
  // A sleep of the machine: no count rather than one of another time.
  clock.advance(10 * kSecond);
  service.entered = 100;
  second();
  ASSERT_TRUE(client.read_until(R"("waiting":100,)"));
  EXPECT_EQ(client.pending.find(R"("entered":92)"), std::string::npos);
}

TEST_F(WaitroomLiveTest, AsManyConcertsAsThereArePlacesCanBeWatched) {
  std::vector<std::unique_ptr<http::Client>> watching;
  for (std::size_t i = 0; i < limits::kLiveConcerts; ++i) {
    watching.push_back(std::make_unique<http::Client>(server->port()));
    ask(*watching.back(), "C" + std::to_string(i));
    ASSERT_TRUE(watching.back()->read_until(R"("last":true)"));
  }
  http::Client refused(server->port()), unknown(server->port()), second_of_one(server->port());
  ask(refused, "C-one-more");
  ASSERT_TRUE(refused.read_until("overloaded"));
  ask(unknown, "D");
  ASSERT_TRUE(unknown.read_until("not_found"));
  ask(second_of_one, "C3");
  ASSERT_TRUE(second_of_one.read_until(R"("last":true)"));
}

}  // namespace
}  // namespace spillway::app
