#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>

#include "http/test_support.h"

namespace spillway::http {
namespace {

template <auto Free>
struct Freeing {
  template <class T>
  void operator()(T* thing) const {
    Free(thing);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freeing<Free>>;

/// A key and a certificate that it signs itself, in files.
struct Certificate {
  Certificate() {
    directory = std::filesystem::temp_directory_path() / ("spillway-tls-" + std::to_string(getpid()));
    std::filesystem::create_directories(directory);
    const Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
    const Owned<X509, X509_free> certificate(X509_new());
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    EXPECT_GT(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
    const Owned<std::FILE, std::fclose> out(std::fopen(certificate_file().c_str(), "w"));
    EXPECT_EQ(PEM_write_X509(out.get(), certificate.get()), 1);
    const Owned<std::FILE, std::fclose> key_out(std::fopen(key_file().c_str(), "w"));
    EXPECT_EQ(PEM_write_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  }
  ~Certificate() { std::filesystem::remove_all(directory); }
  std::string certificate_file() const { return directory / "cert.pem"; }
  std::string key_file() const { return directory / "key.pem"; }

  std::filesystem::path directory;
};

class TlsClient {
 public:
  TlsClient(std::uint16_t port, int max_version, std::string_view protocols = "\x08http/1.1")
      : client_(port), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), 0);
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_max_proto_version(context_.get(), max_version);
    SSL_CTX_set_alpn_protos(context_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), client_.fd());
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  bool connected() const { return connected_; }
  const char* version() const { return SSL_get_version(ssl_.get()); }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }
  void send(std::string_view bytes) {
    EXPECT_EQ(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  Answer answer() {
    while (true) {
      Answer found = take_answer(pending_);
      if (found.status != 0) return found;
      char bytes[16384];
      const int n = SSL_read(ssl_.get(), bytes, sizeof bytes);
      if (n <= 0) return found;
      pending_.append(bytes, static_cast<std::size_t>(n));
    }
  }
  /// The peer said goodbye, rather than broke off.
  bool closed_properly() {
    char byte = 0;
    return SSL_read(ssl_.get(), &byte, 1) <= 0 && SSL_get_error(ssl_.get(), 0) == SSL_ERROR_ZERO_RETURN;
  }
  Client& socket() { return client_; }

 private:
  Client client_;
  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> ssl_;
  std::string pending_;
  bool connected_ = false;
};

class TlsTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    skip_without_network(GetParam());
    if (IsSkipped()) return;
    Router router;
    router.add(Method::kPost, "/echo",
               [](const Request& request, Exchange exchange) {
                 exchange.reply(Response::json(200, std::string(request.body())));
               },
               {.max_body_bytes = 4 * 1024 * 1024});
    ServerOptions options;
    options.port = 0;
    options.tls_certificate_file = certificate.certificate_file();
    options.tls_key_file = certificate.key_file();
    options.tls_handshake_timeout_us = kSecond / 10;
    options.io_uring = GetParam();
    auto made = Server::listen(options, clock, std::move(router), nullptr);
    ASSERT_TRUE(made.ok()) << made.error().message;
    server = std::move(*made);
    server->start();
  }
  static std::string post(std::string_view body, std::string_view fields = "") {
    return "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string(fields) + "\r\n" + std::string(body);
  }

  Certificate certificate;
  FakeClock clock;
  std::unique_ptr<Server> server;
};

INSTANTIATE_TEST_SUITE_P(, TlsTest, testing::Bool(), network_name);

TEST_P(TlsTest, RoundTrip) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(server->port(), version);
    ASSERT_TRUE(client.connected());
    EXPECT_EQ(client.protocol(), "http/1.1");
    client.send(post("one") + post("two"));
    const Answer one = client.answer();
    EXPECT_EQ(one.body, "one");
    EXPECT_NE(one.field("Strict-Transport-Security"), "");
    EXPECT_EQ(client.answer().body, "two");
    client.send(post("three", "Connection: close\r\n"));
    EXPECT_EQ(client.answer().body, "three");
    EXPECT_TRUE(client.closed_properly());
  }
}

TEST_P(TlsTest, LargeBodiesBothWays) {
  TlsClient client(server->port(), TLS1_3_VERSION);
  ASSERT_TRUE(client.connected());
  std::string body(3'000'000, 'x');
  for (std::size_t i = 0; i < body.size(); i += 1000) body[i] = static_cast<char>('a' + i / 1000 % 26);
  client.send(post(body));
  EXPECT_EQ(client.answer().body, body);
}

TEST_P(TlsTest, OldVersionsAndOtherProtocolsAreRefused) {
  EXPECT_FALSE(TlsClient(server->port(), TLS1_1_VERSION).connected());
  EXPECT_FALSE(TlsClient(server->port(), TLS1_3_VERSION, "\x02h2").connected());
}

TEST_P(TlsTest, PlainTextIsRefused) {
  Client client(server->port());
  client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  while (client.read_some()) {
  }
  EXPECT_EQ(client.pending.find("HTTP/"), std::string::npos);
}

TEST_P(TlsTest, HandshakeTakesOnlySoLong) {
  Client client(server->port());
  client.send("\x16\x03\x01");
  std::atomic<bool> over{false};
  std::thread time([&] {
    while (!over) {
      clock.advance(kSecond / 10);
      std::this_thread::yield();
    }
  });
  EXPECT_TRUE(client.closed());
  over = true;
  time.join();
}

TEST_P(TlsTest, DrainSaysGoodbye) {
  TlsClient client(server->port(), TLS1_3_VERSION);
  ASSERT_TRUE(client.connected());
  client.send(post("one"));
  EXPECT_EQ(client.answer().body, "one");
  EXPECT_TRUE(server->drain(60 * kSecond));
  EXPECT_TRUE(client.closed_properly());
}

TEST_P(TlsTest, KeyOfAnotherCertificate) {
  const Owned<EVP_PKEY, EVP_PKEY_free> other(EVP_EC_gen("P-256"));
  const std::string file = certificate.directory / "other.pem";
  {
    const Owned<std::FILE, std::fclose> out(std::fopen(file.c_str(), "w"));
    ASSERT_EQ(PEM_write_PrivateKey(out.get(), other.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
  }
  ServerOptions options;
  options.port = 0;
  options.tls_certificate_file = certificate.certificate_file();
  options.tls_key_file = file;
  EXPECT_FALSE(Server::listen(options, clock, Router(), nullptr).ok());
}

}  // namespace
}  // namespace spillway::http
