#include "base/json_reader.h"

#include <fmt/format.h>
#include <algorithm>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <set>
#include <vector>

#include "base/limits.h"
#include "base/rfc3339.h"

namespace spillway {
namespace {

namespace json = boost::json;

json::parse_options parse_options() {
  json::parse_options options;
  options.max_depth = limits::kMaxJsonDepth;
  return options;  // strict UTF-8, no comments, no trailing commas: the defaults
}

/// Finds members that are there twice, which the parser into values lets pass (the last one wins there; in
/// another reader the first might: RFC 8259, section 4).
struct DuplicateFinder {
  static constexpr std::size_t max_object_size = ~std::size_t{0};
  static constexpr std::size_t max_array_size = ~std::size_t{0};
  static constexpr std::size_t max_key_size = ~std::size_t{0};
  static constexpr std::size_t max_string_size = ~std::size_t{0};

  std::vector<std::set<std::string>> open;
  std::string key;
  std::string duplicate;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    open.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    open.pop_back();
    return true;
  }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    key.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    key.append(part.data(), part.size());
    if (!open.back().insert(key).second) {
      duplicate = key;
      error = json::error::syntax;
      return false;
    }
    key.clear();
    return true;
  }
  bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
  bool on_double(double, json::string_view, json::error_code&) { return true; }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

}  // namespace

Status check_json(std::string_view text) {
  json::basic_parser<DuplicateFinder> parser(parse_options());
  json::error_code error;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!parser.handler().duplicate.empty()) {
    return invalid_argument(
        fmt::format("the member \"{}\" is there twice", parser.handler().duplicate.substr(0, 64)));
  }
  if (error == json::error::too_deep) {
    return invalid_argument(fmt::format("the JSON is nested deeper than {}", limits::kMaxJsonDepth));
  }
  if (error || used != text.size()) {
    return invalid_argument(fmt::format("the body is not valid JSON (at byte {})", used));
  }
  return Ok{};
}

struct JsonReader::Impl {
  json::object object;
  std::optional<Error> error;

  const json::value* find(std::string_view name) const {
    const auto it = object.find(json::string_view(name.data(), name.size()));
    return it == object.end() || it->value().is_null() ? nullptr : &it->value();
  }
};

JsonReader::JsonReader(std::string_view text) : impl_(std::make_unique<Impl>()) {
  if (Status checked = check_json(text); !checked) {
    impl_->error = checked.error();
    return;
  }
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, parse_options());
  if (error || !value.is_object()) {
    refuse("the body must be a JSON object");
    return;
  }
  impl_->object = std::move(value.as_object());
}
JsonReader::JsonReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonReader::~JsonReader() = default;
JsonReader::JsonReader(JsonReader&&) noexcept = default;

bool JsonReader::has(std::string_view name) const { return impl_->find(name) != nullptr; }

bool JsonReader::is_null(std::string_view name) const {
  const auto it = impl_->object.find(json::string_view(name.data(), name.size()));
  return it != impl_->object.end() && it->value().is_null();
}

std::string JsonReader::required_string(std::string_view name, std::size_t min_bytes, std::size_t max_bytes) {
  const json::value* value = impl_->find(name);
  if (value == nullptr || !value->is_string() || value->get_string().size() < min_bytes ||
      value->get_string().size() > max_bytes) {
    refuse(fmt::format("{} must be a string of {} to {} bytes", name, min_bytes, max_bytes));
    return {};
  }
  return {value->get_string().data(), value->get_string().size()};
}

std::string JsonReader::optional_string(std::string_view name, std::size_t max_bytes, std::string fallback) {
  return has(name) ? required_string(name, 0, max_bytes) : std::move(fallback);
}

std::uint64_t JsonReader::required_uint(std::string_view name, std::uint64_t min, std::uint64_t max) {
  const json::value* value = impl_->find(name);
  std::uint64_t number = 0;
  bool good = false;
  if (value != nullptr && value->is_int64() && value->get_int64() >= 0) {
    number = static_cast<std::uint64_t>(value->get_int64());
    good = true;
  } else if (value != nullptr && value->is_uint64()) {
    number = value->get_uint64();
    good = true;
  }
  if (!good || number < min || number > max) {
    refuse(fmt::format("{} must be a whole number from {} to {}", name, min, max));
    return 0;
  }
  return number;
}

std::optional<bool> JsonReader::optional_bool(std::string_view name) {
  const json::value* value = impl_->find(name);
  if (value == nullptr) return {};
  if (!value->is_bool()) {
    refuse(fmt::format("{} must be true or false", name));
    return {};
  }
  return value->get_bool();
}

Timestamp JsonReader::optional_time(std::string_view name) {
  if (!has(name)) return {};
  const json::value* value = impl_->find(name);
  if (value->is_string()) {
    if (const auto time = parse_time({value->get_string().data(), value->get_string().size()})) return *time;
  }
  refuse(fmt::format("{} must be a time as 2026-11-20T09:00:00Z (RFC 3339)", name));
  return {};
}

std::uint64_t JsonReader::optional_uint(std::string_view name, std::uint64_t min, std::uint64_t max,
                                        std::uint64_t fallback) {
  return has(name) ? required_uint(name, min, max) : fallback;
}

std::vector<std::string> JsonReader::optional_strings(std::string_view name, std::size_t max_count,
                                                      std::size_t max_bytes) {
  const json::value* value = impl_->find(name);
  if (value == nullptr) return {};
  const auto good = [max_bytes](const json::value& each) {
    return each.is_string() && !each.get_string().empty() && each.get_string().size() <= max_bytes;
  };
  std::vector<std::string> strings;
  if (value->is_array() && value->get_array().size() <= max_count &&
      std::all_of(value->get_array().begin(), value->get_array().end(), good)) {
    for (const json::value& each : value->get_array()) {
      strings.emplace_back(each.get_string().data(), each.get_string().size());
    }
  } else {
    refuse(
        fmt::format("{} must be a list of at most {} strings of 1 to {} bytes", name, max_count, max_bytes));
  }
  return strings;
}

void JsonReader::optional_object(std::string_view name, const std::function<void(JsonReader&)>& read) {
  const json::value* value = impl_->find(name);
  if (value == nullptr) return;
  if (!value->is_object()) return refuse(fmt::format("{} must be an object", name));
  auto inner = std::make_unique<Impl>();
  inner->object = value->get_object();
  JsonReader reader(std::move(inner));
  read(reader);
  if (Status status = reader.status(); !status) refuse(fmt::format("{}.{}", name, status.error().message));
}

void JsonReader::refuse(std::string message) {
  if (!impl_->error) impl_->error = invalid_argument(std::move(message));
}

Status JsonReader::status() const {
  if (impl_->error) return *impl_->error;
  return Ok{};
}

}  // namespace spillway
