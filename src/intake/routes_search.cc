// The operators' search for requests.

#include "base/limits.h"
#include "intake/routes_shared.h"

namespace spillway::intake {
namespace {

Result<SearchRequests> read_search(const http::Request& request) {
  SearchRequests command;
  command.user_id = request.query("userId").value_or("");
  command.request_id = request.query("requestId").value_or("");
  command.event_id = request.query("eventId").value_or("");
  if (command.user_id.empty() && command.request_id.empty() && command.event_id.empty()) {
    return invalid_argument("one of userId, requestId and eventId is required");
  }
  if (!command.user_id.empty() && !is_user_id(command.user_id)) {
    return invalid_argument("userId must be 1 to 128 bytes of UTF-8 without control characters");
  }
  for (const auto& [name, id] :
       {std::pair("requestId", &command.request_id), {"eventId", &command.event_id}}) {
    if (!id->empty() && !is_path_id(*id)) {
      return invalid_argument(std::string(name) + " must be 1 to 128 of A-Z a-z 0-9 . _ ~ -");
    }
  }
  auto status = read_status(request);
  if (!status) return status.error();
  command.status = *status;
  if (Status page = read_page(request, command.limit, command.cursor); !page) return page.error();
  return command;
}

std::string to_json(const FoundRequests& page) {
  std::string out;
  JsonWriter json(out);
  json.open_object().key("items").open_array();
  for (const RequestDetail& item : page.items) append_detail(json, item, false);
  json.close_array();
  if (!page.next_cursor.empty()) json.member("nextCursor", page.next_cursor);
  json.close_object();
  return out;
}

void search(const RouteContext& context, const http::Request& request, http::Exchange exchange) {
  auto command = read_search(request);
  if (!command) return exchange.fail(command.error());
  context.service.search_requests(
      std::move(*command),
      answer<FoundRequests>(std::move(exchange), [](const auto& page) { return to_json(page); }));
}

}  // namespace

void add_search_routes(http::Router& router, const RouteContext& context) {
  router.add(http::Method::kGet, "/admin/requests", for_readers(context, search));
}

}  // namespace spillway::intake
