#include "http/static_files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "http/test_support.h"

namespace spillway::http {
namespace {

std::string request(std::string_view method, std::string_view path, std::string_view fields = "") {
  return std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) +
         "\r\n";
}

Router router_of(const StaticFiles& files) {
  Router router;
  files.add_to(router);
  return router;
}

StaticFiles some_files() {
  StaticFiles files;
  EXPECT_TRUE(files.add("/", "text/html; charset=utf-8", "<p>hello</p>").ok());
  EXPECT_TRUE(files.add("/assets/app-1a2b.js", "text/javascript", "go()", StaticFiles::Cache::kForEver).ok());
  return files;
}

TEST(StaticFiles, PageHasItsGuards) {
  SessionBench bench(router_of(some_files()));
  bench.feed(request("GET", "/"));
  const Answer answer = take_answer(bench.sent);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "<p>hello</p>");
  EXPECT_EQ(answer.field("Content-Type"), "text/html; charset=utf-8");
  const std::string policy = answer.field("Content-Security-Policy");
  EXPECT_NE(policy.find("default-src 'self'"), std::string::npos);
  EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_EQ(answer.field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.field("Referrer-Policy"), "no-referrer");
  EXPECT_EQ(answer.field("Cache-Control"), "no-cache");
}

TEST(StaticFiles, AssetIsKept) {
  SessionBench bench(router_of(some_files()));
  bench.feed(request("GET", "/assets/app-1a2b.js"));
  const Answer answer = take_answer(bench.sent);
  EXPECT_EQ(answer.field("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(answer.field("Content-Security-Policy"), "");
  EXPECT_EQ(answer.field("X-Content-Type-Options"), "nosniff");
}

TEST(StaticFiles, ETag) {
  SessionBench bench(router_of(some_files()));
  bench.feed(request("GET", "/"));
  const std::string etag = take_answer(bench.sent).field("ETag");
  ASSERT_EQ(etag.size(), 34U);
  const struct {
    std::string condition;
    int status;
  } rows[] = {{etag, 304},        {"W/" + etag, 304}, {"\"x\", " + etag + " ", 304}, {"*", 304},
              {"\"other\"", 200}, {"", 200},          {etag.substr(1), 200}};
  for (const auto& row : rows) {
    bench.feed(request("GET", "/", "If-None-Match: " + row.condition + "\r\n"));
    const Answer answer = take_answer(bench.sent);
    EXPECT_EQ(answer.status, row.status) << row.condition;
    EXPECT_EQ(answer.field("ETag"), etag);
    EXPECT_EQ(answer.body.empty(), row.status == 304);
  }
  EXPECT_EQ(bench.sent, "");
}

TEST(StaticFiles, Head) {
  SessionBench bench(router_of(some_files()));
  bench.feed(request("HEAD", "/"));
  const Answer answer = take_answer(bench.sent, true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Length"), "12");
  EXPECT_EQ(bench.sent, "");
}

TEST(StaticFiles, CompressedForThoseWhoTakeIt) {
  StaticFiles files;
  ASSERT_TRUE(files.add("/a.js", "text/javascript", "plain", StaticFiles::Cache::kForEver, "packed").ok());
  SessionBench bench(router_of(files));
  const struct {
    const char* accepted;
    bool packed;
  } rows[] = {{"gzip, deflate, br", true},
              {"br;q=1.0, gzip;q=0.5", true},
              {"*", true},
              {"gzip;q=0", false},
              {"gzip; q=0.000, *", false},
              {"*;q=0", false},
              {"br", false},
              {"", false},
              {"gzipped", false}};
  std::string etags[2];
  for (const auto& row : rows) {
    bench.feed(request("GET", "/a.js", std::string("Accept-Encoding: ") + row.accepted + "\r\n"));
    const Answer answer = take_answer(bench.sent);
    EXPECT_EQ(answer.body, row.packed ? "packed" : "plain") << row.accepted;
    EXPECT_EQ(answer.field("Content-Encoding"), row.packed ? "gzip" : "") << row.accepted;
    EXPECT_EQ(answer.field("Vary"), "Accept-Encoding");
    EXPECT_EQ(answer.field("Content-Type"), "text/javascript");
    etags[row.packed ? 1 : 0] = answer.field("ETag");
  }
  EXPECT_NE(etags[0], etags[1]);  // two representations
  bench.feed(request("GET", "/a.js", "Accept-Encoding: gzip\r\nIf-None-Match: " + etags[1] + "\r\n"));
  EXPECT_EQ(take_answer(bench.sent).status, 304);
  bench.feed(request("GET", "/a.js", "If-None-Match: " + etags[1] + "\r\n"));
  EXPECT_EQ(take_answer(bench.sent).status, 200);
}

TEST(StaticFiles, OneRouteForADirectory) {
  StaticFiles files = some_files();
  ASSERT_TRUE(files.add("/assets/deep/er.js", "text/javascript", "deeper").ok());
  Router router;
  files.add_directory_to(router, "/assets");
  SessionBench bench(std::move(router));
  bench.feed(request("GET", "/assets/app-1a2b.js"));
  const Answer answer = take_answer(bench.sent);
  EXPECT_EQ(answer.body, "go()");
  EXPECT_EQ(answer.field("Cache-Control"), "public, max-age=31536000, immutable");
  EXPECT_EQ(answer.field("ETag").size(), 34U);
  for (const char* path : {"/assets/", "/assets/other.js", "/assets/deep/er.js", "/"}) {
    bench.feed(request("GET", path));
    EXPECT_EQ(take_answer(bench.sent).status, 404) << path;
  }
}

TEST(StaticFiles, RefusesWhatItCannotServe) {
  StaticFiles files = some_files();
  EXPECT_FALSE(files.add("no-slash", "text/plain", "").ok());
  EXPECT_FALSE(files.add("/a b", "text/plain", "").ok());
  EXPECT_FALSE(files.add("/{x}", "text/plain", "").ok());
  EXPECT_FALSE(files.add("/", "text/plain", "twice").ok());
  EXPECT_FALSE(files.add("/big", "text/plain", std::string(limits::kMaxStaticFileBytes + 1, 'x')).ok());
  EXPECT_FALSE(files.add_directory("/nowhere/at/all").ok());
}

TEST(StaticFiles, Directory) {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / ("spillway-static-" + std::to_string(getpid()));
  fs::create_directories(root / "ko");
  fs::create_directories(root / "assets");
  fs::create_directories(root / ".git");
  const auto write = [&](const char* path, const char* text) { std::ofstream(root / path) << text; };
  write("index.html", "home");
  write("ko/index.html", "home in Korean");
  write("assets/a.css", "css");
  write(".hidden", "secret");
  write(".git/config", "secret");
  fs::create_symlink("/etc/passwd", root / "passwd");
  StaticFiles files;
  const Status added = files.add_directory(root.string(), "/ui");
  fs::remove_all(root);
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_EQ(files.size(), 5U);
  SessionBench bench(router_of(files));
  const struct {
    const char* path;
    int status;
    const char* body;
  } rows[] = {{"/ui/", 200, "home"},
              {"/ui/index.html", 200, "home"},
              {"/ui/ko/", 200, "home in Korean"},
              {"/ui/assets/a.css", 200, "css"},
              {"/ui/.hidden", 404, nullptr},
              {"/ui/.git/config", 404, nullptr},
              {"/ui/passwd", 404, nullptr}};
  for (const auto& row : rows) {
    bench.feed(request("GET", row.path));
    const Answer answer = take_answer(bench.sent);
    EXPECT_EQ(answer.status, row.status) << row.path;
    if (row.body != nullptr) {
      EXPECT_EQ(answer.body, row.body);
    }
  }
}

}  // namespace
}  // namespace spillway::http
