#include "http/message.h"

#include <gtest/gtest.h>

#include "http/response_writer.h"
#include "http/test_support.h"
#include "http/trace.h"

namespace spillway::http {
namespace {

using namespace std::string_literals;

std::string json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

TEST(Cookie, IsFoundAmongCookies) {
  EXPECT_EQ(cookie("a=1; b=2", "b"), "2");
  EXPECT_EQ(cookie("ab=1; b=2;b=3", "b"), "2");
  EXPECT_EQ(cookie("a=1", "b"), "");
  EXPECT_EQ(cookie("b", "b"), "");
  EXPECT_EQ(cookie(" ;; b=x=y", "b"), "x=y");
}

TEST(JsonString, Table) {
  const struct {
    std::string text;
    std::string expected;
  } rows[] = {
      {"", R"("")"},
      {"a/b", R"("a/b")"},
      {"\"\\", R"("\"\\")"},
      {"\n\t\0"s, R"("\u000a\u0009\u0000")"},
      {"\x7f", R"("\u007f")"},
      {"\xE2\x82\xAC", "\"\xE2\x82\xAC\""},
      {"\xF0\x9F\x98\x80", "\"\xF0\x9F\x98\x80\""},
      {"a\xFFz", "\"a\xEF\xBF\xBDz\""},
      {"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                  // overlong
      {"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},  // surrogate
      {"\xE2\x82", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                  // cut off
      {"\xF4\x90\x80\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
  };
  for (const auto& row : rows) EXPECT_EQ(json(row.text), row.expected);
}

TEST(Problem, Members) {
  const Response response =
      problem({ErrorCode::kEventNotOpen, "opens at \"noon\"", 7, "r-1"}, "/events/E/participations");
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.retry_after_s, 7);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body,
            R"({"type":"/problems/event_not_open","title":"The event is not open yet","status":409,)"
            R"("detail":"opens at \"noon\"","instance":"/events/E/participations","code":"event_not_open",)"
            R"("requestId":"r-1"})");
  EXPECT_EQ(
      problem(not_found("")).body,
      R"({"type":"/problems/not_found","title":"There is nothing here","status":404,"code":"not_found"})");
  EXPECT_EQ(problem({ErrorCode::kUnauthenticated, ""}).headers.at(0).name, "WWW-Authenticate");
}

TEST(TraceParent, Table) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const std::string parent = "b7ad6b7169203331";
  EXPECT_TRUE(valid_traceparent("00-" + trace + "-" + parent + "-01"));
  EXPECT_TRUE(valid_traceparent("cc-" + trace + "-" + parent + "-01-later"));
  const std::string bad[] = {
      "",
      "00-" + trace + "-" + parent,
      "00-" + trace + "-" + parent + "-0",
      "00-" + trace + "-" + parent + "-01-more",
      "01-" + trace + "-" + parent + "-01more",
      "ff-" + trace + "-" + parent + "-01",
      "00-0AF7651916CD43DD8448EB211C80319C-" + parent + "-01",
      "00-" + std::string(32, '0') + "-" + parent + "-01",
      "00-" + trace + "-" + std::string(16, '0') + "-01",
      "00_" + trace + "-" + parent + "-01",
      "0g-" + trace + "-" + parent + "-01",
      "00-" + trace + "-" + parent + "-zz",
  };
  for (const std::string& value : bad) EXPECT_FALSE(valid_traceparent(value)) << value;
  std::array<char, 32> one, two;
  make_trace_id(one);
  make_trace_id(two);
  EXPECT_NE(one, two);
}

TEST(DateText, Format) {
  DateText date;
  date.update({784111777 * kSecond + 999'999});
  EXPECT_EQ(date.view(), "Sun, 06 Nov 1994 08:49:37 GMT");
  date.update({1709208000 * kSecond});
  EXPECT_EQ(date.view(), "Thu, 29 Feb 2024 12:00:00 GMT");
}

TEST(ResponseWriter, ControlCharactersDoNotMakeHeaders) {
  ByteBuffer out;
  write_response(out, {.status = 299, .headers = {{"X", "a\r\nY: b"}}, .location = "/x\r\nSet-Cookie: a=b"},
                 {.date = "D", .traceparent = {}});
  EXPECT_EQ(
      out.view(),
      "HTTP/1.1 299 \r\nDate: D\r\nContent-Length: 0\r\nLocation: /x  Set-Cookie: a=b\r\nX: a  Y: b\r\n\r\n");
}

TEST(ResponseWriter, EveryByteAtEveryPlaceOfAField) {
  for (std::size_t size = 1; size <= 17; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string value(size, 'v');
        value[at] = static_cast<char>(byte);
        ByteBuffer out;
        write_response(out, {.status = 299, .location = value}, {.date = "D", .traceparent = {}});
        if (byte < 0x20 || byte == 0x7f) value[at] = ' ';
        ASSERT_EQ(out.view(),
                  "HTTP/1.1 299 \r\nDate: D\r\nContent-Length: 0\r\nLocation: " + value + "\r\n\r\n");
      }
    }
  }
}

TEST(Request, WhatAHandlerSees) {
  std::string seen;
  Router router;
  router.add(Method::kGet, "/p/{a}/{b}", [&](const Request& r, Exchange exchange) {
    seen = std::string(r.path()) + "|" + std::string(r.raw_path()) + "|" + std::string(r.param(0)) + "|" +
           std::string(r.param(1)) + "|" + std::string(r.param(2)) + "|" + r.query("x").value_or("-") + "|" +
           r.query("y z").value_or("-") + "|" + r.query("none").value_or("-") + "|" +
           r.query("flag").value_or("-") + "|" + std::string(r.header("x-one")) + "|" +
           std::string(r.bearer()) + "|" + std::string(r.remote_address());
    exchange.reply({});
  });
  SessionBench bench(std::move(router));
  bench.feed(
      "GET /p/%E2%82%AC/b?x=1+2%2B&x=3&y%20z=%26&flag HTTP/1.1\r\nHost: h\r\nX-ONE:  v \r\nX-One: w\r\n"
      "Authorization: bearer  abc.def\r\n\r\n");
  EXPECT_EQ(seen, "/p/\xE2\x82\xAC/b|/p/%E2%82%AC/b|\xE2\x82\xAC|b||1 2+|&|-||v|abc.def|192.0.2.1");
  bench.feed("GET /p/a/b HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n");
  EXPECT_EQ(seen, "/p/a/b|/p/a/b|a|b||-|-|-|-|||192.0.2.1");
  bench.feed("GET /p/a/b HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YTpi\r\n\r\n");
  EXPECT_EQ(seen, "/p/a/b|/p/a/b|a|b||-|-|-|-|||192.0.2.1");
}

}  // namespace
}  // namespace spillway::http
