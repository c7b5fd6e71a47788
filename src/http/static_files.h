#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/router.h"

namespace spillway::http {

/// Files that are held in memory and served by GET and HEAD, with ETag and If-None-Match. Pages (text/html)
/// get the headers that keep other people's scripts and frames out: no inline script, no framing, no
/// referrer.
class StaticFiles {
 public:
  /// How long a browser may keep a file without asking again.
  enum class Cache { kRevalidate, kForEver };  ///< kForEver: for names that change with their content

  /// `path` as in a URL, decoded: begins with '/', of letters, digits and "-._~" otherwise. Errors:
  /// invalid_argument (path, twice the same, larger than limits::kMaxStaticFileBytes, all together than
  /// kMaxStaticBytes).
  Status add(std::string_view path, std::string_view content_type, std::string bytes,
             Cache cache = Cache::kRevalidate);
  /// Reads a directory with its subdirectories, now: later changes are not seen. Hidden files and symbolic
  /// links are left out; `index.html` also stands for its directory; what lies under `assets/` is cached for
  /// ever.
  Status add_directory(const std::string& directory, std::string_view url_prefix = "");
  /// One route for each file. The files live as long as the handlers.
  void add_to(Router& router) const;
  std::size_t size() const { return files_.size(); }

 private:
  struct File {
    std::string content_type;
    std::string bytes;
    std::string etag;
    Cache cache;
  };
  static void serve(const File& file, const Request& request, Exchange exchange);

  std::map<std::string, std::shared_ptr<const File>, std::less<>> files_;
  std::size_t bytes_ = 0;
};

}  // namespace spillway::http
