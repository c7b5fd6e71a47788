#include "http/router.h"

#include <gtest/gtest.h>

#include "http/target.h"

namespace spillway::http {
namespace {

struct RouterTest : testing::Test {
  RouterTest() {
    for (const auto& [method, pattern] : std::vector<std::pair<Method, const char*>>{
             {Method::kGet, "/"},
             {Method::kPost, "/events/{eventId}/participations"},
             {Method::kGet, "/admin/events/{eventId}"},
             {Method::kPut, "/admin/events/{eventId}"},
             {Method::kGet, "/admin/events/special"},
             {Method::kGet, "/admin/{what}/log"},
             {Method::kGet, "/a/"},
         }) {
      router.add(method, pattern, [](const Request&, Exchange) {});
    }
  }
  /// The pattern that matched with its parameters, or the methods that are allowed.
  std::string match(Method method, std::string_view path, bool escaped = false) {
    std::array<std::string_view, limits::kMaxPathSegments> segments;
    const std::size_t count = split_path(path, escaped, storage, segments.data(), segments.size());
    if (count > segments.size()) return "too many";
    RouteMatch found;
    router.match(method, segments.data(), count, found);
    if (found.route < 0) return "allow " + Router::allow(found.allowed);
    std::string text = router.routes()[static_cast<std::size_t>(found.route)].pattern;
    for (std::size_t i = 0; i < found.param_count; ++i) text += " " + std::string(found.params[i]);
    return text;
  }

  Router router;
  std::string storage;
};

TEST_F(RouterTest, Table) {
  const struct {
    Method method;
    const char* path;
    const char* expected;
  } rows[] = {
      {Method::kGet, "/", "/"},
      {Method::kHead, "/", "/"},
      {Method::kPost, "/events/E-1/participations", "/events/{eventId}/participations E-1"},
      {Method::kPost, "/events//participations", "allow "},
      {Method::kPost, "/events/E-1/participations/", "allow "},
      {Method::kGet, "/events/E-1/participations", "allow POST, OPTIONS"},
      {Method::kGet, "/admin/events/special", "/admin/events/special"},
      {Method::kPut, "/admin/events/special", "/admin/events/{eventId} special"},
      {Method::kDelete, "/admin/events/special", "allow GET, HEAD, PUT, OPTIONS"},
      {Method::kGet, "/admin/events/log", "/admin/events/{eventId} log"},
      {Method::kGet, "/admin/queues/log", "/admin/{what}/log queues"},
      {Method::kGet, "/a/", "/a/"},
      {Method::kGet, "/a", "allow "},
      {Method::kGet, "/nowhere", "allow "},
  };
  for (const auto& row : rows) EXPECT_EQ(match(row.method, row.path), row.expected) << row.path;
}

TEST_F(RouterTest, EscapesAreResolvedAfterTheSplit) {
  EXPECT_EQ(match(Method::kGet, "/admin/events/a%2Fb", true), "/admin/events/{eventId} a/b");
  EXPECT_EQ(match(Method::kGet, "/%61dmin/events/%E2%82%AC", true), "/admin/events/{eventId} \xE2\x82\xAC");
}

TEST_F(RouterTest, ManySegments) {
  std::string path;
  for (std::size_t i = 0; i < limits::kMaxPathSegments; ++i) path += "/x";
  EXPECT_EQ(match(Method::kGet, path), "allow ");
  EXPECT_EQ(match(Method::kGet, path + "/x"), "too many");
}

TEST_F(RouterTest, RoutesInOrder) {
  ASSERT_EQ(router.routes().size(), 7U);
  EXPECT_EQ(router.routes()[1].pattern, "/events/{eventId}/participations");
  EXPECT_EQ(router.routes()[1].method, Method::kPost);
}

TEST(RouterDeathTest, TheSameRouteTwice) {
  Router router;
  router.add(Method::kGet, "/a/{x}", [](const Request&, Exchange) {});
  EXPECT_DEATH(router.add(Method::kGet, "/a/{y}", [](const Request&, Exchange) {}), "CHECK");
}

}  // namespace
}  // namespace spillway::http
