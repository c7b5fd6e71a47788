#include "app/demo.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace spillway::app {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace json = boost::json;

constexpr int kPeople = 500;
constexpr int kConnections = 16;
constexpr int kDuplicateEvery = 10;  ///< every tenth person presses the button twice
constexpr auto kClientTimeout = std::chrono::seconds(30);

/// One keep-alive connection, used by one thread. Throws what Beast throws.
class Client {
 public:
  Client(const std::string& host, std::uint16_t port) : stream_(context_), host_(host) {
    stream_.expires_after(kClientTimeout);
    stream_.connect({asio::ip::make_address(host), port});
  }
  struct Reply {
    unsigned status = 0;
    json::value body;
  };
  Reply send(http::verb verb, const std::string& target, const std::string& token,
             const std::string& body = {}) {
    http::request<http::string_body> request(verb, target, 11);
    request.set(http::field::host, host_);
    if (!token.empty()) request.set(http::field::authorization, "Bearer " + token);
    if (!body.empty()) request.set(http::field::content_type, "application/json");
    request.body() = body;
    request.prepare_payload();
    stream_.expires_after(kClientTimeout);
    http::write(stream_, request);
    http::response<http::string_body> response;
    http::read(stream_, buffer_, response);
    json::error_code not_json;
    return {response.result_int(), json::parse(response.body(), not_json)};
  }

 private:
  asio::io_context context_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::string host_;
};

std::int64_t number(const json::value& value) { return value.to_number<std::int64_t>(); }

std::string event_body(const char* title, std::uint64_t capacity) {
  return json::serialize(
      json::object{{"title", title}, {"capacityTotal", capacity}, {"policy", "FIRST_COME"}});
}

void expect(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

/// What the crowd saw.
struct Crowd {
  std::atomic<int> accepted{0};
  std::atomic<int> refused{0};
  std::atomic<int> same_id{0};
};

void take_part(const std::string& host, std::uint16_t port, const std::string& event, int first,
               Crowd& crowd) {
  Client client(host, port);
  for (int person = first; person < kPeople; person += kConnections) {
    const auto login =
        client.send(http::verb::post, "/auth/login", "", fmt::format(R"({{"userId":"visitor-{}"}})", person));
    const std::string token(login.body.at("accessToken").as_string());
    const std::string target = "/events/" + event + "/participations";
    const auto first_try = client.send(http::verb::post, target, token);
    ++(first_try.status == 202 ? crowd.accepted : crowd.refused);
    if (person % kDuplicateEvery != 0) continue;
    const auto second_try = client.send(http::verb::post, target, token);
    if (second_try.status == 202 && second_try.body == first_try.body) ++crowd.same_id;
  }
}

void say(bool good, const std::string& line) {
  fmt::print(stderr, "  {} {}\n", good ? "\u2713" : "\u2717", line);
}

/// Follows the queue until nothing is in it; answers its depth each time it was looked at.
std::vector<std::int64_t> watch_drain(Client& admin, const std::string& token) {
  std::vector<std::int64_t> depths;
  while (true) {
    const auto queue = admin.send(http::verb::get, "/admin/queues/participations", token);
    depths.push_back(number(queue.body.at("visible")) + number(queue.body.at("inFlight")) +
                     number(queue.body.at("delayed")));
    if (depths.back() == 0) return depths;
  }
}

bool run_crowd(const std::string& host, std::uint16_t port, const std::string& token) {
  Client admin(host, port);
  if (admin.send(http::verb::get, std::string("/admin/events/") + kDemoEvent, token).status == 404) {
    const auto made = admin.send(http::verb::put, std::string("/admin/events/") + kDemoEvent, token,
                                 event_body("Winter Concert · 겨울 콘서트", kDemoCapacity));
    expect(made.status == 201, "cannot make the demonstration event");
  }
  const std::string event = fmt::format("crowd-{}-{}", std::time(nullptr), ::getpid());
  const std::string event_path = "/admin/events/" + event;
  expect(admin.send(http::verb::put, event_path, token, event_body("A small crowd", kDemoCapacity)).status ==
             201,
         "cannot make the crowd's event");
  expect(admin.send(http::verb::post, "/admin/queues/participations/pause", token).status == 200,
         "cannot pause");

  fmt::print(stderr, "\n{} people want {} places (workers paused) ...\n", kPeople, kDemoCapacity);
  Crowd crowd;
  const auto before = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  std::atomic<bool> failed{false};
  for (int i = 0; i < kConnections; ++i) {
    threads.emplace_back([&, i] {
      try {
        take_part(host, port, event, i, crowd);
      } catch (const std::exception&) {
        failed = true;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - before;
  expect(!failed, "a connection broke");

  const auto queue = admin.send(http::verb::get, "/admin/queues/participations", token);
  const auto waiting = admin.send(http::verb::get, event_path + "/requests?limit=1", token);
  const auto queued = number(waiting.body.at("counts").at("QUEUED"));
  const auto untouched = number(admin.send(http::verb::get, event_path, token).body.at("capacityRemaining"));
  const bool all_202 = crowd.accepted == kPeople && crowd.refused == 0;
  say(all_202,
      fmt::format("{} of {} answered 202, in {:.2f} s", crowd.accepted.load(), kPeople, took.count()));
  say(crowd.same_id == kPeople / kDuplicateEvery,
      fmt::format("{} pressed twice and got the same requestId", crowd.same_id.load()));
  say(queued == kPeople, fmt::format("{} wait in the queue ({} visible in all), {} places untouched", queued,
                                     number(queue.body.at("visible")), untouched));

  expect(admin.send(http::verb::post, "/admin/queues/participations/resume", token).status == 200,
         "cannot resume");
  const auto depths = watch_drain(admin, token);
  const auto counts = admin.send(http::verb::get, event_path + "/requests?limit=1", token).body.at("counts");
  const auto won = number(counts.at("SUCCEEDED"));
  const auto lost = number(counts.at("REJECTED"));
  say(true, fmt::format("workers resumed: the queue drained from {} to 0", depths.front()));
  say(won == static_cast<std::int64_t>(kDemoCapacity),
      fmt::format("exactly {} winners of {} places", won, kDemoCapacity));
  say(won + lost == kPeople, fmt::format("{} winners + {} refused = {}: nobody lost", won, lost, won + lost));
  return all_202 && crowd.same_id == kPeople / kDuplicateEvery && queued == kPeople &&
         untouched == static_cast<std::int64_t>(kDemoCapacity) &&
         won == static_cast<std::int64_t>(kDemoCapacity) && won + lost == kPeople;
}

}  // namespace

bool Demo::run() {
  try {
    return run_crowd(host_, port_, admin_token_);
  } catch (const std::exception& error) {
    fmt::print(stderr, "the demonstration did not come to its end: {}\n", error.what());
    return false;
  }
}

}  // namespace spillway::app
