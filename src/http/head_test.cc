// The parser of heads by itself: what it reads in heads that are valid. What is refused is in
// malformed_requests_test.cc, and tests/fuzz/http_head_fuzz.cc holds both against Beast's parser.

#include "http/head.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "http/characters.h"

namespace spillway::http {
namespace {

/// Draws heads from the grammar of RFC 9112, with all that it allows and people rarely send.
class Grammar {
 public:
  explicit Grammar(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string some(Place place, std::size_t least, std::size_t most) {
    std::string text;
    for (std::size_t size = least + below(most - least + 1); text.size() < size;) {
      const auto c = static_cast<char>(below(256));
      if (fits(place, c)) text.push_back(c);
    }
    return text;
  }
  std::string spaces() {
    std::string text;
    for (std::size_t size = below(3); text.size() < size;) text.push_back(below(2) == 0 ? ' ' : '\t');
    return text;
  }
  std::string in_any_case(std::string text) {
    for (char& c : text) {
      if (c >= 'a' && c <= 'z' && below(2) == 0) c = static_cast<char>(c - 'a' + 'A');
    }
    return text;
  }

 private:
  std::mt19937 random_;
};

std::string without_dots(std::string path) {
  for (char& c : path) c = c == '.' ? '_' : c;
  return path;
}

TEST(Head, WhatTheGrammarAllowsIsReadAsItWasWritten) {
  constexpr std::pair<Method, std::string_view> kMethods[] = {
      {Method::kGet, "GET"},        {Method::kHead, "HEAD"},     {Method::kPost, "POST"},
      {Method::kPut, "PUT"},        {Method::kDelete, "DELETE"}, {Method::kPatch, "PATCH"},
      {Method::kOptions, "OPTIONS"}};
  Head head;  // one for all, as a connection has it: what was in it before must not show
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Grammar any(seed);
    const auto& [method, method_name] = kMethods[any.below(std::size(kMethods))];
    const std::string path = "/" + without_dots(any.some(Place::kPath, 0, 40));
    const std::string query = any.some(Place::kQuery, 0, 20);
    const bool http11 = any.below(4) != 0;
    std::vector<std::pair<std::string, std::string>> fields{{any.in_any_case("host"), "h:8080"}};
    const std::size_t length = any.below(1000);
    if (any.below(2) == 0) fields.emplace_back(any.in_any_case("content-length"), std::to_string(length));
    const bool has_length = fields.size() == 2;
    for (std::size_t more = any.below(6); more > 0; --more) {
      // "x-" so that none of them means something
      fields.emplace_back("x-" + any.some(Place::kToken, 0, 20),
                          std::string(trimmed(any.some(Place::kText, 0, 60))));
    }
    std::string block(method_name);
    block.append(" ")
        .append(path)
        .append(query.empty() ? "" : "?" + query)
        .append(http11 ? " HTTP/1.1" : " HTTP/1.0");
    for (const auto& [name, value] : fields)
      block += "\r\n" + name + ":" + any.spaces() + value + any.spaces();
    block += "\r\n\r\n";

    HeadScanner scanner;
    const Refusal* refusal = nullptr;
    ASSERT_EQ(scanner.scan(block + "GET ", refusal), block.size());
    refusal = parse_head(block, head);
    ASSERT_EQ(refusal, nullptr) << refusal->message << "\n" << block;
    EXPECT_EQ(head.method, method);
    EXPECT_EQ(head.path, path);
    EXPECT_EQ(head.query, query);
    EXPECT_EQ(head.http11, http11);
    EXPECT_EQ(head.keep_alive, http11);
    EXPECT_EQ(head.content_length, has_length ? length : 0);
    EXPECT_EQ(head.framing, has_length && length > 0 ? Head::Framing::kLength : Head::Framing::kNone);
    EXPECT_FALSE(head.expect_continue);
    EXPECT_EQ(head.authorization, "");
    ASSERT_EQ(head.field_count, fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      EXPECT_EQ(head.fields[i].name, fields[i].first);
      EXPECT_EQ(head.fields[i].value, fields[i].second);
    }
  }
}

TEST(Head, WhoKeepsTheConnection) {
  struct Row {
    std::string_view version, connection;
    bool keep_alive;
  };
  constexpr Row kRows[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: CLOSE\r\n", false},
      {"1.1", "Connection: x,close , y\r\n", false},
      {"1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.1", "Connection: ,, ,\r\n", true},
      {"1.1", "Proxy-Connection: close\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
  };
  for (const Row& row : kRows) {
    std::string block = "GET / HTTP/";
    block.append(row.version).append("\r\nHost: h\r\n").append(row.connection).append("\r\n");
    SCOPED_TRACE(block);
    Head head;
    ASSERT_EQ(parse_head(block, head), nullptr);
    EXPECT_EQ(head.keep_alive, row.keep_alive);
  }
  for (const std::string_view bad : {"a b", "\"close\"", "close;x", "keep-alive, (c)"}) {
    Head head;
    EXPECT_NE(parse_head("GET / HTTP/1.1\r\nHost: h\r\nConnection: " + std::string(bad) + "\r\n\r\n", head),
              nullptr)
        << bad;
  }
}

TEST(Head, AFieldThatComesTwiceIsNone) {
  const std::string once = "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\ntraceparent: b\r\n\r\n";
  Head head;
  ASSERT_EQ(parse_head(once, head), nullptr);
  EXPECT_EQ(head.authorization, "a");
  EXPECT_EQ(head.traceparent, "b");
  const std::string twice = once.substr(0, once.size() - 2) + "authorization: a\r\nTraceParent: b\r\n\r\n";
  ASSERT_EQ(parse_head(twice, head), nullptr);
  EXPECT_EQ(head.authorization, "");
  EXPECT_EQ(head.traceparent, "");
}

TEST(Head, HostsAreNamesOrAddresses) {
  for (const std::string_view good :
       {"h", "a.b-c_d~e", "127.0.0.1:80", "[::1]", "[::1]:", "[v1.fe]:443", "h:", "a%20b", "*"}) {
    Head head;
    EXPECT_EQ(parse_head("GET / HTTP/1.1\r\nHost: " + std::string(good) + "\r\n\r\n", head), nullptr) << good;
  }
  for (const std::string_view bad : {"", ":80", "a:b:1", "[]", "[::1", "::1]", "[::1]x", "[::1]:a", "[g]",
                                     "a b", "a/b", "a@b", "a,b:x", "h:8\x80"}) {
    Head head;
    EXPECT_NE(parse_head("GET / HTTP/1.1\r\nHost: " + std::string(bad) + "\r\n\r\n", head), nullptr) << bad;
  }
}

TEST(Head, WholeWordsOfAFieldAreJudgedAsItsCharactersAre) {
  for (std::size_t size = 0; size <= 24; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (unsigned c = 0; c < 256; ++c) {
        for (const char around : {'a', '\t', ' ', '~', '\x80', '\xff'}) {
          std::string text(size, around);
          text[at] = static_cast<char>(c);
          ASSERT_EQ(is_field_text(text), all_fit(Place::kText, text)) << size << " " << at << " " << c;
        }
      }
    }
  }
}

}  // namespace
}  // namespace spillway::http
