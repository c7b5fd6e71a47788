#include "app/pages.h"

#include "app/console.h"
#include "http/static_files.h"

namespace spillway::app {
namespace {

constexpr std::string_view kHomeBegin = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Spillway</title>
<link rel="stylesheet" href="/home.css">
<main>
  <h1>Spillway</h1>
  <p class="lead">This server takes a crowd that arrives at once, answers everybody, and lets them through in
    order.</p>
  <p class="lead" lang="ko">한꺼번에 몰려오는 사람들을 모두 받아 바로 답하고, 온 순서대로 들여보냅니다.</p>
  <ul>
)html";

/// Only in a demonstration is there an event that everybody knows, and a login without a password.
constexpr std::string_view kDemoLink =
    R"html(    <li><a href="/events/EVT-009">Take part in an event</a> <span lang="ko">이벤트에 참가하기</span></li>
)html";

constexpr std::string_view kHomeLinks =
    R"html(    <li><a href="/console">Console</a> <span lang="ko">운영 콘솔</span></li>
    <li><a href="/readyz?verbose">Ready?</a> <span lang="ko">준비 상태</span></li>
    <li><a href="/metrics">Metrics</a> <span lang="ko">지표</span></li>
  </ul>
)html";

constexpr std::string_view kDemoCommands =
    R"html(  <p>Sign up from a terminal <span lang="ko">(터미널에서 참가하기)</span>:</p>
  <pre><code>TOKEN=$(curl -s localhost:8080/auth/login -d '{"userId":"me"}' | cut -d'"' -f4)
curl -i -X POST localhost:8080/events/EVT-009/participations \
     -H "Authorization: Bearer $TOKEN"</code></pre>
)html";

constexpr std::string_view kHomeEnd = R"html(</main>
</html>
)html";

std::string home(bool demo) {
  std::string page(kHomeBegin);
  if (demo) page += kDemoLink;
  page += kHomeLinks;
  if (demo) page += kDemoCommands;
  page += kHomeEnd;
  return page;
}

constexpr std::string_view kStyle = R"css(:root {
  color-scheme: light dark;
  --ink: #12212e; --paper: #f6f9fb; --soft: #5b6f80; --line: #d5e0e8; --accent: #0b6fa4;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4edf4; --paper: #0f1922; --soft: #93a7b8; --line: #263747; --accent: #5bb8ea; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 17px/1.6 system-ui, sans-serif; }
main { max-width: 44rem; margin: 12vh auto; padding: 0 1.5rem; }
h1 { display: inline-block; margin: 0 0 1rem; font-size: 2.6rem; letter-spacing: -0.02em;
     border-bottom: 4px solid var(--accent); }
.lead { font-size: 1.15rem; margin: 0.3rem 0; }
[lang="ko"] { color: var(--soft); }
ul { padding-left: 1.2rem; margin: 1.6rem 0; }
a { color: var(--accent); }
pre { overflow-x: auto; padding: 1rem; font-size: 0.85rem; border: 1px solid var(--line); border-radius: 8px;
      background: color-mix(in srgb, var(--accent) 8%, transparent); }
)css";

}  // namespace

void add_pages(http::Router& router, bool demo) {
  http::StaticFiles files;
  CHECK(files.add("/", "text/html; charset=utf-8", home(demo)).ok());
  CHECK(files.add("/home.css", "text/css; charset=utf-8", std::string(kStyle)).ok());
  files.add_to(router);
  add_console(router);
}

}  // namespace spillway::app
