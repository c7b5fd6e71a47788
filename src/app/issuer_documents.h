#pragma once

#include <memory>
#include <string>

#include "clients/http_client.h"
#include "identity/issuer_keys.h"

namespace spillway::app {

/// The documents of an OpenID issuer, over HTTP.
///
/// Any host at any address is asked, because both URLs come from the operator or from the issuer, whom he
/// trusts to say who is who; only with https (identity::check_issuer_url), and redirects are not followed.
class IssuerDocuments final : public identity::DocumentSource {
 public:
  /// `ca_file`: PEM, instead of the system's authorities; empty: those.
  static Result<std::unique_ptr<IssuerDocuments>> make(const std::string& ca_file);

  Result<std::string> get(const std::string& url, std::size_t max_bytes) override;
  void cancel() override { client_->stop(); }

 private:
  explicit IssuerDocuments(std::unique_ptr<clients::HttpClient> client) : client_(std::move(client)) {}

  std::unique_ptr<clients::HttpClient> client_;
};

}  // namespace spillway::app
