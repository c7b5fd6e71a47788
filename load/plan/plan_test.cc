#include "load/plan/plan.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "load/plan/plan_limits.h"

namespace spillway::load {
namespace {

const std::string kHead = "name = 'p'\nbase_url = 'http://127.0.0.1:8080'\n";
const std::string kPeople = "[scenarios.people]\nexecutor = 'constant-vus'\njourney = 'j'\nduration = '1m'\n";

std::string error_of(const std::string& toml, const PlanChanges& changes = {}) {
  const Result<Plan> plan = parse_plan(toml, changes);
  return plan ? "no error" : plan.error().message;
}

std::string scenario(const std::string& executor, const std::string& lines) {
  return kHead + "[scenarios.people]\nexecutor = '" + executor + "'\njourney = 'j'\n" + lines;
}

TEST(PlanTest, TheDefaultsAreThoseOfK6) {
  const Result<Plan> plan = parse_plan(kHead + kPeople);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->title, "p");
  EXPECT_EQ(plan->base_urls, std::vector<std::string>{"http://127.0.0.1:8080"});
  EXPECT_EQ(plan->invariants, std::vector<std::string>{"all"});
  EXPECT_EQ(plan->timeout_s, 60);
  EXPECT_EQ(plan->text, kHead + kPeople);
  ASSERT_EQ(plan->scenarios.size(), 1u);
  const Scenario& people = plan->scenarios[0];
  EXPECT_EQ(people.name, "people");
  EXPECT_EQ(people.vus, 1u);
  EXPECT_EQ(people.duration_s, 60);
  EXPECT_EQ(people.graceful_stop_s, 30);
  EXPECT_EQ(plan->length_s(), 60);
  EXPECT_EQ(plan->most_vus(), 1u);
}

TEST(PlanTest, EveryExecutorReadsItsKeys) {
  const auto read = [](const std::string& executor, const std::string& lines) {
    Result<Plan> plan = parse_plan(scenario(executor, lines));
    EXPECT_TRUE(plan) << executor << ": " << (plan ? "" : plan.error().message);
    return plan ? plan->scenarios[0] : Scenario{};
  };
  const Scenario shared = read("shared-iterations", "vus = 3\niterations = 9\nmaxDuration = '1m30s'\n");
  EXPECT_EQ(shared.vus, 3u);
  EXPECT_EQ(shared.iterations, 9u);
  EXPECT_EQ(shared.length_s(), 90);
  EXPECT_EQ(read("per-vu-iterations", "vus = 3\niterations = 1\n").max_duration_s, 600);
  const Scenario ramp =
      read("ramping-vus",
           "startVUs = 2\nstages = [{duration = '10s', target = 5}, {duration = 0, target = 1}]\n"
           "gracefulRampDown = '5s'\ngracefulStop = 0\nstartTime = 1.5\n");
  EXPECT_EQ(ramp.start_vus, 2u);
  EXPECT_EQ(ramp.most_vus(), 5u);
  EXPECT_EQ(ramp.length_s(), 10);
  EXPECT_EQ(ramp.graceful_ramp_down_s, 5);
  EXPECT_EQ(ramp.graceful_stop_s, 0);
  EXPECT_EQ(ramp.start_time_s, 1.5);
  const Scenario rate =
      read("constant-arrival-rate",
           "rate = 30\ntimeUnit = '1m'\nduration = '10s'\npreAllocatedVUs = 4\nlate = 'wait'\n"
           "tags = {kind = 'vip'}\n");
  EXPECT_EQ(rate.rate, 30);
  EXPECT_EQ(rate.time_unit_s, 60);
  EXPECT_EQ(rate.max_vus, 4u);
  EXPECT_EQ(rate.late, Late::kWait);
  EXPECT_EQ(rate.tags.at("kind"), "vip");
  const Scenario ramping =
      read("ramping-arrival-rate",
           "startRate = 1\nstages = [{duration = '1s', target = 0.5}]\npreAllocatedVUs = 0\n");
  EXPECT_EQ(ramping.start_rate, 1);
  EXPECT_EQ(ramping.stages[0].target, 0.5);
  EXPECT_EQ(ramping.max_vus, 1u);
}

TEST(PlanTest, ThresholdsFaultsKneeAndSettings) {
  const Result<Plan> plan = parse_plan(
      kHead + "invariants = ['a', 'exactly N winners']\n[settings]\nevent = 'E'\ncapacity = 100\n" + kPeople +
      "settings = {event = 'own', poll_to_end = true}\n[thresholds]\n'http_req_duration{name:enter}' = "
      "['p(95)<200', {threshold = 'p(99)<500', abortOnFail = true, delayAbortEval = '10s', warn = "
      "'p(99)<300'}]\n"
      "checks = 'rate==1'\n[[faults]]\nkind = 'latency'\nat = '20s'\nfor = '5s'\nlatency_ms = 50\n"
      "[knee]\nstart = 10\nmost = 1000\n");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->invariants, (std::vector<std::string>{"a", "exactly N winners"}));
  EXPECT_EQ(plan->settings, (Settings{{"capacity", "100"}, {"event", "E"}}));
  EXPECT_EQ(plan->scenarios[0].settings,
            (Settings{{"capacity", "100"}, {"event", "own"}, {"poll_to_end", "true"}}));
  ASSERT_EQ(plan->thresholds.size(), 3u);
  EXPECT_EQ(plan->thresholds[0].expression, "p(95)<200");
  EXPECT_EQ(plan->thresholds[1].metric, "http_req_duration{name:enter}");
  EXPECT_TRUE(plan->thresholds[1].abort_on_fail);
  EXPECT_EQ(plan->thresholds[1].delay_abort_eval_s, 10);
  EXPECT_EQ(plan->thresholds[1].warn, "p(99)<300");
  EXPECT_EQ(plan->thresholds[2].metric, "checks");
  ASSERT_EQ(plan->faults.size(), 1u);
  EXPECT_EQ(plan->faults[0].numbers, (std::map<std::string, double>{{"latency_ms", 50}}));
  EXPECT_FALSE(plan->faults[0].on_process());
  ASSERT_TRUE(plan->knee);
  EXPECT_EQ(plan->knee->factor, 1.5);
  EXPECT_EQ(plan->knee->step_s, 30);
}

TEST(PlanTest, ScenariosStayInTheOrderOfTheFile) {
  const Result<Plan> plan = parse_plan(kHead +
                                       "[scenarios.zebra]\nexecutor='constant-vus'\njourney='j'\nduration=1\n"
                                       "[scenarios.ant]\nexecutor='constant-vus'\njourney='j'\nduration=1\n");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->scenarios[0].name, "zebra");
  EXPECT_EQ(plan->scenarios[1].name, "ant");
}

TEST(PlanTest, VirtualUsersOfScenariosOneAfterTheOtherAreNotAddedUp) {
  const auto most = [](const std::string& second_start) {
    const std::string one = "executor='constant-vus'\njourney='j'\nduration=10\nvus=5\ngracefulStop=2\n";
    const Result<Plan> plan = parse_plan(kHead + "[scenarios.a]\n" + one + "[scenarios.b]\n" + one +
                                         "startTime=" + second_start + "\n");
    return plan ? plan->most_vus() : 0;
  };
  EXPECT_EQ(most("0"), 10u);
  EXPECT_EQ(most("11.9"), 10u);  // the first may still be stopping
  EXPECT_EQ(most("12"), 5u);
}

struct Wrong {
  std::string toml, error;  // the error contains it
};

void expect_errors(const std::vector<Wrong>& table) {
  for (const Wrong& wrong : table)
    EXPECT_NE(error_of(wrong.toml).find(wrong.error), std::string::npos)
        << wrong.toml << "\nsays: " << error_of(wrong.toml) << "\nand not: " << wrong.error;
}

TEST(PlanTest, UnknownKeysAreNamedWithTheNearestOne) {
  expect_errors({
      {kHead + "tilte = 'x'\n" + kPeople,
       "tilte: a plan has no such key; did you mean \"title\"? Known: name, title"},
      {scenario("constant-vus", "durration = '1m'\n"),
       "scenarios.people.durration: constant-vus has no such key; did you mean \"duration\"? Known: "
       "executor, journey"},
      {scenario("constant-vus", "duration = 1\nrate = 5\n"),
       "scenarios.people.rate: constant-vus has no such key."},
      {scenario("constant-vus", "duration = 1\nlate = 'wait'\n"),
       "scenarios.people.late: constant-vus has no such"},
      {scenario("constant-vus", "duration = 1\nexec = 'x'\n"), "scenarios.people.exec: is k6's; here"},
      {scenario("constant-vus", "duration = 1\nenv = {A = 'x'}\n"), "scenarios.people.env: is k6's; what"},
      {scenario("ramping-vus", "stages = [{duraton = 1, target = 1}]\n"),
       "scenarios.people.stages[0].duraton: a stage has no such key; did you mean \"duration\"?"},
      {scenario("constant-vu", "duration = 1\n"),
       "scenarios.people.executor: there is no \"constant-vu\"; did you mean \"constant-vus\"?"},
      {kHead + kPeople + "[thresholds]\nchecks = [{threshold = 'rate==1', abortonfail = true}]\n",
       "thresholds.\"checks\"[0].abortonfail: a threshold has no such key; did you mean \"abortOnFail\"?"},
      {kHead + kPeople + "[[faults]]\nkind = 'kil'\nat = 1\nfor = 1\n",
       "faults[0].kind: there is no \"kil\"; did you"},
      {kHead + kPeople + "[[faults]]\nkind = 'kill'\nat = 1\nfor = 1\nlatency_ms = 1\n",
       "faults[0].latency_ms: a fault has no such key."},
      {kHead + kPeople + "[knee]\nstart = 1\nmost = 2\nsteps = 3\n",
       "knee.steps: the knee has no such key; did you"},
  });
}

TEST(PlanTest, WhatIsMissingIsNamed) {
  expect_errors({
      {"base_url = 'http://a'\n" + kPeople, "name: is missing"},
      {"name = 'p'\n" + kPeople, "base_url: is missing"},
      {kHead, "scenarios: is missing"},
      {kHead + "[scenarios]\n", "scenarios: must have at least one"},
      {kHead + "[scenarios.people]\njourney = 'j'\n", "scenarios.people.executor: is missing"},
      {kHead + "[scenarios.people]\nexecutor = 'constant-vus'\nduration = 1\n",
       "scenarios.people.journey: is missing"},
      {scenario("constant-vus", ""), "scenarios.people.duration: is missing, and constant-vus needs it"},
      {scenario("ramping-vus", ""), "scenarios.people.stages: is missing"},
      {scenario("ramping-vus", "stages = []\n"), "scenarios.people.stages: must have at least one"},
      {scenario("ramping-vus", "stages = [{duration = 1}]\n"),
       "scenarios.people.stages[0].target: is missing"},
      {scenario("ramping-vus", "stages = [{target = 1}]\n"),
       "scenarios.people.stages[0].duration: is missing"},
      {scenario("constant-arrival-rate", "duration = 1\npreAllocatedVUs = 1\n"),
       "scenarios.people.rate: is missing"},
      {scenario("constant-arrival-rate", "rate = 1\npreAllocatedVUs = 1\n"),
       "scenarios.people.duration: is missing"},
      {scenario("constant-arrival-rate", "rate = 1\nduration = 1\n"),
       "scenarios.people.preAllocatedVUs: is missing"},
      {scenario("ramping-arrival-rate", "preAllocatedVUs = 1\n"), "scenarios.people.stages: is missing"},
      {kHead + kPeople + "[thresholds]\nchecks = [{warn = 'x'}]\n",
       "thresholds.\"checks\"[0].threshold: is missing"},
      {kHead + kPeople + "[[faults]]\nat = 1\nfor = 1\n", "faults[0].kind: is missing"},
      {kHead + kPeople + "[[faults]]\nkind = 'kill'\nfor = 1\n", "faults[0].at: is missing"},
      {kHead + kPeople + "[[faults]]\nkind = 'latency'\nat = 1\nfor = 1\n",
       "faults[0].latency_ms: is missing"},
      {kHead + kPeople + "[knee]\nmost = 2\n", "knee.start: is missing"},
  });
}

TEST(PlanTest, WrongKindsAndSizesAreNamed) {
  expect_errors({
      {kHead + "title = 5\n" + kPeople, "title: must be a string, not an integer"},
      {kHead + "title = ''\n" + kPeople, "title: must not be empty"},
      {"name = 'a b'\nbase_url = 'http://a'\n" + kPeople, "name: has only A-Z"},
      {kHead + "timeout = 0\n" + kPeople, "timeout: must be more than 0"},
      {kHead + "timeout = '1x'\n" + kPeople, "timeout: \"1x\" is no duration"},
      {kHead + "timeout = true\n" + kPeople, "timeout: must be a duration (\"30s\"), not true or false"},
      {kHead + "source_addresses = 251\n" + kPeople, "source_addresses: must be at most 250, not 251"},
      {kHead + "invariants = [1]\n" + kPeople,
       "invariants: must be a string or an array of strings, not an integer"},
      {kHead + "settings = {a = [1]}\n" + kPeople,
       "settings.a: must be a string, a number, true or false, not an"},
      {kHead + "scenarios = 5\n", "scenarios: must be a table, not an integer"},
      {kHead + "[scenarios]\npeople = 5\n", "scenarios.people: must be a table, not an integer"},
      {kHead + "[scenarios.'a b']\nexecutor = 'constant-vus'\n", "scenarios.a b: a scenario's name"},
      {scenario("constant-vus", "duration = 1\nvus = 0\n"),
       "scenarios.people.vus: must be at least 1, not 0"},
      {scenario("constant-vus", "duration = 1\nvus = -1\n"),
       "scenarios.people.vus: must be at least 1, not -1"},
      {scenario("constant-vus", "duration = 1\nvus = 1.5\n"),
       "scenarios.people.vus: must be an integer, not a number"},
      {scenario("constant-vus", "duration = 1\nvus = 1_000_001\n"),
       "scenarios.people.vus: must be at most 1000000"},
      {scenario("constant-vus", "duration = 1\nvus = 9223372036854775807\n"),
       "scenarios.people.vus: must be at most"},
      {scenario("constant-vus", "duration = 0\n"), "scenarios.people.duration: must be more than 0"},
      {scenario("constant-vus", "duration = -1\n"), "scenarios.people.duration: must be more than 0"},
      {scenario("constant-vus", "duration = '-1s'\n"), "scenarios.people.duration: \"-1s\" is no duration"},
      {scenario("constant-vus", "duration = nan\n"), "scenarios.people.duration: must be a finite number"},
      {scenario("constant-vus", "duration = '169h'\n"),
       "scenarios.people.duration: must be at most 604800 s"},
      {scenario("constant-vus", "duration = '168h'\nstartTime = 1\n"),
       "scenarios.people: startTime and length"},
      {scenario("shared-iterations", "vus = 2\n"), "scenarios.people.iterations: 1 for 2 vus"},
      {scenario("per-vu-iterations", "iterations = 0\n"), "scenarios.people.iterations: must be at least 1"},
      {scenario("ramping-vus", "startVUs = 0\nstages = [{duration = 1, target = 0}]\n"),
       "scenarios.people.stages: either startVUs"},
      {scenario("ramping-vus", "stages = [{duration = 0, target = 9}]\n"),
       "scenarios.people.stages: last 0 s"},
      {scenario("ramping-vus", "stages = [{duration = 1, target = 1.5}]\n"),
       "scenarios.people.stages[0].target: must be an integer"},
      {scenario("ramping-vus", "stages = [5]\n"), "scenarios.people.stages[0]: must be a table"},
      {scenario("constant-arrival-rate", "rate = 0\nduration = 1\npreAllocatedVUs = 1\n"),
       "scenarios.people.rate: must be more than 0"},
      {scenario("constant-arrival-rate", "rate = 10_000_001\nduration = 1\npreAllocatedVUs = 1\n"),
       "scenarios.people.rate: must be at most 10000000"},
      {scenario("constant-arrival-rate",
                "rate = 20_000\ntimeUnit = '1ms'\nduration = 1\npreAllocatedVUs = 1\n"),
       "scenarios.people.rate: must be at most 10000, not 20000"},
      {scenario("constant-arrival-rate", "rate = 1\ntimeUnit = 0\nduration = 1\npreAllocatedVUs = 1\n"),
       "scenarios.people.timeUnit: must be more than 0"},
      {scenario("constant-arrival-rate", "rate = 1\nduration = 1\npreAllocatedVUs = 5\nmaxVUs = 4\n"),
       "scenarios.people.maxVUs: must not be less than preAllocatedVUs (5)"},
      {scenario("constant-arrival-rate", "rate = 1\nduration = 1\npreAllocatedVUs = 5\nlate = 'never'\n"),
       "scenarios.people.late: must be \"drop\" or \"wait\", not \"never\""},
      {scenario("ramping-arrival-rate", "stages = [{duration = 1, target = 0}]\npreAllocatedVUs = 5\n"),
       "scenarios.people.stages: either startRate"},
  });
}

TEST(PlanTest, WrongThresholdsFaultsAndKneesAreNamed) {
  expect_errors({
      {kHead + kPeople + "[thresholds]\nchecks = 5\n",
       "thresholds.\"checks\"[0]: must be \"p(95)<200\" or a table"},
      {kHead + kPeople + "[thresholds]\nchecks = []\n", "thresholds.\"checks\": must not be empty"},
      {kHead + kPeople + "[[faults]]\nkind = 'kill'\nat = '60s'\nfor = 1\n",
       "faults[0].at: 60 s, but the load ends"},
      {kHead + kPeople + "[[faults]]\nkind = 'kill'\nat = 1\nfor = 0\n",
       "faults[0].for: must be more than 0"},
      {kHead + kPeople + "[[faults]]\nkind = 'reset'\nat = 1\nfor = 1\npercent = 101\n",
       "faults[0].percent: must be at"},
      {kHead + "faults = [5]\n" + kPeople, "faults[0]: must be a table"},
      {kHead + kPeople + "[knee]\nstart = 5\nmost = 4\n", "knee.most: must be at least 5"},
      {kHead + kPeople + "[knee]\nstart = 1\nmost = 4\nfactor = 1\n", "knee.factor: must be more than 1"},
      {kHead + kPeople + "[knee]\nstart = 1\nmost = 1000000\nfactor = 1.0001\n",
       "knee.factor: from start to most are"},
  });
}

TEST(PlanTest, BaseUrls) {
  const auto with = [](const std::string& url) { return "name = 'p'\nbase_url = " + url + "\n" + kPeople; };
  for (const char* good : {"'http://a'", "'https://a.example:443'", "'http://[::1]:80/api/v1'",
                           "'http://a:1/~x'", "['http://127.0.0.1:1', 'http://127.0.0.1:2']"})
    EXPECT_EQ(error_of(with(good)), "no error") << good;
  for (const char* bad : {"'ftp://a'",
                          "'a'",
                          "''",
                          "'http://'",
                          "'http://:80'",
                          "'http://a:0'",
                          "'http://a:65536'",
                          "'http://a:'",
                          "'http://a:8o'",
                          "'http://a/'",
                          "'http://a/b/'",
                          "'http://a?x=1'",
                          "'http://a#x'",
                          "'http://u:p@a'",
                          "'http://u@a/x'",
                          "'http://a b'",
                          "'http://a/b c'",
                          "'http://[::1'",
                          "[]",
                          "5",
                          "[5]",
                          "\"http://a/\\r\\nX: y\""})
    EXPECT_EQ(error_of(with(bad)).substr(0, 9), "base_url:") << bad << " " << error_of(with(bad));
  EXPECT_EQ(error_of(with("'http://u:secret@a'")).find("secret"), std::string::npos);
}

TEST(PlanTest, WhatIsNoTomlIsToldWithLineAndColumn) {
  EXPECT_EQ(error_of("name = 'p'\nbase_url = \n").substr(0, 15), "line 2, column ");
  EXPECT_NE(error_of("a = 1\na = 2\n").find("line 2"), std::string::npos);
  EXPECT_EQ(error_of(""), "name: is missing, and a plan needs it");
}

TEST(PlanTest, WhatIsTooMuchIsRefused) {
  EXPECT_NE(error_of(std::string(limits::kMaxPlanBytes + 1, '\n')).find("at most 1048576"),
            std::string::npos);
  std::string deep = "a = ", dotted = "a";
  for (int i = 0; i < 100; ++i) deep += "[";
  for (int i = 0; i < 100; ++i) deep += "]";
  EXPECT_EQ(error_of(deep), "nested deeper than 16");
  for (int i = 0; i < 16; ++i) dotted += ".a";
  EXPECT_EQ(error_of(dotted + " = 1"), "nested deeper than 16");
  for (int i = 0; i < 500'000; ++i) dotted += ".a";
  for (const char* before : {"", "[", "x = {", "x = ''\n", "x = '\\'\n", "x = \"\\\"\"\n", "# '\n",
                             "x = '''\"'''\n", "x = '''''''''\n", "x = \"\"\"'\n\\\"\"\"\"\n"})
    EXPECT_EQ(error_of(before + dotted + " = 1"), "a key has more than 16 dots") << before;
  std::string many = kHead;
  for (std::size_t i = 0; i <= limits::kMaxScenarios; ++i)
    many +=
        "[scenarios.s" + std::to_string(i) + "]\nexecutor = 'constant-vus'\njourney = 'j'\nduration = 1\n";
  EXPECT_EQ(error_of(many), "scenarios: has 65 scenarios, at most 64");
  std::string stages = "stages = [";
  for (std::size_t i = 0; i <= limits::kMaxStages; ++i) stages += "{duration = 1, target = 1},";
  EXPECT_EQ(error_of(scenario("ramping-vus", stages + "]\n")),
            "scenarios.people.stages: has 1001 stages, at most 1000");
  const std::string million = "executor = 'constant-vus'\njourney = 'j'\nduration = 1\nvus = 1_000_000\n";
  EXPECT_EQ(error_of(kHead + "[scenarios.a]\n" + million + "[scenarios.b]\n" + million),
            "scenarios: 2000000 virtual users at once, at most 1000000");
}

TEST(PlanTest, DotsThatNestNothingAreNoKey) {
  const std::string dots(200, '.');
  std::string stages = "stages = [";
  for (int i = 0; i < 1'000; ++i) stages += "{duration = 0.5, target = 1},";
  EXPECT_EQ(
      error_of("# " + dots + "\ndescription = \"" + dots + "\"\n" + scenario("ramping-vus", stages + "]\n")),
      "no error");
  EXPECT_EQ(error_of("description = \"\"\"a \\\" " + dots + "\n'" + dots + "\"\"\"\n" + kHead + kPeople),
            "no error");
}

TEST(PlanTest, Durations) {
  const std::vector<std::pair<const char*, double>> good = {
      {"90s", 90},     {"1m30s", 90}, {"500ms", 0.5}, {"1h", 3600},      {"1d2h", 93600},
      {"0", 0},        {"0s", 0},     {"1.5h", 5400}, {"12", 12},        {"2.5", 2.5},
      {"100us", 1e-4}, {"1µs", 1e-6}, {"5ns", 5e-9},  {"1m1ms", 60.001},
  };
  for (const auto& [text, seconds] : good) {
    const Result<double> read = parse_duration(text);
    ASSERT_TRUE(read) << text;
    EXPECT_DOUBLE_EQ(*read, seconds) << text;
  }
  for (const char* text : {"", "s", "1x", "-1s", "+1s", "1e3", "1e3s", "inf", "nan", "1m30", "1 s", " 1s",
                           "1s ", ".", "1..2s", "1.2.3", "0x10", "1sec", "1S"})
    EXPECT_FALSE(parse_duration(text)) << text;
  EXPECT_FALSE(parse_duration(std::string(100'000, '1')));
}

}  // namespace
}  // namespace spillway::load
