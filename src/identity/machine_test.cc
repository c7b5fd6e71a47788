#include "identity/machine.h"

#include <gtest/gtest.h>

#include "identity/machine_fixture.h"

namespace spillway::identity::testing {
namespace {

template <class T>
std::string code_of(const Result<T>& result) {
  return result ? "ok" : std::string(error_info(result.error().code).code);
}

TEST(IdentityMachine, makes_an_account) {
  MachineFixture m;
  const auto made = m.put("ann", {}, "hash-1", {}, at(1));
  ASSERT_TRUE(made.ok());
  EXPECT_TRUE(made->after.created);
  EXPECT_FALSE(made->before);
  EXPECT_EQ(made->after.role, Role::kUser);
  EXPECT_FALSE(made->after.disabled);
  EXPECT_EQ(made->after.created_at, at(1));
  EXPECT_FALSE(made->after.last_login_at);
  EXPECT_FALSE(made->valid_from) << "whoever is new has no tokens to end";
  const Credentials credentials = m.machine().credentials("ann");
  EXPECT_TRUE(credentials.exists);
  EXPECT_EQ(credentials.password_hash, "hash-1");
  EXPECT_FALSE(m.machine().credentials("bob").exists);
}

TEST(IdentityMachine, says_why_an_account_is_not_made) {
  MachineFixture m({.max_accounts = 1});
  EXPECT_EQ(code_of(m.put("", {}, "h", {}, at(0))), "invalid_argument");
  EXPECT_EQ(code_of(m.put(std::string(129, 'x'), {}, "h", {}, at(0))), "invalid_argument");
  EXPECT_EQ(code_of(m.put("a\nb", {}, "h", {}, at(0))), "invalid_argument");
  EXPECT_EQ(code_of(m.put("\xff\xfe", {}, "h", {}, at(0))), "invalid_argument");
  EXPECT_EQ(code_of(m.put("admin-token", {}, "h", {}, at(0))), "invalid_argument");
  EXPECT_EQ(code_of(m.put("ann", {}, "", {}, at(0))), "invalid_argument") << "no password";
  EXPECT_EQ(m.machine().digest(), 0u);
  m.make("ann");
  EXPECT_EQ(code_of(m.put("bob", {}, "h", {}, at(0))), "overloaded");
  EXPECT_EQ(code_of(m.put("ann", {}, "h2", {}, at(0))), "ok") << "what is there may change";
}

/// What each change does: to the account, to its tokens, and how many events it takes.
TEST(IdentityMachine, changes_what_is_said_and_ends_tokens_where_it_must) {
  const struct {
    const char* what;
    std::optional<Role> role;
    std::string hash;
    std::optional<bool> disabled;
    bool ends_tokens;
    std::size_t events;
  } changes[] = {
      {"nothing", {}, "", {}, false, 0},
      {"the same role", Role::kUser, "", {}, false, 0},
      {"the same state", {}, "", false, false, 0},
      {"another role", Role::kOperator, "", {}, true, 2},
      {"another password", {}, "other", {}, true, 2},
      {"disabled", {}, "", true, true, 2},
      {"all of it", Role::kAdmin, "other", true, true, 2},
  };
  for (const auto& change : changes) {
    MachineFixture m;
    m.make("ann");
    const auto changed = m.put("ann", change.role, change.hash, change.disabled, at(5));
    ASSERT_TRUE(changed.ok()) << change.what;
    EXPECT_EQ(m.last_events(), change.events) << change.what;
    EXPECT_EQ(changed->valid_from, change.ends_tokens ? at(5) : Timestamp{}) << change.what;
    EXPECT_FALSE(changed->after.created);
    ASSERT_TRUE(changed->before);
    EXPECT_EQ(changed->before->role, Role::kUser);
    EXPECT_EQ(changed->after.role, change.role.value_or(Role::kUser)) << change.what;
    EXPECT_EQ(changed->after.disabled, change.disabled.value_or(false)) << change.what;
    EXPECT_EQ(m.machine().credentials("ann").password_hash, change.hash.empty() ? "hash" : change.hash);
    EXPECT_EQ(changed->password_changed, !change.hash.empty());
  }
}

TEST(IdentityMachine, enabling_ends_no_tokens) {
  MachineFixture m;
  m.make("ann");
  m.must_put("ann", {}, "", true, at(1));
  const auto enabled = m.put("ann", {}, "", false, at(2));
  ASSERT_TRUE(enabled.ok());
  EXPECT_FALSE(enabled->valid_from);
  EXPECT_EQ(m.last_events(), 1u);
}

TEST(IdentityMachine, tokens_end_by_the_later_clock) {
  MachineFixture m;
  // The wall clock of whoever asked is ahead of the state thread's time: tokens made until then are meant.
  const auto ahead = m.decide(SignOut{"ann", {}, at(20)}, at(10));
  ASSERT_TRUE(ahead.ok());
  EXPECT_EQ(*ahead, at(20));
  // And never goes back.
  EXPECT_EQ(*m.decide(SignOut{"ann", {}, at(11)}, at(11)), at(20));
  EXPECT_EQ(*m.decide(SignOut{"ann", {}, at(1)}, at(30)), at(30));
}

TEST(IdentityMachine, logs_in_who_is_still_the_same) {
  MachineFixture m;
  m.make("ann", Role::kOperator);
  const auto as = m.decide(Login{"ann", "hash", at(3)}, at(4));
  ASSERT_TRUE(as.ok());
  EXPECT_EQ(as->role, Role::kOperator);
  EXPECT_EQ(as->issued_at, at(4));
  const auto page = m.machine().list({});
  EXPECT_EQ(page->items.at(0).last_login_at, at(4));

  EXPECT_EQ(code_of(m.decide(Login{"bob", "hash", {}}, at(5))), "invalid_credentials");
  EXPECT_EQ(code_of(m.decide(Login{"ann", "old hash", {}}, at(5))), "invalid_credentials");
  m.must_put("ann", {}, "", true, at(6));
  EXPECT_EQ(code_of(m.decide(Login{"ann", "hash", {}}, at(7))), "invalid_credentials")
      << "disabled meanwhile";
}

TEST(IdentityMachine, a_login_after_a_sign_out_counts_in_the_same_microsecond) {
  MachineFixture m;
  m.make("ann");
  const auto from = m.decide(SignOut{"ann", {}, at(9)}, at(5));
  const auto as = m.decide(Login{"ann", "hash", at(5)}, at(5));
  ASSERT_TRUE(as.ok());
  EXPECT_GT(as->issued_at, *from);
}

/// Whoever would be the last admin account may not stop being it by himself.
TEST(IdentityMachine, the_last_admin_stays) {
  const struct {
    const char* what;
    bool another_admin;
    bool another_is_disabled;
    std::string actor;
    std::optional<Role> role;
    std::optional<bool> disabled;
    std::string code;
  } cases[] = {
      {"his own role", false, false, "ann", Role::kUser, {}, "last_admin"},
      {"himself disabled", false, false, "ann", {}, true, "last_admin"},
      {"both", false, false, "ann", Role::kOperator, true, "last_admin"},
      {"the other one is disabled", true, true, "ann", Role::kUser, {}, "last_admin"},
      {"there is another", true, false, "ann", Role::kUser, {}, "ok"},
      {"another does it", true, false, "bob", Role::kUser, {}, "ok"},
      {"the admin secret does it", false, false, "admin-token", Role::kUser, {}, "ok"},
      {"a new password only", false, false, "ann", {}, {}, "ok"},
  };
  for (const auto& c : cases) {
    MachineFixture m;
    m.make("ann", Role::kAdmin);
    if (c.another_admin) m.make("bob", Role::kAdmin);
    if (c.another_is_disabled) m.must_put("bob", {}, "", true, at(1));
    EXPECT_EQ(code_of(m.put("ann", c.role, "other", c.disabled, at(2), c.actor)), c.code) << c.what;
    EXPECT_EQ(m.last_events() == 0, c.code != "ok") << c.what;
  }
}

TEST(IdentityMachine, a_logout_is_once) {
  MachineFixture m({.max_revoked_tokens = 2});
  EXPECT_EQ(code_of(m.decide(Logout{7, at(100)}, at(1))), "ok");
  EXPECT_EQ(m.last_events(), 1u);
  EXPECT_EQ(code_of(m.decide(Logout{7, at(100)}, at(2))), "ok");
  EXPECT_EQ(m.last_events(), 0u);
  EXPECT_EQ(code_of(m.decide(Logout{8, at(90)}, at(2))), "ok");
  EXPECT_EQ(code_of(m.decide(Logout{9, at(90)}, at(2))), "overloaded");
  EXPECT_EQ(m.due(at(90)), 1u) << "a place comes free";
  EXPECT_EQ(code_of(m.decide(Logout{9, at(190)}, at(90))), "ok");
}

TEST(IdentityMachine, a_crowd_of_strangers_does_not_keep_accounts_from_being_signed_out) {
  MachineFixture m({.max_signed_out_users = 2});
  m.make("ann");
  for (const char* user : {"x", "y"}) EXPECT_EQ(code_of(m.decide(SignOut{user, {}, {}}, at(1))), "ok");
  EXPECT_EQ(code_of(m.decide(SignOut{"z", {}, {}}, at(1))), "ok") << "the place of an account not signed out";
  EXPECT_EQ(code_of(m.decide(SignOut{"u", {}, {}}, at(1))), "overloaded");
  EXPECT_EQ(code_of(m.decide(SignOut{"x", {}, {}}, at(2))), "ok") << "again takes no place";
  EXPECT_EQ(code_of(m.decide(SignOut{"ann", {}, {}}, at(2))), "ok");
  EXPECT_EQ(code_of(m.decide(SignOut{"", {}, {}}, at(2))), "invalid_argument");
}

TEST(IdentityMachine, forgets_what_no_living_token_can_match) {
  MachineFixture m;
  for (std::uint64_t i = 1; i <= 5; ++i) m.must(Logout{i, at(10)}, at(1));  // all at one time
  m.must(Logout{6, at(20)}, at(1));
  m.must(SignOut{"ann", {}, {}}, at(1));
  EXPECT_EQ(m.due(at(9.9)), 0u);
  EXPECT_EQ(m.due(at(10), 3), 3u) << "a part at a time";
  EXPECT_EQ(m.due(at(10), 3), 2u);
  std::vector<std::uint64_t> left;
  m.machine().for_each_revoked([&](std::uint64_t token, Timestamp) { left.push_back(token); });
  EXPECT_EQ(left, (std::vector<std::uint64_t>{6}));
  const Timestamp end = at(1) + limits::kMaxTokenAge;
  EXPECT_EQ(m.due({end.us - 1}), 1u);
  EXPECT_EQ(m.due(end), 1u);
  std::size_t signed_out = 0;
  m.machine().for_each_signed_out([&](std::string_view, Timestamp) { ++signed_out; });
  EXPECT_EQ(signed_out, 0u);
  EXPECT_EQ(m.machine().digest(), 0u) << "as if nothing had been";
}

TEST(IdentityMachine, lists_in_pages_by_name) {
  MachineFixture m;
  for (const char* user : {"dora", "Ann", "bob", "carl", "annika"}) m.make(user);
  const auto names = [&](ListUsers command) {
    std::string out;
    while (true) {
      const auto page = m.machine().list(command);
      EXPECT_TRUE(page.ok());
      EXPECT_LE(page->items.size(), command.limit);
      for (const UserView& user : page->items) out += user.user_id + " ";
      if (page->next_cursor.empty()) return out;
      out += "| ";
      command.cursor = page->next_cursor;
    }
  };
  EXPECT_EQ(names({}), "Ann annika bob carl dora ");
  EXPECT_EQ(names({.limit = 2}), "Ann annika | bob carl | dora ");
  EXPECT_EQ(names({.limit = 5}), "Ann annika bob carl dora ");
  EXPECT_EQ(names({.query = "aNN"}), "Ann annika ");
  EXPECT_EQ(names({.query = "nobody"}), "");
  EXPECT_EQ(code_of(m.machine().list({.cursor = "!"})), "invalid_argument");
}

TEST(IdentityMachine, everything_comes_back_from_a_snapshot) {
  MachineFixture m;
  EXPECT_EQ(m.reload().digest(), 0u);
  m.make("ann", Role::kAdmin);
  for (int i = 0; i < 2'000; ++i) m.make("user-" + std::to_string(i));  // several blocks
  m.must_put("user-3", Role::kOperator, "other", true, at(2));
  m.must(Login{"ann", "hash", {}}, at(3));
  m.must(Logout{11, at(50)}, at(4));
  m.must(Logout{12, at(40)}, at(4));
  m.must(SignOut{"stranger", {}, at(9)}, at(5));

  Machine loaded = m.reload();
  EXPECT_EQ(loaded.digest(), m.machine().digest());
  EXPECT_EQ(loaded.digest(), loaded.recompute_digest());
  const auto before = m.machine().list({.query = "3", .limit = 1'000});
  const auto after = loaded.list({.query = "3", .limit = 1'000});
  ASSERT_EQ(after->items.size(), before->items.size());
  for (std::size_t i = 0; i < before->items.size(); ++i) {
    EXPECT_EQ(after->items[i].user_id, before->items[i].user_id);
    EXPECT_EQ(after->items[i].role, before->items[i].role);
    EXPECT_EQ(after->items[i].disabled, before->items[i].disabled);
    EXPECT_EQ(after->items[i].last_login_at, before->items[i].last_login_at);
  }
  // And goes on as the other does, also with what is only derived: the order of time, the count of admins.
  Events events, same;
  loaded.decide_due(at(45), at(45), 10, events);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(std::get<Forgotten>(events[0]).tokens, 1u);
  const PutUser last{"ann", Role::kUser, "", {}, {"ann", ""}, {}};
  EXPECT_EQ(code_of(loaded.decide(last, at(46), events)), "last_admin");
}

TEST(IdentityMachine, a_damaged_snapshot_is_refused) {
  MachineFixture m;
  m.make("ann", Role::kAdmin);
  m.must(SignOut{"bob", {}, {}}, at(5));
  m.must(Logout{12, at(40)}, at(4));
  std::string bytes;
  m.machine().save([&bytes](std::string_view piece) { bytes += piece; });
  const auto loads = [](const std::string& from) {
    Machine machine;
    std::size_t offset = 0;
    return machine
        .load([&](char* into, std::size_t size) {
          if (from.size() - offset < size) return false;
          from.copy(into, size, offset);
          offset += size;
          return true;
        })
        .ok();
  };
  ASSERT_TRUE(loads(bytes));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(loads(damaged)) << "byte " << i;
    EXPECT_FALSE(loads(bytes.substr(0, i))) << "the first " << i;
  }
}

TEST(IdentityTypes, roles_modes_and_ids_have_one_spelling) {
  for (const Role role : kAllRoles) EXPECT_EQ(parse_role(name(role)), role);
  EXPECT_FALSE(parse_role("Admin"));
  for (const Mode mode : {Mode::kNone, Mode::kOpen, Mode::kUsers, Mode::kOidc}) {
    EXPECT_EQ(parse_mode(name(mode)), mode);
  }
  EXPECT_FALSE(parse_mode(""));
  for (const char* good : {"u", "a/b?c#d", "\xec\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbd"}) {
    EXPECT_TRUE(is_user_id(good)) << good;
  }
  // Overlong, surrogate, past the end, cut short, alone, Latin-1.
  for (const char* bad : {"\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80",
                          "\xe9", "a\x7f", "\xc2\x85"}) {
    EXPECT_FALSE(is_user_id(bad)) << bad;
  }
}

}  // namespace
}  // namespace spillway::identity::testing
