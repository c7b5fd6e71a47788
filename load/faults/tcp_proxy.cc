#include "load/faults/tcp_proxy.h"

#include <utility>

#include "base/thread.h"
#include "load/faults/proxy_loop.h"

namespace spillway::load {

Result<std::unique_ptr<TcpProxy>> TcpProxy::start(const Target& target) {
  Result<SocketAddress> address = resolve(target.host, target.port);
  if (!address) return std::move(address).error();
  auto loop = std::make_unique<ProxyLoop>(*address);
  if (Status opened = loop->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<TcpProxy>(new TcpProxy(std::move(loop)));
}

TcpProxy::TcpProxy(std::unique_ptr<ProxyLoop> loop)
    : loop_(std::move(loop)), thread_([this] {
        name_this_thread("tcp-proxy");
        loop_->run();
      }) {}

TcpProxy::~TcpProxy() {
  loop_->end();
  thread_.join();
}

std::uint16_t TcpProxy::port() const { return loop_->port(); }

Status TcpProxy::apply(const Toxic& toxic) {
  if (Status sound = check(toxic); !sound) return sound;
  return loop_->change([&](Toxics& toxics) { toxics[static_cast<std::size_t>(toxic.kind)] = toxic; });
}

Status TcpProxy::clear(ToxicKind kind) {
  return loop_->change([&](Toxics& toxics) { toxics[static_cast<std::size_t>(kind)].reset(); });
}

Status TcpProxy::clear() {
  return loop_->change([](Toxics& toxics) { toxics = {}; });
}

ProxyCounts TcpProxy::counts() const { return loop_->counts(); }

}  // namespace spillway::load
