#include "cli/pages.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "cli/commands.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

/// The items of one page after those of the pages before, byte for byte.
void append_items(std::string& items, std::string_view page) {
  for (const RawMember& member : raw_members(page)) {
    if (member.name != "items") continue;
    for (const std::string_view item : raw_elements(member.value)) {
      if (!items.empty()) items.push_back(',');
      items.append(item);
    }
  }
}

std::string join_pages(const std::string& first, const std::string& last, const std::string& items) {
  std::string out;
  for (const RawMember& member : raw_members(first)) {
    if (member.name == "nextCursor") continue;
    out += fmt::format("{}\"{}\":", out.empty() ? "" : ",", member.name);
    out += member.name == "items" ? fmt::format("[{}]", items) : std::string(member.value);
  }
  for (const RawMember& member : raw_members(last)) {
    if (member.name == "nextCursor") out += fmt::format(",\"nextCursor\":{}", member.value);
  }
  return fmt::format("{{{}}}", out);
}

/// The page in an answer.
std::string page_in(const std::string& body, const std::string& envelope) {
  if (envelope.empty()) return body;
  for (const RawMember& member : raw_members(body)) {
    if (member.name == envelope) return std::string(member.value);
  }
  return "{}";
}

}  // namespace

void ListOptions::add_to(CLI::App& command) {
  number_option(command, "--limit", limit, 1, limits::kMaxListed,
                fmt::format("At most so many, by default {}", limit));
  text_option(command, "--cursor", cursor, "CURSOR", "Go on where a list ended (its nextCursor)");
}

std::optional<Listing> read_list(Context& context, const std::function<Target()>& target_of,
                                 const ListOptions& options, const std::string& envelope) {
  std::optional<Listing> listing;
  std::string cursor = options.cursor, first, items;
  while (true) {
    const std::size_t wanted = options.limit - (listing ? listing->items.size() : 0);
    Target target = target_of();
    target.query("limit", std::to_string(std::min(wanted, limits::kMaxPage))).query("cursor", cursor);
    const auto answer = context.session.get(target);
    if (!answer) return std::nullopt;
    const Json page = envelope.empty() ? answer->json : answer->json[envelope];
    if (!page["items"].is_array()) {
      context.session.fail(kExitNotReachable, "what answered is no list: look at --server");
      return std::nullopt;
    }
    const std::string text = page_in(answer->body, envelope);
    if (!listing) {
      listing.emplace(Listing{.document = {}, .first = page, .items = {}, .next_cursor = {}});
      first = text;
    }
    for (Json& item : page["items"].items()) listing->items.push_back(std::move(item));
    append_items(items, text);
    const std::string next = page["nextCursor"].text();
    const bool done = next.empty() || next == cursor || listing->items.size() >= options.limit;
    cursor = listing->next_cursor = next;
    if (done) {
      listing->document = join_pages(first, text, items);
      if (!envelope.empty()) listing->document = fmt::format("{{\"{}\":{}}}", envelope, listing->document);
      return listing;
    }
  }
}

void note_more(const Context& context, const Listing& listing) {
  if (listing.next_cursor.empty()) return;
  context.notes << fmt::format("there may be more: --limit {} or --cursor {}\n", listing.items.size() * 10,
                               printable(listing.next_cursor));
}

}  // namespace spillway::cli
