#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "http/message.h"
#include "http/rate_limits.h"

namespace spillway::http {

/// Called on a loop's thread. Must not block. The handler of a route is shared by all http threads.
using Handler = std::function<void(const Request&, Exchange)>;

struct RouteOptions {
  std::size_t max_body_bytes = limits::kMaxBodyBytes;
};

/// What a path and a method lead to. `allowed` has one bit a method and is zero for an unknown path.
struct RouteMatch {
  int route = -1;
  std::uint8_t allowed = 0;
  std::array<std::string_view, limits::kMaxPathParameters> params;
  std::size_t param_count = 0;
};

/// Which handler for which method and path. Built before the server starts, then only read, by any thread.
/// Patterns: "/events/{eventId}/participations": a parameter matches one segment, not empty. A literal
/// segment wins over a parameter. 404 for an unknown path, 405 with Allow for a known path with another
/// method; HEAD is answered by GET's handler without the body; OPTIONS by Allow.
class Router {
 public:
  struct Route {
    Method method;
    std::string pattern;
  };

  Router();
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  /// CHECKs that the pattern is well formed and new.
  void add(Method method, std::string_view pattern, Handler handler, RouteOptions options = {});
  /// Says of every route that was added so far which limits hold for it; without this none do.
  void classify(const std::function<RouteClass(const Route&)>& class_of);
  RouteClass route_class(int route) const { return entries_[static_cast<std::size_t>(route)].route_class; }
  /// In the order in which they were added; for the OpenAPI test and for metrics labels.
  std::vector<Route> routes() const;

  /// Does not allocate. `segments` are percent-decoded.
  void match(Method method, const std::string_view* segments, std::size_t count, RouteMatch& out) const;
  const Handler& handler(int route) const { return entries_[static_cast<std::size_t>(route)].handler; }
  std::size_t max_body_bytes(int route) const {
    return route < 0 ? limits::kMaxBodyBytes
                     : entries_[static_cast<std::size_t>(route)].options.max_body_bytes;
  }
  /// The value of an Allow field.
  static std::string allow(std::uint8_t methods);

 private:
  struct Entry {
    Route route;
    Handler handler;
    RouteOptions options;
    RouteClass route_class = RouteClass::kNone;
  };
  struct Level;
  std::unique_ptr<Level> root_;
  std::vector<Entry> entries_;
};

}  // namespace spillway::http
