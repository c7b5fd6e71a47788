#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "load/engine/schedule.h"
#include "load/plan/plan.h"
#include "load/plan/plan_limits.h"

namespace spillway::load {
namespace {

const char* const kPlan = R"(name = "p"
base_url = "http://127.0.0.1:8080"
timeout = "5s"
[settings]
event = "E"
[scenarios.closed]
executor = "constant-vus"
journey = "j"
vus = 10
duration = "100s"
[scenarios.ramp]
executor = "ramping-vus"
journey = "j"
startVUs = 2
startTime = "10s"
stages = [{duration = "10s", target = 20}, {duration = "30s", target = 0}]
[scenarios.open]
executor = "constant-arrival-rate"
journey = "j"
rate = 50
duration = "20s"
preAllocatedVUs = 30
maxVUs = 60
[scenarios.each]
executor = "per-vu-iterations"
journey = "j"
iterations = 3
[thresholds]
"http_req_duration{name:enter}" = [
  "p(95)<200",
  {threshold = "p(99)<500", abortOnFail = true, warn = "p(99)<300"},
]
[[faults]]
kind = "kill"
at = "40s"
for = "5s"
[[faults]]
kind = "latency"
at = "60s"
for = "10s"
latency_ms = 20.5
[knee]
start = 10
most = 100
)";

/// Everything that a plan says but its text.
std::string described(const Plan& plan) {
  std::string out = fmt::format("{}|{}|{}|{}|{}|{}|{}|{}\n", plan.name, plan.title, plan.description,
                                fmt::join(plan.base_urls, ","), plan.source_addresses, plan.timeout_s,
                                plan.settle_s, fmt::join(plan.invariants, ","));
  const auto pairs = [&out](const auto& map) {
    for (const auto& [key, value] : map) out += fmt::format("{}={};", key, value);
    out += '\n';
  };
  pairs(plan.settings);
  for (const Scenario& s : plan.scenarios) {
    out += fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|", s.name, s.journey, name(s.executor), s.vus,
                       s.iterations, s.max_duration_s, s.duration_s, s.start_time_s, s.graceful_stop_s,
                       s.graceful_ramp_down_s, s.start_vus);
    out += fmt::format("{}|{}|{}|{}|{}|{}|", s.rate, s.start_rate, s.time_unit_s, s.pre_allocated_vus,
                       s.max_vus, static_cast<int>(s.late));
    for (const Stage& stage : s.stages) out += fmt::format("{}:{},", stage.duration_s, stage.target);
    pairs(s.tags);
    pairs(s.settings);
  }
  for (const Threshold& t : plan.thresholds)
    out += fmt::format("{}|{}|{}|{}|{}\n", t.metric, t.expression, t.abort_on_fail, t.delay_abort_eval_s,
                       t.warn);
  for (const Fault& f : plan.faults) {
    out += fmt::format("{}|{}|{}|", f.kind, f.at_s, f.for_s);
    pairs(f.numbers);
  }
  if (plan.knee)
    out +=
        fmt::format("{}|{}|{}|{}\n", plan.knee->start, plan.knee->factor, plan.knee->most, plan.knee->step_s);
  return out;
}

void expect_round_trip(const Plan& plan) {
  const Result<Plan> again = parse_plan(plan.text);
  ASSERT_TRUE(again) << again.error().message << "\n" << plan.text;
  EXPECT_EQ(described(*again), described(plan)) << plan.text;
}

Plan changed(const PlanChanges& changes) {
  Result<Plan> plan = parse_plan(kPlan, changes);
  EXPECT_TRUE(plan) << plan.error().message;
  if (!plan) return std::move(*parse_plan(kPlan));
  expect_round_trip(*plan);
  return std::move(*plan);
}

std::string refused(const PlanChanges& changes) {
  const Result<Plan> plan = parse_plan(kPlan, changes);
  return plan ? "no error" : plan.error().message;
}

PlanChanges set_to(std::string path, std::string value) {
  PlanChanges changes;
  changes.set.emplace_back(std::move(path), std::move(value));
  return changes;
}

TEST(PlanChangesTest, WithoutChangesTheTextIsWhatItWas) { EXPECT_EQ(changed({}).text, kPlan); }

TEST(PlanChangesTest, WritingItAgainChangesNothing) {
  const Result<Plan> plain = parse_plan(kPlan);
  ASSERT_TRUE(plain);
  const Plan same = changed(set_to("name", "p"));
  EXPECT_NE(same.text, kPlan);
  EXPECT_EQ(described(same), described(*plain));
}

TEST(PlanChangesTest, SetReachesEveryKindOfKey) {
  EXPECT_EQ(changed(set_to("scenarios.closed.vus", "500")).scenarios[0].vus, 500u);
  EXPECT_EQ(changed(set_to("scenarios.closed.duration", "30s")).scenarios[0].duration_s, 30);
  EXPECT_EQ(changed(set_to("scenarios.ramp.stages.1.target", "7")).scenarios[1].stages[1].target, 7);
  EXPECT_EQ(changed(set_to("scenarios.open.late", "wait")).scenarios[2].late, Late::kWait);
  EXPECT_EQ(changed(set_to("scenarios.open.tags.kind", "vip")).scenarios[2].tags.at("kind"), "vip");
  EXPECT_EQ(changed(set_to("scenarios.open.settings.event", "own")).scenarios[2].settings.at("event"), "own");
  EXPECT_EQ(changed(set_to("faults.0.at", "1s")).faults[0].at_s, 1);
  EXPECT_EQ(changed(set_to("knee.factor", "2")).knee->factor, 2);
  EXPECT_EQ(changed(set_to("title", "A \"quoted\" title")).title, "A \"quoted\" title");
  EXPECT_EQ(
      changed(set_to("thresholds.\"http_req_duration{name:enter}\".0", "p(95)<1")).thresholds[0].expression,
      "p(95)<1");
  const Plan more = changed(set_to("thresholds.checks", "['rate==1']"));
  EXPECT_EQ(more.thresholds.back().metric, "checks");
  EXPECT_EQ(more.thresholds.back().expression, "rate==1");
}

TEST(PlanChangesTest, ASettingIsTextAsItWasGiven) {
  EXPECT_EQ(changed(set_to("settings.share", "1.10")).settings.at("share"), "1.10");
  EXPECT_EQ(changed(set_to("settings.event", "007")).settings.at("event"), "007");
  EXPECT_EQ(changed(set_to("settings.event", "2026-01-02")).settings.at("event"), "2026-01-02");
  EXPECT_EQ(changed(set_to("settings.event", "'quoted'")).settings.at("event"), "quoted");
  EXPECT_EQ(changed(set_to("settings.event", "콘서트")).settings.at("event"), "콘서트");
  EXPECT_EQ(changed(set_to("settings.capacity", "500_000")).settings.at("capacity"), "500000");
  EXPECT_EQ(changed(set_to("settings.event", "a_b")).settings.at("event"), "a_b");
  EXPECT_EQ(changed(set_to("settings.event", "1_0.10")).settings.at("event"), "1_0.10");
}

TEST(PlanChangesTest, ATagIsTextAsItWasGiven) {
  const auto tag = [](std::string_view text) {
    return changed(set_to("scenarios.open.tags.build", std::string(text))).scenarios[2].tags.at("build");
  };
  EXPECT_EQ(tag("1.10"), "1.10");
  EXPECT_EQ(tag("007"), "007");
  EXPECT_EQ(tag("1_000"), "1_000");
  EXPECT_EQ(tag("'quoted'"), "quoted");
}

TEST(PlanChangesTest, SetOfWhatIsNotThereIsRefused) {
  EXPECT_EQ(
      refused(set_to("scenarios.closd.vus", "5")),
      "scenarios.closd: there is no such scenario; did you mean \"closed\"? Known: closed, ramp, open, each");
  EXPECT_EQ(refused(set_to("scenarios.closed.vu", "5")).substr(0, 48),
            "scenarios.closed.vu: constant-vus has no such ke");
  EXPECT_EQ(refused(set_to("tiemout", "5")).substr(0, 40), "tiemout: a plan has no such key; did you");
  EXPECT_EQ(refused(set_to("scenarios.ramp.stages.2.target", "5")),
            "scenarios.ramp.stages.2.target: there is no 2 in stages of 2");
  EXPECT_EQ(refused(set_to("scenarios.ramp.stages.x", "5")),
            "scenarios.ramp.stages.x: there is no x in stages of 2");
  EXPECT_EQ(refused(set_to("name.x", "5")), "name.x: name is a string, and has no keys");
  EXPECT_EQ(refused(set_to("scenarios.closed.vus", "many")),
            "scenarios.closed.vus: must be an integer, not a string");
  // A line break does not smuggle in a second key.
  EXPECT_EQ(refused(set_to("timeout", "5\nsettle = 1")).substr(0, 9), "timeout: ");
  for (const char* path : {"", ".", "a.", ".a", "a..b", "\"a", "\"a\"b"})
    EXPECT_NE(refused(set_to(path, "5")).find("is no path of a key"), std::string::npos) << path;
}

TEST(PlanChangesTest, BaseUrlsAreReplaced) {
  PlanChanges changes;
  changes.base_urls = {"http://10.0.0.1", "https://b.example/api"};
  EXPECT_EQ(changed(changes).base_urls, changes.base_urls);
  // Also where the file has none.
  EXPECT_TRUE(
      parse_plan("name='p'\n[scenarios.a]\nexecutor='constant-vus'\njourney='j'\nduration=1\n", changes));
  changes.base_urls = {"nowhere"};
  EXPECT_EQ(refused(changes), "base_url: \"nowhere\" must begin with http:// or https://");
}

TEST(PlanChangesTest, VusOfEveryScenario) {
  PlanChanges changes;
  changes.vus = 40;
  Plan plan = changed(changes);
  EXPECT_EQ(plan.scenarios[0].vus, 40u);
  EXPECT_EQ(plan.scenarios[1].start_vus, 4u);  // twice as many at its peak
  EXPECT_EQ(plan.scenarios[1].stages[0].target, 40);
  EXPECT_EQ(plan.scenarios[2].max_vus, 40u);
  EXPECT_EQ(plan.scenarios[2].pre_allocated_vus, 30u);
  EXPECT_EQ(plan.scenarios[3].vus, 40u);
  changes.vus = 5;
  plan = changed(changes);
  EXPECT_EQ(plan.scenarios[2].max_vus, 5u);
  EXPECT_EQ(plan.scenarios[2].pre_allocated_vus, 5u);
  changes.vus = 0;
  EXPECT_EQ(refused(changes), "vus: must be 1 to 1000000, not 0");
}

TEST(PlanChangesTest, DurationOfEveryScenario) {
  PlanChanges changes;
  changes.duration_s = 80;
  const Plan plan = changed(changes);
  for (const Scenario& scenario : plan.scenarios) EXPECT_DOUBLE_EQ(scenario.length_s(), 80) << scenario.name;
  EXPECT_EQ(plan.scenarios[1].stages[0].duration_s, 20);
  EXPECT_EQ(plan.scenarios[1].start_time_s, 10);
  EXPECT_EQ(plan.faults[0].at_s, 40);
  changes.duration_s = 20;
  EXPECT_EQ(refused(changes), "faults[0].at: 40 s, but the load ends after 30 s (--scale-time moves both)");
  changes.duration_s = 0;
  EXPECT_EQ(refused(changes), "duration: must be more than 0 and at most 604800 s, not 0 s");
}

TEST(PlanChangesTest, ScaleTimeMovesEverythingOnTheAxis) {
  PlanChanges changes;
  changes.scale_time = 0.1;
  const Plan plan = changed(changes);
  EXPECT_EQ(plan.scenarios[0].duration_s, 10);
  EXPECT_EQ(plan.scenarios[1].start_time_s, 1);
  EXPECT_EQ(plan.scenarios[1].stages[1].duration_s, 3);
  EXPECT_EQ(plan.scenarios[1].graceful_ramp_down_s, 30);
  EXPECT_EQ(plan.scenarios[2].graceful_stop_s, 30);
  EXPECT_EQ(plan.scenarios[2].rate, 50);
  EXPECT_EQ(plan.scenarios[3].max_duration_s, 60);
  EXPECT_EQ(plan.faults[1].at_s, 6);
  EXPECT_EQ(plan.faults[1].for_s, 1);
  EXPECT_EQ(plan.knee->step_s, 3);
  for (const double scale : {0.0, -1.0, 1e9}) {
    changes.scale_time = scale;
    EXPECT_EQ(refused(changes).substr(0, 11), "scale_time:") << scale;
  }
}

TEST(PlanChangesTest, TheLargestPlanIsStillOneAfterIt) {
  std::string plan = "name = 'p'\nbase_url = 'http://a'\ndescription = '" + std::string(4'000, '.') + "'\n";
  plan += "[scenarios.a]\nexecutor = 'ramping-vus'\njourney = 'j'\nstages = [";
  for (std::size_t i = 0; i < limits::kMaxStages; ++i) plan += "{duration = '5s', target = 1},\n";
  PlanChanges changes;
  changes.scale_time = 0.3;
  const Result<Plan> scaled = parse_plan(plan + "]\n", changes);
  ASSERT_TRUE(scaled) << scaled.error().message;
  expect_round_trip(*scaled);
}

TEST(PlanChangesTest, AllAtOnceInTheirOrder) {
  PlanChanges changes = set_to("scenarios.closed.vus", "7");
  changes.vus = 9;
  changes.duration_s = 200;
  changes.scale_time = 0.5;
  const Plan plan = changed(changes);
  EXPECT_EQ(plan.scenarios[0].vus, 9u);
  EXPECT_EQ(plan.scenarios[0].duration_s, 100);
}

TEST(ShippedPlansTest, EveryOneIsSoundAndSoIsItsRehearsal) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SPILLWAY_SOURCE_DIR "/load/plans"))
    count += entry.path().extension() == ".toml" ? 1 : 0;
  EXPECT_EQ(shipped_plans().size(), count);
  EXPECT_GE(count, 17u);
  for (const auto& [shipped, text] : shipped_plans()) {
    const Result<Plan> plan = parse_plan(text);
    ASSERT_TRUE(plan) << shipped << ": " << plan.error().message;
    EXPECT_EQ(plan->name, shipped);
    EXPECT_FALSE(plan->description.empty()) << shipped;
    EXPECT_FALSE(plan->thresholds.empty()) << shipped;
    EXPECT_EQ(plan->knee.has_value(), shipped.starts_with("find-the-knee")) << shipped;
    expect_round_trip(*plan);
    PlanChanges rehearsal;
    rehearsal.scale_time = 0.01;
    const Result<Plan> scaled = parse_plan(text, rehearsal);
    ASSERT_TRUE(scaled) << shipped << ": " << scaled.error().message;
    EXPECT_NEAR(scaled->length_s(), plan->length_s() / 100, 1e-6) << shipped;
    expect_round_trip(*scaled);
  }
}

TEST(ShippedPlansTest, StagesAreThoseOfTheTable) {
  struct Row {
    const char* stage;
    std::uint64_t first, most;
    double minutes;
    std::size_t faults;
  };
  for (const Row& row : {Row{"stage-0", 200, 500, 10, 0}, Row{"stage-1", 2'000, 5'000, 20, 0},
                         Row{"stage-2", 10'000, 20'000, 30, 0}, Row{"stage-3", 50'000, 100'000, 30, 1}}) {
    for (const char* service : {"-intake", "-waitroom"}) {
      const Result<std::string> text = read_plan(std::string(row.stage) + service);
      ASSERT_TRUE(text);
      const Result<Plan> plan = parse_plan(*text);
      ASSERT_TRUE(plan);
      EXPECT_EQ(VuSchedule(plan->scenarios[0]).target(0), row.first) << row.stage << service;
      EXPECT_EQ(plan->most_vus(), row.most);
      EXPECT_EQ(plan->length_s(), row.minutes * 60);
      EXPECT_EQ(plan->faults.size(), row.faults);
    }
  }
}

TEST(ShippedPlansTest, AFaultOfTheProxyIsOnlyWhereItCanTakeEverybody) {
  constexpr std::uint64_t kMostConnections = 20'000;  // of load/faults/tcp_proxy
  std::size_t through_the_proxy = 0;
  for (const auto& [shipped, text] : shipped_plans()) {
    const Result<Plan> plan = parse_plan(text);
    ASSERT_TRUE(plan) << shipped;
    const bool proxy = std::any_of(plan->faults.begin(), plan->faults.end(),
                                   [](const Fault& fault) { return !fault.on_process(); });
    if (!proxy) continue;
    ++through_the_proxy;
    EXPECT_LE(plan->most_vus(), kMostConnections) << shipped;
    EXPECT_EQ(plan->base_urls.size(), 1u) << shipped;
  }
  EXPECT_EQ(through_the_proxy, 2u);
}

TEST(ReadPlanTest, AShippedOneAFileOrAClearError) {
  const Result<std::string> shipped = read_plan("intake");
  ASSERT_TRUE(shipped);
  EXPECT_NE(shipped->find("EVT-009"), std::string::npos);
  const std::string path = testing::TempDir() + "plan_test_a_file.toml";
  std::ofstream(path) << kPlan;
  const Result<std::string> file = read_plan(path);
  ASSERT_TRUE(file);
  EXPECT_EQ(*file, kPlan);
  std::ofstream(path) << std::string(limits::kMaxPlanBytes + 1, '\n');
  EXPECT_EQ(read_plan(path).error().code, ErrorCode::kInvalidArgument);
  std::remove(path.c_str());
  for (const std::string& nothing : {path, testing::TempDir(), std::string()})
    EXPECT_EQ(read_plan(nothing).error().code, ErrorCode::kNotFound) << nothing;
  EXPECT_NE(read_plan("intak").error().message.find("did you mean \"intake\"?"), std::string::npos);
}

TEST(LoadPlansDocumentTest, ItsExampleIsAPlan) {
  std::ifstream file(SPILLWAY_SOURCE_DIR "/docs/load-plans.md");
  const std::string document(std::istreambuf_iterator<char>(file), {});
  const std::size_t begin = document.find("```toml\n");
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = document.find("```", begin + 8);
  const Result<Plan> plan = parse_plan(document.substr(begin + 8, end - begin - 8));
  ASSERT_TRUE(plan) << plan.error().message;
  expect_round_trip(*plan);
}

}  // namespace
}  // namespace spillway::load
