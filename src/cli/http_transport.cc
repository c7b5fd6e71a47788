#include "cli/http_transport.h"

#include <fmt/format.h>

#include <future>

#include "base/limits.h"
#include "clients/http_client.h"

namespace spillway::cli {
namespace {

using clients::HttpAnswer;

class HttpTransport final : public Transport {
 public:
  HttpTransport(std::string server, std::unique_ptr<clients::HttpClient> client)
      : server_(std::move(server)), client_(std::move(client)) {}

  Result<Reply> send(const Call& call) override { return run(request_of(call)); }

  Result<Reply> stream(const Call& call, const std::function<bool(std::string_view)>& take) override {
    clients::HttpRequest request = request_of(call);
    request.on_piece = take;
    request.max_silence_us = limits::kCliStreamSilence;
    return run(std::move(request));
  }

 private:
  clients::HttpRequest request_of(const Call& call) const {
    clients::HttpRequest request;
    request.method = call.method;
    request.url = server_ + call.target;
    request.headers.push_back({"Accept", "application/json, text/event-stream"});
    if (!call.token.empty()) request.headers.push_back({"Authorization", "Bearer " + call.token});
    if (!call.body.empty()) request.headers.push_back({"Content-Type", "application/json"});
    request.body = call.body;
    return request;
  }

  Result<Reply> run(clients::HttpRequest request) {
    std::promise<HttpAnswer> promise;
    std::future<HttpAnswer> future = promise.get_future();
    const Status taken = client_->call(
        std::move(request), [&promise](HttpAnswer answer) { promise.set_value(std::move(answer)); });
    if (!taken) return taken.error();
    const HttpAnswer answer = future.get();
    if (!answer.ok()) {
      return Error{ErrorCode::kInternal, fmt::format("cannot reach {}: {}", server_, answer.reason)};
    }
    return Reply{answer.status, answer.body, std::string(answer.header("Retry-After"))};
  }

  std::string server_;
  std::unique_ptr<clients::HttpClient> client_;
};

/// "host:port" of a URL; what is wrong with it, the client says.
std::string authority_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t begin = scheme + 3;
  return url.substr(begin, url.find_first_of("/?#", begin) - begin);
}

}  // namespace

Result<std::unique_ptr<Transport>> make_http_transport(const std::string& server,
                                                       const std::string& ca_file) {
  if (server.find_first_of("?#") != std::string::npos) {
    return invalid_argument("--server: a URL like http://127.0.0.1:8080, without ? and #");
  }
  auto policy = clients::AddressPolicy::make({}, {authority_of(server)});
  if (!policy) return invalid_argument("--server: " + policy.error().message);
  clients::HttpClientOptions options;
  options.thread_name = "admin-http";
  options.timeout_us = limits::kCliCallTimeout;
  options.max_body_bytes = limits::kCliAnswerBytes;
  options.ca_file = ca_file;
  options.user_agent = "spillway-admin";
  auto client = clients::HttpClient::make(std::move(options), std::move(*policy));
  if (!client) return invalid_argument("--ca-file: " + client.error().message);
  if (const Status good = (*client)->check(server); !good) {
    return invalid_argument("--server: " + good.error().message);
  }
  return std::unique_ptr<Transport>(std::make_unique<HttpTransport>(server, std::move(*client)));
}

}  // namespace spillway::cli
