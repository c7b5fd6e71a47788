#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/router.h"

namespace spillway::http {

/// Files that are held in memory and served by GET and HEAD, with ETag and If-None-Match, compressed to those
/// who take it where a compressed form was given. Pages (text/html)
/// get the headers that keep other people's scripts and frames out: no inline script, no framing, no
/// referrer.
class StaticFiles {
 public:
  /// How long a browser may keep a file without asking again.
  enum class Cache { kRevalidate, kForEver };  ///< kForEver: for names that change with their content

  /// `path` as in a URL, decoded: begins with '/', of letters, digits and "-._~" otherwise. Errors:
  /// invalid_argument (path, twice the same, larger than limits::kMaxStaticFileBytes, all together than
  /// kMaxStaticBytes). `gzip`: the same bytes compressed; empty when there is no use in it.
  Status add(std::string_view path, std::string_view content_type, std::string bytes,
             Cache cache = Cache::kRevalidate, std::string gzip = {});
  /// Reads a directory with its subdirectories, now: later changes are not seen. Hidden files and symbolic
  /// links are left out; `index.html` also stands for its directory; what lies under `assets/` is cached for
  /// ever.
  Status add_directory(const std::string& directory, std::string_view url_prefix = "");
  /// One route for each file. The files live as long as the handlers.
  void add_to(Router& router) const;
  /// One route `directory/{file}` for all that lie right under `directory`: for names that change with every
  /// build, which no document could list. Not found: 404.
  void add_directory_to(Router& router, std::string_view directory) const;
  std::size_t size() const { return files_.size(); }

 private:
  struct File {
    std::string content_type;
    std::string bytes;
    std::string etag;
    std::string gzip;  ///< may be empty
    std::string gzip_etag;
    Cache cache;
  };
  using Files = std::map<std::string, std::shared_ptr<const File>, std::less<>>;
  static void serve(const File& file, const Request& request, Exchange exchange);

  Files files_;
  std::size_t bytes_ = 0;
};

}  // namespace spillway::http
