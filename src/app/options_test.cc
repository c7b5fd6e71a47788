#include "app/options.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

namespace spillway::app {
namespace {

/// A configuration file that goes when the test does.
class ConfigFile {
 public:
  explicit ConfigFile(const std::string& text) {
    const int fd = ::mkstemp(path_.data());
    EXPECT_GE(fd, 0);
    ::close(fd);
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/spillway-options-XXXXXX";
};

Result<ServeOptions> resolve(const std::vector<GivenOption>& line,
                             std::map<std::string, std::string> environment = {},
                             const std::string& file = "") {
  return resolve_options(
      line,
      [&environment](const char* name) -> const char* {
        const auto it = environment.find(name);
        return it == environment.end() ? nullptr : it->second.c_str();
      },
      file);
}

TEST(Options, TheFallbacksOfTheTableAreTheDefaults) {
  std::vector<GivenOption> line;
  for (const OptionRow& row : option_table()) {
    if (!row.fallback.empty()) line.push_back({std::string(row.name), std::string(row.fallback)});
  }
  const auto given = resolve(line);
  const auto defaults = resolve({});
  ASSERT_TRUE(given.ok() && defaults.ok());
  EXPECT_EQ(given->host, defaults->host);
  EXPECT_EQ(given->port, defaults->port);
  EXPECT_EQ(given->data_dir, defaults->data_dir);
  EXPECT_EQ(given->workers, defaults->workers);
  EXPECT_EQ(given->start_paused, defaults->start_paused);
  EXPECT_EQ(given->http_threads, defaults->http_threads);
  EXPECT_EQ(given->max_connections, defaults->max_connections);
  EXPECT_EQ(given->retention_us, defaults->retention_us);
  EXPECT_EQ(given->visibility_us, defaults->visibility_us);
  EXPECT_EQ(given->max_receive_count, defaults->max_receive_count);
  EXPECT_EQ(given->snapshot_every_bytes, defaults->snapshot_every_bytes);
  EXPECT_EQ(given->log_level, defaults->log_level);
  EXPECT_EQ(given->limits, defaults->limits);
  EXPECT_EQ(given->trusted_proxies.header, defaults->trusted_proxies.header);
}

TEST(Options, TheLineBeatsTheEnvironmentBeatsTheFile) {
  const ConfigFile file("workers = 1\nlog-level = \"warn\"\nlisten = \"127.0.0.1:1111\"\n");
  const auto options =
      resolve({{"workers", "3"}}, {{"SPILLWAY_WORKERS", "2"}, {"SPILLWAY_LOG_LEVEL", "error"}}, file.path());
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->workers, 3U);
  EXPECT_EQ(options->log_level, log::Level::kError);
  EXPECT_EQ(options->port, 1111);
}

TEST(Options, ErrorsNameTheOptionAndItsPlace) {
  const struct {
    GivenOption given;
    const char* expected;
  } rows[] = {
      {{"listen", "8080"}, "--listen must be HOST:PORT"},
      {{"listen", "127.0.0.1:70000"}, "--listen must end in a port"},
      {{"workers", "-1"}, "--workers must be a whole number"},
      {{"workers", "many"}, "--workers must be a whole number"},
      {{"identity", "anyone"}, "--identity must be none, open, users or oidc"},
      {{"identity", "oidc"}, "identity oidc needs oidc-issuer and oidc-audience"},
      {{"oidc-issuer", "http://login.example.org"}, "--oidc-issuer must begin with https://"},
      {{"oidc-issuer", "https://login.example.org"}, "oidc-issuer goes with identity oidc"},
      {{"oidc-role-claim", ""}, "--oidc-role-claim must not be empty"},
      {{"oidc-admins", "a,,b"}, "--oidc-admins must have no empty value"},
      {{"admin-token", "short"}, "--admin-token must have 32"},
      {{"max-receive-count", "2"}, "--max-receive-count must be a whole number from 3 to 5"},
      {{"log-level", "loud"}, "--log-level must be"},
      {{"services", "chat"}, "--services must be intake or intake,waitroom"},
      {{"demo", "yes"}, "--demo must be true or false"},
      {{"limit", "read.account=many"}, "--limit must give read.account as"},
      {{"limit", "chat.account=1/1s"}, "--limit has no limit chat.account"},
      {{"trusted-proxy", "10.0.0.1/8"}, "--trusted-proxy has bits beyond its prefix"},
      {{"proxy-header", "via"}, "--proxy-header must be"},
      {{"tls-cert", "a.pem"}, "tls-cert and tls-key go together"},
  };
  for (const auto& row : rows) {
    const auto options = resolve({row.given});
    ASSERT_FALSE(options.ok()) << row.given.name;
    EXPECT_NE(options.error().message.find(row.expected), std::string::npos) << options.error().message;
  }
  EXPECT_NE(resolve({}, {{"SPILLWAY_WORKERS", "x"}}).error().message.find("SPILLWAY_WORKERS"),
            std::string::npos);
  const ConfigFile unknown("wrokers = 1\n");
  EXPECT_NE(resolve({}, {}, unknown.path()).error().message.find("wrokers"), std::string::npos);
  EXPECT_FALSE(resolve({}, {}, "/no/such/file").ok());
}

TEST(Options, LimitsAndProxiesOfAllPlacesCountTogether) {
  const ConfigFile file(
      "limit = [\"read.account=1/1s\", \"admin.account=1/1s\"]\ntrusted-proxy = [\"10.0.0.0/8\"]\n");
  const auto options = resolve(
      {{"limit", "read.account=3/1s"}, {"limit", "participate.account=off"}, {"trusted-proxy", "::1"}},
      {{"SPILLWAY_LIMIT", "read.account=2/1s,stream.account=2/1s"}}, file.path());
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->limits.text(), "read.account=3/1s,stream.account=2/1s,admin.account=1/1s");
  EXPECT_TRUE(options->trusted_proxies.trusts(*IpAddress::parse("10.1.1.1")));
  EXPECT_TRUE(options->trusted_proxies.trusts(*IpAddress::parse("::1")));
  EXPECT_FALSE(options->trusted_proxies.trusts(*IpAddress::parse("127.0.0.1")));
  const ConfigFile bad("limit = [\"read.account=1/1s\", \"read.address=1\"]\n");
  EXPECT_NE(resolve({}, {}, bad.path()).error().message.find("limit must give read.address"),
            std::string::npos);
  const ConfigFile twice("workers = [\"1\", \"2\"]\n");
  EXPECT_NE(resolve({}, {}, twice.path()).error().message.find("workers"), std::string::npos);
}

TEST(Options, ZeroWorkersMeansPaused) {
  EXPECT_TRUE(resolve({{"workers", "0"}})->start_paused);
  EXPECT_GT(resolve({{"workers", "0"}})->workers, 0U);
}

TEST(Options, OpenIdHasItsOwn) {
  const auto options = resolve({{"identity", "oidc"},
                                {"oidc-issuer", "https://login.example.org/realms/main"},
                                {"oidc-audience", "spillway"},
                                {"oidc-operators", "support,night shift"},
                                {"oidc-admins", "admin"}});
  ASSERT_TRUE(options.ok()) << options.error().message;
  EXPECT_EQ(options->oidc.issuer, "https://login.example.org/realms/main");
  EXPECT_EQ(options->oidc.audience, "spillway");
  EXPECT_EQ(options->oidc.role_claim, "roles");
  EXPECT_EQ(options->oidc.operators, (std::vector<std::string>{"support", "night shift"}));
  EXPECT_EQ(options->oidc.admins, (std::vector<std::string>{"admin"}));
}

TEST(Options, TheDocumentIsTheTable) {
  std::ifstream file(SPILLWAY_SOURCE_DIR "/docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), options_markdown()) << "run: spillway options > docs/configuration.md";
}

}  // namespace
}  // namespace spillway::app
