#include "cli/json.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace spillway::cli {

namespace json = boost::json;

std::optional<Json> Json::parse(std::string_view text) {
  json::error_code error;
  auto document = std::make_shared<const json::value>(json::parse({text.data(), text.size()}, error));
  if (error) return std::nullopt;
  const json::value* root = document.get();
  return Json(std::move(document), root);
}

Json Json::operator[](std::string_view name) const {
  const json::object* object = at_ == nullptr ? nullptr : at_->if_object();
  return {document_, object == nullptr ? nullptr : object->if_contains({name.data(), name.size()})};
}

std::vector<Json> Json::items() const {
  std::vector<Json> items;
  const json::array* array = at_ == nullptr ? nullptr : at_->if_array();
  if (array == nullptr) return items;
  for (const json::value& each : *array) items.push_back(Json(document_, &each));
  return items;
}

bool Json::is_null() const { return at_ == nullptr || at_->is_null(); }
bool Json::is_object() const { return at_ != nullptr && at_->is_object(); }
bool Json::is_array() const { return at_ != nullptr && at_->is_array(); }
bool Json::is_true() const { return at_ != nullptr && at_->is_bool() && at_->get_bool(); }

std::string Json::text() const {
  if (is_null()) return {};
  switch (at_->kind()) {
    case json::kind::string:
      return std::string(at_->get_string().data(), at_->get_string().size());
    case json::kind::bool_:
      return at_->get_bool() ? "yes" : "no";
    case json::kind::int64:
      return fmt::format("{}", at_->get_int64());
    case json::kind::uint64:
      return fmt::format("{}", at_->get_uint64());
    case json::kind::double_:
      return fmt::format("{}", at_->get_double());
    default:
      return serialize();
  }
}

std::uint64_t Json::number() const {
  if (at_ == nullptr) return 0;
  if (const std::int64_t* number = at_->if_int64())
    return *number < 0 ? 0 : static_cast<std::uint64_t>(*number);
  const std::uint64_t* number = at_->if_uint64();
  return number == nullptr ? 0 : *number;
}

double Json::real() const {
  if (at_ == nullptr || !at_->is_number()) return 0;
  return at_->to_number<double>();
}

std::string Json::serialize() const { return at_ == nullptr ? "null" : json::serialize(*at_); }

namespace {

/// Walks over JSON that is known to be valid.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  void skip_blank() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool take(char c) {
    skip_blank();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  /// One value, and what is in it.
  std::string_view value() {
    skip_blank();
    const std::size_t begin = at_;
    int open = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (open == 0 && at_ > begin && std::string_view(",:]} \t\r\n").find(c) != std::string_view::npos)
        break;
      ++at_;
      if (c == '"') skip_string();
      if (c == '{' || c == '[') ++open;
      if ((c == '}' || c == ']') && --open == 0) break;
      if (c == '"' && open == 0) break;
    }
    return text_.substr(begin, at_ - begin);
  }

 private:
  /// Behind the first quote.
  void skip_string() {
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<RawMember> raw_members(std::string_view json) {
  std::vector<RawMember> members;
  Walker walker(json);
  if (!walker.take('{') || walker.take('}')) return members;
  do {
    const std::string_view name = walker.value();
    walker.take(':');
    members.push_back({name.substr(1, name.size() - 2), walker.value()});
  } while (walker.take(','));
  return members;
}

std::vector<std::string_view> raw_elements(std::string_view json) {
  std::vector<std::string_view> elements;
  Walker walker(json);
  if (!walker.take('[') || walker.take(']')) return elements;
  do {
    elements.push_back(walker.value());
  } while (walker.take(','));
  return elements;
}

}  // namespace spillway::cli
