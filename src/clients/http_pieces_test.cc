// Answers that are taken in pieces.
#include <gtest/gtest.h>

#include <future>

#include "clients/http_client.h"
#include "http/test_support.h"

namespace spillway::clients {
namespace {

using http::Exchange;
using http::Method;
using http::Request;
using http::Router;

class HttpPieces : public testing::Test {
 protected:
  void serve() {
    Router router;
    router.add(Method::kGet, "/refused",
               [](const Request&, Exchange exchange) { exchange.reply({.status = 404, .body = "so"}); });
    router.add(Method::kGet, "/big/{size}", [](const Request& request, Exchange exchange) {
      exchange.reply({.status = 200, .body = std::string(std::stoul(std::string(request.param(0))), 'x')});
    });
    router.add(Method::kGet, "/held",
               [this](const Request&, Exchange exchange) { held_.push_back(std::move(exchange)); });
    http::ServerOptions options;
    options.port = 0;
    auto made = http::Server::listen(options, clock_, std::move(router), nullptr);
    ASSERT_TRUE(made.ok()) << made.error().message;
    server_ = std::move(*made);
    server_->start();
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
    held_.clear();
  }
  void make(HttpClientOptions options = {}) {
    auto policy = AddressPolicy::make({"127.0.0.1"});
    ASSERT_TRUE(policy.ok());
    auto made = HttpClient::make(std::move(options), *std::move(policy));
    ASSERT_TRUE(made.ok()) << made.error().message;
    client_ = std::move(*made);
  }
  std::string url(const std::string& path) {
    return "http://127.0.0.1:" + std::to_string(server_->port()) + path;
  }
  HttpAnswer ask(HttpRequest request) {
    std::promise<HttpAnswer> promise;
    const Status taken = client_->call(
        std::move(request), [&promise](HttpAnswer answer) { promise.set_value(std::move(answer)); });
    EXPECT_TRUE(taken.ok());
    return taken.ok() ? promise.get_future().get() : HttpAnswer{};
  }

  SystemClock clock_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<HttpClient> client_;
  std::vector<Exchange> held_;  ///< on the server's thread, until that is gone
};

TEST_F(HttpPieces, PiecesComeWithoutTheLimitOfTheBody) {
  serve();
  make({.max_body_bytes = 1000});
  std::size_t bytes = 0;
  const auto count = [&bytes](std::string_view piece) {
    bytes += piece.size();
    return true;
  };
  const HttpAnswer whole =
      ask({.url = url("/big/500000"), .on_piece = count, .max_silence_us = 60 * kSecond});
  EXPECT_EQ(whole.status, 200);
  EXPECT_EQ(whole.body, "");
  EXPECT_EQ(bytes, 500'000U);
  // What is no answer to read in pieces comes as ever.
  bytes = 0;
  const HttpAnswer refused = ask({.url = url("/refused"), .on_piece = count});
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.body, "so");
  EXPECT_EQ(bytes, 0U);
}

TEST_F(HttpPieces, PiecesEndWhenTheCallerHasHadEnough) {
  serve();
  make();
  int pieces = 0;
  const HttpAnswer answer =
      ask({.url = url("/big/5000000"), .on_piece = [&pieces](std::string_view) { return ++pieces < 3; }});
  EXPECT_EQ(answer.failure, HttpFailure::kStopped);
  EXPECT_EQ(pieces, 3);
  EXPECT_EQ(ask({.url = url("/big/1")}).status, 200);
}

TEST_F(HttpPieces, SilenceEndsAStream) {
  serve();
  make();
  const HttpAnswer answer = ask({.url = url("/held"), .max_silence_us = kSecond});
  EXPECT_EQ(answer.failure, HttpFailure::kTimeout);
}

}  // namespace
}  // namespace spillway::clients
