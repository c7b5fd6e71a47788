#pragma once

#include <string_view>

#include "http/router.h"

namespace spillway::app {

/// One file of the console as Vite made it: `index.html`, or one of `assets/`, whose name changes with its
/// content.
struct ConsoleFile {
  std::string_view name;
  const unsigned char* bytes;
  std::size_t size;
};

/// `GET /console`: the operators' page, and its assets. The files are in the program (web/embed.cmake).
void add_console(http::Router&);

}  // namespace spillway::app
