#pragma once

#include "http/server.h"

namespace spillway::app {

/// `GET /`: a page that says what runs here and where to go on, in a demonstration also how to take part; and
/// the console.
void add_pages(http::Router&, bool demo);

}  // namespace spillway::app
