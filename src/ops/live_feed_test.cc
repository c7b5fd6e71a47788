// The feed on a real server: what listeners are sent, and when they are let go.

#include "ops/live_feed.h"

#include <gtest/gtest.h>

#include "http/server.h"
#include "http/test_support.h"
#include "identity/gate.h"
#include "identity/token.h"

namespace spillway::ops {
namespace {

constexpr const char* kSecret = "a-secret-of-an-administrator-0123456789";
/// As long as a real point is.
std::string point(int number) {
  return R"({"n":)" + std::to_string(number) + R"(,"text":")" + std::string(300, 'x') + R"("})";
}
std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

class LiveFeedTest : public testing::Test {
 protected:
  void SetUp() override {
    http::Router router;
    add_live_routes(router, feed, gate);
    http::ServerOptions options;
    options.port = 0;
    options.threads = 2;
    auto made = http::Server::listen(options, clock, std::move(router), nullptr);
    ASSERT_TRUE(made.ok()) << made.error().message;
    server = std::move(*made);
    server->start();
  }
  void ask(http::Client& client, const std::string& token) {
    ASSERT_TRUE(
        client.send("GET /admin/live HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + token + "\r\n\r\n"));
  }
  /// A listener that has the whole history.
  void listen(http::Client& client, const std::string& token = kSecret) {
    ask(client, token);
    read_history(client);
  }
  void read_history(http::Client& client) {
    while (client.pending.find(R"("last":true})") == std::string::npos) {
      ASSERT_TRUE(client.read_until("\"last\":")) << client.pending.substr(0, 300);
      feed.serve();  // the sampler does this a few times a second
      if (client.pending.find(R"("last":true})") == std::string::npos) {
        ASSERT_TRUE(client.read_some());
      }
    }
  }

  http::FakeClock clock;
  identity::TokenAuthority tokens{identity::KeyRing{}, "open"};
  identity::RevocationView revocations;
  identity::Gate gate{tokens, clock, kSecret, &revocations};
  LiveFeed feed{clock, 3};
  std::unique_ptr<http::Server> server;
};

TEST_F(LiveFeedTest, TheWholeHistoryInPiecesThenEachPointOnce) {
  const int kept = static_cast<int>(limits::kLivePoints);
  for (int i = 0; i < kept + 5; ++i) feed.publish(point(i));
  http::Client client(server->port());
  listen(client);
  EXPECT_FALSE(feed.behind());
  feed.publish(point(kept + 5));
  feed.publish(point(kept + 6));
  ASSERT_TRUE(client.read_until("{\"n\":" + std::to_string(kept + 6) + ","));
  EXPECT_GT(count(client.pending, "event: history\n"), 3u)
      << "no event is larger than a peer may leave unread";
  EXPECT_EQ(count(client.pending, "event: point\n"), 2u);
  EXPECT_EQ(count(client.pending, R"("last":true)"), 1u);
  EXPECT_EQ(client.pending.find(R"({"n":4,)"), std::string::npos) << "older than what is kept";
  std::size_t at = 0;
  for (int i = 5; i < kept + 7; ++i) {
    const std::string head = "{\"n\":" + std::to_string(i) + ",";
    EXPECT_EQ(count(client.pending, head), 1u) << i;
    const std::size_t found = client.pending.find(head);
    EXPECT_GE(found, at) << "in order";
    at = found;
  }
}

TEST_F(LiveFeedTest, WithoutPointsTheHistoryIsEmptyAndSaidAtOnce) {
  http::Client client(server->port());
  ask(client, kSecret);
  EXPECT_TRUE(client.read_until(R"(data: {"points":[],"last":true})"));
}

TEST_F(LiveFeedTest, ListenersAreBoundedAndTheirPlacesFreeAgain) {
  std::vector<std::unique_ptr<http::Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<http::Client>(server->port()));
    listen(*clients.back());
  }
  EXPECT_EQ(feed.listeners(), 3u);
  http::Client refused(server->port());
  ask(refused, kSecret);
  EXPECT_EQ(refused.answer().status, 503);
  clients.pop_back();
  for (int i = 0; feed.listeners() == 3; ++i) {  // until its thread has seen that the peer is gone
    feed.publish(point(i));
    ASSERT_TRUE(clients[0]->read_until("{\"n\":" + std::to_string(i) + ","));
  }
  http::Client another(server->port());
  listen(another);
}

TEST_F(LiveFeedTest, APeerThatDoesNotReadIsCutOffAndTheOthersAreNot) {
  http::Client idle(server->port(), 4096), awake(server->port());
  listen(idle);
  listen(awake);
  for (int i = 0; feed.listeners() == 2; ++i) {
    feed.publish(point(i) + std::string(8'000, ' '));
    ASSERT_TRUE(awake.read_until("{\"n\":" + std::to_string(i) + ","));
    awake.pending.clear();
    ASSERT_LT(i, 100'000);
  }
  feed.publish(point(-1));
  EXPECT_TRUE(awake.read_until(R"({"n":-1,)"));
}

TEST_F(LiveFeedTest, HistoryWaitsForASlowLink) {
  const std::string big(8'000, ' ');
  const int kept = static_cast<int>(limits::kLivePoints);
  for (int i = 0; i < kept; ++i) feed.publish(point(i) + big);
  http::Client slow(server->port(), 4096), awake(server->port());
  ask(slow, kSecret);
  ASSERT_TRUE(slow.read_until("event: history"));
  // Many times as many chances to overrun it as there are pieces, each certainly taken before the next.
  listen(awake);
  for (int i = 0; i < 1'000; ++i) feed.serve();
  feed.publish(point(kept));
  ASSERT_TRUE(awake.read_until("{\"n\":" + std::to_string(kept) + ","));
  EXPECT_EQ(feed.listeners(), 2u) << "nobody is cut off for being slow with what is old";
  read_history(slow);
  EXPECT_FALSE(feed.behind());
}

TEST_F(LiveFeedTest, StreamsEndWhenTheTokenExpiresOrIsRevoked) {
  const auto issue = [&](const char* user, Micros lifetime) {
    return tokens.issue(user, identity::Role::kOperator, clock.wall(), clock.wall() + lifetime);
  };
  http::Client expires(server->port()), revoked(server->port()), stays(server->port());
  listen(expires, issue("a", 5 * kSecond));
  listen(revoked, issue("b", 3600 * kSecond));
  listen(stays, issue("c", 3600 * kSecond));
  clock.advance(limits::kLiveTokenCheckEvery - 1);
  feed.publish(point(1));
  for (http::Client* client : {&expires, &revoked, &stays}) EXPECT_TRUE(client->read_until(R"({"n":1,)"));
  revocations.sign_out("b", clock.wall());
  clock.advance(1);
  feed.publish(point(2));
  EXPECT_TRUE(expires.read_until("\r\n0\r\n\r\n"));
  EXPECT_TRUE(revoked.read_until("\r\n0\r\n\r\n"));
  EXPECT_TRUE(stays.read_until(R"({"n":2,)"));
  EXPECT_EQ(expires.pending.find(R"({"n":2,)"), std::string::npos);
  EXPECT_EQ(revoked.pending.find(R"({"n":2,)"), std::string::npos);
}

TEST_F(LiveFeedTest, OnlyReadersMayListen) {
  http::Client nobody(server->port()), user(server->port());
  ask(nobody, "x");
  EXPECT_EQ(nobody.answer().status, 401);
  ask(user, tokens.issue("u", identity::Role::kUser, clock.wall(), clock.wall() + kSecond));
  EXPECT_EQ(user.answer().status, 403);
  EXPECT_EQ(feed.listeners(), 0u);
}

}  // namespace
}  // namespace spillway::ops
