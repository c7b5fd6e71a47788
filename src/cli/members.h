#pragma once

#include <map>
#include <string>

#include "base/json_writer.h"
#include "cli/context.h"

namespace spillway::cli {

/// Members of an object as JSON, by name: what a PUT of a whole definition sends.
using Members = std::map<std::string, std::string>;

template <class T>
std::string as_json(const T& value) {
  std::string out;
  JsonWriter(out).value(value);
  return out;
}
std::string object_of(const Members& members);

/// What was typed for a time; "none" takes it away. False: told why.
bool set_time(Context& context, Members& members, const char* member, const char* option,
              const std::string& typed);

}  // namespace spillway::cli
