#include "http/router.h"

#include <algorithm>

#include "base/check.h"

namespace spillway::http {
namespace {

constexpr std::uint8_t bit(Method method) {
  return static_cast<std::uint8_t>(1U << static_cast<unsigned>(method));
}

}  // namespace

/// One level of the tree of segments. Few literals stand on one level, so a list beats a map.
struct Router::Level {
  std::vector<std::pair<std::string, std::unique_ptr<Level>>> literals;
  std::unique_ptr<Level> parameter;
  std::array<int, kMethods> routes;

  Level() { routes.fill(-1); }
  int route(Method method) const {
    const int found = routes[static_cast<std::size_t>(method)];
    return found < 0 && method == Method::kHead ? routes[static_cast<std::size_t>(Method::kGet)] : found;
  }
  std::uint8_t allowed() const {
    std::uint8_t methods = 0;
    for (std::size_t i = 0; i < kMethods; ++i) {
      if (routes[i] >= 0) methods = static_cast<std::uint8_t>(methods | bit(static_cast<Method>(i)));
    }
    if ((methods & bit(Method::kGet)) != 0) methods |= bit(Method::kHead);
    if (methods != 0) methods |= bit(Method::kOptions);
    return methods;
  }

  /// Goes back to the parameter when the literal leads nowhere for this method, so that PUT /a/{x} is found
  /// beside GET /a/b. How far it can go back is given by the routes, not by the request.
  bool match(Method method, const std::string_view* segments, std::size_t count, RouteMatch& out) const {
    if (count == 0) {
      out.allowed = static_cast<std::uint8_t>(out.allowed | allowed());
      out.route = route(method);
      return out.route >= 0;
    }
    for (const auto& [text, level] : literals) {
      if (text == segments[0] && level->match(method, segments + 1, count - 1, out)) return true;
    }
    if (parameter == nullptr || segments[0].empty()) return false;
    out.params[out.param_count++] = segments[0];
    if (parameter->match(method, segments + 1, count - 1, out)) return true;
    --out.param_count;
    return false;
  }
};

Router::Router() : root_(std::make_unique<Level>()) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(Method method, std::string_view pattern, Handler handler, RouteOptions options) {
  CHECK(pattern.starts_with('/'));
  CHECK(handler != nullptr);
  Level* level = root_.get();
  std::size_t parameters = 0;
  for (std::string_view rest = pattern; !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(segment.size());
    std::unique_ptr<Level>* next = nullptr;
    if (segment.starts_with('{')) {
      CHECK(segment.ends_with('}') && segment.size() > 2);
      CHECK(++parameters <= limits::kMaxPathParameters);
      next = &level->parameter;
    } else {
      const auto found = std::find_if(level->literals.begin(), level->literals.end(),
                                      [&](const auto& literal) { return literal.first == segment; });
      next = found != level->literals.end()
                 ? &found->second
                 : &level->literals.emplace_back(std::string(segment), nullptr).second;
    }
    if (*next == nullptr) *next = std::make_unique<Level>();
    level = next->get();
  }
  int& route = level->routes[static_cast<std::size_t>(method)];
  CHECK(route < 0);
  route = static_cast<int>(entries_.size());
  entries_.push_back({{method, std::string(pattern)}, std::move(handler), options, RouteClass::kNone});
}

void Router::classify(const std::function<RouteClass(const Route&)>& class_of) {
  for (Entry& entry : entries_) entry.route_class = class_of(entry.route);
}

std::vector<Router::Route> Router::routes() const {
  std::vector<Route> routes;
  for (const Entry& entry : entries_) routes.push_back(entry.route);
  return routes;
}

void Router::match(Method method, const std::string_view* segments, std::size_t count,
                   RouteMatch& out) const {
  out.route = -1;
  out.allowed = 0;
  out.param_count = 0;
  root_->match(method, segments, count, out);
}

std::string Router::allow(std::uint8_t methods) {
  std::string text;
  for (std::size_t i = 0; i < kMethods; ++i) {
    const auto method = static_cast<Method>(i);
    if ((methods & bit(method)) == 0) continue;
    if (!text.empty()) text += ", ";
    text += name(method);
  }
  return text;
}

}  // namespace spillway::http
