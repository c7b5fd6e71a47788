#include "http/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <climits>
#include <utility>

#include "base/check.h"
#include "http/asio_impl.h"

namespace spillway::http {
namespace {

namespace ssl = boost::asio::ssl;

/// RFC 7301: we speak one protocol; a peer that offers others only is refused.
int select_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned in_size, void*) {
  static constexpr unsigned char kOurs[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, out_size, kOurs, sizeof kOurs, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct TlsContext::Impl {
  ssl::context context{ssl::context::tls_server};
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<TlsContext>> TlsContext::load(const std::string& certificate_file,
                                                     const std::string& key_file) {
  auto impl = std::make_unique<Impl>();
  boost::system::error_code ec;
  impl->context.use_certificate_chain_file(certificate_file, ec);
  if (ec) return invalid_argument("cannot use TLS certificate " + certificate_file + ": " + ec.message());
  impl->context.use_private_key_file(key_file, ssl::context::pem, ec);
  if (ec) return invalid_argument("cannot use TLS key " + key_file + ": " + ec.message());
  SSL_CTX* native = impl->context.native_handle();
  if (SSL_CTX_check_private_key(native) != 1) {
    return invalid_argument("the TLS key " + key_file + " does not belong to the certificate " +
                            certificate_file);
  }
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);  // 34 KiB less for each idle connection
  SSL_CTX_set_alpn_select_cb(native, &select_protocol, nullptr);
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

TlsChannel::TlsChannel(const TlsContext& context) : ssl_(SSL_new(context.impl_->context.native_handle())) {
  CHECK(ssl_ != nullptr);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl_);
}

TlsChannel::~TlsChannel() { SSL_free(ssl_); }

bool TlsChannel::feed(const char* data, std::size_t size) {
  CHECK(size <= INT_MAX);
  return BIO_write(SSL_get_rbio(ssl_), data, static_cast<int>(size)) == static_cast<int>(size);
}

TlsChannel::Read TlsChannel::read(char* out, std::size_t size, std::size_t& count) {
  ERR_clear_error();
  if (SSL_read_ex(ssl_, out, size, &count) == 1) return Read::kData;
  switch (SSL_get_error(ssl_, 0)) {
    case SSL_ERROR_WANT_READ:
      return Read::kNothing;
    case SSL_ERROR_ZERO_RETURN:
      return Read::kClosed;
    default:
      return Read::kFailed;
  }
}

bool TlsChannel::established() const { return SSL_is_init_finished(ssl_) != 0; }

bool TlsChannel::write(std::string_view plain) {
  ERR_clear_error();
  std::size_t written = 0;
  // A memory BIO takes all there is, so a write is never partial.
  return plain.empty() ||
         (SSL_write_ex(ssl_, plain.data(), plain.size(), &written) == 1 && written == plain.size());
}

void TlsChannel::shutdown() {
  ERR_clear_error();
  SSL_shutdown(ssl_);  // one-sided: nobody waits for the peer's goodbye (RFC 8446, 6.1)
}

void TlsChannel::take_output(ByteBuffer& out) {
  BIO* bio = SSL_get_wbio(ssl_);
  while (const std::size_t pending = BIO_ctrl_pending(bio)) {
    const int n = BIO_read(bio, out.prepare(pending), static_cast<int>(pending));
    if (n <= 0) break;
    out.commit(static_cast<std::size_t>(n));
  }
}

}  // namespace spillway::http
