// The server on real sockets: what sessions alone cannot show.

#include "http/server.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "http/test_support.h"

namespace spillway::http {
namespace {

std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}

/// Exchanges and streams that handlers left, and a way to wait for them from the test's thread.
struct Kept {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Exchange> exchanges;
  std::vector<EventStream> streams;
  std::size_t count = 0;  ///< of both, since the beginning

  template <class T>
  void keep(std::vector<T>& to, T value) {
    const std::lock_guard lock(mutex);
    to.push_back(std::move(value));
    ++count;
    changed.notify_all();
  }
  bool wait_for(std::size_t n) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(60), [&] { return count >= n; });
  }
};

class ServerTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { skip_without_network(GetParam()); }
  /// Ends a test that would hang, and only that.
  static constexpr Micros kPatience = 60 * kSecond;

  void start(ServerOptions options = {}) {
    Router router;
    router.add(Method::kGet, "/ping",
               [](const Request&, Exchange exchange) { exchange.reply(Response::json(200, "pong")); });
    router.add(Method::kGet, "/big", [](const Request&, Exchange exchange) {
      exchange.reply(Response::json(200, std::string(300'000, 'x')));
    });
    router.add(Method::kGet, "/who", [](const Request& request, Exchange exchange) {
      exchange.reply(Response::json(200, std::string(request.remote_address())));
    });
    router.add(Method::kGet, "/when", [](const Request& request, Exchange exchange) {
      exchange.reply(Response::json(200, std::to_string(request.arrived().us)));
    });
    router.add(Method::kGet, "/later",
               [this](const Request&, Exchange exchange) { kept.keep(kept.exchanges, std::move(exchange)); });
    router.add(Method::kGet, "/stream",
               [this](const Request&, Exchange exchange) { kept.keep(kept.streams, exchange.stream()); });
    options.port = 0;
    options.io_uring = GetParam();
    auto made = Server::listen(std::move(options), clock, std::move(router), nullptr);
    ASSERT_TRUE(made.ok()) << made.error().message;
    ASSERT_EQ((*made)->io_uring(), GetParam());
    server = std::move(*made);
    server->start();
  }
  /// Runs `work` on the loop's thread and waits until it is done.
  void on_loop(std::function<void()> work, std::size_t thread = 0) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    server->post(thread, [&] {
      work();
      const std::lock_guard lock(mutex);
      done = true;
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(60), [&] { return done; }));
  }
  /// After the rounds that made the answers a test has seen.
  ServerStats settled_stats() {
    on_loop([] {});
    return server->stats();
  }
  /// Looks again after each round of the loop, for what has no event that a test could wait for.
  bool eventually(const std::function<bool()>& condition) {
    const SystemClock real;
    for (const Micros start = real.steady_us(); real.steady_us() - start < kPatience;) {
      if (condition()) return true;
      on_loop([] {});
    }
    return false;
  }
  void TearDown() override {
    if (server == nullptr) return;
    on_loop([this] {
      kept.exchanges.clear();
      kept.streams.clear();
    });
  }

  FakeClock clock;
  Kept kept;
  std::unique_ptr<Server> server;
};

INSTANTIATE_TEST_SUITE_P(, ServerTest, testing::Bool(), network_name);

TEST_P(ServerTest, AllReadyAnswersLeaveInOneWrite) {
  start();
  Client client(server->port());
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += get("/ping");
  client.send(requests);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.answer().body, "pong");
  const ServerStats stats = settled_stats();
  EXPECT_EQ(stats.requests, 100U);
  EXPECT_LE(stats.sends, 4U);  // one for each piece in which the requests arrived
}

TEST_P(ServerTest, AnswersOfOneDeliveryLeaveInOneWrite) {
  start();
  Client client(server->port());
  for (int i = 0; i < 50; ++i) client.send(get("/later"));
  ASSERT_TRUE(kept.wait_for(50));
  EXPECT_EQ(server->stats().sends, 0U);
  on_loop([this] {
    for (Exchange& exchange : kept.exchanges) exchange.reply(Response::json(200, "x"));
  });
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.answer().status, 200);
  EXPECT_EQ(settled_stats().sends, 1U);
}

TEST_P(ServerTest, StagedNodesOfOneReadTravelTogetherAndComeBackTogether) {
  // The whole way of a command: staged by handlers, taken at the end of the round, delivered back, answered.
  class Echo final : public Loop::Sink {
   public:
    void take(NodeList nodes) override {
      sizes.push_back(nodes.size());
      const std::lock_guard lock(mutex);
      taken.append(std::move(nodes));
      arrived.notify_all();
    }
    std::vector<std::size_t> sizes;  // the loop's thread, then the test's after the answers
    std::mutex mutex;
    std::condition_variable arrived;
    NodeList taken;
  } echo;
  struct Command final : Node {
    explicit Command(Exchange e) : exchange(std::move(e)) {}
    void finish() override {
      exchange.reply(Response::json(200, "done"));
      delete this;
    }
    Exchange exchange;
  };
  Router router;
  router.add(Method::kGet, "/command", [&](const Request&, Exchange exchange) {
    Loop::current()->stage(echo, new Command(std::move(exchange)));
  });
  ServerOptions options;
  options.port = 0;
  auto made = Server::listen(options, clock, std::move(router), nullptr);
  ASSERT_TRUE(made.ok());
  (*made)->start();
  std::thread other([&] {
    std::size_t total = 0;
    while (total < 60) {
      NodeList nodes;
      {
        std::unique_lock lock(echo.mutex);
        echo.arrived.wait(lock, [&] { return !echo.taken.empty(); });
        nodes = std::move(echo.taken);
      }
      total += nodes.size();
      Loop* const home = nodes.front()->home;
      home->deliver(std::move(nodes));
    }
  });
  Client client((*made)->port());
  std::string requests;
  for (int i = 0; i < 60; ++i) requests += get("/command");
  client.send(requests);
  for (int i = 0; i < 60; ++i) EXPECT_EQ(client.answer().body, "done");
  other.join();
  EXPECT_LE(echo.sizes.size(), 4U);
  EXPECT_LE((*made)->stats().sends, 4U);
}

// By this time tokens expire: one that stood still would let them live for ever.
TEST_P(ServerTest, TellsWhenARequestArrived) {
  start();
  Client client(server->port());
  for (int i = 0; i < 3; ++i) {
    clock.advance(kSecond);
    client.send(get("/when"));
    EXPECT_EQ(client.answer().body, std::to_string(clock.wall().us));
  }
}

TEST_P(ServerTest, SeveralThreadsShareThePort) {
  ServerOptions options;
  options.threads = 3;
  options.first_loop = 5;
  start(options);
  EXPECT_EQ(server->threads(), 3U);
  EXPECT_EQ(server->loop(2).index(), 7U);
  for (int i = 0; i < 30; ++i) {
    Client client(server->port());
    client.send(get("/who"));
    EXPECT_EQ(client.answer().body, "127.0.0.1");
  }
  for (std::size_t i = 0; i < 3; ++i) {
    on_loop([&] { EXPECT_EQ(Loop::current(), &server->loop(i)); }, i);
  }
  ServerOptions second;
  second.port = server->port();
  second.threads = 2;
  auto taken = Server::listen(second, clock, Router(), nullptr);
  ASSERT_FALSE(taken.ok());
  EXPECT_NE(taken.error().message.find("Address already in use"), std::string::npos) << taken.error().message;
}

TEST_P(ServerTest, OptionsThatCannotBe) {
  ServerOptions options;
  options.port = 0;
  options.threads = 0;
  EXPECT_FALSE(Server::listen(options, clock, Router(), nullptr).ok());
  options.threads = 1;
  options.host = "no such host.invalid";
  EXPECT_FALSE(Server::listen(options, clock, Router(), nullptr).ok());
  options.host = "127.0.0.1";
  options.tls_certificate_file = "/nowhere.pem";
  EXPECT_FALSE(Server::listen(options, clock, Router(), nullptr).ok());
  options.tls_key_file = "/nowhere.pem";
  auto made = Server::listen(options, clock, Router(), nullptr);
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("/nowhere.pem"), std::string::npos);
}

TEST_P(ServerTest, ConnectionsPastTheLimitAreToldWhy) {
  ServerOptions options;
  options.max_connections = 2;
  start(options);
  Client first(server->port());
  Client second(server->port());
  first.send(get("/ping"));
  second.send(get("/ping"));
  EXPECT_EQ(first.answer().status, 200);
  EXPECT_EQ(second.answer().status, 200);
  Client third(server->port());
  third.send(get("/ping"));
  const Answer refused = third.answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("Retry-After"), "1");
  EXPECT_EQ(refused.field("Content-Type"), "application/problem+json");
  third.end_sending();
  EXPECT_TRUE(third.closed());
  first.close();
  ASSERT_TRUE(eventually([&] { return server->stats().connections <= 1; }));
  Client fourth(server->port());
  fourth.send(get("/ping"));
  EXPECT_EQ(fourth.answer().status, 200);
  EXPECT_EQ(server->stats().refused, 1U);
}

TEST_P(ServerTest, PeerGoesWhileItsAnswerIsPending) {
  start();
  {
    Client client(server->port());
    client.send(get("/later") + get("/later"));
    ASSERT_TRUE(kept.wait_for(2));
    client.reset();
  }
  ASSERT_TRUE(eventually([&] { return server->stats().connections == 0; }));
  on_loop([this] {
    EXPECT_TRUE(kept.exchanges[0].gone());
    kept.exchanges[0].reply(Response::json(200, "nobody"));
  });
  Client other(server->port());
  other.send(get("/ping"));
  EXPECT_EQ(other.answer().status, 200);
}

TEST_P(ServerTest, PeerGoesInTheRoundOfItsAnswer) {
  // The loop learns of it from the failing send, not from epoll.
  start();
  Client client(server->port());
  client.send(get("/later") + get("/later"));
  ASSERT_TRUE(kept.wait_for(2));
  on_loop([&] {
    client.reset();
    for (Exchange& exchange : kept.exchanges) exchange.reply(Response::json(200, "nobody"));
  });
  ASSERT_TRUE(eventually([&] { return server->stats().connections == 0; }));
  Client other(server->port());
  other.send(get("/ping"));
  EXPECT_EQ(other.answer().status, 200);
}

TEST_P(ServerTest, WithoutDescriptorsConnectionsWait) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizers need descriptors themselves, and report nonsense without";
#endif
  ServerOptions options;
  options.idle_timeout_us = kSecond / 5;  // ticks come often then
  start(options);
  Client client(server->port());  // has its descriptor; the server's side of a second one will not
  client.send(get("/ping"));
  EXPECT_EQ(client.answer().status, 200);
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  auto second = std::make_unique<Client>();
  const int next = dup(client.fd());
  close(next);
  const rlimit none{static_cast<rlim_t>(next), before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  second->connect_to(server->port());
  const bool failed = eventually([&] { return server->stats().accept_failures > 0; });
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(failed);
  second->send(get("/ping"));
  EXPECT_EQ(second->answer().status, 200);
}

TEST_P(ServerTest, HalfClosedPeerIsAnswered) {
  start();
  Client client(server->port());
  client.send(get("/ping") + get("/big"));
  client.end_sending();
  EXPECT_EQ(client.answer().body, "pong");
  EXPECT_EQ(client.answer().body.size(), 300'000U);
  EXPECT_TRUE(client.closed());
}

TEST_P(ServerTest, PeerThatDoesNotReadIsNotReadFromAndLosesNothing) {
  start();
  Client client(server->port(), 4096);
  constexpr int kRequests = 400;  // 120 MB of answers, far more than all buffers on the way
  std::thread sender([&] {
    for (int i = 0; i < kRequests; ++i) client.send(get("/big"));
  });
  for (int i = 0; i < kRequests; ++i) ASSERT_EQ(client.answer().body.size(), 300'000U) << i;
  sender.join();
}

TEST_P(ServerTest, TheKernelKeepsABoundedBacklogOfAConnection) {
  start();
  Client client(server->port());
  client.send(get("/ping"));
  ASSERT_EQ(client.answer().status, 200);
  const Client granted(limits::kSocketReceiveBytes);  // the system may have a smaller maximum
  EXPECT_EQ(receive_buffer_of_peer(client.fd()), receive_buffer(granted.fd()));
}

TEST_P(ServerTest, PeerThatDoesNotReadIsCutOffInTime) {
  ServerOptions options;
  options.write_timeout_us = kSecond / 10;
  start(options);
  Client client(server->port(), 4096);
  std::string requests;
  for (int i = 0; i < 40; ++i) requests += get("/big");
  client.send(requests);
  ASSERT_TRUE(eventually([&] { return server->stats().requests >= 4; }));
  ASSERT_TRUE(eventually([&] {
    clock.advance(kSecond);
    return server->stats().connections == 0;
  }));
}

TEST_P(ServerTest, TimeoutsReachTheSocket) {
  ServerOptions options;
  options.header_timeout_us = kSecond / 10;
  options.idle_timeout_us = kSecond / 5;
  start(options);
  Client slow(server->port());
  Client idle(server->port());
  slow.send("GET /ping HTTP/1.1\r\nHost");
  idle.send(get("/ping"));
  EXPECT_EQ(idle.answer().status, 200);
  // The server may see the half request only after this; then it is asked again later.
  std::thread time([&] {
    eventually([&] {
      clock.advance(kSecond / 10);
      return server->stats().connections == 0;
    });
  });
  EXPECT_EQ(slow.answer().status, 408);
  slow.end_sending();
  EXPECT_TRUE(slow.closed());
  EXPECT_TRUE(idle.closed());
  time.join();
}

TEST_P(ServerTest, StreamReachesTheClientAndItsEndReachesTheHandler) {
  start();
  Client client(server->port());
  client.send(get("/stream"));
  ASSERT_TRUE(kept.wait_for(1));
  EXPECT_TRUE(client.read_until("text/event-stream"));
  on_loop([this] { EXPECT_TRUE(kept.streams[0].send("state", "QUEUED", "1")); });
  EXPECT_TRUE(client.read_until("event: state\ndata: QUEUED\n\n"));
  client.close();
  ASSERT_TRUE(eventually([&] { return server->stats().connections == 0; }));
  on_loop([this] {
    EXPECT_TRUE(kept.streams[0].closed());
    EXPECT_FALSE(kept.streams[0].send("state", "late"));
  });
}

TEST_P(ServerTest, StreamOfAPeerThatDoesNotReadIsCutOff) {
  start();
  Client client(server->port(), 4096);
  client.send(get("/stream"));
  ASSERT_TRUE(kept.wait_for(1));
  const std::string line(10'000, 'x');
  bool open = true;
  for (int i = 0; i < 10'000 && open; ++i) {  // 100 MB, far more than all buffers on the way
    on_loop([&] { open = kept.streams[0].send("", line); });
  }
  EXPECT_FALSE(open);
  EXPECT_TRUE(eventually([&] { return server->stats().connections == 0; }));
}

TEST_P(ServerTest, DrainAnswersPendingRequestsAndEndsStreams) {
  start();
  Client pending(server->port());
  Client streaming(server->port());
  Client idle(server->port());
  pending.send(get("/later"));
  streaming.send(get("/stream"));
  idle.send(get("/ping"));
  EXPECT_EQ(idle.answer().status, 200);
  ASSERT_TRUE(kept.wait_for(2));
  on_loop([this] { kept.streams[0].send("state", "last"); });
  bool drained = false;
  std::thread drainer([&] { drained = server->drain(60 * kSecond); });
  EXPECT_TRUE(idle.closed());
  EXPECT_TRUE(streaming.read_until("data: last\n\n\r\n0\r\n\r\n"));
  streaming.pending.clear();
  EXPECT_TRUE(streaming.closed());
  EXPECT_FALSE(Client(server->port()).connected());
  on_loop([this] {
    EXPECT_TRUE(kept.streams[0].closed());
    kept.exchanges[0].reply(Response::json(200, "at last"));
  });
  const Answer answer = pending.answer();
  EXPECT_EQ(answer.body, "at last");
  EXPECT_EQ(answer.field("Connection"), "close");
  pending.end_sending();
  EXPECT_TRUE(pending.closed());
  pending.close();
  streaming.close();
  drainer.join();
  EXPECT_TRUE(drained);
  EXPECT_EQ(server->stats().connections, 0U);
}

TEST_P(ServerTest, DrainGivesUpAfterItsLimit) {
  start();
  Client pending(server->port());
  pending.send(get("/later"));
  ASSERT_TRUE(kept.wait_for(1));
  EXPECT_FALSE(server->drain(1));
  on_loop([this] { EXPECT_FALSE(kept.exchanges[0].gone()); });
  server.reset();
  EXPECT_TRUE(pending.closed());
  EXPECT_TRUE(kept.exchanges[0].gone());
  kept.exchanges.clear();  // after the end of the server, from another thread
}

TEST_P(ServerTest, ServerEndsWithConnectionsOpen) {
  start();
  Client one(server->port());
  Client two(server->port());
  one.send(get("/ping"));
  EXPECT_EQ(one.answer().status, 200);
  server.reset();
  EXPECT_TRUE(one.closed());
}

}  // namespace
}  // namespace spillway::http
