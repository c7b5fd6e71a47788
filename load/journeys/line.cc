#include "load/journeys/line.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "load/wire/wire_text.h"

namespace spillway::load {
namespace {

enum Errand : std::size_t { kLook, kConfigure };

// Who was not heard of for so long may have been passed over: the server's limit is 60 s.
constexpr std::int64_t kAwayNs = 45'000'000'000;
constexpr double kSlowestAnswerS = 60;  // that a stay may last longer than meant
constexpr double kWarmMoreS = 10;       // beside the longest stay

/// Who has the whole of it has the place.
std::string tail(std::string_view token) {
  constexpr std::size_t kShown = 8;
  return "..." + std::string(token.substr(token.size() - std::min(token.size(), kShown)));
}

int rank_of(std::string_view status) {
  if (status == "WAITING") return 0;
  if (status == "READY") return 1;
  if (status == "ACTIVE") return 2;
  return -1;
}

}  // namespace

const std::vector<StepInfo>& LineJourney::steps() {
  static const std::vector<StepInfo> all = {
      {"enter", "POST"}, {"poll", "GET"}, {"activate", "POST"}, {"remove", "DELETE"}, {"receipt", "GET"}};
  return all;
}

const std::vector<StepInfo>& LineJourney::errands() {
  static const std::vector<StepInfo> all = {{"admin", "GET"}, {"admin", "PUT"}};
  return all;
}

const std::vector<std::pair<std::string_view, std::string_view>>& LineJourney::settings() {
  static const std::vector<std::pair<std::string_view, std::string_view>> all = {
      {"concert", "id of the line (load-RUN, a new one each run)"},
      {"max_active", "configures the line before the run; 0: left as it is (50000)"},
      {"ready_seconds", "to activate in (60)"},
      {"active_seconds", "to stay at most (300)"},
      {"re_enter", "share of people who enter twice and must get the same place (0.01)"},
      {"check_receipts", "share of people who ask for their number of arrival, to judge the order by (0.02)"},
      {"stay_min", "inside, at least (5s)"},
      {"stay_max", "inside, at most (30s)"}};
  return all;
}

const std::vector<std::string_view>& LineJourney::invariants(bool follows) {
  static const std::vector<std::string_view> all = {invariant::kNothingLost,     invariant::kActiveUnderCap,
                                                    invariant::kPositionNeverUp, invariant::kNoStatusBack,
                                                    invariant::kOneIdPerPerson,  invariant::kFirstCome};
  static const std::vector<std::string_view> without_order(all.begin(), all.end() - 1);
  return follows ? all : without_order;
}

LineJourney::LineJourney(const JourneyContext& context, bool follows)
    : admin_token_(context.admin_token), recorder_(context.recorder) {
  SettingsReader settings(context.scenario);
  const std::string own = "load-" + context.run_id;
  concert_ = settings.text("concert", own);
  new_line_ = concert_ == own;
  max_active_ = settings.number("max_active", 50'000, 0, 1e9);
  ready_s_ = settings.number("ready_seconds", 60, 1, 86'400);
  active_s_ = settings.number("active_seconds", 300, 1, 86'400);
  re_enter_ = settings.number("re_enter", 0.01, 0, 1);
  const double receipts = settings.number("check_receipts", 0.02, 0, 1);
  receipts_ = follows ? receipts : 0;
  settings.id("concert", concert_);
  stay_min_s_ = settings.seconds("stay_min", 5);
  stay_max_s_ = std::max(stay_min_s_, settings.seconds("stay_max", 30));
  settings_ = settings.status();
  if (recorder_ == nullptr) return;
  Tags tags = context.scenario.tags;
  tags["scenario"] = context.scenario.name;
  entry_success_ = recorder_->add_series({"queue_entry_success", MetricType::kRate}, tags);
  removal_success_ = recorder_->add_series({"queue_removal_success", MetricType::kRate}, tags);
  activation_wait_ =
      recorder_->add_series({"queue_activation_wait", MetricType::kTrend, Contains::kTime}, tags);
}

// ---- What an operator does and sees ----------------------------------------------------------------------

Task<Status> LineJourney::prepare(User& user) {
  if (max_active_ <= 0) co_return Ok{};
  const std::string path = "/admin/queues/waitroom/" + concert_;
  const std::string body =
      fmt::format(R"({{"maxActive":{:.0f},"readySeconds":{:.0f},"activeSeconds":{:.0f}}})", max_active_,
                  ready_s_, active_s_);
  const Request put{kConfigure, path, body, admin_token_};
  const Reply reply = co_await user.ask(put);
  if (!reply.ok()) {
    co_return not_prepared("settings.concert", concert_, "PUT " + path, reply);
  }
  co_return Ok{};
}

Task<> LineJourney::watch(User& user, std::map<std::string, double>& gauges) {
  const std::string path = "/admin/queues/waitroom/" + concert_;
  const Request look{kLook, path, {}, admin_token_};
  const Reply reply = co_await user.ask(look);
  const JsonBody data(reply.body, "data");
  const auto ready = data.number("sizes", "ready"), active = data.number("sizes", "active"),
             waiting = data.number("sizes", "waiting"), cap = data.number("settings", "maxActive");
  if (!ready || !active || !waiting || !cap) co_return;
  gauges["queue_active_size"] = *ready + *active;
  gauges["queue_wait_size"] = *waiting;
  const auto came = data.number("sizes", "entered");
  if (watched_since_ns_ == 0) watched_since_ns_ = user.now_ns();
  const double watched_s = static_cast<double>(user.now_ns() - watched_since_ns_) / 1e9;
  if (came && watched_s > stay_max_s_ + kWarmMoreS)
    watch_flow(*came, *came - *waiting - *ready - *active, gauges);
  const std::string_view mode = data.text("settings", "mode");
  if (!mode.empty() && mode != "fifo") in_order_of_arrival_ = false;
  inherited_ = inherited_ < 0 ? (new_line_ ? 0 : *ready + *active) : std::min(inherited_, *ready + *active);
  if (*ready + *active > std::max(*cap, inherited_)) {
    seen_.broken(invariant::kActiveUnderCap,
                 fmt::format("{:.0f} READY and {:.0f} ACTIVE with a cap of {:.0f}", *ready, *active, *cap));
  } else {
    seen_.looked(invariant::kActiveUnderCap);
  }
}

/// As many leave as come, once it is warm.
void LineJourney::watch_flow(double came, double gone, std::map<std::string, double>& gauges) {
  if (warm_came_ < 0) {
    warm_came_ = last_came_ = came;
    warm_gone_ = gone;
    return;
  }
  // At the end only those leave who are there: that says nothing.
  if (came > last_came_) gauges["queue_exit_per_entry"] = (gone - warm_gone_) / (came - warm_came_);
  last_came_ = came;
}

// ---- What people do --------------------------------------------------------------------------------------

Task<bool> LineJourney::enter(User& user, Place& place) {
  const std::string body = fmt::format(R"({{"concertId":"{}","userId":"{}"}})", concert_, user.random_name());
  const int times = re_enter_ > 0 && user.random() < re_enter_ ? 2 : 1;
  for (int i = 0; i < times; ++i) {
    const std::int64_t asked_ns = user.now_ns();
    const Request request{kEnter, "/api/v1/queue/enter", body};
    const Reply reply = co_await user.ask(request);
    const JsonBody data(reply.body, "data");
    const std::string_view token = data.text("token");
    const bool good = reply.status == 200 && !token.empty() && rank_of(data.text("status")) >= 0 &&
                      data.number("position").has_value();
    recorder_->add(entry_success_, good);
    if (!good) co_return !place.token.empty();
    if (i == 0) {
      place.token = token;
      ++entered_;
    } else if (token != place.token) {
      seen_.broken(invariant::kOneIdPerPerson,
                   fmt::format("{} and {} for one person", tail(place.token), tail(token)));
    } else {
      seen_.looked(invariant::kOneIdPerPerson);
    }
    hear(place, data, asked_ns, user.now_ns());
  }
  if (receipts_ > 0 && user.random() < receipts_) {
    const Request request{kReceipt, "/api/v1/queue/receipt", {}, {}, {"X-Queue-Token", place.token}};
    const Reply reply = co_await user.ask(request);
    place.number = JsonBody(reply.body, "data").number("arrivalNumber").value_or(0);
  }
  co_return true;
}

Task<bool> LineJourney::ask(User& user, Place& place, Step step) {
  static constexpr std::string_view kPaths[] = {"", "/api/v1/queue/status", "/api/v1/queue/activate",
                                                "/api/v1/queue/token"};
  const std::int64_t asked_ns = user.now_ns();
  if (step == kRemove) count_out(place);
  const Request request{step, kPaths[step], {}, {}, {"X-Queue-Token", place.token}};
  const Reply reply = co_await user.ask(request);
  if (reply.status == 401 || reply.status == 404) {
    seen_.broken(invariant::kNothingLost,
                 fmt::format("the token {} was given and answers {}", tail(place.token), reply.status));
    co_return false;
  }
  if (reply.status == 410) count_out(place);  // expired: not in any more
  if (!reply.ok()) co_return false;
  seen_.looked(invariant::kNothingLost);
  if (step == kRemove) co_return true;
  co_return hear(place, JsonBody(reply.body, "data"), asked_ns, user.now_ns());
}

Task<> LineJourney::come_back_later(User& user) {
  const double seconds = user.random();
  co_await user.pause(seconds);
}

void LineJourney::count_out(Place& place) {
  if (std::exchange(place.counted_in, false)) --*place.in_now;
}

bool LineJourney::hear(Place& place, const JsonBody& data, std::int64_t asked_ns, std::int64_t now_ns) {
  const std::string_view status = data.text("status");
  const auto position = data.number("position");
  const int rank = rank_of(status);
  if (rank < 0 || !position) return false;
  if (place.position >= 0 && *position > place.position) {
    seen_.broken(invariant::kPositionNeverUp,
                 fmt::format("from {:.0f} to {:.0f}, {}", place.position, *position, tail(place.token)));
  } else {
    seen_.looked(invariant::kPositionNeverUp);
  }
  if (rank < rank_of(place.status)) {
    seen_.broken(invariant::kNoStatusBack,
                 fmt::format("from {} to {}, {}", place.status, status, tail(place.token)));
  } else {
    seen_.looked(invariant::kNoStatusBack);
  }
  place.position = *position;
  place.status = status;
  place.poll_after_s = data.number("pollAfterMs").value_or(1'000) / 1e3;
  if (rank == 2 && !std::exchange(place.counted_in, true)) {
    // Each thread counts its own people, so that this is less than how many are in, and never more.
    place.in_now = &in_now_;
    ++in_now_;
    // Who stays longer than the server lets them is out without having said so, and would be counted on.
    if (max_active_ > 0 &&
        stay_max_s_ + kSlowestAnswerS<active_s_&& static_cast<double>(in_now_)> max_active_) {
      seen_.broken(invariant::kActiveUnderCap,
                   fmt::format("{} were told that they are in with a cap of {:.0f}", in_now_, max_active_));
    }
  }
  hold_order(place, asked_ns, now_ns);
  place.heard_ns = now_ns;
  return true;
}

/// Who was told WAITING, and had asked after somebody with a higher number had been told that they are let
/// in, was overtaken; unless they had been away.
void LineJourney::hold_order(Place& place, std::int64_t asked_ns, std::int64_t now_ns) {
  if (place.number <= 0) return;
  const bool was_away = place.heard_ns != 0 && asked_ns - place.heard_ns > kAwayNs;
  if (was_away) {
    place.number =
        0;  // may have been passed over, and then waits among those who are behind: says nothing any more
    return;
  }
  if (rank_of(place.status) > 0) {
    seen_.looked(invariant::kFirstCome);
    if (place.number > last_let_in_) {
      last_let_in_ = place.number;
      last_let_in_ns_ = now_ns;
    }
    return;
  }
  if (place.heard_ns == 0 || place.number >= last_let_in_ || asked_ns < last_let_in_ns_) return;
  seen_.broken(invariant::kFirstCome,
               fmt::format("number {:.0f} waits after number {:.0f} was let in", place.number, last_let_in_));
}

// ---- Evidence --------------------------------------------------------------------------------------------

std::string LineJourney::evidence() {
  std::string out;
  put_text(out, seen_.encode());
  put_number(out, entered_);
  return out;
}

Status LineJourney::absorb(std::string_view text) {
  WireReader in(text);
  const bool read = seen_.add_encoded(in.text());
  entered_ += in.number<std::uint64_t>();
  if (!read || !in.good() || !in.at_end())
    return invalid_argument("the evidence of a queue journey cannot be read");
  return Ok{};
}

Task<> LineJourney::judge(User& user, double settle_s, std::vector<InvariantResult>& results) {
  static_cast<void>(settle_s);
  const std::string path = "/admin/queues/waitroom/" + concert_;
  const Request look{kLook, path, {}, admin_token_};
  const Reply reply = co_await user.ask(look);
  const auto entered = JsonBody(reply.body, "data").number("sizes", "entered");
  if (!entered) {
    results.push_back({std::string(invariant::kNothingLost), false, 0, 0,
                       "the line's sizes could not be read: is the admin token the server's?"});
  } else if (*entered < static_cast<double>(entered_)) {
    seen_.broken(invariant::kNothingLost,
                 fmt::format("{} places were given, and the server knows of {:.0f}", entered_, *entered));
  } else {
    seen_.looked(invariant::kNothingLost, entered_);
  }
  results.push_back(seen_.result(invariant::kNothingLost,
                                 fmt::format("{} places were given, and each is known", entered_)));
  results.push_back(seen_.result(invariant::kActiveUnderCap,
                                 fmt::format("READY and ACTIVE stay within {:.0f}", max_active_)));
  results.push_back(seen_.result(invariant::kPositionNeverUp, "no position that anybody was told went up"));
  results.push_back(seen_.result(invariant::kNoStatusBack, "no status that anybody was told went back"));
  if (re_enter_ > 0)
    results.push_back(seen_.result(invariant::kOneIdPerPerson, "who enters again gets an equal token"));
  if (receipts_ > 0 && in_order_of_arrival_)
    results.push_back(
        seen_.result(invariant::kFirstCome, "nobody waits after somebody behind them was let in"));
}

}  // namespace spillway::load
