// A person logs in, takes part in an event, and follows the request to its final state.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "load/engine/journey.h"
#include "load/engine/json_body.h"
#include "load/journeys/violations.h"
#include "load/wire/clock.h"
#include "load/wire/wire_text.h"

namespace spillway::load {
namespace {

enum Steps : std::size_t { kLogin, kParticipate, kPoll };
enum Errands : std::size_t { kGet, kPut };

constexpr double kPageEvery = 0.2;  // between two looks at what is not final yet
constexpr int kMaxUnanswered = 20;  // polls in a row
constexpr int kMaxTries = 5;        // to read what the run is judged by, a second apart

/// Statuses only rise. Negative: none that is known.
int rank_of(std::string_view status) {
  if (status == "RECEIVED") return 0;
  if (status == "QUEUED") return 1;
  if (status == "PROCESSING") return 2;
  if (status == "SUCCEEDED" || status == "REJECTED" || status == "FAILED_FINAL") return 3;
  return -1;
}
constexpr int kFinal = 3;

class Participation final : public Journey {
 public:
  explicit Participation(const JourneyContext& context)
      : run_id_(context.run_id), admin_token_(context.admin_token), recorder_(context.recorder) {
    SettingsReader settings(context.scenario);
    capacity_ = settings.number("capacity", 0, 0, 1e9);
    event_ = settings.text("event", capacity_ > 0 ? "load-" + context.run_id : "EVT-009");
    repeat_ = settings.number("participation_repeat", 0.01, 0, 1);
    poll_ = settings.seconds("poll", 0);
    poll_to_end_ = settings.flag("poll_to_end", true);
    think_s_ = settings.seconds("think", 0);
    settings.id("event", event_);
    settings_ = settings.status();
    participate_path_ = fmt::format("/events/{}/participations", event_);
    if (recorder_ == nullptr) return;
    Tags tags = context.scenario.tags;
    tags["scenario"] = context.scenario.name;
    accepted_ = recorder_->add_series({"participations_accepted", MetricType::kCounter}, tags);
    final_wait_ =
        recorder_->add_series({"participation_final_wait", MetricType::kTrend, Contains::kTime}, tags);
    const auto check = [&](std::string_view name) {
      Tags checked = tags;
      checked["check"] = name;
      return recorder_->add_series({std::string(metric::kChecks), MetricType::kRate}, checked);
    };
    login_check_ = check("login: gives an access token");
    status_check_ = check("participate: status is 202");
    id_check_ = check("participate: requestId is present");
    body_check_ = check("participate: no status in the body");
  }

  Task<> iterate(User& user) override {
    const std::string body = fmt::format(R"({{"userId":"{}"}})", user.random_name());
    const Request login{kLogin, "/auth/login", body};
    const Reply reply = co_await user.ask(login);
    const std::string token(JsonBody(reply.body).text("accessToken"));
    const bool logged_in = reply.status == 200 && !token.empty();
    recorder_->add(login_check_, logged_in);
    if (!logged_in) {
      // A crowd that was refused must not come back as one.
      const double later = user.random();
      co_await user.pause(later);
      co_return;
    }
    const std::string id = co_await participate(user, token);
    const std::int64_t began_ns = user.now_ns();
    if (id.empty()) co_return;
    const std::size_t number = acknowledged_.size();
    acknowledged_.emplace_back(id, "");
    if (repeat_ > 0 && user.random() < repeat_) {
      const std::string again = co_await participate(user, token);
      if (!again.empty() && again != id) {
        seen_.broken(invariant::kOneIdPerPerson, fmt::format("{} and {} for one person", id, again));
      } else if (!again.empty()) {
        seen_.looked(invariant::kOneIdPerPerson);
      }
    }
    if (poll_to_end_) co_await follow(user, token, number, began_ns);
    const double think_s = think_s_ * 2 * user.random();
    co_await user.pause(think_s);
  }

  Status check_settings() const override { return settings_; }

  Task<Status> prepare(User& user) override {
    const std::string path = "/admin/events/" + event_;
    if (capacity_ <= 0) {
      if (admin_token_.empty()) co_return Ok{};
      const Request get{kGet, path, {}, admin_token_};
      const Reply found = co_await user.ask(get);
      if (found.ok()) co_return Ok{};
      co_return invalid_argument(
          fmt::format("settings.event {}: the server answers GET {} with {}. With "
                      "settings.capacity it is made",
                      event_, path, found.status));
    }
    const std::string body = fmt::format(
        R"({{"title":"Load {}","capacityTotal":{:.0f},"policy":"FIRST_COME"}})", run_id_, capacity_);
    const Request put{kPut, path, body, admin_token_};
    const Reply reply = co_await user.ask(put);
    if (!reply.ok()) {
      co_return not_prepared("settings.event", event_, "PUT " + path, reply);
    }
    co_return Ok{};
  }

  Task<> watch(User& user, std::map<std::string, double>& gauges) override {
    const Request get{kGet, "/admin/queues/participations", {}, admin_token_};
    const Reply reply = co_await user.ask(get);
    const JsonBody queue(reply.body);
    const auto visible = queue.number("visible");
    if (visible) gauges["queue_visible"] = *visible;
  }

  std::string evidence() override {
    std::string out;
    put_text(out, seen_.encode());
    for (const auto& [id, status] : acknowledged_) {
      put_text(out, id);
      put_text(out, status);
    }
    return out;
  }

  Status absorb(std::string_view text) override {
    WireReader in(text);
    bool good = seen_.add_encoded(in.text());
    while (in.good() && !in.at_end()) {
      std::string id(in.text());
      acknowledged_.emplace_back(std::move(id), in.text());
    }
    good = good && in.good();
    if (!good) return invalid_argument("the evidence of a participation journey cannot be read");
    return Ok{};
  }

  Task<> judge(User& user, double settle_s, std::vector<InvariantResult>& results) override {
    Listing listing;
    const std::int64_t give_up_ns = user.now_ns() + ns_of(settle_s);
    const std::string counts_path = fmt::format("/admin/events/{}/requests?limit=1", event_);
    for (;;) {
      const Request get{kGet, counts_path, {}, admin_token_};
      const Reply reply = co_await user.ask(get);
      listing.read_counts(reply.body);
      if (reply.ok() && listing.open == 0) break;
      if (user.now_ns() > give_up_ns) break;
      co_await user.pause(kPageEvery);
    }
    co_await list(user, listing);
    const std::string event = co_await read(user, "/admin/events/" + event_);
    listing.capacity = JsonBody(event).number("capacityTotal").value_or(-1);
    hold(listing, results);
  }

 private:
  /// What an operator is told of the event.
  struct Listing {
    double open = -1;  // not final
    double capacity = -1;
    bool complete = false;
    std::unordered_map<std::string, std::string> status_of;  // by request id
    std::unordered_set<std::string> users;
    std::uint64_t won = 0, full = 0, failed = 0, other = 0, twice = 0, after_full = 0;
    std::string example_twice, example_after;

    void read_counts(std::string_view body) {
      const JsonBody counts(body, "counts");
      if (!counts.is_object()) return;
      open = counts.number("RECEIVED").value_or(0) + counts.number("QUEUED").value_or(0) +
             counts.number("PROCESSING").value_or(0);
    }
    /// In the order of arrival.
    void add(const JsonBody::Item& item) {
      const std::string id(item.text("requestId"));
      const std::string_view status = item.text("status"), code = item.text("resultCode");
      const std::string user(item.text("userId"));
      if (!user.empty() && !users.insert(user).second && twice++ == 0) example_twice = id;
      if (status == "SUCCEEDED") {
        ++won;
        if (full > 0 && after_full++ == 0) example_after = id;
      } else if (code == "REJECTED_CAPACITY") {
        ++full;
      } else if (status == "FAILED_FINAL") {
        ++failed;
      } else {
        ++other;
      }
      status_of.emplace(id, status);
    }
  };

  Task<std::string> participate(User& user, const std::string& token) {
    const Request request{kParticipate, participate_path_, {}, token};
    const Reply reply = co_await user.ask(request);
    const JsonBody body(reply.body);
    std::string id(body.text("requestId"));
    const bool good = reply.status == 202 && !id.empty() && !body.has("status");
    recorder_->add(status_check_, reply.status == 202);
    recorder_->add(id_check_, !id.empty());
    recorder_->add(body_check_, body.is_object() && !body.has("status"));
    if (!good) co_return std::string{};
    recorder_->add(accepted_, 1);
    co_return id;
  }

  /// `number`: of the request in acknowledged_, to which others come while this one waits.
  Task<> follow(User& user, const std::string& token, std::size_t number, std::int64_t began_ns) {
    const std::string id = acknowledged_[number].first, path = "/requests/" + id;
    int rank = -1, unanswered = 0;
    while (rank < kFinal) {
      const Request request{kPoll, path, {}, token};
      const Reply reply = co_await user.ask(request);
      if (reply.status == 404) {
        seen_.broken(invariant::kNothingLost, fmt::format("{} was acknowledged and answers 404", id));
        co_return;
      }
      const bool heard = reply.ok() && hear(number, JsonBody(reply.body).text("status"), rank);
      unanswered = heard ? 0 : unanswered + 1;
      if (unanswered > kMaxUnanswered) co_return;  // this person gives up; the list has what became of it
      if (rank == kFinal) break;
      const double told = poll_ > 0 ? poll_ : retry_after_s(reply.head);
      co_await user.pause(told * (0.8 + 0.4 * user.random()));
    }
    recorder_->add(final_wait_, static_cast<double>(user.now_ns() - began_ns) / 1e6);
  }

  /// Holds a status against the one before. False when it is none.
  bool hear(std::size_t number, std::string_view status, int& rank) {
    const int now = rank_of(status);
    if (now < 0) return false;
    if (now < rank) {
      seen_.broken(invariant::kNoStatusBack,
                   fmt::format("{} went back to {}", acknowledged_[number].first, status));
    } else {
      seen_.looked(invariant::kNoStatusBack);
    }
    rank = std::max(rank, now);
    acknowledged_[number].second = status;
    return true;
  }

  static double retry_after_s(std::string_view head) {
    const std::string_view value = ResponseParser::field(head, "retry-after");
    double seconds = 1;
    std::from_chars(value.data(), value.data() + value.size(), seconds);
    return std::clamp(seconds, 0.1, 30.0);
  }

  /// The body of a good answer; empty when there was none in kMaxTries.
  Task<std::string> read(User& user, const std::string& path) {
    for (int i = 0; i < kMaxTries; ++i) {
      if (i > 0) co_await user.pause(1);
      const Request get{kGet, path, {}, admin_token_};
      const Reply reply = co_await user.ask(get);
      if (reply.ok()) co_return std::string(reply.body);
    }
    co_return std::string{};
  }

  Task<> list(User& user, Listing& listing) {
    std::string cursor;
    do {
      const std::string path = fmt::format("/admin/events/{}/requests?limit=1000{}{}", event_,
                                           cursor.empty() ? "" : "&cursor=", cursor);
      const std::string body = co_await read(user, path);
      if (body.empty()) co_return;
      const JsonBody page(body);
      page.each("items", [&](const JsonBody::Item& item) { listing.add(item); });
      cursor = page.text("nextCursor");
    } while (!cursor.empty());
    listing.complete = true;
  }

  void hold(const Listing& all, std::vector<InvariantResult>& results) {
    Violations& v = seen_;
    if (!all.complete) {
      const InvariantResult unknown{
          std::string(invariant::kNothingLost), false, 0, 0,
          "the list of requests could not be read: is the admin token the server's?"};
      results.push_back(unknown);
      for (InvariantResult& broken : seen_.broken_ones()) results.push_back(std::move(broken));
      return;
    }
    const auto count = [](double n) { return fmt::format("{:.0f}", n); };
    const double eligible = static_cast<double>(all.won + all.full);
    const double wanted = std::min(all.capacity, eligible);
    if (all.capacity < 0) {
      results.push_back(
          {std::string(invariant::kExactlyN), false, 0, 0, "the event's places could not be read"});
    } else if (static_cast<double>(all.won) != wanted) {
      v.broken(invariant::kExactlyN, fmt::format("{} won, and {} places for {} who asked make {}", all.won,
                                                 count(all.capacity), count(eligible), count(wanted)));
    } else {
      v.looked(invariant::kExactlyN, all.won + all.full);
    }
    if (all.twice > 0) {
      v.broken(invariant::kOneIdPerPerson,
               fmt::format("{} people have two requests; one of them is {}", all.twice, all.example_twice));
    } else {
      v.looked(invariant::kOneIdPerPerson, all.users.size());
    }
    if (all.after_full > 0) {
      v.broken(invariant::kFirstCome,
               fmt::format("{} won after somebody before them was refused for want of places; "
                           "the first of them is {}",
                           all.after_full, all.example_after));
    } else {
      v.looked(invariant::kFirstCome, all.won + all.full);
    }
    for (const auto& [id, told] : acknowledged_) hold_one(all, id, told);
    results.push_back(
        v.result(invariant::kExactlyN,
                 fmt::format("{} won of {} places, {} were refused for want of one, {} ended FAILED_FINAL",
                             all.won, count(all.capacity), all.full, all.failed)));
    results.push_back(v.result(invariant::kOneIdPerPerson, "repeats get the same requestId, nobody has two"));
    results.push_back(
        v.result(invariant::kNothingLost, "every requestId that was given is known to the server"));
    results.push_back(
        v.result(invariant::kFinalState, "every request ends SUCCEEDED, REJECTED or FAILED_FINAL"));
    results.push_back(v.result(invariant::kNoStatusBack, "no status that anybody saw went back"));
    results.push_back(v.result(invariant::kFirstCome, "nobody won after somebody earlier was refused"));
  }

  void hold_one(const Listing& all, const std::string& id, const std::string& told) {
    const auto found = all.status_of.find(id);
    if (found == all.status_of.end()) {
      seen_.broken(invariant::kNothingLost, fmt::format("{} was acknowledged and is not in the list", id));
      return;
    }
    seen_.looked(invariant::kNothingLost);
    const int rank = rank_of(found->second);
    if (rank == kFinal) {
      seen_.looked(invariant::kFinalState);
    } else {
      seen_.broken(invariant::kFinalState, fmt::format("{} is still {}", id, found->second));
    }
    if (told.empty()) return;
    const bool back = rank < rank_of(told) || (rank_of(told) == kFinal && told != found->second);
    if (back) {
      seen_.broken(invariant::kNoStatusBack, fmt::format("{} was {} and is {}", id, told, found->second));
    } else {
      seen_.looked(invariant::kNoStatusBack);
    }
  }

  const std::string run_id_, admin_token_;
  Recorder* const recorder_;
  std::string event_, participate_path_;
  double capacity_ = 0, repeat_ = 0, poll_ = 0, think_s_ = 0;
  bool poll_to_end_ = true;
  Status settings_ = Ok{};
  Recorder::SeriesId accepted_ = 0, final_wait_ = 0, login_check_ = 0, status_check_ = 0, id_check_ = 0,
                     body_check_ = 0;
  Violations seen_;
  std::vector<std::pair<std::string, std::string>> acknowledged_;  // requestId, the last status that was told
};

const JourneyRegistration kRegistration({
    "participation",
    "log in, take part in an event, poll the request to its final state (intake)",
    {{"login", "POST"}, {"participate", "POST"}, {"poll", "GET"}},
    {{"admin", "GET"}, {"admin", "PUT"}},
    {{"event", "id of the event (with capacity: load-RUN, a new one each run; else EVT-009)"},
     {"capacity", "its places: makes or changes the event before the run (0: left as it is)"},
     {"participation_repeat", "share of people who press twice (0.01)"},
     {"poll", "time between two polls (what Retry-After says)"},
     {"poll_to_end", "follow every request to its final state (true)"},
     {"think", "pause after each person, on average (0)"}},
    {"queue_visible", "server_cpu", "server_memory_mb"},
    {invariant::kExactlyN, invariant::kOneIdPerPerson, invariant::kNothingLost, invariant::kFinalState,
     invariant::kNoStatusBack, invariant::kFirstCome},
    [](const JourneyContext& context) -> std::unique_ptr<Journey> {
      return std::make_unique<Participation>(context);
    },
});

}  // namespace
}  // namespace spillway::load
