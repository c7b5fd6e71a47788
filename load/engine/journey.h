#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/engine/task.h"
#include "load/engine/user.h"
#include "load/measure/metrics.h"
#include "load/measure/results.h"
#include "load/plan/plan.h"

namespace spillway::load {

/// What a journey is made with.
struct JourneyContext {
  const Scenario& scenario;
  std::string run_id;       ///< the same on all machines of a run, another each run
  std::string admin_token;  ///< empty on agents, and where none was given
  Recorder* recorder;       ///< null: nothing is recorded
};

/// What virtual users do. One object a scenario and thread, shared by the users there, and one more for what
/// is asked once: prepare, watch and judge. Single-threaded.
class Journey {
 public:
  virtual ~Journey() = default;

  /// Whether it can work with the settings that it was made with. Errors: invalid_argument, which names one.
  virtual Status check_settings() const { return Ok{}; }

  /// One iteration of one user.
  virtual Task<> iterate(User&) = 0;

  /// Once, before the load, by the steps of JourneyKind::errands. Errors are told, and end the run.
  virtual Task<Status> prepare(User&) { co_return Ok{}; }
  /// About once a second while the load lasts: what an operator sees. Whatever cannot be seen is left out.
  virtual Task<> watch(User&, std::map<std::string, double>& /*gauges*/) { co_return; }

  /// What was seen, for whoever judges. Called when no iteration runs any more.
  virtual std::string evidence() { return {}; }
  /// Adds the evidence of another object of the same journey.
  virtual Status absorb(std::string_view /*evidence*/) { return Ok{}; }
  /// Once, after the load: holds the evidence against what the server says now. `settle_s`: how long to wait
  /// for what is still under way.
  virtual Task<> judge(User&, double /*settle_s*/, std::vector<InvariantResult>&) { co_return; }
};

struct StepInfo {
  std::string_view name, method;
};

/// A journey that plans can name. To add one, add a file to load/journeys with a JourneyRegistration in it.
struct JourneyKind {
  std::string_view name;
  std::string_view description;   ///< one line
  std::vector<StepInfo> steps;    ///< of iterate(); Request::step is an index
  std::vector<StepInfo> errands;  ///< of prepare(), watch() and judge(); Request::step likewise
  std::vector<std::pair<std::string_view, std::string_view>> settings;  ///< name, what it is and its default
  std::vector<std::string_view> gauges;                                 ///< what watch() sees
  std::vector<std::string_view> invariants;                             ///< what judge() can tell
  std::unique_ptr<Journey> (*make)(const JourneyContext&);
};

struct JourneyRegistration {
  explicit JourneyRegistration(JourneyKind);
};

/// Sorted by name.
const std::vector<JourneyKind>& all_journeys();
/// Null when there is none.
const JourneyKind* find_journey(std::string_view name);

/// Reads settings; the first that is wrong is the error, and names it.
class SettingsReader {
 public:
  explicit SettingsReader(const Scenario& scenario) : scenario_(scenario) {}
  std::string text(const std::string& key, std::string fallback);
  double number(const std::string& key, double fallback, double min, double max);
  double seconds(const std::string& key, double fallback);
  bool flag(const std::string& key, bool fallback);
  /// Whether this value of a setting may stand in a path: 1 to 128 of A-Z a-z 0-9 . _ ~ -
  void id(const std::string& key, std::string_view value);
  /// The same of a path with its query: begins with a slash, and has no blank, control or fragment.
  void path(const std::string& key, std::string_view value);
  Status status() const;

 private:
  const std::string* find(const std::string& key) const;
  void refuse(const std::string& key, std::string_view what);
  const Scenario& scenario_;
  std::string error_;
};

/// What prepare() answers when the server did not do what it was asked for the sake of that setting.
Error not_prepared(std::string_view setting, std::string_view value, std::string_view asked, const Reply&);

/// Whether every setting of the scenario is one that its journey knows, or is the whole plan's: those are for
/// whichever journey knows them. Errors: invalid_argument.
Status check_settings(const Scenario&, const JourneyKind&, const Settings& of_plan);

}  // namespace spillway::load
