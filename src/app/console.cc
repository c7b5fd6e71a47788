#include "app/console.h"

#include <string>

#include "base/check.h"
#include "http/static_files.h"

namespace spillway::app {

// Written by web/embed.cmake at build time; ends with an empty name.
extern const ConsoleFile kConsoleFiles[];

namespace {

std::string bytes_of(const ConsoleFile& file) {
  return std::string(reinterpret_cast<const char*>(file.bytes), file.size);
}

/// What the build compressed beside `name`; empty when that had no use.
std::string compressed(std::string_view name) {
  for (const ConsoleFile* file = kConsoleFiles; !file->name.empty(); ++file) {
    if (file->name.ends_with(".gz") && file->name.substr(0, file->name.size() - 3) == name) {
      return bytes_of(*file);
    }
  }
  return {};
}

std::string_view content_type_of(std::string_view name) {
  if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
  if (name.ends_with(".css")) return "text/css; charset=utf-8";
  if (name.ends_with(".svg")) return "image/svg+xml";
  return "application/octet-stream";
}

}  // namespace

void add_console(http::Router& router) {
  using Cache = http::StaticFiles::Cache;
  constexpr std::string_view kPage = "text/html; charset=utf-8";
  http::StaticFiles pages;
  http::StaticFiles assets;
  for (const ConsoleFile* file = kConsoleFiles; !file->name.empty(); ++file) {
    const std::string_view name = file->name;
    if (name.ends_with(".gz")) continue;
    if (name == "index.html") {
      for (const char* path : {"/console", "/console/"}) {
        CHECK(pages.add(path, kPage, bytes_of(*file), Cache::kRevalidate, compressed(name)).ok());
      }
      continue;
    }
    CHECK(name.starts_with("assets/"));
    CHECK(assets
              .add("/console/" + std::string(name), content_type_of(name), bytes_of(*file), Cache::kForEver,
                   compressed(name))
              .ok());
  }
  CHECK(pages.size() == 2);
  pages.add_to(router);
  assets.add_directory_to(router, "/console/assets");
}

}  // namespace spillway::app
