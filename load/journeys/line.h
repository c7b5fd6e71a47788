#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "load/engine/journey.h"
#include "load/engine/json_body.h"
#include "load/journeys/violations.h"

namespace spillway::load {

/// One person's place in a line, and what they were told of it.
struct Place {
  std::string token;
  std::string status;
  double position = -1;
  double poll_after_s = 1;
  double number = 0;                ///< of arrival, where the receipt was asked for
  std::int64_t heard_ns = 0;        ///< when the last answer came
  bool counted_in = false;          ///< among those who were told that they are in
  std::uint64_t* in_now = nullptr;  ///< where it is counted

  Place() = default;
  ~Place() {
    if (counted_in) --*in_now;  // nobody follows this person any more
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
};

/// What the journeys through a waiting room have in common: the settings, what an operator sees, and holding
/// every answer against what was told before. See ../../docs/load-testing.md for the invariants.
class LineJourney : public Journey {
 public:
  /// `follows`: whether iterations go on until people are let in, so that the order can be judged.
  LineJourney(const JourneyContext&, bool follows);

  Status check_settings() const override { return settings_; }
  Task<Status> prepare(User&) override;
  Task<> watch(User&, std::map<std::string, double>& gauges) override;
  std::string evidence() override;
  Status absorb(std::string_view) override;
  Task<> judge(User&, double settle_s, std::vector<InvariantResult>&) override;

  static const std::vector<StepInfo>& steps();
  static const std::vector<StepInfo>& errands();
  static const std::vector<std::pair<std::string_view, std::string_view>>& settings();
  static const std::vector<std::string_view>& invariants(bool follows);

 protected:
  enum Step : std::size_t { kEnter, kPoll, kActivate, kRemove, kReceipt };

  /// Enters under a name nobody had, perhaps a second time, and perhaps asks for the receipt. False when
  /// there is no place in the end.
  Task<bool> enter(User&, Place&);
  /// One of kPoll, kActivate, kRemove. False when there was no good answer.
  Task<bool> ask(User&, Place&, Step);
  /// A crowd that was refused must not come back as one.
  static Task<> come_back_later(User&);
  /// One who is not in any more, or is about to ask to leave.
  void count_out(Place&);

  Recorder& recorder() { return *recorder_; }
  double stay_min_s() const { return stay_min_s_; }
  double stay_max_s() const { return stay_max_s_; }
  Recorder::SeriesId removal_success() const { return removal_success_; }
  Recorder::SeriesId activation_wait() const { return activation_wait_; }

 private:
  bool hear(Place&, const JsonBody& data, std::int64_t asked_ns, std::int64_t now_ns);
  void hold_order(Place&, std::int64_t asked_ns, std::int64_t now_ns);

  const std::string admin_token_;
  Recorder* const recorder_;
  std::string concert_;
  bool new_line_ = true;  // made by this run
  double max_active_ = 0, ready_s_ = 0, active_s_ = 0, re_enter_ = 0, receipts_ = 0;
  double stay_min_s_ = 0, stay_max_s_ = 0;
  Status settings_ = Ok{};
  Recorder::SeriesId entry_success_ = 0, removal_success_ = 0, activation_wait_ = 0;

  void watch_flow(double came, double gone, std::map<std::string, double>& gauges);

  Violations seen_;
  // Of watch().
  bool in_order_of_arrival_ = true;  // and not a lottery, say
  double inherited_ = -1;            // how many were in when it began: who lowers a cap throws nobody out
  // What had come and gone when the line was warm: those who came first have had the time to leave. Of
  // watch().
  std::int64_t watched_since_ns_ = 0;
  double warm_came_ = -1, warm_gone_ = 0, last_came_ = 0;
  std::uint64_t entered_ = 0;        // places that were given
  std::uint64_t in_now_ = 0;         // told ACTIVE, and have not asked to leave
  double last_let_in_ = 0;           // the highest number of arrival that was told READY or ACTIVE ...
  std::int64_t last_let_in_ns_ = 0;  // ... and when that answer had come
};

}  // namespace spillway::load
