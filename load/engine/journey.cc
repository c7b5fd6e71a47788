#include "load/engine/journey.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace spillway::load {
namespace {

constexpr std::size_t kMostOfAnswer = 300;
constexpr std::size_t kMaxIdBytes = 128;

std::vector<JourneyKind>& registry() {
  static std::vector<JourneyKind> kinds;
  return kinds;
}

}  // namespace

JourneyRegistration::JourneyRegistration(JourneyKind kind) {
  auto& kinds = registry();
  const auto at = std::lower_bound(kinds.begin(), kinds.end(), kind.name,
                                   [](const JourneyKind& k, std::string_view name) { return k.name < name; });
  kinds.insert(at, std::move(kind));
}

const std::vector<JourneyKind>& all_journeys() { return registry(); }

const JourneyKind* find_journey(std::string_view name) {
  for (const JourneyKind& kind : registry()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

const std::string* SettingsReader::find(const std::string& key) const {
  const auto found = scenario_.settings.find(key);
  return found == scenario_.settings.end() ? nullptr : &found->second;
}

void SettingsReader::refuse(const std::string& key, std::string_view what) {
  if (!error_.empty()) return;
  error_ = fmt::format("scenarios.{}.settings.{}: {}", scenario_.name, key, what);
}

std::string SettingsReader::text(const std::string& key, std::string fallback) {
  const std::string* found = find(key);
  return found == nullptr ? std::move(fallback) : *found;
}

double SettingsReader::number(const std::string& key, double fallback, double min, double max) {
  const std::string* found = find(key);
  if (found == nullptr) return fallback;
  double value = 0;
  const auto [end, error] = std::from_chars(found->data(), found->data() + found->size(), value);
  if (error != std::errc{} || end != found->data() + found->size() || !(value >= min && value <= max)) {
    refuse(key, fmt::format("must be a number from {} to {}", min, max));
    return fallback;
  }
  return value;
}

double SettingsReader::seconds(const std::string& key, double fallback) {
  const std::string* found = find(key);
  if (found == nullptr) return fallback;
  const auto value = parse_duration(*found);
  if (!value) {
    refuse(key, "must be a time as 90s or 1m30s");
    return fallback;
  }
  return *value;
}

bool SettingsReader::flag(const std::string& key, bool fallback) {
  const std::string* found = find(key);
  if (found == nullptr) return fallback;
  if (*found != "true" && *found != "false") refuse(key, "must be true or false");
  return *found == "true";
}

void SettingsReader::id(const std::string& key, std::string_view value) {
  const bool good = std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '~' || c == '-';
  });
  if (!good || value.empty() || value.size() > kMaxIdBytes || value == "." || value == "..")
    refuse(key, "must be 1 to 128 of A-Z a-z 0-9 . _ ~ -");
}

void SettingsReader::path(const std::string& key, std::string_view value) {
  const bool good =
      std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
  if (!good || !value.starts_with('/')) refuse(key, "must begin with / and have no blank, control or #");
}

Status SettingsReader::status() const {
  if (!error_.empty()) return invalid_argument(error_);
  return Ok{};
}

Error not_prepared(std::string_view setting, std::string_view value, std::string_view asked,
                   const Reply& reply) {
  if (reply.status == 0)
    return invalid_argument(
        fmt::format("{} {}: {} had no answer: {}", setting, value, asked, why(reply.failure)));
  const bool secret = reply.status == 401 || reply.status == 403;
  return invalid_argument(fmt::format(
      "{} {}: the server answered {} with {}{}: {}", setting, value, asked, reply.status,
      secret ? " (SPILLWAY_ADMIN_TOKEN must be its admin secret)" : "", reply.body.substr(0, kMostOfAnswer)));
}

Status check_settings(const Scenario& scenario, const JourneyKind& kind, const Settings& of_plan) {
  for (const auto& [key, value] : scenario.settings) {
    const bool known = std::any_of(kind.settings.begin(), kind.settings.end(),
                                   [&](const auto& row) { return row.first == key; });
    if (known || of_plan.contains(key)) continue;
    std::string names;
    for (const auto& [name, help] : kind.settings)
      names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    return invalid_argument(
        fmt::format("scenarios.{}.settings.{}: the journey {} has no such setting; it has {}", scenario.name,
                    key, kind.name, names));
  }
  return Ok{};
}

}  // namespace spillway::load
