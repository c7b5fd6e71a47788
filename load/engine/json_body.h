#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace spillway::load {

/// An answer's body, read by name. Whatever is not as expected is absent, never an error: journeys count it.
/// The views are good as long as it lives.
class JsonBody {
 public:
  /// `within`: the member whose members are meant ("data"); empty: the whole.
  explicit JsonBody(std::string_view text, std::string_view within = {});
  ~JsonBody();
  JsonBody(const JsonBody&) = delete;
  JsonBody& operator=(const JsonBody&) = delete;

  bool is_object() const;
  bool has(std::string_view name) const;
  std::string_view text(std::string_view name) const;  ///< empty when it is none
  std::optional<double> number(std::string_view name) const;
  /// An inner member: number("sizes", "active").
  std::optional<double> number(std::string_view outer, std::string_view name) const;
  std::string_view text(std::string_view outer, std::string_view name) const;
  /// Calls with each object of the array of that name; the text is of the member asked for.
  struct Item {
    std::function<std::string_view(std::string_view)> text;
  };
  void each(std::string_view array, const std::function<void(const Item&)>& call) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::load
