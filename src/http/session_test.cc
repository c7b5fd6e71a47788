#include <gtest/gtest.h>

#include <deque>
#include <optional>

#include "http/test_support.h"

namespace spillway::http {
namespace {

/// Keeps the exchanges, so that a test answers when it likes.
struct Kept {
  std::deque<std::pair<std::string, Exchange>> exchanges;
  std::deque<EventStream> streams;

  Router router() {
    Router router;
    router.add(Method::kGet, "/later/{id}", [this](const Request& request, Exchange exchange) {
      exchanges.emplace_back(std::string(request.param(0)), std::move(exchange));
    });
    router.add(Method::kGet, "/now/{id}", [](const Request& request, Exchange exchange) {
      exchange.reply(Response::json(200, std::string(request.param(0))));
    });
    router.add(Method::kPost, "/now/{id}", [](const Request& request, Exchange exchange) {
      exchange.reply(Response::json(200, std::string(request.body())));
    });
    router.add(Method::kGet, "/stream",
               [this](const Request&, Exchange exchange) { streams.push_back(exchange.stream()); });
    router.add(Method::kGet, "/drop", [](const Request&, Exchange) {});
    router.add(Method::kGet, "/throw",
               [](const Request&, Exchange) { throw std::runtime_error("a bug in a handler"); });
    router.add(Method::kGet, "/trace", [](const Request& request, Exchange exchange) {
      exchange.reply(Response::json(200, std::string(request.trace_id())));
    });
    return router;
  }
  void answer(std::size_t n) { exchanges[n].second.reply(Response::json(200, exchanges[n].first)); }
};

std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
}

struct SessionTest : testing::Test {
  Kept kept;
  SessionBench bench{kept.router()};

  std::string next_body() { return take_answer(bench.sent).body; }
};

TEST_F(SessionTest, AnswersLeaveInTheOrderOfTheRequests) {
  bench.feed(get("/later/a") + get("/later/b") + get("/now/c") + get("/later/d"));
  EXPECT_EQ(bench.sent, "");
  kept.answer(2);
  kept.answer(1);
  bench.settle();
  EXPECT_EQ(bench.sent, "");
  kept.answer(0);
  bench.settle();
  for (const char* expected : {"a", "b", "c", "d"}) EXPECT_EQ(next_body(), expected);
  EXPECT_EQ(bench.sent, "");
}

TEST_F(SessionTest, StopsTakingRequestsWhenTooManyAreInTheWorks) {
  std::string many;
  for (std::size_t i = 0; i < limits::kMaxPipelined + 10; ++i) many += get("/later/" + std::to_string(i));
  EXPECT_EQ(bench.feed(many), "");
  EXPECT_EQ(kept.exchanges.size(), limits::kMaxPipelined);
  EXPECT_FALSE(bench.session->wants_input());
  kept.answer(0);
  bench.settle();
  EXPECT_EQ(kept.exchanges.size(), limits::kMaxPipelined + 1);
  for (std::size_t i = 1; i < kept.exchanges.size(); ++i) {
    kept.answer(i);
    bench.settle();
  }
  EXPECT_EQ(kept.exchanges.size(), limits::kMaxPipelined + 10);
  EXPECT_TRUE(bench.session->wants_input());
  for (std::size_t i = 0; i < kept.exchanges.size(); ++i) EXPECT_EQ(next_body(), std::to_string(i));
}

TEST_F(SessionTest, StopsTakingRequestsWhenTooMuchWaitsToBeSent) {
  const std::string body(50'000, 'x');
  const std::string request = "POST /now/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n" + body;
  std::vector<char> scratch(limits::kReadBytes);
  std::size_t fed = 0;
  while (bench.session->wants_input()) {  // nothing is sent meanwhile
    for (std::string_view rest = request; !rest.empty() && bench.session->wants_input();) {
      std::size_t space = 0;
      char* at = bench.session->read_space(scratch.data(), scratch.size(), space);
      const std::size_t n = std::min(space, rest.size());
      std::memcpy(at, rest.data(), n);
      bench.session->received(at, n);
      rest.remove_prefix(n);
    }
    ASSERT_LT(++fed, 1000U);
  }
  EXPECT_GE(bench.session->output().size(), limits::kMaxOutputBytes);
  EXPECT_LT(bench.session->output().size(), limits::kMaxOutputBytes + 60'000);
  bench.settle();
  EXPECT_TRUE(bench.session->wants_input());
}

TEST_F(SessionTest, DroppedExchangeAnswers500) {
  bench.feed(get("/drop"));
  const Answer answer = take_answer(bench.sent);
  EXPECT_EQ(answer.status, 500);
  EXPECT_NE(answer.body.find("\"code\":\"internal\""), std::string::npos);
  EXPECT_NE(answer.body.find("\"instance\":\"/drop\""), std::string::npos);
}

TEST_F(SessionTest, AnExceptionAnswers500AndIsCounted) {
  bench.feed(get("/throw") + get("/now/x"));
  EXPECT_EQ(take_answer(bench.sent).status, 500);
  EXPECT_EQ(next_body(), "x");
  EXPECT_EQ(bench.context.handler_failures.get(), 1U);
}

TEST_F(SessionTest, ReplyAfterTheConnectionIsGoneGoesNowhere) {
  bench.feed(get("/later/a") + get("/later/b"));
  EXPECT_FALSE(kept.exchanges[0].second.gone());
  bench.session->peer_closed();
  EXPECT_TRUE(kept.exchanges[0].second.gone());
  bench.session.reset();
  EXPECT_TRUE(kept.exchanges[0].second.gone());
  kept.answer(0);
  kept.exchanges.clear();  // the other is dropped without one
}

TEST_F(SessionTest, APeerThatOnlyStoppedSendingIsStillAnswered) {
  bench.feed(get("/later/a") + get("/now/b") + "GET /half HT");
  bench.session->peer_closed();
  EXPECT_FALSE(bench.session->finished());
  kept.answer(0);
  bench.settle();
  EXPECT_EQ(next_body(), "a");
  EXPECT_EQ(next_body(), "b");
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, ExpectContinue) {
  bench.feed("POST /now/1 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(bench.sent, "HTTP/1.1 100 Continue\r\n\r\n");
  bench.sent.clear();
  bench.feed("hello");
  EXPECT_EQ(next_body(), "hello");
}

TEST_F(SessionTest, ExpectContinueWaitsForTheAnswersBeforeIt) {
  bench.feed(get("/later/a") +
             "POST /now/1 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(bench.sent, "");
  kept.answer(0);
  bench.settle();
  EXPECT_EQ(next_body(), "a");
  EXPECT_EQ(bench.sent, "HTTP/1.1 100 Continue\r\n\r\n");
}

TEST_F(SessionTest, ExpectContinueIsNotGivenToWhatWillBeRefused) {
  bench.feed("POST /nowhere HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(take_answer(bench.sent).status, 404);
  EXPECT_TRUE(bench.session->finished());
  bench.open();
  bench.feed("POST /now/1 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 65537\r\n\r\n");
  EXPECT_EQ(take_answer(bench.sent).status, 413);
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, HeadHasTheFieldsOfGetAndNoBody) {
  bench.feed("HEAD /now/abc HTTP/1.1\r\nHost: h\r\n\r\n" + get("/now/d"));
  const Answer head = take_answer(bench.sent, true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("Content-Length"), "3");
  EXPECT_EQ(next_body(), "d");
}

TEST_F(SessionTest, MethodsOfAPath) {
  bench.feed("DELETE /now/1 HTTP/1.1\r\nHost: h\r\n\r\n");
  const Answer refused = take_answer(bench.sent);
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.field("Allow"), "GET, HEAD, POST, OPTIONS");
  bench.feed("OPTIONS /now/1 HTTP/1.1\r\nHost: h\r\n\r\n");
  const Answer options = take_answer(bench.sent);
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.field("Allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(options.field("Content-Length"), "");
}

TEST_F(SessionTest, Http10) {
  bench.feed("GET /now/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /now/b HTTP/1.0\r\n\r\n");
  EXPECT_EQ(take_answer(bench.sent).field("Connection"), "keep-alive");
  EXPECT_EQ(take_answer(bench.sent).field("Connection"), "close");
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, NothingIsTakenAfterConnectionClose) {
  bench.feed(get("/later/a", "Connection: close\r\n") + get("/now/b"));
  kept.answer(0);
  bench.settle();
  EXPECT_EQ(next_body(), "a");
  EXPECT_EQ(bench.sent, "");
  EXPECT_TRUE(bench.session->finished());
  EXPECT_TRUE(bench.session->must_linger());
}

TEST_F(SessionTest, TimeoutOfTheHead) {
  bench.feed("GET /now/a HTTP/1.1\r\nHo");
  bench.advance(limits::kHeaderTimeout - 1);
  EXPECT_EQ(bench.sent, "");
  bench.feed("s");  // a byte now and then does not help
  bench.advance(1);
  const Answer answer = take_answer(bench.sent);
  EXPECT_EQ(answer.status, 408);
  EXPECT_NE(answer.body.find("request_timeout"), std::string::npos);
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, TimeoutOfTheBody) {
  bench.feed("POST /now/a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhello");
  bench.advance(limits::kBodyTimeout - 1);
  bench.feed("x");
  EXPECT_EQ(bench.sent, "");
  bench.advance(1);
  EXPECT_EQ(take_answer(bench.sent).status, 408);
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, TimeoutOfAnIdleConnection) {
  bench.feed(get("/now/a"));
  bench.sent.clear();
  bench.advance(limits::kIdleTimeout - 1);
  bench.feed("\r\n");  // is not a request
  EXPECT_FALSE(bench.session->finished());
  bench.advance(1);
  EXPECT_TRUE(bench.session->finished());
  EXPECT_EQ(bench.sent, "");
}

TEST_F(SessionTest, NoTimeoutWhileARequestIsInTheWorks) {
  bench.feed(get("/later/a"));
  bench.advance(10 * limits::kIdleTimeout);
  EXPECT_FALSE(bench.session->finished());
  kept.answer(0);
  bench.settle();
  EXPECT_EQ(next_body(), "a");
  bench.advance(limits::kIdleTimeout - 1);
  EXPECT_FALSE(bench.session->finished());
  bench.advance(1);
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, DrainAnswersWhatWasReadAndSaysClose) {
  bench.feed(get("/later/a") + get("/later/b"));
  bench.session->drain();
  EXPECT_FALSE(bench.session->finished());
  EXPECT_FALSE(bench.session->wants_input());
  kept.answer(1);
  kept.answer(0);
  bench.settle();
  EXPECT_EQ(take_answer(bench.sent).field("Connection"), "");
  EXPECT_EQ(take_answer(bench.sent).field("Connection"), "close");
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, DrainAnswersRequestsThatWereReadButNotYetTaken) {
  std::string many;
  const std::size_t count = limits::kMaxPipelined + 2;
  for (std::size_t i = 0; i < count; ++i) many += get("/later/" + std::to_string(i));
  bench.feed(many);
  bench.session->drain();
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_LT(i, kept.exchanges.size());
    kept.answer(i);
    bench.settle();
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Answer answer = take_answer(bench.sent);
    EXPECT_EQ(answer.body, std::to_string(i));
    EXPECT_EQ(answer.field("Connection"), i + 1 == count ? "close" : "");
  }
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, DrainWaitsForTheRestOfARequest) {
  bench.feed(get("/now/a").substr(0, 20));
  bench.session->drain();
  EXPECT_FALSE(bench.session->finished());
  EXPECT_TRUE(bench.session->wants_input());
  bench.feed(get("/now/a").substr(20));
  EXPECT_EQ(take_answer(bench.sent).field("Connection"), "close");
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, DrainClosesAnIdleConnectionAtOnce) {
  bench.feed(get("/now/a"));
  bench.session->drain();
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, Stream) {
  bench.feed(get("/stream") + get("/now/after"));
  ASSERT_EQ(kept.streams.size(), 1U);
  EventStream& stream = kept.streams[0];
  EXPECT_TRUE(stream.send("state", "one\ntwo\r\nthree", "7\nid: forged"));
  EXPECT_TRUE(stream.send("", "x"));
  stream.close();
  EXPECT_TRUE(stream.closed());
  EXPECT_FALSE(stream.send("", "late"));
  bench.settle();
  const Answer answer = take_answer(bench.sent);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Type"), "text/event-stream");
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  EXPECT_EQ(answer.body,
            "34\r\nid: 7\nevent: state\ndata: one\ndata: two\ndata: three\n\n\r\n"
            "9\r\ndata: x\n\n\r\n"
            "0\r\n\r\n");
  EXPECT_EQ(next_body(), "after");
}

TEST_F(SessionTest, StreamBehindAnUnansweredRequest) {
  bench.feed(get("/later/a") + get("/stream"));
  EXPECT_TRUE(kept.streams[0].send("", "early"));
  bench.settle();
  EXPECT_EQ(bench.sent, "");
  kept.answer(0);
  kept.streams[0].send("", "late");
  kept.streams[0].close();
  bench.settle();
  EXPECT_EQ(next_body(), "a");
  EXPECT_EQ(next_body(), "d\r\ndata: early\n\n\r\nc\r\ndata: late\n\n\r\n0\r\n\r\n");
}

TEST_F(SessionTest, StreamIsPingedWhenSilent) {
  bench.feed(get("/stream"));
  bench.sent.clear();
  bench.advance(limits::kStreamPing - 1);
  EXPECT_EQ(bench.sent, "");
  bench.advance(1);
  EXPECT_EQ(bench.sent, "8\r\n: ping\n\n\r\n");
  bench.advance(limits::kStreamPing - 1);
  EXPECT_EQ(bench.sent, "8\r\n: ping\n\n\r\n");
}

TEST_F(SessionTest, StreamOfASlowReaderIsCutOff) {
  bench.feed(get("/stream"));
  const std::string line(1000, 'x');
  int sent = 0;
  while (kept.streams[0].send("", line)) ASSERT_LT(++sent, 1000);  // nothing is read meanwhile
  EXPECT_TRUE(bench.session->aborted());
  EXPECT_TRUE(kept.streams[0].closed());
  EXPECT_GT(sent, 60);
  EXPECT_LE(bench.session->output().size(), limits::kMaxStreamBacklogBytes);
}

TEST_F(SessionTest, StreamEndsWithTheConnection) {
  bench.feed(get("/stream"));
  bench.session->peer_closed();
  EXPECT_TRUE(bench.session->aborted());
  EXPECT_TRUE(kept.streams[0].closed());
  bench.session.reset();
  EXPECT_FALSE(kept.streams[0].send("", "x"));
}

TEST_F(SessionTest, StreamEndsWithTheDrainAfterWhatWasSent) {
  bench.feed(get("/stream"));
  kept.streams[0].send("", "last");
  bench.session->drain();
  EXPECT_TRUE(kept.streams[0].closed());
  bench.settle();
  EXPECT_EQ(next_body(), "c\r\ndata: last\n\n\r\n0\r\n\r\n");
  EXPECT_TRUE(bench.session->finished());
  kept.streams.clear();
}

TEST_F(SessionTest, StreamInHttp10EndsWithTheConnection) {
  bench.feed("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  kept.streams[0].send("", "x");
  kept.streams[0].close();
  bench.settle();
  EXPECT_TRUE(bench.sent.ends_with("Connection: close\r\n\r\ndata: x\n\n")) << bench.sent;
  EXPECT_TRUE(bench.session->finished());
}

TEST_F(SessionTest, TraceParent) {
  const std::string valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  bench.feed(get("/trace", "TraceParent: " + valid + "\r\n"));
  Answer answer = take_answer(bench.sent);
  EXPECT_EQ(answer.field("traceparent"), valid);
  EXPECT_EQ(answer.body, "0af7651916cd43dd8448eb211c80319c");
  bench.feed(get("/trace", "traceparent: " + valid + "\r\ntraceparent: " + valid + "\r\n") + get("/trace"));
  for (int i = 0; i < 2; ++i) {
    answer = take_answer(bench.sent);
    EXPECT_EQ(answer.field("traceparent"), "");
    EXPECT_EQ(answer.body.size(), 32U);
    EXPECT_NE(answer.body, "0af7651916cd43dd8448eb211c80319c");
  }
}

TEST_F(SessionTest, ObserverAndAccessLog) {
  struct Seen final : RequestObserver {
    void on_request(std::size_t loop, int route, int status, Micros took_us) override {
      lines.push_back(std::to_string(loop) + " " + std::to_string(route) + " " + std::to_string(status) +
                      " " + std::to_string(took_us));
    }
    std::vector<std::string> lines;
  } seen;
  std::vector<std::string> log;
  bench.context.observer = &seen;
  bench.context.thread = 3;
  bench.options.access_log = [&](const AccessEntry& entry) {
    log.push_back(std::string(entry.method) + " " + std::string(entry.path) + " " +
                  std::to_string(entry.status) + " " + std::string(entry.remote_address) + " " +
                  std::to_string(entry.trace_id.size()));
  };
  bench.feed(get("/later/a?secret=1") + get("/nowhere"));
  bench.advance(1500);
  kept.answer(0);
  EXPECT_EQ(seen.lines, (std::vector<std::string>{"3 -1 404 0", "3 0 200 1500"}));
  EXPECT_EQ(log,
            (std::vector<std::string>{"GET /nowhere 404 192.0.2.1 32", "GET /later/a 200 192.0.2.1 32"}));
}

}  // namespace
}  // namespace spillway::http
