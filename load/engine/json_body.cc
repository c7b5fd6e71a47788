#include "load/engine/json_body.h"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace spillway::load {
namespace {

namespace json = boost::json;

constexpr std::size_t kSmallBody = 2048;  // of which nothing is allocated

const json::value* member(const json::value* from, std::string_view name) {
  const json::object* object = from == nullptr ? nullptr : from->if_object();
  return object == nullptr ? nullptr : object->if_contains(name);
}

std::string_view as_text(const json::value* v) {
  const json::string* found = v == nullptr ? nullptr : v->if_string();
  return found == nullptr ? std::string_view{} : std::string_view(found->data(), found->size());
}

std::optional<double> as_number(const json::value* v) {
  if (v == nullptr || !v->is_number()) return std::nullopt;
  return v->to_number<double>();
}

}  // namespace

struct JsonBody::Impl {
  unsigned char small[kSmallBody];
  json::monotonic_resource memory{small, sizeof small};
  json::value whole = json::value(json::storage_ptr(&memory));
  const json::value* root = nullptr;  // what is meant; null when it is not there
};

JsonBody::JsonBody(std::string_view text, std::string_view within) : impl_(std::make_unique<Impl>()) {
  json::error_code error;
  impl_->whole = json::parse(text, error, &impl_->memory);
  if (error) return;
  impl_->root = within.empty() ? &impl_->whole : member(&impl_->whole, within);
}

JsonBody::~JsonBody() = default;

bool JsonBody::is_object() const { return impl_->root != nullptr && impl_->root->is_object(); }
bool JsonBody::has(std::string_view name) const { return member(impl_->root, name) != nullptr; }
std::string_view JsonBody::text(std::string_view name) const { return as_text(member(impl_->root, name)); }
std::optional<double> JsonBody::number(std::string_view name) const {
  return as_number(member(impl_->root, name));
}
std::optional<double> JsonBody::number(std::string_view outer, std::string_view name) const {
  return as_number(member(member(impl_->root, outer), name));
}
std::string_view JsonBody::text(std::string_view outer, std::string_view name) const {
  return as_text(member(member(impl_->root, outer), name));
}

void JsonBody::each(std::string_view array, const std::function<void(const Item&)>& call) const {
  const json::value* found = member(impl_->root, array);
  const json::array* items = found == nullptr ? nullptr : found->if_array();
  if (items == nullptr) return;
  for (const json::value& one : *items)
    call({[&one](std::string_view name) { return as_text(member(&one, name)); }});
}

}  // namespace spillway::load
