#pragma once

// The parser of the command line, whose headers are heavy.
namespace CLI {  // NOLINT(readability-identifier-naming): theirs
class App;
class Option;
}  // namespace CLI
