#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace spillway::cli {

enum class Align { kLeft, kRight };

/// Rows for people: aligned by what a terminal shows, not by bytes. Cells may hold whatever a server sent.
class Table {
 public:
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };
  explicit Table(std::vector<Column> columns);

  /// As many cells as there are columns; an empty one is shown as "-".
  void add(std::vector<std::string> cells);
  /// Titles and rows; "(none)" instead of titles without rows.
  void print(std::ostream& out) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// `name  value` lines with the values under one another, for one thing and all that is known of it.
class Fields {
 public:
  /// Left out when `value` is empty.
  void add(std::string name, std::string value);
  void print(std::ostream& out) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

}  // namespace spillway::cli
