#include "identity/embedded.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/wait_loop.h"
#include "journal/memory_file_system.h"

namespace spillway::identity {
namespace {

constexpr std::string_view kDir = "data";

/// Keeps its records in a list, and in the journal as records of a service of its own.
class ListedTrail final : public journal::AuditTrail {
 public:
  void record(journal::Turn&, const AuditEntry& entry) override {
    lines.push_back(entry.actor.id + " " + entry.action + " " + entry.target + " " + entry.before + ">" +
                    entry.after);
  }
  std::vector<std::string> lines;
};

/// An engine with identity alone, on files in memory.
class Deployment {
 public:
  explicit Deployment(journal::FileSystem& files, MachineConfig config = {})
      : service(clock, &trail, config) {
    journal::EngineOptions options;
    options.dir = kDir;
    options.segment_bytes = 64 * 1024;
    options.snapshot_every_bytes = 0;
    auto opened = journal::Engine::open(files, clock, options, {&service}, [config] {
      std::vector<std::unique_ptr<journal::Replica>> replicas;
      replicas.push_back(std::make_unique<MachineReplica>(config));
      return replicas;
    });
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    engine = std::move(*opened);
    service.attach(*engine);
    engine->start();
  }
  ~Deployment() { engine->stop(); }

  /// `start(reply)` calls the port.
  template <class R, class Start>
  Result<R> call(Start start) {
    std::optional<Result<R>> result;
    loop.run_until([&] { return result.has_value(); }, -1,
                   [&] { start(Reply<R>([&](Result<R> r) { result.emplace(std::move(r)); })); });
    return std::move(*result);
  }
  Result<UserView> put(PutUser command) {
    command.actor = {"root", "192.0.2.1"};
    return call<UserView>([&](auto reply) { service.put_user(std::move(command), std::move(reply)); });
  }
  Result<LoggedInAs> login(std::string user, std::string hash) {
    return call<LoggedInAs>([&](auto reply) { service.login({user, hash, {}}, std::move(reply)); });
  }
  Result<Ok> logout(std::uint64_t token, Timestamp expires) {
    return call<Ok>([&](auto reply) { service.logout({token, expires}, std::move(reply)); });
  }
  Result<Ok> sign_out(std::string user) {
    return call<Ok>([&](auto reply) {
      service.sign_out({user, {"root", ""}, clock.wall()}, std::move(reply));
    });
  }
  bool refuses(std::uint64_t token, std::string user, Timestamp issued_at) const {
    return service.revocations().is_revoked({std::move(user), Role::kUser, token, issued_at, {}});
  }

  SystemClock clock;
  WaitLoop loop{0};
  ListedTrail trail;
  EmbeddedIdentity service;
  std::unique_ptr<journal::Engine> engine;
};

TEST(EmbeddedIdentity, what_was_answered_is_there_after_a_power_cut) {
  const Timestamp now = SystemClock().wall();
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    journal::MemoryFileSystem files;
    {
      Deployment d(files);
      ASSERT_TRUE(d.put({.user_id = "ann", .role = Role::kAdmin, .password_hash = "hash"}).ok());
      ASSERT_TRUE(d.login("ann", "hash").ok());
      ASSERT_TRUE(d.logout(7, now + 3600 * kSecond).ok());
      ASSERT_TRUE(d.sign_out("stranger").ok());
      EXPECT_TRUE(d.refuses(7, "ann", now)) << "published before the reply";
      EXPECT_TRUE(d.refuses(8, "stranger", now));
      EXPECT_FALSE(d.refuses(8, "ann", now));
      files.cut_power(seed);
    }
    const auto after = files.after_power_cut();
    Deployment d(*after);
    EXPECT_TRUE(d.refuses(7, "ann", now));
    EXPECT_TRUE(d.refuses(8, "stranger", now));
    EXPECT_FALSE(d.refuses(8, "ann", now));
    const auto page = d.call<UserPage>([&](auto reply) { d.service.list_users({}, std::move(reply)); });
    ASSERT_TRUE(page.ok());
    ASSERT_EQ(page->items.size(), 1u);
    EXPECT_EQ(page->items[0].role, Role::kAdmin);
    EXPECT_TRUE(page->items[0].last_login_at);
    EXPECT_TRUE(d.login("ann", "hash").ok());
  }
}

TEST(EmbeddedIdentity, what_ends_tokens_is_published_before_the_reply) {
  journal::MemoryFileSystem files;
  Deployment d(files);
  ASSERT_TRUE(d.put({.user_id = "ann", .password_hash = "hash"}).ok());
  const PutUser changes[] = {{.user_id = "ann", .role = Role::kOperator},
                             {.user_id = "ann", .password_hash = "other"},
                             {.user_id = "ann", .disabled = true}};
  for (PutUser change : changes) {
    const Timestamp before = d.clock.wall();
    EXPECT_FALSE(d.refuses(1, "ann", before));
    change.asked_at = d.clock.wall();
    ASSERT_TRUE(d.put(change).ok());
    EXPECT_TRUE(d.refuses(1, "ann", before));
  }
  EXPECT_EQ(d.login("ann", "other").error().code, ErrorCode::kInvalidCredentials);
}

TEST(EmbeddedIdentity, every_change_that_took_effect_leaves_its_record_and_nothing_else_does) {
  journal::MemoryFileSystem files;
  Deployment d(files);
  static_cast<void>(d.put({.user_id = "ann"}));  // refused
  EXPECT_TRUE(d.trail.lines.empty());
  ASSERT_TRUE(d.put({.user_id = "ann", .password_hash = "hash"}).ok());
  ASSERT_TRUE(d.put({.user_id = "ann", .role = Role::kUser, .disabled = false}).ok());  // nothing new
  ASSERT_TRUE(d.put({.user_id = "ann", .role = Role::kAdmin, .password_hash = "h2", .disabled = true}).ok());
  ASSERT_TRUE(d.put({.user_id = "ann", .disabled = false}).ok());
  ASSERT_TRUE(d.login("ann", "h2").ok());
  ASSERT_TRUE(d.sign_out("bob").ok());
  const std::string fresh = R"({"role":"user","disabled":false})";
  const std::string disabled = R"({"role":"admin","disabled":true})";
  EXPECT_EQ(d.trail.lines, (std::vector<std::string>{
                               "root user.add ann >" + fresh, "root user.role ann " + fresh + ">" + disabled,
                               "root user.disable ann " + fresh + ">" + disabled, "root user.password ann >",
                               "root user.enable ann " + disabled + R"(>{"role":"admin","disabled":false})",
                               "root user.sign_out bob >"}));
}

TEST(EmbeddedIdentity, expired_revocations_are_forgotten_by_themselves) {
  journal::MemoryFileSystem files;
  Deployment d(files, {.max_revoked_tokens = 1});
  ASSERT_TRUE(d.logout(1, d.clock.wall()).ok());  // has expired by now
  // Its place comes free at one of the next ticks.
  while (true) {
    const auto done = d.logout(2, d.clock.wall() + 3600 * kSecond);
    if (done) break;
    ASSERT_EQ(done.error().code, ErrorCode::kOverloaded);
  }
  EXPECT_EQ(d.logout(3, d.clock.wall() + 3600 * kSecond).error().code, ErrorCode::kOverloaded);
}

TEST(EmbeddedIdentity, a_snapshot_and_the_log_after_it_give_the_state) {
  journal::MemoryFileSystem files;
  const Timestamp now = SystemClock().wall();
  {
    Deployment d(files);
    ASSERT_TRUE(d.put({.user_id = "ann", .password_hash = "hash"}).ok());
    ASSERT_TRUE(d.logout(1, now + 3600 * kSecond).ok());
    const Status made = d.engine->snapshot_now();
    ASSERT_TRUE(made.ok()) << made.error().message;
    ASSERT_TRUE(d.logout(2, now + 3600 * kSecond).ok());
  }
  Deployment d(files);
  EXPECT_GT(d.engine->recovery().snapshot_sequence, 0u);
  EXPECT_TRUE(d.refuses(1, "x", now));
  EXPECT_TRUE(d.refuses(2, "x", now));
  EXPECT_TRUE(d.login("ann", "hash").ok());
}

}  // namespace
}  // namespace spillway::identity
