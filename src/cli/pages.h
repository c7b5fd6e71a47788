#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/cli11_fwd.h"
#include "cli/context.h"

namespace spillway::cli {

/// How much of a list is wanted.
struct ListOptions {
  std::uint64_t limit = 100;
  std::string cursor;

  /// Adds --limit and --cursor.
  void add_to(CLI::App& command);
};

/// A list, put together from its pages.
struct Listing {
  std::string document;  ///< one page of JSON with all items: the first page's members, the last one's cursor
  Json first;            ///< the first page
  std::vector<Json> items;  ///< at most ListOptions::limit
  std::string next_cursor;  ///< when there is more
};

/// Reads pages until there are as many items as wanted. `target_of` makes the target without limit and
/// cursor. `envelope`: the member of the answer that is the page; empty: the answer is. Nothing: the session
/// has told why.
std::optional<Listing> read_list(Context& context, const std::function<Target()>& target_of,
                                 const ListOptions& options, const std::string& envelope = "");

/// Tells that there is more, when there is.
void note_more(const Context& context, const Listing& listing);

}  // namespace spillway::cli
