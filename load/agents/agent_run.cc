#include "load/agents/agent_run.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "load/engine/run.h"
#include "load/wire/clock.h"

namespace spillway::load {
namespace {

constexpr std::size_t kSendAheadBytes = 1 << 20;
constexpr std::size_t kMaxSecondsBehind = 120;  // of each slice, that were not sent yet

/// OpenSSL reads certificates from files alone: one in memory, without a name.
Result<std::shared_ptr<TlsSettings>> tls_of(const PlanOrder& order) {
  if (order.certificates.empty()) return TlsSettings::make("", order.verify);
  const Fd file(::memfd_create("certificates", MFD_CLOEXEC));
  if (!file) return system_error("certificates", errno);
  std::string_view left = order.certificates;
  while (!left.empty()) {
    const ssize_t written = ::write(file.get(), left.data(), left.size());
    if (written <= 0) return system_error("certificates", errno);
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  return TlsSettings::make(fmt::format("/proc/self/fd/{}", file.get()), order.verify);
}

}  // namespace

Result<std::unique_ptr<AgentRun>> AgentRun::prepare(const PlanOrder& order, int wake) {
  auto plan = parse_plan(order.plan);
  if (!plan) return plan.error();
  if (Status good = check_plan(*plan); !good) return good.error();
  const std::uint64_t users = plan->vus_made_before() * order.count / order.slices + 1;
  if (Status enough = want_open_files(users, fmt::format("its part of {} virtual users", users)); !enough)
    return enough.error();
  std::unique_ptr<AgentRun> run(new AgentRun(order, std::move(*plan), wake));
  for (const std::string& url : run->plan_.base_urls) {
    auto target = resolve_target(url);
    if (!target) return target.error();
    run->targets_.push_back(std::move(*target));
  }
  auto tls = tls_of(order);
  if (!tls) return tls.error();
  run->tls_ = std::move(*tls);
  return run;
}

AgentRun::~AgentRun() {
  for (auto& worker : workers_) worker->abandon();
  workers_.clear();
}

Status AgentRun::start(std::int64_t in_ns) {
  const std::int64_t start_ns = steady_ns() + in_ns;
  for (std::uint32_t i = order_.first; i < order_.first + order_.count; ++i) {
    auto worker = Worker::start(
        {plan_, order_.run_id, targets_, tls_, {i, order_.slices}, start_ns, nullptr},
        [this, i](SliceSecond second) {
          tell({i, std::move(second), {}});
        },
        [this, i](SliceEvidence evidence) {
          tell({i, {}, std::move(evidence)});
        });
    if (!worker) return worker.error();
    workers_.push_back(std::move(*worker));
  }
  return Ok{};
}

void AgentRun::stop() {
  for (auto& worker : workers_) worker->stop();
}

void AgentRun::tell(News news) {
  {
    const std::lock_guard lock(mutex_);
    news_.push_back(std::move(news));
  }
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake_, &one, sizeof one));
}

void AgentRun::tell_evidence(FrameSocket& socket) {
  News& end = *ending_;
  if (scenario_ < end.evidence.size()) {
    const std::string_view left = std::string_view(end.evidence[scenario_]).substr(offset_);
    const EvidencePart part{end.slice, static_cast<std::uint32_t>(scenario_),
                            left.substr(0, kMaxEvidencePartBytes)};
    socket.send(FrameType::kEvidence, part.encode());
    offset_ += part.text.size();
    if (offset_ < end.evidence[scenario_].size()) return;
    end.evidence[scenario_++] = {};
    offset_ = 0;
    return;
  }
  socket.send(FrameType::kEnd, SliceText{end.slice, {}}.encode());
  ++slices_told_;
  scenario_ = 0;
  ending_.reset();
}

Status AgentRun::pump(FrameSocket& socket) {
  while (socket.unsent() < kSendAheadBytes) {
    if (ending_) {
      tell_evidence(socket);
      continue;
    }
    std::optional<News> next;
    {
      const std::lock_guard lock(mutex_);
      if (news_.empty()) return Ok{};
      next = std::move(news_.front());
      news_.pop_front();
    }
    if (!next->second) {
      ending_ = std::move(next);
      continue;
    }
    const std::string text = next->second->encode();
    socket.send(FrameType::kSecond, SliceText{next->slice, text}.encode());
  }
  const std::lock_guard lock(mutex_);
  if (news_.size() > kMaxSecondsBehind * order_.count)
    return Error{ErrorCode::kOverloaded, "the connection is too slow for what is measured"};
  return Ok{};
}

}  // namespace spillway::load
