#include "load/journeys/violations.h"

#include <fmt/format.h>

#include "load/wire/wire_text.h"

namespace spillway::load {

Violations::Count& Violations::of(std::string_view invariant) {
  const auto found = counts_.find(invariant);
  return found != counts_.end() ? found->second : counts_[std::string(invariant)];
}

void Violations::broken(std::string_view invariant, std::string_view example) {
  Count& count = of(invariant);
  ++count.looked;
  if (count.broken++ == 0) count.example = example;
}

std::string Violations::encode() const {
  std::string out;
  for (const auto& [name, count] : counts_) {
    put_text(out, name);
    put_number(out, count.looked);
    put_number(out, count.broken);
    put_text(out, count.example);
  }
  return out;
}

bool Violations::add_encoded(std::string_view text) {
  WireReader in(text);
  while (in.good() && !in.at_end()) {
    const std::string_view name = in.text();
    const auto looked = in.number<std::uint64_t>(), broken = in.number<std::uint64_t>();
    const std::string_view example = in.text();
    if (!in.good()) return false;
    Count& count = of(name);
    count.looked += looked;
    if (count.broken == 0) count.example = example;
    count.broken += broken;
  }
  return in.good();
}

std::vector<InvariantResult> Violations::broken_ones() const {
  std::vector<InvariantResult> all;
  for (const auto& [name, count] : counts_) {
    if (count.broken > 0) all.push_back(result(name, "seen while the load lasted"));
  }
  return all;
}

InvariantResult Violations::result(std::string_view invariant, std::string_view promise) const {
  InvariantResult result;
  result.name = invariant;
  const auto found = counts_.find(invariant);
  if (found != counts_.end()) {
    result.looked_at = found->second.looked;
    result.violations = found->second.broken;
  }
  result.ok = result.violations == 0 && result.looked_at > 0;
  result.detail = promise;
  if (result.violations > 0) result.detail += fmt::format("; broken, for example: {}", found->second.example);
  if (result.looked_at == 0) result.detail += "; nothing was seen that it could be held against";
  return result;
}

}  // namespace spillway::load
