#include "app/issuer_documents.h"

#include <fmt/format.h>

#include <future>

#include "base/limits.h"

namespace spillway::app {

Result<std::unique_ptr<IssuerDocuments>> IssuerDocuments::make(const std::string& ca_file) {
  clients::HttpClientOptions options;
  options.thread_name = "issuer-client";
  options.max_body_bytes = limits::kMaxJwksBytes;
  options.ca_file = ca_file;
  auto client = clients::HttpClient::make(std::move(options), clients::AddressPolicy::anywhere());
  if (!client) return invalid_argument("oidc-ca-file: " + client.error().message);
  return std::unique_ptr<IssuerDocuments>(new IssuerDocuments(std::move(*client)));
}

Result<std::string> IssuerDocuments::get(const std::string& url, std::size_t max_bytes) {
  std::promise<clients::HttpAnswer> promise;
  std::future<clients::HttpAnswer> future = promise.get_future();
  clients::HttpRequest request;
  request.url = url;
  request.headers.push_back({"Accept", "application/json"});
  // The promise goes with the callback: it may still be at work when the future is ready.
  const Status called =
      client_->call(std::move(request), [promise = std::move(promise)](clients::HttpAnswer answer) mutable {
        promise.set_value(std::move(answer));
      });
  if (!called) return Error{called.error().code, fmt::format("{}: {}", url, called.error().message)};
  clients::HttpAnswer answer = future.get();  // the client bounds how long; cancel() ends it
  if (!answer.ok()) return Error{ErrorCode::kInternal, fmt::format("{}: {}", url, answer.reason)};
  if (answer.status != 200) {
    return Error{ErrorCode::kInternal, fmt::format("{}: answered with status {}", url, answer.status)};
  }
  if (answer.body.size() > max_bytes) {
    return Error{ErrorCode::kInternal, fmt::format("{}: answered with more than {} bytes", url, max_bytes)};
  }
  return std::move(answer.body);
}

}  // namespace spillway::app
