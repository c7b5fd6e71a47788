#include "load/agents/agent_slices.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>
#include <utility>

#include "base/thread.h"
#include "load/agents/agent_link.h"
#include "load/wire/clock.h"

namespace spillway::load {
namespace {

constexpr int kPollMs = 200;  // how exact time-outs are

using Links = std::vector<std::unique_ptr<AgentLink>>;

/// Waits until something happens to one of them, and answers what, in their order. `wake`: also ends the
/// waiting.
std::vector<short> wait_for(const Links& links, int wake) {
  std::vector<pollfd> watched{{wake, POLLIN, 0}};
  for (const auto& link : links) watched.push_back({link->fd(), link->wanted_events(), 0});
  ::poll(watched.data(), watched.size(), kPollMs);
  std::vector<short> events;
  for (std::size_t i = 1; i < watched.size(); ++i) events.push_back(watched[i].revents);
  return events;
}

class AgentSlices final : public SliceSource {
 public:
  AgentSlices(const Plan& plan, std::string run_id, AgentsSetup setup)
      : plan_(plan), run_id_(std::move(run_id)), setup_(std::move(setup)) {}
  ~AgentSlices() override {
    ending_.store(true);
    AgentSlices::join();
  }

  Result<std::size_t> prepare() override;
  Status start(Collector& collector, std::int64_t in_ns) override;
  void stop() override {
    stop_asked_.store(true);
    wake();
  }
  void join() override {
    wake();
    if (thread_.joinable()) thread_.join();
  }
  bool in_this_process() const override { return false; }

 private:
  Status connect();
  /// Serves all until they are there. Errors: one that failed or did not come that far.
  Status until(AgentLink::State wanted, std::int64_t timeout_ns, std::string_view what);
  /// Gives every agent its slices; those for whom there are none are hung up on. Returns how many there are.
  std::size_t share_out();
  void wake() const {
    const std::uint64_t one = 1;
    static_cast<void>(::write(wake_.get(), &one, sizeof one));
  }
  void run(Collector&);

  const Plan& plan_;
  const std::string run_id_;
  const AgentsSetup setup_;
  Links links_;
  Fd wake_;
  std::atomic<bool> stop_asked_ = false, ending_ = false;
  std::thread thread_;
};

Status AgentSlices::connect() {
  if (setup_.agents.size() > kMaxAgents)
    return invalid_argument(fmt::format("--agents: {}, at most {}", setup_.agents.size(), kMaxAgents));
  std::set<std::string_view> seen;
  for (const std::string& name : setup_.agents) {
    if (!seen.insert(name).second) return invalid_argument(fmt::format("--agents: {} is there twice", name));
    auto link = AgentLink::connect(name, setup_.secret);
    if (!link) return link.error();
    links_.push_back(std::move(*link));
  }
  return Ok{};
}

Status AgentSlices::until(AgentLink::State wanted, std::int64_t timeout_ns, std::string_view what) {
  const std::int64_t until_ns = steady_ns() + timeout_ns;
  for (;;) {
    for (const auto& link : links_) {
      if (Status sent = link->serve(0, nullptr); !sent) return sent;
    }
    const auto late =
        std::find_if(links_.begin(), links_.end(), [&](const auto& link) { return link->state() != wanted; });
    if (late == links_.end()) return Ok{};
    if (steady_ns() >= until_ns) {
      return Error{
          ErrorCode::kRequestTimeout,
          fmt::format("agent {}: {} took more than {} s", (*late)->name(), what, timeout_ns / 1'000'000'000)};
    }
    const std::vector<short> events = wait_for(links_, -1);
    for (std::size_t i = 0; i < links_.size(); ++i) {
      if (Status served = links_[i]->serve(events[i], nullptr); !served) return served;
    }
  }
}

std::size_t AgentSlices::share_out() {
  const std::uint64_t most = std::min<std::uint64_t>(kMaxSlices, plan_.most_slices());
  std::vector<std::uint32_t> counts(links_.size());
  std::uint32_t slices = 0;
  for (bool any = true; any && slices < most;) {
    any = false;
    for (std::size_t i = 0; i < links_.size() && slices < most; ++i) {
      if (counts[i] == links_[i]->threads()) continue;
      ++counts[i];
      ++slices;
      any = true;
    }
  }
  PlanOrder order{plan_.text, run_id_, 0, 0, slices, setup_.verify, setup_.certificates};
  for (std::size_t i = 0; i < links_.size(); ++i) {
    AgentLink& link = *links_[i];
    order.count = counts[i];
    if (setup_.say) {
      setup_.say(
          fmt::format("agent {}: {}, {} of {} threads", link.name(), link.host(), counts[i], link.threads()));
    }
    if (counts[i] == 0) {
      link.hang_up();
      continue;
    }
    link.prepare(order, plan_.scenarios.size());
    order.first += counts[i];
  }
  std::erase_if(links_, [](const auto& link) { return link->state() == AgentLink::State::kGone; });
  return slices;
}

Result<std::size_t> AgentSlices::prepare() {
  wake_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_) return system_error("--agents", errno);
  if (Status connected = connect(); !connected) return connected.error();
  if (Status ready = until(AgentLink::State::kReady, kHandshakeTimeoutNs, "to connect"); !ready)
    return ready.error();
  const std::size_t slices = share_out();
  if (Status prepared = until(AgentLink::State::kPrepared, kOrderTimeoutNs, "to take the plan"); !prepared)
    return prepared.error();
  return slices;
}

Status AgentSlices::start(Collector& collector, std::int64_t in_ns) {
  const auto in_ms =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(in_ns / 1'000'000, 0, kMaxStartInMs));
  for (const auto& link : links_) {
    if (Status sent = link->go(in_ms); !sent) return sent;
  }
  thread_ = std::thread([this, &collector] { run(collector); });
  return Ok{};
}

void AgentSlices::run(Collector& collector) {
  name_this_thread("load-agents");
  std::int64_t alive_ns = 0;
  bool stopping = false;
  const auto is_gone = [](const auto& link) { return link->state() == AgentLink::State::kGone; };
  while (!ending_.load() && !std::all_of(links_.begin(), links_.end(), is_gone)) {
    const std::vector<short> events = wait_for(links_, wake_.get());
    std::uint64_t told = 0;
    static_cast<void>(::read(wake_.get(), &told, sizeof told));
    const bool stops_now = stop_asked_.load() && !std::exchange(stopping, stop_asked_.load());
    const std::int64_t now_ns = steady_ns();
    const bool alive_is_due = now_ns >= alive_ns;
    if (alive_is_due) alive_ns = now_ns + kAliveEveryNs;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      AgentLink& link = *links_[i];
      if (is_gone(links_[i])) continue;
      if (stops_now) link.stop();
      Status good = link.tick(alive_is_due);
      if (good) good = link.serve(events[i], &collector);
      if (!good) link.fail(collector, good.error().message);
    }
  }
  for (const auto& link : links_) {
    if (!is_gone(link)) link->fail(collector, fmt::format("agent {}: the run was given up", link->name()));
  }
}

}  // namespace

std::unique_ptr<SliceSource> agent_slices(const Plan& plan, const std::string& run_id, AgentsSetup setup) {
  return std::make_unique<AgentSlices>(plan, run_id, std::move(setup));
}

Result<std::string> read_certificates(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kMaxCertificateBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad() || text.empty()) return invalid_argument(fmt::format("--ca-file {}: it cannot be read", file));
  if (text.size() > kMaxCertificateBytes)
    return invalid_argument(fmt::format("--ca-file {}: more than {} bytes", file, kMaxCertificateBytes));
  return text;
}

}  // namespace spillway::load
