#include "base/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/container/small_vector.hpp>
#include <boost/container/static_vector.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <forward_list>
#include <functional>
#include <utility>

#include "base/limits.h"
#include "base/rfc3339.h"

namespace spillway {

namespace json = boost::json;

/// A value. Those inside of it follow it at once.
struct JsonNode {
  enum class Kind : std::uint8_t { kNull, kBool, kWhole, kOtherNumber, kString, kArray, kObject };

  Kind kind;
  bool truth = false;       ///< of kBool
  std::uint32_t size = 1;   ///< nodes, this one and all inside of it
  std::uint64_t whole = 0;  ///< of kWhole
  std::string_view name{};  ///< of a member
  std::string_view text{};  ///< of kString
};

/// A text that was read, as a list of its values: most have three members, for which a tree would cost some
/// ten allocations. Strings stay where they were sent, but for those with escapes.
struct JsonDocument {
  static constexpr std::size_t kUsualNodes = 8;

  boost::container::small_vector<JsonNode, kUsualNodes> nodes;
  std::forward_list<std::string> unescaped;
};

namespace {

using Kind = JsonNode::Kind;

/// Calls `use` with each value right inside of `outer`.
template <class Use>
void for_each_inside(const JsonNode& outer, Use&& use) {
  const JsonNode* const end = &outer + outer.size;
  for (const JsonNode* node = &outer + 1; node != end; node += node->size) use(*node);
}

/// Makes a document of what Boost's parser tells, in one pass, and finds members that are there twice, which
/// Boost's own values let pass (the last one wins there; in another reader the first might: RFC 8259,
/// section 4).
class DocumentBuilder {
 public:
  static constexpr std::size_t max_object_size = ~std::size_t{0};
  static constexpr std::size_t max_array_size = ~std::size_t{0};
  static constexpr std::size_t max_key_size = ~std::size_t{0};
  static constexpr std::size_t max_string_size = ~std::size_t{0};

  DocumentBuilder(JsonDocument& document, std::string_view text) : document_(document), text_(text) {}

  std::string_view duplicate() const { return duplicate_; }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return open(Kind::kObject); }
  bool on_object_end(std::size_t, json::error_code& error) {
    const JsonNode& object = close();
    duplicate_ = duplicate_in(object);
    if (duplicate_.data() == nullptr) return true;
    error = json::error::syntax;
    return false;
  }
  bool on_array_begin(json::error_code&) { return open(Kind::kArray); }
  bool on_array_end(std::size_t, json::error_code&) {
    close();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) { return keep(part); }
  bool on_key(json::string_view part, std::size_t, json::error_code&) {
    name_ = whole(part);
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) { return keep(part); }
  bool on_string(json::string_view part, std::size_t, json::error_code&) {
    add(Kind::kString).text = whole(part);
    return true;
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t number, json::string_view, json::error_code& error) {
    if (number >= 0) return on_uint64(static_cast<std::uint64_t>(number), {}, error);
    add(Kind::kOtherNumber);
    return true;
  }
  bool on_uint64(std::uint64_t number, json::string_view, json::error_code&) {
    add(Kind::kWhole).whole = number;
    return true;
  }
  bool on_double(double, json::string_view, json::error_code&) {
    add(Kind::kOtherNumber);
    return true;
  }
  bool on_bool(bool truth, json::error_code&) {
    add(Kind::kBool).truth = truth;
    return true;
  }
  bool on_null(json::error_code&) {
    add(Kind::kNull);
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  JsonNode& add(Kind kind) {
    JsonNode& node = document_.nodes.emplace_back(JsonNode{.kind = kind});
    node.name = std::exchange(name_, {});
    return node;
  }
  bool open(Kind kind) {
    open_.push_back(document_.nodes.size());
    add(kind);
    return true;
  }
  const JsonNode& close() {
    JsonNode& node = document_.nodes[open_.back()];
    node.size = static_cast<std::uint32_t>(document_.nodes.size() - open_.back());
    open_.pop_back();
    return node;
  }
  bool keep(json::string_view part) {
    parts_.append(part.data(), part.size());
    return true;
  }
  /// A string whose last part this is.
  std::string_view whole(json::string_view last) {
    const std::less_equal<const char*> not_behind;
    if (parts_.empty() && not_behind(text_.data(), last.data()) &&
        not_behind(last.data() + last.size(), text_.data() + text_.size())) {
      return {last.data(), last.size()};
    }
    keep(last);  // the parser's own memory: it had escapes
    return document_.unescaped.emplace_front(std::exchange(parts_, {}));
  }
  /// Its data() is null when no name is there twice.
  static std::string_view duplicate_in(const JsonNode& object) {
    boost::container::small_vector<std::string_view, JsonDocument::kUsualNodes> names;
    for_each_inside(object, [&names](const JsonNode& member) { names.push_back(member.name); });
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    return twice == names.end() ? std::string_view() : *twice;
  }

  JsonDocument& document_;
  const std::string_view text_;
  boost::container::static_vector<std::size_t, limits::kMaxJsonDepth + 1> open_;
  std::string_view name_;  ///< of the value that comes next
  std::string parts_;      ///< of a string that comes in parts
  std::string_view duplicate_;
};

json::parse_options parse_options() {
  json::parse_options options;
  options.max_depth = limits::kMaxJsonDepth;
  return options;  // strict UTF-8, no comments, no trailing commas: the defaults
}

Status parse(std::string_view text, JsonDocument& document) {
  json::basic_parser<DocumentBuilder> parser(parse_options(), document, text);
  json::error_code error;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (const std::string_view twice = parser.handler().duplicate(); twice.data() != nullptr) {
    return invalid_argument(fmt::format("the member \"{}\" is there twice", twice.substr(0, 64)));
  }
  if (error == json::error::too_deep) {
    return invalid_argument(fmt::format("the JSON is nested deeper than {}", limits::kMaxJsonDepth));
  }
  if (error || used != text.size()) {
    return invalid_argument(fmt::format("the body is not valid JSON (at byte {})", used));
  }
  return Ok{};
}

bool is_string(const JsonNode& node, std::size_t min_bytes, std::size_t max_bytes) {
  return node.kind == Kind::kString && node.text.size() >= min_bytes && node.text.size() <= max_bytes;
}

}  // namespace

Status check_json(std::string_view text) {
  JsonDocument document;
  return parse(text, document);
}

JsonReader::JsonReader(std::string_view text) {
  auto document = std::make_unique<JsonDocument>();
  if (Status parsed = parse(text, *document); !parsed) {
    error_ = parsed.error();
  } else if (document->nodes.front().kind != Kind::kObject) {
    refuse("the body must be a JSON object");
  } else {
    object_ = &document->nodes.front();
    document_ = std::move(document);
  }
}
JsonReader::JsonReader(const JsonNode& object) : object_(&object) {}
JsonReader::~JsonReader() = default;

const JsonNode* JsonReader::member(std::string_view name) const {
  const JsonNode* found = nullptr;
  if (object_ != nullptr) {
    for_each_inside(*object_, [&](const JsonNode& member) {
      if (member.name == name) found = &member;
    });
  }
  return found;
}

const JsonNode* JsonReader::find(std::string_view name) const {
  const JsonNode* const found = member(name);
  return found == nullptr || found->kind == Kind::kNull ? nullptr : found;
}

bool JsonReader::has(std::string_view name) const { return find(name) != nullptr; }

bool JsonReader::is_null(std::string_view name) const {
  const JsonNode* const found = member(name);
  return found != nullptr && found->kind == Kind::kNull;
}

std::string JsonReader::required_string(std::string_view name, std::size_t min_bytes, std::size_t max_bytes) {
  const JsonNode* const value = find(name);
  if (value == nullptr || !is_string(*value, min_bytes, max_bytes)) {
    refuse(fmt::format("{} must be a string of {} to {} bytes", name, min_bytes, max_bytes));
    return {};
  }
  return std::string(value->text);
}

std::string JsonReader::optional_string(std::string_view name, std::size_t max_bytes, std::string fallback) {
  return has(name) ? required_string(name, 0, max_bytes) : std::move(fallback);
}

std::uint64_t JsonReader::required_uint(std::string_view name, std::uint64_t min, std::uint64_t max) {
  const JsonNode* const value = find(name);
  if (value == nullptr || value->kind != Kind::kWhole || value->whole < min || value->whole > max) {
    refuse(fmt::format("{} must be a whole number from {} to {}", name, min, max));
    return 0;
  }
  return value->whole;
}

std::optional<bool> JsonReader::optional_bool(std::string_view name) {
  const JsonNode* const value = find(name);
  if (value == nullptr) return {};
  if (value->kind != Kind::kBool) {
    refuse(fmt::format("{} must be true or false", name));
    return {};
  }
  return value->truth;
}

Timestamp JsonReader::optional_time(std::string_view name) {
  const JsonNode* const value = find(name);
  if (value == nullptr) return {};
  if (value->kind == Kind::kString) {
    if (const auto time = parse_time(value->text)) return *time;
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
  const JsonNode* const value = find(name);
  if (value == nullptr) return {};
  std::vector<std::string> strings;
  bool good = value->kind == Kind::kArray;
  if (good) {
    for_each_inside(*value, [&](const JsonNode& each) {
      good = good && strings.size() < max_count && is_string(each, 1, max_bytes);
      if (good) strings.emplace_back(each.text);
    });
  }
  if (good) return strings;
  refuse(fmt::format("{} must be a list of at most {} strings of 1 to {} bytes", name, max_count, max_bytes));
  return {};
}

void JsonReader::optional_object(std::string_view name, const std::function<void(JsonReader&)>& read) {
  const JsonNode* const value = find(name);
  if (value == nullptr) return;
  if (value->kind != Kind::kObject) return refuse(fmt::format("{} must be an object", name));
  JsonReader reader(*value);
  read(reader);
  if (Status status = reader.status(); !status) refuse(fmt::format("{}.{}", name, status.error().message));
}

void JsonReader::refuse(std::string message) {
  if (!error_) error_ = invalid_argument(std::move(message));
}

Status JsonReader::status() const {
  if (error_) return *error_;
  return Ok{};
}

}  // namespace spillway
