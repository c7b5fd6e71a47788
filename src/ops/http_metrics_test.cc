#include "ops/http_metrics.h"

#include <gtest/gtest.h>

namespace spillway::ops {
namespace {

bool has(const std::string& page, const std::string& line) {
  return page.find(line + "\n") != std::string::npos;
}

TEST(HttpMetrics, AddsUpTheThreadsByRouteAndStatus) {
  HttpMetrics metrics({{http::Method::kPost, "/events/{eventId}/participations"}}, 2);
  metrics.on_request(0, 0, 202, 4'000);
  metrics.on_request(1, 0, 202, 20'000);
  metrics.on_request(1, 0, 202, 99'000'000);
  metrics.on_request(0, 0, 401, 1);
  metrics.on_request(0, -1, 404, 1);
  std::string page;
  metrics.render(page);
  const std::string name = "http_server_request_duration_seconds";
  const std::string labels = R"(method="POST",route="/events/{eventId}/participations",status="202")";
  EXPECT_TRUE(has(page, name + "_bucket{" + labels + ",le=\"0.005\"} 1")) << page;
  EXPECT_TRUE(has(page, name + "_bucket{" + labels + ",le=\"0.025\"} 2"));
  EXPECT_TRUE(has(page, name + "_bucket{" + labels + ",le=\"10\"} 2"));
  EXPECT_TRUE(has(page, name + "_bucket{" + labels + ",le=\"+Inf\"} 3"));
  EXPECT_TRUE(has(page, name + "_count{" + labels + "} 3"));
  EXPECT_TRUE(has(page, name + "_sum{" + labels + "} 99.024"));
  EXPECT_NE(page.find("status=\"401\""), std::string::npos);
  EXPECT_NE(page.find(R"(method="other",route="none",status="404")"), std::string::npos);
}

TEST(HttpMetrics, TotalsTellFailuresOfTheServerApart) {
  HttpMetrics metrics({{http::Method::kGet, "/livez"}}, 2);
  EXPECT_EQ(metrics.totals().requests, 0u);
  metrics.on_request(0, 0, 200, 1);
  metrics.on_request(1, 0, 503, 1);
  metrics.on_request(1, -1, 404, 1);
  EXPECT_EQ(metrics.totals().requests, 3u);
  EXPECT_EQ(metrics.totals().errors, 1u);
}

TEST(HttpMetrics, MoreStatusesThanItHasRoomForAreCountedTogether) {
  HttpMetrics metrics({}, 1);
  for (int status = 100; status < 130; ++status) metrics.on_request(0, -1, status, 1);
  std::string page;
  metrics.render(page);
  EXPECT_NE(page.find("status=\"114\"} 1\n"), std::string::npos);
  EXPECT_NE(page.find("status=\"other\"} 15\n"), std::string::npos) << page;
}

}  // namespace
}  // namespace spillway::ops
