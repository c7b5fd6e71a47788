#include "http/server.h"

#include <sys/socket.h>

#include <chrono>
#include <vector>

#include "http/asio_impl.h"
#include "http/http_thread.h"

namespace spillway::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

Result<tcp::endpoint> resolve(asio::io_context& context, const ServerOptions& options) {
  boost::system::error_code ec;
  const asio::ip::address address = asio::ip::make_address(options.host, ec);
  if (!ec) return tcp::endpoint(address, options.port);
  tcp::resolver resolver(context);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), ec);
  if (ec || found.empty()) return invalid_argument("cannot listen on " + options.host + ": " + ec.message());
  return found.begin()->endpoint();
}

/// A listening, non-blocking socket. Accepted sockets inherit TCP_NODELAY and the size of the receive buffer
/// from it, which saves two calls each; the kernel tells a peer how far its window can open before accept().
Result<int> open_listener(asio::io_context& context, const tcp::endpoint& endpoint, bool shared_port,
                          std::uint16_t& port) {
  tcp::acceptor acceptor(context);
  boost::system::error_code ec;
  const auto failed = [&](std::string_view what) {
    return Error{ErrorCode::kInternal, "cannot listen on " + endpoint.address().to_string() + ":" +
                                           std::to_string(endpoint.port()) + ": " + std::string(what) +
                                           ec.message()};
  };
  acceptor.open(endpoint.protocol(), ec);
  if (ec) return failed("open: ");
  acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && shared_port) acceptor.set_option(ReusePort(true), ec);
  if (!ec) acceptor.set_option(tcp::no_delay(true), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::receive_buffer_size(limits::kSocketReceiveBytes), ec);
  if (!ec) acceptor.non_blocking(true, ec);
  if (ec) return failed("options: ");
  acceptor.bind(endpoint, ec);
  if (ec) return failed("");
  acceptor.listen(SOMAXCONN, ec);
  if (ec) return failed("");
  port = acceptor.local_endpoint().port();
  return acceptor.release();
}

}  // namespace

struct Server::Impl {
  ServerShared shared;
  std::vector<std::unique_ptr<HttpThread>> threads;
  std::uint16_t port = 0;
  bool started = false;

  Impl(ServerOptions options, const Clock& clock, Router router, RequestObserver* observer)
      : shared(std::move(options), clock, std::move(router), observer) {}
  Status open();
};

Status Server::Impl::open() {
  const ServerOptions& options = shared.options;
  if (options.threads < 1 || options.threads > limits::kMaxHttpThreads) {
    return invalid_argument("the number of http threads must be 1 to " +
                            std::to_string(limits::kMaxHttpThreads));
  }
  if (options.tls_certificate_file.empty() != options.tls_key_file.empty()) {
    return invalid_argument("TLS needs both a certificate and a key");
  }
  if (!options.tls_certificate_file.empty()) {
    auto tls = TlsContext::load(options.tls_certificate_file, options.tls_key_file);
    if (!tls) return tls.error();
    shared.tls = *tls;
  }
  asio::io_context context;
  Result<tcp::endpoint> endpoint = resolve(context, options);
  if (!endpoint) return endpoint.error();
  const bool shared_port = options.threads > 1;
  if (shared_port && options.port != 0) {
    // With SO_REUSEPORT a second server would silently take half of our connections: ask without it first.
    tcp::acceptor probe(context);
    boost::system::error_code ec;
    probe.open(endpoint->protocol(), ec);
    if (!ec) probe.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) probe.bind(*endpoint, ec);
    if (ec) {
      return Error{ErrorCode::kInternal, "cannot listen on " + options.host + ":" +
                                             std::to_string(options.port) + ": " + ec.message()};
    }
  }
  for (std::size_t i = 0; i < options.threads; ++i) {
    const Result<int> fd = open_listener(context, *endpoint, shared_port, port);
    if (!fd) return fd.error();
    endpoint->port(port);
    threads.push_back(std::make_unique<HttpThread>(shared, i, *fd));
  }
  return Ok{};
}

Result<std::unique_ptr<Server>> Server::listen(ServerOptions options, const Clock& clock, Router router,
                                               RequestObserver* observer) {
  auto impl = std::make_unique<Impl>(std::move(options), clock, std::move(router), observer);
  const Status opened = impl->open();
  if (!opened) return opened.error();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  // All loops end before any goes, because work of one may reach for another.
  for (auto& thread : impl_->threads) thread->stop();
}

void Server::start() {
  CHECK(!impl_->started);
  impl_->started = true;
  for (auto& thread : impl_->threads) thread->start();
}

std::uint16_t Server::port() const { return impl_->port; }
std::size_t Server::threads() const { return impl_->threads.size(); }
bool Server::io_uring() const { return impl_->threads.front()->own_loop().uring() != nullptr; }
Loop& Server::loop(std::size_t thread) { return impl_->threads.at(thread)->own_loop(); }

void Server::post(std::size_t thread, UniqueFunction<void()> work) {
  impl_->threads.at(thread)->own_loop().post(std::move(work));
}

void Server::set_limits(std::shared_ptr<const RateLimits> limits) {
  for (auto& thread : impl_->threads) {
    thread->own_loop().post([&each = *thread, limits] { each.set_limits(limits); });
  }
}

ServerStats Server::stats() const {
  ServerStats stats;
  for (const auto& thread : impl_->threads) thread->add_to(stats);
  return stats;
}

bool Server::drain(Micros limit_us) {
  if (!impl_->started) return true;
  ServerShared& shared = impl_->shared;
  {
    const std::lock_guard lock(shared.mutex);
    shared.threads_left = impl_->threads.size();
  }
  for (auto& thread : impl_->threads) {
    thread->own_loop().post([&each = *thread] { each.start_drain(); });
  }
  std::unique_lock lock(shared.mutex);
  return shared.changed.wait_for(lock, std::chrono::microseconds(limit_us),
                                 [&] { return shared.threads_left == 0; });
}

}  // namespace spillway::http
