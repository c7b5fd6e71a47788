#include "http/static_files.h"

#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "base/check.h"

namespace spillway::http {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kContentPolicy =
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

bool is_page(std::string_view content_type) { return content_type.starts_with("text/html"); }

/// Strong, and the same on every server that has the same bytes.
std::string make_etag(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr) == 1);
  std::string etag = "\"";
  for (std::size_t i = 0; i < 16; ++i) {
    etag.push_back("0123456789abcdef"[digest[i] >> 4]);
    etag.push_back("0123456789abcdef"[digest[i] & 15]);
  }
  return etag + '"';
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

/// If-None-Match (RFC 9110, 13.1.2): `*` or a list; compared weakly.
bool matches(std::string_view condition, std::string_view etag) {
  if (condition == "*") return true;
  while (!condition.empty()) {
    std::string_view one = condition.substr(0, condition.find(','));
    condition.remove_prefix(std::min(condition.size(), one.size() + 1));
    one = trimmed(one);
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == etag) return true;
  }
  return false;
}

/// Accept-Encoding (RFC 9110, 12.5.3): gzip by name or by `*`, and not with a weight of zero.
bool takes_gzip(std::string_view accepted) {
  bool by_star = false;
  while (!accepted.empty()) {
    const std::string_view one = accepted.substr(0, accepted.find(','));
    accepted.remove_prefix(std::min(accepted.size(), one.size() + 1));
    const std::size_t semicolon = std::min(one.find(';'), one.size());
    const std::string_view coding = trimmed(one.substr(0, semicolon));
    const std::string_view weight = trimmed(one.substr(std::min(semicolon + 1, one.size())));
    const bool wanted = !weight.starts_with("q=0") || weight.find_first_of("123456789") != weight.npos;
    if (coding == "gzip" || coding == "x-gzip") return wanted;
    if (coding == "*") by_star = wanted;
  }
  return by_star;
}

std::string_view content_type_of(const std::string& extension) {
  static constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".yaml", "application/yaml"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".webp", "image/webp"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
      {".webmanifest", "application/manifest+json"},
  };
  for (const auto& [known, type] : kTypes) {
    if (known == extension) return type;
  }
  return "application/octet-stream";
}

bool valid_path(std::string_view path) {
  return path.starts_with('/') && std::all_of(path.begin(), path.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("-._~/").find(c) != std::string_view::npos;
         });
}

Result<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in.is_open() || in.bad()) return invalid_argument("cannot read " + path.string());
  return bytes;
}

}  // namespace

Status StaticFiles::add(std::string_view path, std::string_view content_type, std::string bytes, Cache cache,
                        std::string gzip) {
  const std::string name(path);
  if (!valid_path(path)) return invalid_argument("not a path for a static file: " + name);
  if (files_.contains(path)) return invalid_argument("there are two static files " + name);
  if (bytes.size() > limits::kMaxStaticFileBytes) return invalid_argument("static file too large: " + name);
  const std::size_t size = bytes.size() + gzip.size();
  if (bytes_ + size > limits::kMaxStaticBytes) return invalid_argument("static files too large at " + name);
  bytes_ += size;
  File file{std::string(content_type), std::move(bytes), {}, std::move(gzip), {}, cache};
  file.etag = make_etag(file.bytes);
  file.gzip_etag = make_etag(file.gzip);
  files_.emplace(name, std::make_shared<const File>(std::move(file)));
  return Ok{};
}

Status StaticFiles::add_directory(const std::string& directory, std::string_view url_prefix) {
  std::error_code ec;
  fs::recursive_directory_iterator entries(directory, ec);
  const auto failed = [&] {
    return invalid_argument("cannot read directory " + directory + ": " + ec.message());
  };
  if (ec) return failed();
  for (; entries != fs::recursive_directory_iterator(); entries.increment(ec)) {
    if (ec) return failed();
    const fs::path& path = entries->path();
    if (path.filename().string().starts_with('.')) {
      if (entries->is_directory(ec)) entries.disable_recursion_pending();
      continue;
    }
    if (entries->symlink_status(ec).type() != fs::file_type::regular) continue;
    const std::uintmax_t size = entries->file_size(ec);
    if (ec) return failed();
    if (size > limits::kMaxStaticFileBytes)
      return invalid_argument("static file too large: " + path.string());
    Result<std::string> bytes = read_file(path);
    if (!bytes) return bytes.error();
    const std::string relative = path.lexically_relative(directory).generic_string();
    const std::string url = std::string(url_prefix) + "/" + relative;
    const std::string_view type = content_type_of(path.extension().string());
    const Cache cache = relative.starts_with("assets/") ? Cache::kForEver : Cache::kRevalidate;
    if (path.filename() == "index.html") {
      const std::string parent = url.substr(0, url.size() - std::string_view("index.html").size());
      if (Status added = add(parent, type, *bytes, cache); !added) return added;
    }
    if (Status added = add(url, type, std::move(*bytes), cache); !added) return added;
  }
  return Ok{};
}

void StaticFiles::add_to(Router& router) const {
  for (const auto& [path, file] : files_) {
    router.add(Method::kGet, path, [file = file](const Request& request, Exchange exchange) {
      serve(*file, request, std::move(exchange));
    });
  }
}

void StaticFiles::add_directory_to(Router& router, std::string_view directory) const {
  const std::string prefix = std::string(directory) + "/";
  auto files = std::make_shared<Files>();
  for (const auto& [path, file] : files_) {
    if (path.starts_with(prefix)) files->emplace(path.substr(prefix.size()), file);
  }
  router.add(
      Method::kGet, prefix + "{file}",
      [files = std::shared_ptr<const Files>(std::move(files))](const Request& request, Exchange exchange) {
        const auto found = files->find(request.param(0));
        if (found == files->end()) return exchange.fail(not_found("there is no such file"));
        serve(*found->second, request, std::move(exchange));
      });
}

void StaticFiles::serve(const File& file, const Request& request, Exchange exchange) {
  const bool gzip = !file.gzip.empty() && takes_gzip(request.header("accept-encoding"));
  const std::string& etag = gzip ? file.gzip_etag : file.etag;
  Response response;
  response.headers = {
      {"ETag", etag},
      {"Cache-Control", file.cache == Cache::kForEver ? "public, max-age=31536000, immutable" : "no-cache"},
      {"X-Content-Type-Options", "nosniff"}};
  if (!file.gzip.empty()) response.headers.push_back({"Vary", "Accept-Encoding"});
  if (is_page(file.content_type)) {
    response.headers.push_back({"Content-Security-Policy", std::string(kContentPolicy)});
    response.headers.push_back({"X-Frame-Options", "DENY"});  // for browsers that do not know frame-ancestors
    response.headers.push_back({"Referrer-Policy", "no-referrer"});
  }
  if (matches(request.header("if-none-match"), etag)) {
    response.status = 304;
  } else {
    if (gzip) response.headers.push_back({"Content-Encoding", "gzip"});
    response.content_type = file.content_type;
    response.body = gzip ? file.gzip : file.bytes;
  }
  exchange.reply(std::move(response));
}

}  // namespace spillway::http
