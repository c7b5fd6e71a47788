// Holds our parser of request heads against Beast's, which is older, lenient here and there, and written by
// others. Properties: what we take, Beast takes, and both read the same method, target, version and fields in
// it; where we read a length, a coding or an end of the connection, so does Beast. So nobody behind or before
// us who reads as Beast does could be told another story by the same bytes.

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/text.h"
#include "http/head.h"

namespace {

namespace beast = boost::beast::http;
using namespace spillway;
using namespace spillway::http;
using boost::beast::error_code;
using view = boost::beast::string_view;

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "property violated: %s\n", what);
  std::abort();
}

std::string text(view of) { return {of.data(), of.size()}; }

/// Collects what Beast reads in a head; the body is none of its business.
class Oracle final : public beast::basic_parser<true> {
 public:
  explicit Oracle(std::string_view block) {
    header_limit(static_cast<std::uint32_t>(limits::kMaxHeaderBytes + 1));
    skip(true);
    error_code error;
    put(boost::asio::const_buffer(block.data(), block.size()), error);
    takes = !error && is_done();
  }

  bool takes = false;
  std::string method, target;
  bool http11 = false;
  std::vector<std::pair<std::string, std::string>> fields;

 private:
  void on_request_impl(beast::verb, view name, view path, int version, error_code&) override {
    method = text(name);
    target = text(path);
    http11 = version == 11;
  }
  void on_field_impl(beast::field, view name, view value, error_code&) override {
    fields.emplace_back(text(name), text(value));
  }
  void on_response_impl(int, view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, view body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}
};

void compare(const Head& head, const Oracle& oracle) {
  // Proxy-Connection, which Beast reads as Connection, is no field of HTTP (RFC 9112, C.2.2).
  for (std::size_t i = 0; i < head.field_count; ++i) {
    if (equals_ignoring_case(head.fields[i].name, "proxy-connection")) return;
  }
  require(oracle.takes, "what we take, Beast takes");
  require(oracle.method == name(head.method), "the same method");
  require(oracle.http11 == head.http11, "the same version");
  require(head.asterisk || oracle.target.find(head.path) != std::string::npos || head.path == "/",
          "the same path");
  require(oracle.target.find(head.query) != std::string::npos, "the same query");
  require(oracle.fields.size() == head.field_count, "as many fields");
  for (std::size_t i = 0; i < head.field_count; ++i) {
    require(oracle.fields[i].first == head.fields[i].name, "the same name of a field");
    require(oracle.fields[i].second == head.fields[i].value, "the same value of a field");
  }
  const auto length = oracle.content_length();
  require((head.framing == Head::Framing::kChunked) == oracle.chunked(), "the same coding");
  require(head.content_length == (length ? *length : 0), "the same length");
  // Of "close" and "keep-alive" together in HTTP/1.0, Beast believes the second and we the first (RFC
  // 9112, 9.3).
  require(!head.keep_alive || oracle.keep_alive(), "the connection stays only where Beast says so");
  require(head.keep_alive || !oracle.keep_alive() || !head.http11, "and ends only where Beast says so");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  HeadScanner scanner;
  const Refusal* refusal = nullptr;
  const std::size_t end = scanner.scan(bytes, refusal);
  if (end == 0) return 0;
  static Head head;  // as a connection has it: what was in it before must not matter
  if (parse_head(bytes.substr(0, end), head) != nullptr) return 0;
  compare(head, Oracle(bytes.substr(0, end)));
  return 0;
}
