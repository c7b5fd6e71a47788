#include "cli/event_stream.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/limits.h"

namespace spillway::cli {
namespace {

constexpr char kStream[] =
    ": hello\n\nevent: history\ndata: {\"points\":[]}\n\nid: 7\r\nevent: point\r\ndata: {\"a\":1}\r\n\r\n"
    "data:one\ndata: two\n\nevent: nothing\n\ndata\n\ndata: cut off";

std::vector<std::string> taken(std::size_t piece_bytes) {
  std::vector<std::string> events;
  EventStream stream([&events](const EventStream::Event& event) {
    events.push_back(event.type + "|" + event.data);
    return true;
  });
  const std::string_view text = kStream;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes) {
    EXPECT_TRUE(stream.feed(text.substr(at, piece_bytes)));
  }
  return events;
}

TEST(EventStream, PiecesOfAnySizeGiveTheSameEvents) {
  const std::vector<std::string> expected = {"history|{\"points\":[]}", "point|{\"a\":1}", "message|one\ntwo",
                                             "message|"};
  for (std::size_t bytes = 1; bytes <= sizeof kStream; ++bytes) EXPECT_EQ(taken(bytes), expected) << bytes;
}

TEST(EventStream, EndsWhenThereWasEnough) {
  int count = 0;
  EventStream stream([&count](const EventStream::Event&) { return ++count < 2; });
  EXPECT_FALSE(stream.feed("data: 1\n\ndata: 2\n\ndata: 3\n\n"));
  EXPECT_EQ(count, 2);
  EXPECT_FALSE(stream.too_large());
}

TEST(EventStream, AnEventIsBounded) {
  EventStream stream([](const EventStream::Event&) { return true; });
  const std::string line = "data: " + std::string(1000, 'x') + "\n";
  std::size_t fed = 0;
  while (stream.feed(line)) {
    fed += line.size();
    ASSERT_LT(fed, 2 * limits::kCliStreamEventBytes);
  }
  EXPECT_TRUE(stream.too_large());
}

}  // namespace
}  // namespace spillway::cli
