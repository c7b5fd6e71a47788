// What a request may not be, one row each: the bytes, the status, and whether the connection ends. Each row
// is played over a real socket, and then against a session at every split of its bytes.

#include <gtest/gtest.h>

#include "http/test_support.h"

namespace spillway::http {
namespace {

struct Row {
  const char* name;
  std::string bytes;
  int status;
  bool closed = true;
};

/// Answers with what arrived, so that a request that was understood otherwise than it was meant is seen.
Router echo_router() {
  Router router;
  const auto echo = [](const Request& request, Exchange exchange) {
    exchange.reply({.status = 200,
                    .content_type = "text/plain",
                    .body = std::string(name(request.method())) + " " + std::string(request.param(0)) + " [" +
                            std::string(request.body()) + "]"});
  };
  router.add(Method::kGet, "/ping", echo);
  router.add(Method::kGet, "/p/{x}", echo);
  router.add(Method::kPost, "/p/{x}", echo);
  router.add(Method::kPost, "/small", echo, {.max_body_bytes = 16});
  return router;
}

std::string post(std::string_view fields, std::string_view rest = "") {
  return "POST /p/1 HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n" + std::string(rest);
}
std::string get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}
std::string chunked(std::string_view body) { return post("Transfer-Encoding: chunked\r\n", body); }

const std::string kSmuggled = "GET /ping HTTP/1.1\r\nHost: h\r\n\r\n";

std::vector<Row> rows() {
  using namespace std::string_literals;
  return {
      // Two lengths, or none that can be trusted: the ways to smuggle a request.
      {"length and coding",
       post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + kSmuggled), 400},
      {"coding and length",
       post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n" + kSmuggled), 400},
      {"two unequal lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), 400},
      {"two equal lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400},
      {"list of equal lengths", post("Content-Length: 5, 5\r\n", "hello"), 400},
      {"list of unequal lengths", post("Content-Length: 5, 6\r\n", "hello"), 400},
      {"length with sign", post("Content-Length: +5\r\n", "hello"), 400},
      {"negative length", post("Content-Length: -1\r\n"), 400},
      {"length in hex", post("Content-Length: 0x5\r\n", "hello"), 400},
      {"length with a letter", post("Content-Length: 5a\r\n", "hello"), 400},
      {"length with a space inside", post("Content-Length: 1 0\r\n", "hello"), 400},
      {"empty length", post("Content-Length: \r\n"), 400},
      {"length past 64 bits", post("Content-Length: 18446744073709551616\r\n"), 400},
      {"coding in HTTP/1.0", "POST /p/1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"chunked not last", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), 400},
      {"chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 400},
      {"two coding fields", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
       400},
      {"coding fields gzip then chunked", post("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"),
       400},
      {"identity", post("Transfer-Encoding: identity\r\n"), 400},
      {"a coding like chunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400},
      {"quoted chunked", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 400},
      {"chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), 400},
      {"vertical tab before chunked",
       post("Transfer-Encoding: \x0b"
            "chunked\r\n",
            "0\r\n\r\n"),
       400},
      {"empty coding", post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400},
      {"unknown coding before chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
      {"space before the colon of a coding", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
      {"folded coding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400},

      // Lines.
      {"space before colon", get("/ping", "Accept : x\r\n"), 400},
      {"tab before colon", get("/ping", "Accept\t: x\r\n"), 400},
      {"space before the first field", "GET /ping HTTP/1.1\r\n Host: h\r\n\r\n", 400},
      {"obs-fold with space", get("/ping", "A: b\r\n c\r\n"), 400},
      {"obs-fold with tab", get("/ping", "A: b\r\n\tc\r\n"), 400},
      {"bare LF after the request line", "GET /ping HTTP/1.1\nHost: h\r\n\r\n", 400},
      {"bare LF after a field", "GET /ping HTTP/1.1\r\nHost: h\n\r\n", 400},
      {"bare LF as the empty line", "GET /ping HTTP/1.1\r\nHost: h\r\n\n", 400},
      {"bare LFs only", "GET /ping HTTP/1.1\nHost: h\n\n", 400},
      {"bare CR in a value", get("/ping", "A: b\rc\r\n"), 400},
      {"bare CR in the request line", "GET /ping\r HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"CR CR LF", get("/ping", "A: b\r\r\n"), 400},
      {"NUL in a value", get("/ping", "A: b\0c\r\n"s), 400},
      {"NUL in a name", get("/ping", "A\0: b\r\n"s), 400},
      {"NUL in the target", get("/pi\0ng"s), 400},
      {"control character in a value", get("/ping", "A: b\x01\r\n"), 400},
      {"DEL in a value", get("/ping", "A: \x7f\r\n"), 400},
      {"no colon", get("/ping", "Accept\r\n"), 400},
      {"no name", get("/ping", ": x\r\n"), 400},
      {"a name that is no token", get("/ping", "A(b): x\r\n"), 400},
      {"a name beyond ASCII", get("/ping", "\xc3\xa9: x\r\n"), 400},

      // The request line.
      {"garbage", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
      {"a line of words", "hello there\r\n\r\n", 400},
      {"HTTP/0.9", "GET /ping\r\n\r\n", 400},
      {"two spaces", "GET  /ping HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"space at the end", "GET /ping HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
      {"tab instead of space", "GET\t/ping HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"space before the method", " GET /ping HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"lower case protocol", "GET /ping http/1.1\r\nHost: h\r\n\r\n", 400},
      {"version without minor", "GET /ping HTTP/1\r\nHost: h\r\n\r\n", 400},
      {"version 1.2", "GET /ping HTTP/1.2\r\nHost: h\r\n\r\n", 505},
      {"version 2.0", "GET /ping HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"version 0.9 by name", "GET /ping HTTP/0.9\r\n\r\n", 505},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"unknown method", "BREW /ping HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {"method in lower case", "get /ping HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {"TRACE", "TRACE /ping HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {"CONNECT", "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", 501},
      {"a method that is no token", "GE(T /ping HTTP/1.1\r\nHost: h\r\n\r\n", 400},

      // Host.
      {"no Host", "GET /ping HTTP/1.1\r\n\r\n", 400},
      {"two Hosts", "GET /ping HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400},
      {"two Hosts in 1.0", "GET /ping HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400},
      {"empty Host", "GET /ping HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"Host with a path", "GET /ping HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
      {"Host with user", "GET /ping HTTP/1.1\r\nHost: a@h\r\n\r\n", 400},
      {"Host list", "GET /ping HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"Host with a port of letters", "GET /ping HTTP/1.1\r\nHost: h:80a\r\n\r\n", 400},

      // The target.
      {"no slash", get("ping"), 400},
      {"fragment", get("/ping#x"), 400},
      {"quote", get("/p/\"x\""), 400},
      {"beyond ASCII", get("/p/\xc3\xa9"), 400},
      {"backslash", get("/p\\x"), 400},
      {"bad escape", get("/p/%zz"), 400},
      {"short escape", get("/p/%2"), 400},
      {"escaped NUL", get("/p/%00"), 400},
      {"bad escape in the query", get("/ping?a=%g1"), 400},
      {"escaped NUL in the query", get("/ping?a=%00"), 400},
      {"dot segments", get("/p/../ping"), 400},
      {"escaped dot segments", get("/p/%2e%2E/ping"), 400},
      {"asterisk with GET", get("*"), 400},
      {"authority form with GET", get("h:80"), 400},
      {"another scheme", get("ftp://h/ping"), 400},
      {"absolute without host", get("http:///ping"), 400},
      {"absolute with user", get("http://a@h/ping"), 400},

      // Chunks.
      {"chunk size is no number", chunked("x\r\nhello\r\n0\r\n\r\n"), 400},
      {"empty chunk size", chunked("\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size with 0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size with a sign", chunked("+5\r\nhello\r\n0\r\n\r\n"), 400},
      {"space before the chunk size", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400},
      {"space after the chunk size", chunked("5 \r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size past 64 bits", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size ends with LF", chunked("5\nhello\r\n0\r\n\r\n"), 400},
      {"chunk without CR LF", chunked("5\r\nhello0\r\n\r\n"), 400},
      {"chunk ends with LF", chunked("5\r\nhello\n0\r\n\r\n"), 400},
      {"chunk longer than its size", chunked("3\r\nhello\r\n0\r\n\r\n"), 400},
      {"LF in a chunk extension", chunked("5;a=\n\r\nhello\r\n0\r\n\r\n"), 400},
      {"NUL in a chunk extension", chunked("5;a=\0\r\nhello\r\n0\r\n\r\n"s), 400},
      {"CR in a chunk extension", chunked("5;a=\rb\r\nhello\r\n0\r\n\r\n"), 400},
      {"endless chunk extension", chunked("5;a=" + std::string(5000, 'x') + "\r\nhello\r\n0\r\n\r\n"), 400},
      {"endless zeros", chunked(std::string(5000, '0') + "5\r\nhello\r\n0\r\n\r\n"), 400},
      {"trailer without colon", chunked("0\r\nTrailer\r\n\r\n"), 400},
      {"trailer with space before colon", chunked("0\r\nA : b\r\n\r\n"), 400},
      {"trailer ends with LF", chunked("0\r\nA: b\n\r\n"), 400},
      {"folded trailer", chunked("0\r\nA: b\r\n c\r\n\r\n"), 400},
      {"endless trailer", chunked("0\r\nA: " + std::string(17000, 'x') + "\r\n\r\n"), 431},
      {"bare LF at the end", chunked("0\r\n\n"), 400},

      // Limits.
      {"header block", get("/ping", "A: " + std::string(17000, 'x') + "\r\n"), 431},
      {"header block without an end", "GET /ping HTTP/1.1\r\nA: " + std::string(17000, 'x'), 431},
      {"too many fields",
       get("/ping",
           [] {
             std::string fields;
             for (int i = 0; i < 101; ++i) fields += "a: b\r\n";
             return fields;
           }()),
       431},
      {"target", get("/" + std::string(8193, 'x')), 414},
      {"target longer than any head", get("/" + std::string(20000, 'x')), 414},
      {"body by length", post("Content-Length: 65537\r\n"), 413},
      {"body past the route's own limit", "POST /small HTTP/1.1\r\nHost: h\r\nContent-Length: 17\r\n\r\n",
       413},
      {"body in chunks",
       "POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n9\r\n", 413},
      {"unknown expectation", post("Expect: 200-maybe\r\nContent-Length: 5\r\n"), 417},

      // Beside them what is allowed, and keeps the connection.
      {"plain", get("/ping"), 200, false},
      {"empty lines first", "\r\n\r\n" + get("/ping"), 200, false},
      {"no space after the colon", "GET /ping HTTP/1.1\r\nHost:h\r\n\r\n", 200, false},
      {"space around a value", "GET /ping HTTP/1.1\r\nHost: \t h \t \r\n\r\n", 200, false},
      {"empty value", get("/ping", "A:\r\n"), 200, false},
      {"obs-text in a value", get("/ping", "A: \xff\r\n"), 200, false},
      {"Host in brackets", "GET /ping HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200, false},
      {"absolute form", get("http://other.example:80/ping?x=1"), 200, false},
      {"OPTIONS asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 204, false},
      {"escaped segment", get("/p/%2Fa%20b"), 200, false},
      {"segment of three dots", get("/p/..."), 200, false},
      {"length zero", post("Content-Length: 0\r\n"), 200, false},
      {"length with leading zeros", post("Content-Length: 005\r\n", "hello"), 200, false},
      {"coding in capitals", post("Transfer-Encoding: CHUNKED\r\n", "5\r\nhello\r\n0\r\n\r\n"), 200, false},
      {"chunks with extensions and a trailer",
       chunked("5 ; a=b;c=\"d;\\\"e\"\r\nhello\r\n1;x\r\n!\r\n000\r\nA: b\r\nB:\r\n\r\n"), 200, false},
      {"unknown path", get("/nowhere"), 404, false},
      {"empty segment", get("//p/1"), 404, false},
      {"empty parameter", get("/p/"), 404, false},
      {"other method", "DELETE /ping HTTP/1.1\r\nHost: h\r\n\r\n", 405, false},
      {"body for an unknown path", "POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 404,
       false},
      {"HTTP/1.0", "GET /ping HTTP/1.0\r\n\r\n", 200, true},
      {"HTTP/1.0 that stays", "GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, false},
      {"Connection: close", get("/ping", "Connection: x, Close\r\n"), 200, true},
  };
}

class MalformedRequestsSocket : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(, MalformedRequestsSocket, testing::Bool(), network_name);

TEST_P(MalformedRequestsSocket, Table) {
  skip_without_network(GetParam());
  if (IsSkipped()) return;
  const SystemClock clock;
  ServerOptions options;
  options.port = 0;
  options.io_uring = GetParam();
  auto server = Server::listen(options, clock, echo_router(), nullptr);
  ASSERT_TRUE(server.ok()) << server.error().message;
  (*server)->start();
  ASSERT_GE(rows().size(), 40U);
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    Client client((*server)->port());
    ASSERT_TRUE(client.connected());
    client.send(row.bytes);  // may fail when the refusal was quicker
    const Answer answer = client.answer();
    EXPECT_EQ(answer.status, row.status) << answer.head << answer.body;
    if (row.status >= 400) {
      EXPECT_EQ(answer.field("Content-Type"), "application/problem+json");
      EXPECT_NE(answer.body.find("\"status\":" + std::to_string(row.status)), std::string::npos)
          << answer.body;
    }
    EXPECT_EQ(answer.field("Connection") == "close", row.closed) << answer.head;
    if (row.closed) {
      client.end_sending();
      EXPECT_TRUE(client.closed()) << client.pending;
    } else {
      client.send(get("/p/still-there"));
      EXPECT_EQ(client.answer().body, "GET still-there []");
    }
  }
}

TEST(MalformedRequests, ASplitAnywhereChangesNothing) {
  SessionBench bench(echo_router());
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    bench.open();
    bench.feed(row.bytes);
    const std::string whole = bench.sent;
    const bool finished = bench.session->finished();
    ASSERT_FALSE(whole.empty());
    EXPECT_EQ(finished, row.closed);
    const std::size_t step = row.bytes.size() > 2000 ? 997 : 1;
    for (std::size_t at = 1; at < row.bytes.size(); at += step) {
      bench.open();
      bench.feed(std::string_view(row.bytes).substr(0, at));
      bench.feed(std::string_view(row.bytes).substr(at));
      ASSERT_EQ(bench.sent, whole) << "split at " << at;
      ASSERT_EQ(bench.session->finished(), finished) << "split at " << at;
    }
    bench.open();
    for (const char& c : row.bytes) bench.feed({&c, 1});
    ASSERT_EQ(bench.sent, whole) << "byte by byte";
  }
}

TEST(MalformedRequests, WhatFollowsARefusalIsNotARequest) {
  SessionBench bench(echo_router());
  bench.feed(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + kSmuggled));
  bench.feed(kSmuggled);
  EXPECT_EQ(take_answer(bench.sent).status, 400);
  EXPECT_EQ(bench.sent, "");
}

}  // namespace
}  // namespace spillway::http
