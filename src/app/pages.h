#pragma once

#include "http/server.h"

namespace spillway::app {

/// `GET /`: a page that says what runs here and where to go on.
void add_pages(http::Router&);

}  // namespace spillway::app
