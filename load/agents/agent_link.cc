#include "load/agents/agent_link.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "load/wire/clock.h"

namespace spillway::load {

Result<std::unique_ptr<AgentLink>> AgentLink::connect(const std::string& name, const std::string& secret) {
  const auto address = resolve_host_port("--agents", name);
  if (address && secret.empty() && !address->is_loopback()) {
    return invalid_argument(fmt::format("--agents {}: without {} only agents on this machine are trusted",
                                        name, kAgentSecretVariable));
  }
  if (!address) return address.error();
  Fd socket = stream_socket(address->family());
  if (!socket || (::connect(socket.get(), address->get(), address->size) != 0 && errno != EINPROGRESS))
    return system_error(fmt::format("agent {}: cannot be connected to", name), errno);
  return std::unique_ptr<AgentLink>(new AgentLink(name, secret, std::move(socket)));
}

AgentLink::AgentLink(std::string name, const std::string& secret, Fd socket)
    : name_(std::move(name)),
      secret_(secret),
      socket_(std::move(socket), kMaxFirstFrameBytes),
      nonce_(new_nonce()) {}

Error AgentLink::error(std::string_view what) const {
  return {ErrorCode::kInternal, fmt::format("agent {}: {}", name_, what)};
}

void AgentLink::prepare(const PlanOrder& order, std::size_t scenarios) {
  first_ = order.first;
  slices_.resize(order.count);
  scenarios_ = scenarios;
  for (Slice& one : slices_) one.evidence.resize(scenarios);
  socket_.send(FrameType::kPlan, order.encode());
  state_ = State::kPreparing;
}

Status AgentLink::go(std::uint32_t in_ms) {
  socket_.send(FrameType::kGo, Go{in_ms}.encode());
  state_ = State::kRunning;
  heard_ns_ = steady_ns();
  if (Status sent = socket_.flush(); !sent) return error(sent.error().message);
  return Ok{};
}

void AgentLink::stop() {
  if (state_ == State::kRunning) socket_.send(FrameType::kStop);
}

void AgentLink::hang_up() {
  state_ = State::kGone;
  socket_.close();
}

short AgentLink::wanted_events() const {
  return state_ == State::kConnecting ? POLLOUT : socket_.wanted_events();
}

Status AgentLink::on_connected() {
  int failure = 0;
  socklen_t size = sizeof failure;
  ::getsockopt(socket_.fd(), SOL_SOCKET, SO_ERROR, &failure, &size);
  if (failure != 0) return error(system_error("cannot be connected to", failure).message);
  state_ = State::kGreeting;
  return Ok{};
}

Status AgentLink::serve(short events, Collector* collector) {
  if (state_ == State::kConnecting) {
    if (events == 0) return Ok{};
    if (Status connected = on_connected(); !connected) return connected;
  }
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) {
    if (Status came = socket_.receive(); !came && state_ != State::kEnded) return error(came.error().message);
    heard_ns_ = steady_ns();
    for (;;) {
      const auto frame = socket_.next();
      if (!frame) return error("this is no agent of this program: " + frame.error().message);
      if (!*frame) break;
      if (Status taken = take(**frame, collector); !taken) return taken;
    }
    if (socket_.ended() && state_ != State::kEnded) return error("the connection was lost");
    if (socket_.ended()) hang_up();
  }
  if (state_ == State::kGone || state_ == State::kEnded) return Ok{};
  if (Status sent = socket_.flush(); !sent) return error(sent.error().message);
  return Ok{};
}

Status AgentLink::tick(bool alive_is_due) {
  const std::int64_t silent_ns = steady_ns() - heard_ns_;
  if (state_ == State::kEnded && silent_ns > kClosingTimeoutNs) hang_up();
  if (state_ != State::kRunning) return Ok{};
  if (silent_ns > kSilenceLimitNs)
    return error(fmt::format("nothing was heard of it for {} s", kSilenceLimitNs / 1'000'000'000));
  if (alive_is_due) socket_.send(FrameType::kAlive);
  return Ok{};
}

void AgentLink::fail(Collector& collector, const std::string& why) {
  // The sentence once, whatever the number of slices.
  std::string sentence = why;
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (!slices_[i].ended) collector.fail(first_ + i, std::exchange(sentence, {}));
    slices_[i].ended = true;
  }
  hang_up();
}

// ---- Frames ----------------------------------------------------------------------------------------------

Status AgentLink::take(const Frame& frame, Collector* collector) {
  const bool running = state_ == State::kRunning && collector != nullptr;
  switch (frame.type) {
    case FrameType::kGreeting:
      return take_greeting(frame);
    case FrameType::kReady:
      return take_ready(frame);
    case FrameType::kRefused:
      return error("it refused: " + decode_sentence(frame.payload));
    case FrameType::kError:
      return error("it gave up: " + decode_sentence(frame.payload));
    case FrameType::kAlive:
      return Ok{};
    case FrameType::kPrepared:
      if (state_ != State::kPreparing) break;
      state_ = State::kPrepared;
      return Ok{};
    case FrameType::kSecond:
      if (running) return take_second(frame, *collector);
      break;
    case FrameType::kEvidence:
      if (running) return take_evidence(frame);
      break;
    case FrameType::kEnd:
      if (running) return take_end(frame, *collector);
      break;
    default:
      break;
  }
  return error("it sent what was not to be sent then");
}

Status AgentLink::take_greeting(const Frame& frame) {
  const auto greeting = Greeting::decode(frame.payload);
  if (state_ != State::kGreeting || !greeting) return error("it greets as no agent does");
  if (greeting->version != kAgentProtocol) return error(version_sentence("it", greeting->version));
  agent_nonce_ = greeting->nonce;
  const std::string proof = make_proof(secret_, Prover::kCoordinator, agent_nonce_, nonce_);
  socket_.send(FrameType::kHello, Hello{kAgentProtocol, nonce_, proof}.encode());
  state_ = State::kProving;
  return Ok{};
}

Status AgentLink::take_ready(const Frame& frame) {
  const auto ready = Ready::decode(frame.payload);
  if (state_ != State::kProving || !ready) return error("it sent what cannot be read");
  if (!same_proof(ready->proof, make_proof(secret_, Prover::kAgent, agent_nonce_, nonce_)))
    return error(fmt::format("it does not know {}", kAgentSecretVariable));
  threads_ = ready->threads;
  host_ = ready->host;
  socket_.set_limit(kMaxFrameBytes);
  state_ = State::kReady;
  return Ok{};
}

AgentLink::Slice* AgentLink::slice(std::uint32_t number) {
  if (number < first_ || number - first_ >= slices_.size() || slices_[number - first_].ended) return nullptr;
  return &slices_[number - first_];
}

Status AgentLink::take_second(const Frame& frame, Collector& collector) {
  const auto text = SliceText::decode(frame.payload);
  Slice* const from = text ? slice(text->slice) : nullptr;
  auto second = text ? SliceSecond::decode(text->text) : std::nullopt;
  if (from == nullptr || !second || second->second <= from->last_second)
    return error("it told of a second what cannot be read");
  from->last_second = second->second;
  collector.add(text->slice, std::move(*second));
  return Ok{};
}

Status AgentLink::take_evidence(const Frame& frame) {
  const auto part = EvidencePart::decode(frame.payload);
  Slice* const from = part ? slice(part->slice) : nullptr;
  if (from == nullptr || part->scenario >= scenarios_) return error("its evidence cannot be read");
  from->evidence_bytes += part->text.size();
  if (from->evidence_bytes > kMaxEvidenceBytes)
    return error(fmt::format("more than {} bytes of evidence of one thread", kMaxEvidenceBytes));
  from->evidence[part->scenario] += part->text;
  return Ok{};
}

Status AgentLink::take_end(const Frame& frame, Collector& collector) {
  const auto text = SliceText::decode(frame.payload);
  Slice* const from = text ? slice(text->slice) : nullptr;
  if (from == nullptr || !text->text.empty()) return error("it told of an end what cannot be read");
  from->ended = true;
  collector.end(text->slice, std::move(from->evidence));
  if (std::all_of(slices_.begin(), slices_.end(), [](const Slice& one) { return one.ended; }))
    state_ = State::kEnded;
  return Ok{};
}

}  // namespace spillway::load
