// Real sockets on both sides of a proxy: the test is who connects and who is connected to.

#include "load/faults/tcp_proxy.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "load/faults/flow.h"
#include "load/wire/socket.h"

namespace spillway::load {
namespace {

using SteadyClock = std::chrono::steady_clock;

double ms_since(SteadyClock::time_point from) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - from).count();
}

sockaddr_in local(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Fd blocking_socket() { return Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

Fd connect_to(std::uint16_t port) {
  Fd fd = blocking_socket();
  const sockaddr_in address = local(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.close();
  return fd;
}

void send_all(const Fd& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(sent, 0);
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// Until so many bytes are there, or the end.
std::string receive(const Fd& fd, std::size_t bytes) {
  std::string got;
  std::array<char, 16 * 1024> buffer;
  while (got.size() < bytes) {
    const ssize_t now = ::recv(fd.get(), buffer.data(), std::min(buffer.size(), bytes - got.size()), 0);
    if (now <= 0) break;
    got.append(buffer.data(), static_cast<std::size_t>(now));
  }
  return got;
}

/// What the next read says: 0 for the end, an errno, or -1 for bytes.
int end_of(const Fd& fd) {
  char byte = 0;
  const ssize_t got = ::recv(fd.get(), &byte, 1, 0);
  return got == 0 ? 0 : got < 0 ? errno : -1;
}

std::string random_text(std::size_t bytes) {
  std::string text(bytes, '\0');
  fill_random(text.data(), bytes);
  return text;
}

class TcpProxyTest : public testing::Test {
 protected:
  void SetUp() override {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    target_ = blocking_socket();
    sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    ASSERT_EQ(::bind(target_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(target_.get(), 4096), 0);
    ASSERT_EQ(::getsockname(target_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    auto started = TcpProxy::start({"127.0.0.1", ntohs(address.sin_port)});
    ASSERT_TRUE(started.ok()) << started.error().message;
    proxy_ = std::move(started).value();
  }

  /// A connection through the proxy: who connected, and the target's end of it.
  std::pair<Fd, Fd> pair() {
    Fd client = connect_to(proxy_->port());
    EXPECT_TRUE(client);
    Fd server(::accept(target_.get(), nullptr, nullptr));
    EXPECT_TRUE(server);
    return {std::move(client), std::move(server)};
  }

  void apply(const Toxic& toxic) {
    const Status applied = proxy_->apply(toxic);
    ASSERT_TRUE(applied.ok()) << applied.error().message;
  }
  void clear() {
    const Status cleared = proxy_->clear();
    ASSERT_TRUE(cleared.ok()) << cleared.error().message;
  }

  Fd target_;
  std::unique_ptr<TcpProxy> proxy_;
};

TEST_F(TcpProxyTest, PassesBytesUnharmedBothWays) {
  auto [client, server] = pair();
  const std::string up = random_text(1 << 20), down = random_text(1 << 20);
  std::string got_up, got_down;
  std::thread up_sender([&, &fd = client] { send_all(fd, up); });
  std::thread down_sender([&, &fd = server] { send_all(fd, down); });
  std::thread up_receiver([&, &fd = server] { got_up = receive(fd, up.size()); });
  got_down = receive(client, down.size());
  for (std::thread* t : {&up_sender, &down_sender, &up_receiver}) t->join();
  EXPECT_TRUE(got_up == up);
  EXPECT_TRUE(got_down == down);
  // The last bytes are counted after they were sent.
  while (proxy_->counts().held_bytes > 0 || proxy_->counts().bytes_down < down.size() ||
         proxy_->counts().bytes_up < up.size())
    std::this_thread::yield();
  const ProxyCounts counts = proxy_->counts();
  EXPECT_EQ(counts.bytes_up, up.size());
  EXPECT_EQ(counts.bytes_down, down.size());
  EXPECT_EQ(counts.connections, 1u);
  EXPECT_EQ(counts.held_bytes, 0u);
}

TEST_F(TcpProxyTest, PassesTheEndOfOneDirectionOn) {
  auto [client, server] = pair();
  send_all(client, "question");
  ASSERT_EQ(::shutdown(client.get(), SHUT_WR), 0);
  EXPECT_EQ(receive(server, 100), "question");  // to the end
  send_all(server, "answer");
  server.close();
  EXPECT_EQ(receive(client, 100), "answer");
  EXPECT_EQ(end_of(client), 0);
}

TEST_F(TcpProxyTest, PassesAResetOn) {
  auto [client, server] = pair();
  const linger now{1, 0};
  ASSERT_EQ(::setsockopt(server.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
  server.close();
  EXPECT_EQ(end_of(client), ECONNRESET);
}

TEST_F(TcpProxyTest, ResetsWhoConnectsWhenTheTargetIsNotThere) {
  target_.close();
  Fd client = connect_to(proxy_->port());
  if (client) {
    EXPECT_EQ(end_of(client), ECONNRESET);
  }
  // The count is made before the connection is closed.
  EXPECT_EQ(proxy_->counts().connect_failures, 1u);
}

TEST_F(TcpProxyTest, LatencyIsNeverLessThanAsked) {
  apply({.kind = ToxicKind::kLatency, .latency_ms = 40});
  auto [client, server] = pair();
  for (int i = 0; i < 5; ++i) {
    const auto sent = SteadyClock::now();
    send_all(client, "ping");
    EXPECT_EQ(receive(server, 4), "ping");
    EXPECT_GE(ms_since(sent), 40);
    send_all(server, "pong");
    EXPECT_EQ(receive(client, 4), "pong");
    EXPECT_GE(ms_since(sent), 80);
  }
  // The end comes as late as bytes do.
  const auto closed = SteadyClock::now();
  client.close();
  EXPECT_EQ(end_of(server), 0);
  EXPECT_GE(ms_since(closed), 40);
}

TEST_F(TcpProxyTest, LatencyHitsConnectionsThatWereThereAndGoesWhenTakenBack) {
  auto [client, server] = pair();
  apply({.kind = ToxicKind::kLatency, .latency_ms = 600'000});
  send_all(client, "late");
  while (proxy_->counts().held_bytes < 4) std::this_thread::yield();
  clear();  // else it would come in ten minutes
  EXPECT_EQ(receive(server, 4), "late");
}

TEST_F(TcpProxyTest, KeepsTheOrderUnderJitter) {
  apply({.kind = ToxicKind::kLatency, .latency_ms = 5, .jitter_ms = 5});
  auto [client, server] = pair();
  const std::string sent = random_text(20'000);
  std::thread sender([&, &fd = client] {
    for (std::size_t at = 0; at < sent.size(); at += 100)
      send_all(fd, std::string_view(sent).substr(at, 100));
  });
  EXPECT_TRUE(receive(server, sent.size()) == sent);
  sender.join();
}

TEST_F(TcpProxyTest, BandwidthIsNeverMoreThanAsked) {
  apply({.kind = ToxicKind::kBandwidth, .rate_kb_per_s = 500});
  auto [client, server] = pair();
  const std::string sent = random_text(100'000);
  const auto begun = SteadyClock::now();
  std::thread sender([&, &fd = client] { send_all(fd, sent); });
  EXPECT_TRUE(receive(server, sent.size()) == sent);
  EXPECT_GE(ms_since(begun), 200);
  sender.join();
}

TEST_F(TcpProxyTest, ResetPeerIsSeenAsAReset) {
  auto [client, server] = pair();
  apply({.kind = ToxicKind::kResetPeer});
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_EQ(end_of(server), ECONNRESET);
  EXPECT_EQ(proxy_->counts().resets, 1u);
  clear();
  auto [again, served] = pair();
  send_all(again, "x");
  EXPECT_EQ(receive(served, 1), "x");
}

TEST_F(TcpProxyTest, ResetPeerWaitsAsLongAsAsked) {
  apply({.kind = ToxicKind::kResetPeer, .timeout_ms = 50});
  const auto begun = SteadyClock::now();
  auto [client, server] = pair();
  send_all(client, "x");
  EXPECT_EQ(receive(server, 1), "x");
  EXPECT_EQ(end_of(client), ECONNRESET);
  EXPECT_GE(ms_since(begun), 50);
}

TEST_F(TcpProxyTest, PercentOfTheConnectionsAreHit) {
  std::vector<std::pair<Fd, Fd>> pairs;
  for (int i = 0; i < 400; ++i) pairs.push_back(pair());
  apply({.kind = ToxicKind::kResetPeer, .percent = 25});
  const ProxyCounts counts = proxy_->counts();
  EXPECT_GT(counts.resets, 50u);  // 5.8 standard deviations from 100
  EXPECT_LT(counts.resets, 150u);
  EXPECT_EQ(counts.open, 400 - counts.resets);
  apply({.kind = ToxicKind::kResetPeer, .percent = 0});
  EXPECT_EQ(proxy_->counts().open, 400 - counts.resets);
}

TEST_F(TcpProxyTest, TimeoutHoldsAllDataAndCloses) {
  auto [client, server] = pair();
  apply({.kind = ToxicKind::kTimeout});
  send_all(client, "held");
  while (proxy_->counts().held_bytes < 4) std::this_thread::yield();
  char byte = 0;
  EXPECT_EQ(::recv(server.get(), &byte, 1, MSG_DONTWAIT), -1);
  clear();
  EXPECT_EQ(receive(server, 4), "held");
  apply({.kind = ToxicKind::kTimeout, .timeout_ms = 1});
  EXPECT_EQ(end_of(client), 0);
}

TEST_F(TcpProxyTest, GoesDownAndComesBackOnTheSamePort) {
  const std::uint16_t port = proxy_->port();
  for (int round = 0; round < 3; ++round) {
    auto [client, server] = pair();
    apply({.kind = ToxicKind::kDown});
    EXPECT_EQ(end_of(client), ECONNRESET);
    EXPECT_EQ(end_of(server), ECONNRESET);
    EXPECT_FALSE(connect_to(port));
    EXPECT_EQ(errno, ECONNREFUSED);
    clear();
    auto [again, served] = pair();
    send_all(again, "back");
    EXPECT_EQ(receive(served, 4), "back");
  }
  EXPECT_EQ(proxy_->port(), port);
}

TEST_F(TcpProxyTest, AThousandConnections) {
  constexpr int kMany = 1'000;
  std::vector<std::pair<Fd, Fd>> pairs;
  for (int i = 0; i < kMany; ++i) pairs.push_back(pair());
  EXPECT_EQ(proxy_->counts().open, static_cast<std::uint64_t>(kMany));
  apply({.kind = ToxicKind::kLatency, .latency_ms = 20, .jitter_ms = 10});
  for (int i = 0; i < kMany; ++i)
    send_all(pairs[static_cast<std::size_t>(i)].first, std::to_string(10'000 + i));
  for (int i = 0; i < kMany; ++i)
    ASSERT_EQ(receive(pairs[static_cast<std::size_t>(i)].second, 5), std::to_string(10'000 + i));
  pairs.clear();
  while (proxy_->counts().open > 0) std::this_thread::yield();
  EXPECT_EQ(proxy_->counts().broken, 0u);
}

TEST_F(TcpProxyTest, ASlowReaderDoesNotFillTheMemory) {
  auto [client, server] = pair();
  const std::string sent = random_text(32 << 20);
  std::thread sender([&, &fd = client] { send_all(fd, sent); });
  // Nobody reads until the proxy holds all that it may.
  while (proxy_->counts().most_held_bytes < kMostHeldBytes) std::this_thread::yield();
  EXPECT_TRUE(receive(server, sent.size()) == sent);
  sender.join();
  EXPECT_EQ(proxy_->counts().most_held_bytes, kMostHeldBytes);
}

TEST_F(TcpProxyTest, ConnectsFromTheAddressThatItWasConnectedFrom) {
  Fd client = blocking_socket();
  sockaddr_in from = local(0);
  from.sin_addr.s_addr = htonl(0x7f000105);  // 127.0.1.5
  ASSERT_EQ(::bind(client.get(), reinterpret_cast<sockaddr*>(&from), sizeof from), 0);
  const sockaddr_in to = local(proxy_->port());
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  sockaddr_in seen{};
  socklen_t size = sizeof seen;
  Fd server(::accept(target_.get(), reinterpret_cast<sockaddr*>(&seen), &size));
  EXPECT_EQ(seen.sin_addr.s_addr, from.sin_addr.s_addr);
}

TEST_F(TcpProxyTest, GoesOnWhenThereAreFilesAgain) {
  constexpr std::uint64_t kMany = 20;
  std::vector<Fd> clients;
  for (std::uint64_t i = 0; i < kMany; ++i) clients.push_back(blocking_socket());
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  rlimit few = files;
  few.rlim_cur = static_cast<rlim_t>(clients.back().get()) + 10;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const sockaddr_in to = local(proxy_->port());
  for (const Fd& client : clients)
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  while (proxy_->counts().accept_failures == 0) std::this_thread::yield();
  EXPECT_LT(proxy_->counts().connections, kMany);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  while (proxy_->counts().connections < kMany) std::this_thread::yield();
  EXPECT_GT(proxy_->counts().open, kMany / 2);
}

TEST_F(TcpProxyTest, EndsWithConnectionsOpen) {
  auto [client, server] = pair();
  proxy_.reset();
  EXPECT_NE(end_of(client), -1);
  EXPECT_NE(end_of(server), -1);
}

TEST(Toxic, IsCheckedAndDescribed) {
  const struct {
    Toxic toxic;
    std::string text;  // or the beginning of the error
  } rows[] = {
      {{.kind = ToxicKind::kLatency, .latency_ms = 200, .jitter_ms = 50}, "latency 200 ms +- 50 ms"},
      {{.kind = ToxicKind::kLatency, .latency_ms = 2.5, .percent = 10}, "latency 2.5 ms, 10% of connections"},
      {{.kind = ToxicKind::kBandwidth, .rate_kb_per_s = 100}, "bandwidth 100 KB/s a connection"},
      {{.kind = ToxicKind::kResetPeer, .percent = 5}, "connections reset, 5% of connections"},
      {{.kind = ToxicKind::kDown}, "proxy down"},
      {{.kind = ToxicKind::kLatency}, "latency_ms: "},
      {{.kind = ToxicKind::kLatency, .latency_ms = -1}, "latency_ms: -1 is not"},
      {{.kind = ToxicKind::kLatency, .latency_ms = 1, .jitter_ms = 2}, "jitter_ms: "},
      {{.kind = ToxicKind::kBandwidth}, "rate_kb_per_s: "},
      {{.kind = ToxicKind::kResetPeer, .percent = 101}, "percent: 101 is not"},
      {{.kind = ToxicKind::kResetPeer, .timeout_ms = std::numeric_limits<double>::quiet_NaN()},
       "timeout_ms: "},
  };
  for (const auto& row : rows) {
    const Status sound = check(row.toxic);
    const std::string text = sound ? describe(row.toxic) : sound.error().message;
    EXPECT_EQ(text.substr(0, row.text.size()), row.text) << text;
    EXPECT_EQ(sound.ok(), !row.text.ends_with(": ") && row.text.find(" is not") == std::string::npos) << text;
  }
}

}  // namespace
}  // namespace spillway::load
