#include "ops/audit_log.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "base/wait_loop.h"
#include "journal/call.h"
#include "journal/memory_file_system.h"

namespace spillway::ops {
namespace {

AuditEntry entry(const std::string& action, const std::string& target = "EVT-1") {
  return {{"ada", "127.0.0.1"}, action, target, "", R"({"a":1})"};
}

/// An engine in memory with nothing but the log.
class AuditLogTest : public testing::Test {
 protected:
  static constexpr std::size_t kKept = 5;

  void start() {
    log = std::make_unique<AuditLog>(kKept);
    journal::EngineOptions options;
    options.dir = "data";
    options.segment_bytes = 64 * 1024;
    options.snapshot_every_bytes = 0;
    auto opened = journal::Engine::open(files, clock, options, {log.get()}, [] {
      std::vector<std::unique_ptr<journal::Replica>> replicas;
      replicas.push_back(std::make_unique<AuditReplica>());
      return replicas;
    });
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    engine = std::move(*opened);
    log->attach(*engine);
    engine->start();
  }
  void restart() {
    engine->stop();
    engine.reset();
    start();
  }
  void TearDown() override {
    if (engine) engine->stop();
  }
  template <class R>
  Result<R> wait(const std::function<void(UniqueFunction<void(Result<R>)>)>& ask) {
    std::optional<Result<R>> got;
    loop.run_until([&] { return got.has_value(); }, -1,
                   [&] { ask([&](Result<R> result) { got.emplace(std::move(result)); }); });
    return std::move(*got);
  }
  void record(const std::vector<AuditEntry>& entries) {
    const auto done = wait<Ok>([&](auto reply) {
      journal::call<Ok>(*engine, true, std::move(reply), [&](journal::Turn& turn) {
        for (const AuditEntry& each : entries) log->record(turn, each);
        return Result<Ok>(Ok{});
      });
    });
    ASSERT_TRUE(done.ok());
  }
  AuditPage list(ListAudit query = {}) {
    return *wait<AuditPage>([&](auto reply) { log->list(query, std::move(reply)); });
  }
  static std::vector<std::uint64_t> numbers(const AuditPage& page) {
    std::vector<std::uint64_t> out;
    for (const AuditItem& item : page.items) out.push_back(item.sequence);
    return out;
  }
  using Numbers = std::vector<std::uint64_t>;

  journal::MemoryFileSystem files;
  ManualClock clock;
  WaitLoop loop{0};
  std::unique_ptr<AuditLog> log;
  std::unique_ptr<journal::Engine> engine;
};

TEST_F(AuditLogTest, TellsWhoDidWhatNewestFirst) {
  start();
  record({entry("event.create")});
  record({{{"bob", "::1"}, "queue.pause", "participations", R"({"paused":false})", R"({"paused":true})"}});
  const AuditPage page = list();
  ASSERT_EQ(numbers(page), (Numbers{2, 1}));
  EXPECT_EQ(page.next, 0u);
  const AuditEntry& newest = page.items[0].entry;
  EXPECT_EQ(newest.actor.id, "bob");
  EXPECT_EQ(newest.actor.address, "::1");
  EXPECT_EQ(newest.action, "queue.pause");
  EXPECT_EQ(newest.target, "participations");
  EXPECT_EQ(newest.before, R"({"paused":false})");
  EXPECT_EQ(newest.after, R"({"paused":true})");
}

TEST_F(AuditLogTest, FiltersAndPages) {
  start();
  record({entry("a", "x"), entry("b", "x"), entry("a", "y"), entry("a", "x")});
  EXPECT_EQ(numbers(list({.action = "a"})), (Numbers{4, 3, 1}));
  EXPECT_EQ(numbers(list({.action = "a", .target = "x"})), (Numbers{4, 1}));
  EXPECT_EQ(numbers(list({.actor = "nobody"})), Numbers{});
  const AuditPage first = list({.action = "a", .limit = 2});
  EXPECT_EQ(numbers(first), (Numbers{4, 3}));
  ASSERT_EQ(first.next, 3u);
  EXPECT_EQ(numbers(list({.action = "a", .before = first.next, .limit = 2})), Numbers{1});
}

TEST_F(AuditLogTest, SurvivesARestartAndASnapshot) {
  start();
  record({entry("one"), entry("two")});
  restart();
  EXPECT_EQ(numbers(list()), (Numbers{2, 1}));
  ASSERT_TRUE(engine->snapshot_now().ok());  // which replays the log and compares the hashes
  record({entry("three")});
  restart();
  EXPECT_EQ(numbers(list()), (Numbers{3, 2, 1}));
  EXPECT_EQ(list().items[0].entry.action, "three");
}

TEST_F(AuditLogTest, ForgetsTheOldestPastItsBound) {
  start();
  for (int i = 0; i < 8; ++i) record({entry(std::to_string(i))});
  EXPECT_EQ(numbers(list()), (Numbers{8, 7, 6, 5, 4}));
  ASSERT_TRUE(engine->snapshot_now().ok());
  restart();
  EXPECT_EQ(numbers(list()), (Numbers{8, 7, 6, 5, 4}));
  EXPECT_EQ(numbers(list({.before = 6})), (Numbers{5, 4}));
  EXPECT_EQ(numbers(list({.before = 4})), Numbers{}) << "older ones are gone";
}

TEST_F(AuditLogTest, CutsWhatIsTooLongSoThatItShowsAndStaysJson) {
  start();
  std::string text;
  while (text.size() < limits::kMaxAuditValueBytes) text += "\\\"\xea\xb0\x80";
  record({{{"ada", ""}, "a", "t", "", "{\"title\":\"" + text + "\"}"}});
  const std::string after = list().items.at(0).entry.after;
  EXPECT_LE(after.size(), limits::kMaxAuditValueBytes + 16);
  EXPECT_EQ(after.substr(0, 8), R"({"cut":")");
  EXPECT_EQ(after.substr(after.size() - 2), "\"}");
}

TEST(AuditRecord, Format) {
  AuditReplica replica;
  const std::string payload = replica.encode({{"a", "b"}, "c", "d", "e", "f"}, {258}, 1);
  EXPECT_EQ(payload, std::string("\x02\x01\0\0\0\0\0\0\x01"
                                 "a\x01"
                                 "b\x01"
                                 "c\x01"
                                 "d\x01"
                                 "e\x01"
                                 "f\0",
                                 21));
  EXPECT_TRUE(replica.apply({1, {kAuditServiceNumber, 1, 1}, payload}).ok());
  EXPECT_EQ(replica.digest(), replica.recompute_digest());
  for (const std::string& bad : {payload.substr(1), payload.substr(0, 20), payload + "x", std::string()}) {
    EXPECT_FALSE(replica.apply({2, {kAuditServiceNumber, 1, 1}, bad}).ok());
  }
  EXPECT_FALSE(replica.apply({2, {kAuditServiceNumber, 2, 1}, payload}).ok());
  EXPECT_FALSE(replica.apply({2, {kAuditServiceNumber, 1, 2}, payload}).ok());
  EXPECT_EQ(replica.digest(), replica.recompute_digest());
}

}  // namespace
}  // namespace spillway::ops
