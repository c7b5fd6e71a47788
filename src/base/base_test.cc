// Tables for the small things of base.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cctype>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/base64.h"
#include "base/bytes.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/manual_clock.h"
#include "base/rfc3339.h"
#include "base/text.h"
#include "base/unique_function.h"
#include "base/wait_loop.h"

namespace spillway {
namespace {

TEST(ErrorTable, EveryCodeHasTextAndStatus) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kStorageFull); ++i) {
    const ErrorInfo& info = error_info(static_cast<ErrorCode>(i));
    EXPECT_FALSE(info.code.empty()) << i;
    EXPECT_FALSE(info.title.empty()) << i;
    EXPECT_GE(info.http_status, 400) << info.code;
    EXPECT_LT(info.http_status, 600) << info.code;
  }
}

TEST(Rfc3339, ReadsAndRefuses) {
  const struct {
    const char* text;
    const char* expected;  // as format_time() writes it; null: refused
  } rows[] = {
      {"2026-11-20T09:00:00Z", "2026-11-20T09:00:00.000000Z"},
      {"2026-11-20t09:00:00z", "2026-11-20T09:00:00.000000Z"},
      {"2026-11-20T09:00:00.5Z", "2026-11-20T09:00:00.500000Z"},
      {"2026-11-20T09:00:00.123456789Z", "2026-11-20T09:00:00.123456Z"},
      {"2026-11-20T09:00:00+09:00", "2026-11-20T00:00:00.000000Z"},
      {"2026-11-20T00:30:00-01:45", "2026-11-20T02:15:00.000000Z"},
      {"2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000000Z"},
      {"2026-02-29T00:00:00Z", nullptr},
      {"2026-11-20", nullptr},
      {"2026-11-20T09:00:00", nullptr},
      {"2026-11-20T24:00:00Z", nullptr},
      {"2026-11-20T09:60:00Z", nullptr},
      {"2026-11-20T09:00:60Z", nullptr},
      {"2026-11-20T09:00:00.Z", nullptr},
      {"2026-11-20T09:00:00.1234567890Z", nullptr},
      {"2026-11-20T09:00:00Z ", nullptr},
      {"2026-11-20T09:00:00+9:00", nullptr},
      {"1970-01-01T00:00:00Z", nullptr},
      {"", nullptr},
  };
  for (const auto& row : rows) {
    const auto time = parse_time(row.text);
    ASSERT_EQ(time.has_value(), row.expected != nullptr) << row.text;
    if (time) {
      EXPECT_EQ(format_time(*time), row.expected);
    }
  }
}

TEST(Base64Url, OneSpellingForEachValue) {
  std::string back;
  for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
    ASSERT_TRUE(base64url_decode(base64url(text), back));
    EXPECT_EQ(back, text);
  }
  EXPECT_EQ(base64url("\xfb\xff"), "-_8");
  for (const char* bad : {"A", "AB=", "A+", "-_9", "Zh", "a b"})
    EXPECT_FALSE(base64url_decode(bad, back)) << bad;
  for (const std::string good : {"Zm9vYmFy", "Zm9vYmE", "Zm9vYg"}) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int c = 0; c < 256; ++c) {
        std::string text = good;
        text[at] = static_cast<char>(c);
        if (base64url_decode(text, back)) {
          EXPECT_EQ(base64url(back), text);
        } else if (at + 1 < good.size()) {
          EXPECT_FALSE(std::isalnum(c) || c == '-' || c == '_') << text;
        }
      }
    }
  }
}

TEST(Bytes, ReadsWhatWasWrittenAndNeverPastTheEnd) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(1);
  out.u16(2);
  out.u32(3);
  out.u64(4);
  out.i64(-5);
  out.varint(300);
  out.varint(~std::uint64_t{0});
  out.string("six");
  const auto read = [](std::string_view text) {
    ByteReader in(text);
    const bool same = in.u8() == 1 && in.u16() == 2 && in.u32() == 3 && in.u64() == 4 && in.i64() == -5 &&
                      in.varint() == 300 && in.varint() == ~std::uint64_t{0} && in.string() == "six";
    return same && in.done();
  };
  EXPECT_TRUE(read(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(read(bytes.substr(0, size))) << size;
  EXPECT_FALSE(read(bytes + "x"));
}

TEST(JsonReader, TellsNullFromAbsent) {
  const JsonReader body(R"({"a":null,"b":0})");
  EXPECT_TRUE(body.is_null("a"));
  EXPECT_FALSE(body.is_null("b"));
  EXPECT_FALSE(body.is_null("c"));
  EXPECT_FALSE(body.has("a"));
  EXPECT_TRUE(body.has("b"));
}

TEST(JsonReader, ReadsPastWhatNobodyAsksFor) {
  const std::string text =
      R"({"other":[{"name":"x"},[1,[2]],{}],"in":{"name":"y","list":["a","\u00e9\n",""],"deep":
                               {"name":"z","n":18446744073709551615}},"n\u0061me":"q\"\\","n":7,"yes":true})";
  JsonReader body(text);
  EXPECT_EQ(body.required_string("name", 1, 10), "q\"\\");
  EXPECT_EQ(body.required_uint("n", 0, 10), 7u);
  EXPECT_EQ(body.optional_bool("yes"), true);
  EXPECT_FALSE(body.has("list"));
  body.optional_object("in", [](JsonReader& in) {
    EXPECT_EQ(in.required_string("name", 1, 10), "y");
    in.optional_object("deep", [](JsonReader& deep) {
      EXPECT_EQ(deep.required_string("name", 1, 10), "z");
      EXPECT_EQ(deep.required_uint("n", 0, ~std::uint64_t{0}), ~std::uint64_t{0});
    });
  });
  EXPECT_TRUE(body.status().ok());
  body.optional_object("in", [](JsonReader& in) { in.optional_strings("list", 3, 10); });
  ASSERT_FALSE(body.status().ok());
  EXPECT_EQ(body.status().error().message, "in.list must be a list of at most 3 strings of 1 to 10 bytes");
}

TEST(JsonReader, ReadsEveryStringWhole) {
  // Boost's parser gives long strings with escapes in parts of its own buffer's size.
  for (const std::size_t size : {0, 1, 100, 4095, 4096, 10000}) {
    const std::string tail(size, 'a');
    const std::string text = "{\"plain\":\"" + tail + "\",\"escaped\":\"" + tail + "\\t" + tail + "\"}";
    JsonReader body(text);
    EXPECT_EQ(body.required_string("plain", 0, 30000), tail);
    EXPECT_EQ(body.required_string("escaped", 0, 30000), tail + "\t" + tail);
    EXPECT_TRUE(body.status().ok());
  }
}

TEST(JsonReader, NamesWhatIsWrong) {
  const struct {
    const char* text;
    const char* expected;  // a part of the message; null: good
  } rows[] = {
      {R"({"name":"a","n":1,"at":"2026-11-20T09:00:00Z"})", nullptr},
      {R"({"name":"a","n":1,"other":[{}]})", nullptr},
      {R"({"name":"a","n":1,"at":null})", nullptr},
      {R"({"n":1})", "name"},
      {R"({"name":"","n":1})", "name"},
      {R"({"name":7,"n":1})", "name"},
      {R"({"name":"aaaaaaaaaaa","n":1})", "name"},
      {R"({"name":"a"})", "n must"},
      {R"({"name":"a","n":-1})", "n must"},
      {R"({"name":"a","n":1.5})", "n must"},
      {R"({"name":"a","n":"1"})", "n must"},
      {R"({"name":"a","n":1e400})", "n must"},
      {R"({"name":"a","n":101})", "n must"},
      {R"({"name":"a","n":1,"at":"tomorrow"})", "at must"},
      {R"({"name":"a","n":1,"name":"b"})", "\"name\" is there twice"},
      {R"({"name":"a","n":1,"x":{"y":1,"y":2}})", "\"y\" is there twice"},
      {R"({"name":"a","n":1,"x":[{"b":1,"y":1,"a":1,"\u0079":2}]})", "\"y\" is there twice"},
      {R"({"name":"a","n":1,"":1,"":2})", "\"\" is there twice"},
      {R"({"name":"a","n":1,"x":{"name":2}})", nullptr},
      {R"({"name":"a","n":1,"x":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]})", "deeper than"},
      {"{\"name\":\"\xff\",\"n\":1}", "not valid JSON"},
      {"{\"name\":\"a\x01\",\"n\":1}", "not valid JSON"},
      {R"({"name":"a","n":1,})", "not valid JSON"},
      {R"({"name":"a","n":1} x)", "not valid JSON"},
      {R"([1])", "must be a JSON object"},
      {R"(1)", "must be a JSON object"},
      {"", "not valid JSON"},
      {"{", "not valid JSON"},
  };
  for (const auto& row : rows) {
    JsonReader reader(row.text);
    reader.required_string("name", 1, 10);
    reader.required_uint("n", 0, 100);
    reader.optional_time("at");
    const Status status = reader.status();
    ASSERT_EQ(status.ok(), row.expected == nullptr) << row.text;
    if (!status) {
      EXPECT_NE(status.error().message.find(row.expected), std::string::npos)
          << row.text << ": " << status.error().message;
    }
  }
}

TEST(JsonWriter, WritesNestedValuesAndEscapes) {
  std::string out;
  JsonWriter json(out);
  json.open_object().member("a", 1).member("b", "q\"\\\n\x01").key("c").open_array();
  json.value(true)
      .value(1.5)
      .open_object()
      .close_object()
      .close_array()
      .member("t", Timestamp{0})
      .close_object();
  EXPECT_EQ(out, R"({"a":1,"b":"q\"\\\u000a\u0001","c":[true,1.5,{}],"t":"1970-01-01T00:00:00.000000Z"})");
  EXPECT_TRUE(check_json(out).ok());
}

/// Every byte at every place of texts of every small length: they are looked at eight at a time.
TEST(JsonWriter, EscapesWhereverItMustAndNowhereElse) {
  for (std::size_t size = 1; size < 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        std::string expected = text;
        if (byte == '"' || byte == '\\') expected.insert(at, 1, '\\');
        if (byte < 0x20) expected.replace(at, 1, fmt::format("\\u{:04x}", byte));
        std::string out;
        JsonWriter(out).open_array().value(text).value(text).close_array();
        ASSERT_EQ(out, "[\"" + expected + "\",\"" + expected + "\"]") << size << ", " << at << ", " << byte;
      }
    }
  }
}

TEST(Text, FindsControlCharacters) {
  for (const char* bad : {"\x01", "a\n", "\x7f", "\xc2\x80", "\xc2\x9f"})
    EXPECT_TRUE(has_control_characters(bad));
  for (const char* good : {"", "abc", "\xc2\xa0", "\xed\x95\x9c"}) EXPECT_FALSE(has_control_characters(good));
}

TEST(UniqueFunction, HoldsSmallAndLargeThingsAndDestroysThemOnce) {
  auto alive = std::make_shared<int>(0);
  struct Large {
    std::shared_ptr<int> held;
    char more[100] = {};
    int operator()(int x) { return x + static_cast<int>(held.use_count()); }
  };
  {
    UniqueFunction<int(int)> small = [alive](int x) { return x * 2; };
    UniqueFunction<int(int)> large = Large{alive};
    EXPECT_EQ(small(21), 42);
    EXPECT_EQ(large(1), 4);
    UniqueFunction<int(int)> moved = std::move(large);
    EXPECT_FALSE(large);  // NOLINT(bugprone-use-after-move): empty is what it promises to be
    EXPECT_EQ(moved(1), 4);
    small = std::move(moved);
    EXPECT_EQ(alive.use_count(), 2);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(MonotonicTime, NeverGoesBackAndKeepsPaceWhenTheWallClockIsSetBack) {
  ManualClock clock;
  MonotonicTime time(clock);
  const Timestamp start = time.now();
  clock.advance(kSecond);
  EXPECT_EQ(time.now(), start + kSecond);
  clock.step_wall(-3600 * kSecond);
  EXPECT_EQ(time.now(), start + kSecond);
  clock.advance(kSecond);
  EXPECT_EQ(time.now(), start + 2 * kSecond);
  clock.step_wall(7200 * kSecond);
  EXPECT_EQ(time.now(), start + (2 + 3600) * kSecond);
  time.at_least(start + 10'000 * kSecond);
  EXPECT_EQ(time.now(), start + 10'000 * kSecond);
}

/// A sink on a thread of its own that sends back what it is given.
class Echo final : public Loop::Sink {
 public:
  void take(NodeList nodes) override {
    ++hand_overs;
    Loop* home = nodes.front()->home;
    threads_.emplace_back(
        [home, list = std::make_shared<NodeList>(std::move(nodes))] { home->deliver(std::move(*list)); });
  }
  ~Echo() override {
    for (std::thread& thread : threads_) thread.join();
  }
  int hand_overs = 0;

 private:
  std::vector<std::thread> threads_;
};

TEST(WaitLoop, HandsOverOnceARoundAndFinishesInOrder) {
  struct Numbered final : Node {
    Numbered(int n, std::vector<int>& seen) : number(n), order(seen) {}
    void finish() override {
      order.push_back(number);
      delete this;
    }
    int number;
    std::vector<int>& order;
  };
  WaitLoop loop(0);
  Echo echo;
  std::vector<int> order;
  EXPECT_TRUE(loop.run_until([&order] { return order.size() == 100; }, -1,
                             [&] {
                               for (int i = 0; i < 100; ++i)
                                 Loop::current()->stage(echo, new Numbered(i, order));
                             }));
  EXPECT_EQ(echo.hand_overs, 1);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(Loop::current(), nullptr);
}

}  // namespace
}  // namespace spillway
