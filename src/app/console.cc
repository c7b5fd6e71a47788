#include "app/console.h"

#include <string>

#include "base/check.h"
#include "http/static_files.h"

namespace spillway::app {

// Written by web/embed.cmake at build time; ends with an empty name.
extern const ConsoleFile kConsoleFiles[];

namespace {

constexpr std::string_view kAssets = "assets/";

std::string_view content_type_of(std::string_view name) {
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

/// The names carry a hash of the content, so there is one route for all, and a browser never asks for one
/// twice.
void send_asset(const http::Request& request, http::Exchange exchange) {
  for (const ConsoleFile* file = kConsoleFiles; !file->name.empty(); ++file) {
    if (!file->name.starts_with(kAssets) || file->name.substr(kAssets.size()) != request.param(0)) continue;
    http::Response response;
    response.headers = {{"Cache-Control", "public, max-age=31536000, immutable"},
                        {"X-Content-Type-Options", "nosniff"}};
    response.content_type = content_type_of(file->name);
    response.body.assign(reinterpret_cast<const char*>(file->bytes), file->size);
    return exchange.reply(std::move(response));
  }
  exchange.fail(not_found("the console has no such file; load the page again"));
}

}  // namespace

void add_console(http::Router& router) {
  http::StaticFiles pages;
  for (const ConsoleFile* file = kConsoleFiles; !file->name.empty(); ++file) {
    if (file->name != "index.html") continue;
    const std::string page(reinterpret_cast<const char*>(file->bytes), file->size);
    for (const char* path : {"/console", "/console/"}) {
      CHECK(pages.add(path, "text/html; charset=utf-8", page).ok());
    }
  }
  CHECK(pages.size() == 2);
  pages.add_to(router);
  router.add(http::Method::kGet, "/console/assets/{file}", send_asset);
}

}  // namespace spillway::app
