#include "ops/audit_routes.h"

#include "base/json_writer.h"
#include "http/query_number.h"

namespace spillway::ops {
namespace {

Result<ListAudit> read_query(const http::Request& request) {
  ListAudit query;
  query.actor = request.query("actor").value_or("");
  query.action = request.query("action").value_or("");
  query.target = request.query("target").value_or("");
  Status status = http::read_number<std::size_t>(request, "limit", 1, limits::kMaxPage, query.limit);
  if (status) status = http::read_number<std::uint64_t>(request, "cursor", 1, INT64_MAX, query.before);
  if (!status) return std::move(status).error();
  return query;
}

std::string to_json(const AuditPage& page) {
  std::string out;
  JsonWriter json(out);
  json.open_object().key("items").open_array();
  for (const AuditItem& item : page.items) {
    json.open_object().member("sequence", item.sequence).member("at", item.at);
    json.member("actor", item.entry.actor.id).member("address", item.entry.actor.address);
    json.member("action", item.entry.action).member("target", item.entry.target);
    if (!item.entry.before.empty()) json.key("before").raw(item.entry.before);
    if (!item.entry.after.empty()) json.key("after").raw(item.entry.after);
    json.close_object();
  }
  json.close_array();
  if (page.next != 0) json.member("nextCursor", std::to_string(page.next));
  json.close_object();
  return out;
}

}  // namespace

void add_audit_routes(http::Router& router, AuditLog& log, const identity::Gate& gate) {
  router.add(http::Method::kGet, "/admin/audit",
             [&log, &gate](const http::Request& request, http::Exchange exchange) {
               if (auto caller = gate.reader(request); !caller) return exchange.fail(caller.error());
               auto query = read_query(request);
               if (!query) return exchange.fail(query.error());
               log.list(std::move(*query), [exchange = std::move(exchange)](Result<AuditPage> page) mutable {
                 if (!page) return exchange.fail(page.error());
                 http::Response response = http::Response::json(200, to_json(*page));
                 response.no_store = true;
                 exchange.reply(std::move(response));
               });
             });
}

}  // namespace spillway::ops
