#include "clients/http_client.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <thread>

#include "http/test_support.h"

namespace spillway::clients {
namespace {

using http::Exchange;
using http::Method;
using http::Request;
using http::Response;
using http::Router;

/// Collects answers from the client's thread. A wait that takes longer than this ends a test that would hang.
class Answers {
 public:
  HttpClient::Callback next() {
    return [this](HttpAnswer answer) {
      const std::lock_guard lock(mutex_);
      answers_.push_back(std::move(answer));
      arrived_.notify_all();
    };
  }
  std::vector<HttpAnswer> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(arrived_.wait_for(lock, std::chrono::seconds(60), [&] { return answers_.size() >= count; }));
    return answers_;
  }
  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return answers_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<HttpAnswer> answers_;
};

/// A key and a certificate for "localhost" that it signs itself, in files.
struct Certificate {
  Certificate() {
    directory = std::filesystem::temp_directory_path() / ("spillway-client-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory);
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    EXPECT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
    std::FILE* out = std::fopen(certificate_file().c_str(), "w");
    EXPECT_EQ(PEM_write_X509(out, certificate), 1);
    std::fclose(out);
    out = std::fopen(key_file().c_str(), "w");
    EXPECT_EQ(PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr), 1);
    std::fclose(out);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  ~Certificate() { std::filesystem::remove_all(directory); }
  std::string certificate_file() const { return directory / "cert.pem"; }
  std::string key_file() const { return directory / "key.pem"; }

  std::filesystem::path directory;
};

/// Answers whoever connects with these bytes, whatever they ask, and closes.
class RawServer {
 public:
  explicit RawServer(std::string bytes) : bytes_(std::move(bytes)), fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      while (true) {
        const int peer = accept(fd_, nullptr, nullptr);
        if (peer < 0) return;
        char asked[65536];
        if (recv(peer, asked, sizeof asked, 0) > 0) send(peer, bytes_.data(), bytes_.size(), MSG_NOSIGNAL);
        close(peer);
      }
    });
  }
  ~RawServer() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  std::string bytes_;
  int fd_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

class HttpClientTest : public testing::Test {
 protected:
  static void echo(const Request& request, Exchange exchange) {
    Response response = Response::json(200, std::string(request.body()));
    response.headers = {{"X-Seen", std::string(request.header("x-asked"))},
                        {"X-Type", std::string(request.header("content-type"))},
                        {"X-Expect", std::string(request.header("expect"))},
                        {"X-Empty", request.header("x-nothing").empty() ? "yes" : "no"}};
    exchange.reply(std::move(response));
  }
  Router routes() {
    Router router;
    for (const Method method : {Method::kGet, Method::kPost, Method::kPut, Method::kDelete, Method::kPatch})
      router.add(method, "/echo", &echo);
    router.add(Method::kGet, "/status/{code}", [](const Request& request, Exchange exchange) {
      Response response{.status = std::stoi(std::string(request.param(0))), .body = "so"};
      response.location = "/echo";
      exchange.reply(std::move(response));
    });
    router.add(Method::kGet, "/big/{size}", [](const Request& request, Exchange exchange) {
      exchange.reply({.status = 200, .body = std::string(std::stoul(std::string(request.param(0))), 'x')});
    });
    router.add(Method::kGet, "/fields/{size}", [](const Request& request, Exchange exchange) {
      exchange.reply({.status = 200,
                      .headers = {{"X-Big", std::string(std::stoul(std::string(request.param(0))), 'y')}}});
    });
    router.add(Method::kGet, "/held", [this](const Request&, Exchange exchange) {
      const std::lock_guard lock(mutex_);
      held_.push_back(std::move(exchange));
      arrived_.notify_all();
    });
    return router;
  }
  void serve(http::ServerOptions options = {}) {
    options.port = 0;
    auto made = http::Server::listen(options, clock_, routes(), nullptr);
    ASSERT_TRUE(made.ok()) << made.error().message;
    server_ = std::move(*made);
    server_->start();
  }
  void TearDown() override {
    client_.reset();
    server_.reset();
    held_.clear();
  }
  /// `private_hosts`: what may be called, loopback included.
  void make(HttpClientOptions options = {}, const std::vector<std::string>& allowed = {"127.0.0.1"},
            const std::vector<std::string>& private_hosts = {}) {
    auto policy = AddressPolicy::make(allowed, private_hosts);
    ASSERT_TRUE(policy.ok());
    auto made = HttpClient::make(std::move(options), *std::move(policy));
    ASSERT_TRUE(made.ok()) << made.error().message;
    client_ = std::move(*made);
  }
  std::string url(const std::string& path, const std::string& host = "127.0.0.1",
                  const char* scheme = "http") {
    return std::string(scheme) + "://" + host + ":" + std::to_string(server_->port()) + path;
  }
  HttpAnswer get(const std::string& at) { return ask({.url = at}); }
  HttpAnswer ask(HttpRequest request) {
    Answers answers;
    const Status taken = client_->call(std::move(request), answers.next());
    EXPECT_TRUE(taken.ok()) << taken.error().message;
    return taken.ok() ? answers.wait(1).front() : HttpAnswer{};
  }
  void wait_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(arrived_.wait_for(lock, std::chrono::seconds(60), [&] { return held_.size() >= count; }));
  }
  /// Answers everything that is held; on the server's thread, where exchanges live.
  void release_held() {
    server_->post(0, [this] {
      std::vector<Exchange> held;
      {
        const std::lock_guard lock(mutex_);
        held.swap(held_);
      }
      for (Exchange& exchange : held) exchange.reply({.status = 200, .body = "late"});
    });
  }

  SystemClock clock_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<HttpClient> client_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Exchange> held_;
};

TEST_F(HttpClientTest, MethodsHeadersAndBodiesTravel) {
  serve();
  make();
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    const bool carries = std::string_view(method) != "GET";
    const HttpAnswer answer = ask({.method = method,
                                   .url = url("/echo"),
                                   .headers = {{"X-Asked", "it"}, {"X-Nothing", ""}, {"Content-Type", "a/b"}},
                                   .body = carries ? "{\"a\":1}" : ""});
    EXPECT_TRUE(answer.ok()) << answer.reason;
    EXPECT_EQ(answer.status, 200) << method;
    EXPECT_EQ(answer.body, carries ? "{\"a\":1}" : "");
    EXPECT_EQ(answer.header("x-seen"), "it");
    EXPECT_EQ(answer.header("X-Type"), "a/b");
    EXPECT_EQ(answer.header("x-expect"), "");
    EXPECT_EQ(answer.header("content-type"), "application/json");
    EXPECT_EQ(answer.header("x-none"), "");
  }
  const HttpAnswer empty = ask({.method = "POST", .url = url("/echo")});
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.header("X-Type"), "");  // not the library's form type
  const HttpAnswer head = ask({.method = "HEAD", .url = url("/big/100")});
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "100");
  EXPECT_EQ(head.body, "");
}

TEST_F(HttpClientTest, StatusesAreAnswersAndRedirectsAreNotFollowed) {
  serve();
  make();
  for (const int status : {204, 302, 307, 404, 429, 500, 503}) {
    const HttpAnswer answer = get(url("/status/" + std::to_string(status)));
    EXPECT_TRUE(answer.ok());
    EXPECT_EQ(answer.status, status);
  }
  EXPECT_EQ(get(url("/status/302")).header("location"), "/echo");
}

TEST_F(HttpClientTest, ConnectionsAreKept) {
  serve();
  make();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get(url("/echo")).status, 200);
  EXPECT_EQ(server_->stats().accepted, 1U);
}

TEST_F(HttpClientTest, BodyAndFieldsAreBounded) {
  serve();
  make({.max_body_bytes = 1000, .max_header_bytes = 2000});
  EXPECT_EQ(get(url("/big/1000")).body.size(), 1000U);
  const HttpAnswer big = get(url("/big/1001"));
  EXPECT_EQ(big.failure, HttpFailure::kTooLarge);
  EXPECT_EQ(big.body, "");
  EXPECT_EQ(get(url("/fields/500")).status, 200);
  EXPECT_EQ(get(url("/fields/2000")).failure, HttpFailure::kTooLarge);
}

TEST_F(HttpClientTest, ChunkedWithoutEndIsBounded) {
  std::string endless = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 100; ++i) endless += "400\r\n" + std::string(1024, 'z') + "\r\n";
  const RawServer raw(endless);
  make({.max_body_bytes = 4096});
  EXPECT_EQ(get(raw.url()).failure, HttpFailure::kTooLarge);
}

TEST_F(HttpClientTest, GarbageAndEarlyEnds) {
  make();
  for (const char* bytes : {"", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
                            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "SSH-2.0-x\r\n"}) {
    const RawServer raw(bytes);
    const HttpAnswer answer = get(raw.url());
    EXPECT_EQ(answer.failure, HttpFailure::kBroken) << bytes;
    EXPECT_NE(answer.reason, "");
    EXPECT_EQ(answer.status, 0);
    EXPECT_EQ(answer.body, "");
  }
}

TEST_F(HttpClientTest, FieldsOfTheFinalAnswerOnly) {
  const RawServer raw(
      "HTTP/1.1 103 Early Hints\r\nX-A: early\r\n\r\n"
      "HTTP/1.1 200 OK\r\nX-A: \t late \r\nContent-Length: 0\r\n\r\n");
  make();
  EXPECT_EQ(get(raw.url()).header("x-a"), "late");
}

TEST_F(HttpClientTest, RefusedAndUnresolved) {
  serve();
  const std::string gone = url("/");
  server_.reset();
  make({.timeout_us = 60 * kSecond, .connect_timeout_us = 30 * kSecond}, {"127.0.0.1", "nobody.invalid"});
  const HttpAnswer refused = get(gone);
  EXPECT_EQ(refused.failure, HttpFailure::kRefused);
  EXPECT_NE(refused.reason, "");
  EXPECT_EQ(get("http://nobody.invalid/").failure, HttpFailure::kUnresolved);
}

TEST_F(HttpClientTest, Timeout) {
  serve();
  make();
  const HttpAnswer answer = ask({.url = url("/held"), .timeout_us = kSecond / 10});
  EXPECT_EQ(answer.failure, HttpFailure::kTimeout);
  wait_held(1);
  release_held();
  EXPECT_EQ(get(url("/echo")).status, 200);
}

TEST_F(HttpClientTest, RunningAndWaitingAreBounded) {
  serve();
  make({.max_running = 2, .max_waiting = 3});
  Answers answers;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(client_->call({.url = url("/held")}, answers.next()).ok());
  wait_held(2);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(client_->call({.url = url("/echo")}, answers.next()).ok());
  const Status fourth = client_->call({.url = url("/echo")}, answers.next());
  ASSERT_FALSE(fourth.ok());
  EXPECT_EQ(fourth.error().code, ErrorCode::kOverloaded);
  EXPECT_EQ(answers.size(), 0U);
  release_held();
  for (const HttpAnswer& answer : answers.wait(5)) EXPECT_EQ(answer.status, 200);
}

TEST_F(HttpClientTest, WaitingTooLong) {
  serve();
  make({.max_running = 1, .max_wait_us = kSecond / 10});
  Answers held, waited;
  ASSERT_TRUE(client_->call({.url = url("/held")}, held.next()).ok());
  wait_held(1);
  ASSERT_TRUE(client_->call({.url = url("/echo")}, waited.next()).ok());
  EXPECT_EQ(waited.wait(1).front().failure, HttpFailure::kTimeout);
  release_held();
  EXPECT_EQ(held.wait(1).front().status, 200);
}

TEST_F(HttpClientTest, StopAnswersEverybodyOnce) {
  serve();
  make({.max_running = 2});
  Answers answers;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(client_->call({.url = url("/held")}, answers.next()).ok());
  wait_held(2);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(client_->call({.url = url("/held")}, answers.next()).ok());
  client_->stop();
  ASSERT_EQ(answers.size(), 7U);
  for (const HttpAnswer& answer : answers.wait(7)) EXPECT_EQ(answer.failure, HttpFailure::kStopped);
  const Status after = client_->call({.url = url("/echo")}, answers.next());
  ASSERT_FALSE(after.ok());
  EXPECT_EQ(after.error().code, ErrorCode::kDraining);
  client_->stop();
  EXPECT_EQ(answers.size(), 7U);
}

TEST_F(HttpClientTest, ManyFromManyThreads) {
  serve();
  make({.max_running = 8, .max_waiting = 10'000});
  Answers answers;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i)
        EXPECT_TRUE(
            client_->call({.method = "POST", .url = url("/echo"), .body = std::to_string(t)}, answers.next())
                .ok());
    });
  for (std::thread& thread : threads) thread.join();
  for (const HttpAnswer& answer : answers.wait(400)) EXPECT_EQ(answer.status, 200) << answer.reason;
  EXPECT_LE(server_->stats().accepted, 16U);
}

TEST_F(HttpClientTest, CallFromACallback) {
  serve();
  make();
  Answers answers;
  ASSERT_TRUE(client_
                  ->call({.url = url("/echo")},
                         [&](HttpAnswer) {
                           EXPECT_TRUE(client_->call({.url = url("/status/204")}, answers.next()).ok());
                         })
                  .ok());
  EXPECT_EQ(answers.wait(1).front().status, 204);
}

TEST_F(HttpClientTest, HostsThatAreNotListed) {
  serve();
  make({}, {"127.0.0.1:" + std::to_string(server_->port()), "*.example.org"});
  EXPECT_TRUE(client_->check(url("/echo")).ok());
  for (const std::string at : {"http://127.0.0.1:1/", "http://example.org/", "http://localhost/",
                               "http://127.1:2/", "http://a.example.org@127.0.0.1:1/"}) {
    const Status status = client_->check(at);
    ASSERT_FALSE(status.ok()) << at;
    EXPECT_TRUE(status.error().code == ErrorCode::kForbidden ||
                status.error().code == ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(client_->check("https://a.example.org/x?y").ok());
}

TEST_F(HttpClientTest, NameThatLeadsInside) {
  serve();
  const std::string port = std::to_string(server_->port());
  make({.resolve = {"rebound.example:" + port + ":127.0.0.1", "listed.example:" + port + ":127.0.0.1"}},
       {"rebound.example", "localhost"}, {"listed.example"});
  for (const char* host : {"rebound.example", "localhost"}) {
    const HttpAnswer answer = get(url("/echo", host));
    EXPECT_EQ(answer.failure, HttpFailure::kAddress) << answer.reason;
    EXPECT_NE(answer.reason.find(host), std::string::npos) << answer.reason;
  }
  EXPECT_EQ(server_->stats().accepted, 0U);
  EXPECT_EQ(get(url("/echo", "listed.example")).status, 200);
  // A connection that may be reused was opened for the other name.
  EXPECT_EQ(get(url("/echo", "rebound.example")).failure, HttpFailure::kAddress);
}

TEST_F(HttpClientTest, EnvironmentsProxyIsNotAsked) {
  serve();
  make();
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_EQ(get(url("/echo")).status, 200);
  unsetenv("http_proxy");
}

TEST_F(HttpClientTest, BadRequestsNameWhatIsWrong) {
  make();
  struct {
    HttpRequest request;
    const char* names;
  } table[] = {
      {{.url = ""}, "url"},
      {{.url = "ftp://127.0.0.1/"}, "url"},
      {{.url = "file:///etc/passwd"}, "url"},
      {{.url = "http://u:p@127.0.0.1/"}, "url"},
      {{.url = "http://127.0.0.1/a b"}, "url"},
      {{.url = "http://127.0.0.1/\r\nX: y"}, "url"},
      {{.url = "http://127.0.0.1:99999/"}, "url"},
      {{.url = "http://127.0.0.1/" + std::string(limits::kHttpUrlBytes, 'a')}, "url"},
      {{.method = "TRACE", .url = "http://127.0.0.1/"}, "method"},
      {{.url = "http://127.0.0.1/", .headers = {{"a b", "c"}}}, "headers"},
      {{.url = "http://127.0.0.1/", .headers = {{"", "c"}}}, "headers"},
      {{.url = "http://127.0.0.1/", .headers = {{"X-A", "b\r\nX-C: d"}}}, "X-A"},
      {{.url = "http://127.0.0.1/", .headers = {{"host", "evil"}}}, "host"},
      {{.method = "POST",
        .url = "http://127.0.0.1/",
        .body = std::string(limits::kHttpRequestBytes + 1, 'b')},
       "body"},
  };
  for (auto& row : table) {
    const std::string at = row.request.url.substr(0, 60);
    const Status status = client_->call(std::move(row.request), [](HttpAnswer) { ADD_FAILURE(); });
    ASSERT_FALSE(status.ok()) << at;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(status.error().message.find(row.names), std::string::npos) << status.error().message;
  }
}

TEST_F(HttpClientTest, BadOptions) {
  EXPECT_FALSE(HttpClient::make({.max_running = 0}, {}).ok());
  const auto made = HttpClient::make({.ca_file = "/nowhere/ca.pem"}, {});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message.find("/nowhere/ca.pem"), std::string::npos);
}

TEST_F(HttpClientTest, CertificatesAreVerified) {
  const Certificate certificate;
  serve({.tls_certificate_file = certificate.certificate_file(), .tls_key_file = certificate.key_file()});
  const std::vector<std::string> hosts = {"localhost", "127.0.0.1"};
  make({}, {}, hosts);
  const HttpAnswer unknown = get(url("/echo", "localhost", "https"));
  EXPECT_EQ(unknown.failure, HttpFailure::kTls) << unknown.reason;
  make({.ca_file = certificate.certificate_file()}, {}, hosts);
  EXPECT_EQ(get(url("/echo", "localhost", "https")).status, 200);
  EXPECT_EQ(get(url("/echo", "127.0.0.1", "https")).failure, HttpFailure::kTls);  // not the name it is for
}

TEST_F(HttpClientTest, TlsToWhatSpeaksNone) {
  serve();
  make();
  EXPECT_EQ(get(url("/echo", "127.0.0.1", "https")).failure, HttpFailure::kTls);
}

}  // namespace
}  // namespace spillway::clients
