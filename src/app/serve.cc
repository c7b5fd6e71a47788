#include "app/serve.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include "app/demo.h"
#include "app/event_page.h"
#include "app/issuer_documents.h"
#include "app/outside_calls.h"
#include "app/pages.h"
#include "app/reload.h"
#include "app/route_classes.h"
#include "app/waitroom_part.h"
#include "base/random.h"
#include "base/wait_loop.h"
#include "http/server.h"
#include "identity/embedded.h"
#include "identity/gate.h"
#include "identity/issuer_keys.h"
#include "identity/login_throttle.h"
#include "identity/oidc_tokens.h"
#include "identity/password_pool.h"
#include "identity/routes.h"
#include "intake/embedded.h"
#include "intake/routes.h"
#include "intake/worker_pool.h"
#include "journal/engine.h"
#include "ops/audit_log.h"
#include "ops/audit_routes.h"
#include "ops/http_metrics.h"
#include "ops/live_feed.h"
#include "ops/live_sampler.h"
#include "ops/routes.h"

namespace spillway::app {
namespace {

constexpr std::size_t kWorkerLoop = limits::kMaxHttpThreads;
constexpr std::size_t kMainLoop = limits::kMaxHttpThreads + 1;
constexpr std::size_t kHttpWorkerLoop = limits::kMaxHttpThreads + 4;
constexpr std::size_t kWebhookLoop = limits::kMaxHttpThreads + 5;
constexpr std::size_t kLiveLoop = limits::kMaxLoops - 1;

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

/// SIGTERM, SIGINT and SIGHUP, blocked in every thread and taken by the main one.
sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

/// As many descriptors as connections may need, and some for files. Past the hard limit the server accepts
/// fewer.
void raise_descriptor_limit(std::size_t connections) {
  constexpr std::size_t kForFiles = 64;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = connections + kForFiles;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
    log::warn("fewer file descriptors than max-connections needs",
              {{"descriptors", limit.rlim_cur}, {"wanted", wanted}});
  }
}

ops::LiveSample live_sample(const intake::Metrics& metrics) {
  ops::LiveSample sample;
  sample.accepted = metrics.accepted;
  sample.duplicate = metrics.duplicate;
  sample.refused = metrics.refused;
  for (const intake::Metrics::Finished& finished : metrics.finished) {
    if (finished.status == intake::RequestStatus::kSucceeded) sample.succeeded += finished.count;
    if (finished.status == intake::RequestStatus::kRejected) sample.rejected += finished.count;
    if (finished.status == intake::RequestStatus::kFailedFinal) sample.failed += finished.count;
  }
  sample.visible = metrics.queue.visible;
  sample.in_flight = metrics.queue.in_flight;
  sample.delayed = metrics.queue.delayed;
  sample.dead_letters = metrics.queue.dead_letters;
  sample.oldest_age_seconds = static_cast<double>(metrics.queue.oldest_age_us) / kSecond;
  sample.paused = metrics.queue.paused;
  sample.latency_bounds_seconds.assign(metrics.kLatencyBounds.begin(), metrics.kLatencyBounds.end());
  sample.latency_counts.assign(metrics.latency_counts.begin(), metrics.latency_counts.end());
  return sample;
}

/// Everything that runs, put together. The members are in the order in which they are made; they go the other
/// way.
class Process {
 public:
  Process(const ServeOptions& options, std::function<Result<ServeOptions>()> read_again)
      : options_(options), limits_(options.limits, std::move(read_again)) {
    machine_config_.retention_us = options.retention_us;
    machine_config_.max_receive_count = options.max_receive_count;
    machine_config_.webhook_max_age_us = options.webhook_max_age_us;
    service_ = std::make_unique<intake::EmbeddedService>(machine_config_, &audit_log_);
    identity_ = std::make_unique<identity::EmbeddedIdentity>(clock_, &audit_log_);
    passwords_ = std::make_unique<identity::PasswordPool>(
        options.password_threads == 0 ? identity::PasswordPool::default_threads() : options.password_threads);
    throttle_ = std::make_unique<identity::LoginThrottle>(clock_);
    if (options_.demo && options_.admin_secret.empty()) {
      options_.admin_secret = random_hex(24);
      made_admin_secret_ = true;
    }
    if (options_.http_threads == 0) {
      options_.http_threads = std::max(2U, std::thread::hardware_concurrency()) - 1;
    }
  }

  /// For `spillway routes`: the routes and nothing else.
  http::Router routes_only() {
    tokens_ = std::make_unique<identity::TokenAuthority>(identity::KeyRing{}, name(options_.identity));
    CHECK(waitroom_.open("").ok());
    return make_router();
  }

  Status start() {
    started_us_ = clock_.steady_us();
    auto http_work = make_http_work(options_, clock_);
    if (!http_work) return http_work.error();
    http_work_ = std::move(*http_work);
    auto webhooks = make_webhooks(options_, *service_, clock_, kWebhookLoop);
    if (!webhooks) return webhooks.error();
    webhooks_ = std::move(*webhooks);
    if (Status opened = open_storage(); !opened) return opened;
    if (Status made = make_outside_tokens(); !made) return made;
    http::Router router = make_router();
    http_metrics_ = std::make_unique<ops::HttpMetrics>(router.routes(), options_.http_threads);
    http::ServerOptions http;
    http.host = options_.host;
    http.port = options_.port;
    http.threads = options_.http_threads;
    http.io_uring = options_.io_uring;
    http.max_connections = options_.max_connections;
    http.rate_limits = limits_.in_force();
    http.trusted_proxies = options_.trusted_proxies;
    http.tls_certificate_file = options_.tls_certificate_file;
    http.tls_key_file = options_.tls_key_file;
    if (options_.access_log) http.access_log = log_access;
    auto server = http::Server::listen(http, clock_, std::move(router), http_metrics_.get());
    if (!server) return server.error();
    server_ = std::move(*server);

    intake::WorkerOptions worker_options;
    worker_options.workers = options_.workers;
    worker_options.work = intake::WorkKind::kCapacity;
    worker_options.visibility_us = options_.visibility_us;
    worker_options.random_seed = static_cast<std::uint64_t>(clock_.wall().us);
    workers_ = std::make_unique<intake::WorkerPool>(*service_, work_, clock_, kWorkerLoop, worker_options);

    if (http_work_ != nullptr) {
      worker_options.workers = options_.work_concurrency;
      worker_options.work = intake::WorkKind::kHttp;
      worker_options.batch = 1;  // a call that hangs holds up nobody else
      ++worker_options.random_seed;
      http_workers_ = std::make_unique<intake::WorkerPool>(*service_, *http_work_, clock_, kHttpWorkerLoop,
                                                           worker_options);
    }

    if (issuer_keys_ != nullptr) issuer_keys_->start();
    engine_->start();
    passwords_->start();
    workers_->start();
    if (http_workers_ != nullptr) http_workers_->start();
    if (webhooks_ != nullptr) webhooks_->start();
    server_->start();
    waitroom_.start();
    live_sampler_ = std::make_unique<ops::LiveSampler>(clock_, live_work(), kLiveLoop);
    live_sampler_->start();
    accepting_ = true;
    return Ok{};
  }

  std::string url() const {
    const bool tls = !options_.tls_certificate_file.empty();
    const bool six = options_.host.find(':') != std::string::npos;
    return fmt::format("{}://{}{}{}:{}", tls ? "https" : "http", six ? "[" : "", options_.host,
                       six ? "]" : "", server_->port());
  }

  /// Order matters: what is in the works is answered before what answers it goes.
  void stop() {
    accepting_ = false;
    if (issuer_keys_ != nullptr) issuer_keys_->stop();
    WaitLoop loop(kMainLoop);
    bool ended = false;
    loop.run_until([&ended] { return ended; }, -1,
                   [&] { service_->end_waits([&ended](Result<Ok>) { ended = true; }); });
    passwords_->stop();
    waitroom_.stop();
    live_sampler_->stop();  // while the engine answers, and before the loops it visits are gone
    server_->drain(limits::kDrainTimeout / 2);
    workers_->stop(limits::kDrainTimeout / 4);
    if (http_workers_ != nullptr) {
      http_workers_->stop(limits::kDrainTimeout / 4);
      http_work_->stop();  // what still runs is called again after the next start, with the same key
    }
    if (webhooks_ != nullptr)
      webhooks_->stop();  // after what makes requests final; the rest is told after a start
    engine_->stop();
  }

  void run_demo() {
    if (made_admin_secret_) fmt::print(stderr, "admin token: {}\n", options_.admin_secret);
    if (!options_.tls_certificate_file.empty()) return;  // the demonstration's client speaks plain HTTP
    if (Demo(options_.host, server_->port(), options_.admin_secret).run()) {
      fmt::print(stderr,
                 "\nTake part yourself: {0}/events/{1}\n"
                 "The console: {0}/console (sign in with the admin token)\n"
                 "Spillway stays up at {0}. Ctrl-C ends it.\n",
                 url(), kDemoEvent);
    }
  }
  void reload() {
    limits_.reload(*server_, audit_log_, kMainLoop);
    waitroom_.reload(kMainLoop);
  }
  bool demo() const { return options_.demo; }
  bool failed() const { return failed_; }

 private:
  static void log_access(const http::AccessEntry& entry) {
    log::info("request", {{"method", entry.method},
                          {"path", entry.path},
                          {"status", entry.status},
                          {"durationUs", entry.took_us},
                          {"remote", entry.remote_address},
                          {"traceId", entry.trace_id}});
  }

  Status open_storage() {
    std::error_code error;
    const std::string keys = options_.data_dir + "/keys";
    std::filesystem::create_directories(keys, error);
    if (error) return Error{ErrorCode::kInternal, fmt::format("cannot make {}: {}", keys, error.message())};
    if (Status read = waitroom_.open(keys); !read) return read;
    auto key_ring = identity::load_or_make_keys(keys);
    if (!key_ring) return key_ring.error();
    tokens_ = std::make_unique<identity::TokenAuthority>(*key_ring, name(options_.identity));

    journal::EngineOptions engine;
    engine.dir = options_.data_dir;
    engine.inbox_tasks = options_.max_in_works;
    engine.snapshot_every_bytes = options_.snapshot_every_bytes;
    auto opened = journal::Engine::open(journal::posix_file_system(), clock_, engine,
                                        {service_.get(), identity_.get(), &audit_log_, &waitroom_.resident()},
                                        all_replicas(machine_config_));
    if (!opened) return opened.error();
    engine_ = std::move(*opened);
    const journal::RecoveryReport& recovery = engine_->recovery();
    log::info("recovered", {{"snapshotSequence", recovery.snapshot_sequence},
                            {"records", recovery.records},
                            {"bytesCut", recovery.bytes_cut},
                            {"seconds", static_cast<double>(recovery.took_us) / kSecond}});
    for (const std::string& note : recovery.notes) log::warn("recovery", {{"note", note}});
    engine_->on_failure([this](const std::string& why) {
      failed_ = true;
      log::error("storage failed; stopping", {{"why", why}});
      ::kill(::getpid(), SIGTERM);
    });
    service_->attach(*engine_, random_bytes<16>(), options_.start_paused);
    identity_->attach(*engine_);
    audit_log_.attach(*engine_);
    waitroom_.attach(*engine_);
    return Ok{};
  }

  /// Under identity oidc.
  Status make_outside_tokens() {
    if (options_.identity != identity::Mode::kOidc) return Ok{};
    const OidcOptions& oidc = options_.oidc;
    auto documents = IssuerDocuments::make(oidc.ca_file);
    if (!documents) return documents.error();
    issuer_documents_ = std::move(*documents);
    issuer_keys_ = std::make_unique<identity::IssuerKeys>(oidc.issuer, *issuer_documents_, clock_);
    outside_tokens_ = std::make_unique<identity::OidcTokens>(
        identity::ClaimRules{oidc.issuer, oidc.audience, oidc.role_claim, oidc.operators, oidc.admins},
        *issuer_keys_);
    return Ok{};
  }

  http::Router make_router() {
    http::Router router;
    gate_ = std::make_unique<identity::Gate>(*tokens_, clock_, options_.admin_secret,
                                             &identity_->revocations(), outside_tokens_.get());
    const identity::RouteContext people{*identity_,          *gate_,     *tokens_, identity_->revocations(),
                                        *passwords_,         *throttle_, clock_,   options_.identity,
                                        options_.oidc.issuer};
    identity::add_routes(router, people);
    intake::add_routes(
        router,
        {*service_, *gate_, options_.workers, !options_.work_url.empty(), [this](const intake::Webhook& to) {
           if (webhooks_ != nullptr) return webhooks_->check(to);
           return Status(
               invalid_argument("webhook cannot be set: this server was started without --webhook-secret"));
         }});
    const bool tls = !options_.tls_certificate_file.empty();
    add_event_page(router, {*service_, people, tls, options_.demo});
    if (options_.waitroom) waitroom_.add_routes(router, people, tls);
    ops::add_audit_routes(router, audit_log_, *gate_);
    ops::add_live_routes(router, live_feed_, *gate_);
    ops::add_routes(router, {[this] { return readiness(); }, metrics_sources()});
    add_pages(router, options_.demo);
    router.classify(route_class);
    return router;
  }

  std::vector<ops::Check> readiness() const {
    const journal::EngineStats stats = engine_->stats();
    std::vector<ops::Check> checks = {
        {"accepting", accepting_.load(), accepting_ ? "" : "starting or stopping"},
        {"journal", !stats.failed, stats.failed ? "a write failed" : ""},
        {"storage", !stats.storage_full, stats.storage_full ? "the disk is full" : ""}};
    if (issuer_keys_ != nullptr) {
      const bool has_keys = issuer_keys_->has_keys();
      checks.push_back({"identity", has_keys, has_keys ? "" : "the issuer's keys could not be fetched yet"});
    }
    return checks;
  }

  ops::LiveWork live_work() {
    WaitroomLive& lines = waitroom_.live();
    return {[this, &lines] {
              live_sampling_.tick();
              lines.tick();
            },
            [this, &lines] { return live_sampling_.waiting() || lines.waiting(); },
            [this, &lines] { return live_feed_.behind() || lines.behind(); },
            [this, &lines] {
              live_feed_.serve();
              lines.serve();
            }};
  }

  ops::LiveSampling live_sampling() {
    return {clock_,
            [this](UniqueFunction<void(std::optional<ops::LiveSample>)> done) {
              service_->metrics([done = std::move(done)](Result<intake::Metrics> metrics) mutable {
                done(metrics ? std::optional(live_sample(*metrics)) : std::nullopt);
              });
            },
            [this] { return http_metrics_->totals(); },
            [this](std::string point) { live_feed_.publish(std::move(point)); }};
  }

  std::vector<ops::MetricsSource> metrics_sources() {
    return {[this](UniqueFunction<void(std::string)> done) {
              std::string out;
              http_metrics_->render(out);
              ops::append_engine_metrics(out, engine_->stats(), engine_->recovery());
              http::append_rate_limit_metrics(out, *limits_.current());
              ops::append_process_metrics(out, clock_.steady_us() - started_us_, clock_.wall());
              ops::append_readiness_metric(out, readiness());
              ops::append_disk_metrics(out, options_.data_dir);
              if (outside_tokens_ != nullptr) {
                identity::append_oidc_metrics(out, issuer_keys_->stats(), outside_tokens_->stats());
              }
              done(std::move(out));
            },
            [this](UniqueFunction<void(std::string)> done) {
              service_->metrics([this, done = std::move(done)](Result<intake::Metrics> metrics) mutable {
                std::string out;
                if (metrics) intake::append_metrics(out, *metrics);
                if (http_work_ != nullptr) http_work_->append_metrics(out);
                done(std::move(out));
              });
            },
            waitroom_.metrics()};
  }

  ServeOptions options_;
  bool made_admin_secret_ = false;
  Micros started_us_ = 0;
  SystemClock clock_;
  intake::MachineConfig machine_config_;
  std::unique_ptr<identity::TokenAuthority> tokens_;
  std::unique_ptr<IssuerDocuments> issuer_documents_;
  std::unique_ptr<identity::IssuerKeys> issuer_keys_;  ///< under identity oidc, as the one above and below
  std::unique_ptr<identity::OidcTokens> outside_tokens_;
  std::unique_ptr<identity::Gate> gate_;
  ops::AuditLog audit_log_;  ///< outlives those that write to it
  WaitroomPart waitroom_{clock_, audit_log_};
  std::unique_ptr<intake::EmbeddedService> service_;
  std::unique_ptr<identity::EmbeddedIdentity> identity_;
  std::unique_ptr<identity::PasswordPool> passwords_;
  std::unique_ptr<identity::LoginThrottle> throttle_;
  std::unique_ptr<journal::Engine> engine_;
  intake::CapacityWork work_;
  std::unique_ptr<intake::HttpWork> http_work_;
  std::unique_ptr<intake::WorkerPool> workers_, http_workers_;
  std::unique_ptr<intake::HttpWebhooks> webhooks_;  ///< when there is a secret
  std::unique_ptr<ops::HttpMetrics> http_metrics_;
  LimitReload limits_;
  ops::LiveFeed live_feed_{clock_};  ///< its listeners' streams may be dropped after the server's end
  std::unique_ptr<http::Server> server_;
  ops::LiveSampling live_sampling_ = live_sampling();
  std::unique_ptr<ops::LiveSampler> live_sampler_;
  std::atomic<bool> accepting_{false};
  std::atomic<bool> failed_{false};
};

}  // namespace

journal::ReplicaFactory all_replicas(const intake::MachineConfig& config) {
  return [config] {
    std::vector<std::unique_ptr<journal::Replica>> replicas;
    replicas.push_back(std::make_unique<intake::MachineReplica>(config));
    replicas.push_back(std::make_unique<identity::MachineReplica>());
    replicas.push_back(std::make_unique<ops::AuditReplica>());
    replicas.push_back(std::make_unique<waitroom::MachineReplica>());
    return replicas;
  };
}

int serve(const ServeOptions& options, std::function<Result<ServeOptions>()> read_again) {
  log::configure(options.log_level, options.log_json);
  if (options.identity == identity::Mode::kOpen && !is_loopback(options.host) &&
      !options.i_know_login_is_open) {
    fmt::print(
        stderr,
        "spillway: open login on {} would let anyone in; listen on 127.0.0.1 or add --i-know-login-is-open\n",
        options.host);
    return kExitUsage;
  }
  const sigset_t signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  raise_descriptor_limit(options.max_connections);
  Process process(options, std::move(read_again));
  if (Status started = process.start(); !started) {
    fmt::print(stderr, "spillway: {}\n", started.error().message);
    return kExitCouldNotStart;
  }
  fmt::print("ready {}\n", process.url());
  std::fflush(stdout);
  std::thread demo;
  if (process.demo()) demo = std::thread([&process] { process.run_demo(); });

  int signal = 0;
  // A demonstration belongs to its terminal and ends with it.
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP && !process.demo()) process.reload();
  log::info("stopping", {{"signal", signal}});
  process.stop();
  if (demo.joinable()) demo.join();
  log::info("stopped");
  return process.failed() ? kExitStorageFailed : kExitStopped;
}

std::string list_routes() {
  Process process(ServeOptions{}, nullptr);
  std::string out;
  for (const auto& route : process.routes_only().routes()) {
    out += fmt::format("{} {}\n", name(route.method), route.pattern);
  }
  return out;
}

}  // namespace spillway::app
