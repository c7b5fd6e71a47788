#include "cli/table.h"

#include <algorithm>
#include <cstddef>

#include "base/check.h"
#include "cli/terminal_text.h"

namespace spillway::cli {
namespace {

constexpr std::size_t kGap = 2;  // columns between two columns

std::string spaces(std::size_t count) { return std::string(count, ' '); }

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<std::string> cells) {
  CHECK(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = cell.empty() ? "-" : printable(cell);
  rows_.push_back(std::move(cells));
}

void Table::print(std::ostream& out) const {
  if (rows_.empty()) {
    out << "(none)\n";
    return;
  }
  std::vector<std::string> titles;
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    titles.push_back(columns_[i].title);
    widths.push_back(display_width(titles[i]));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], display_width(row[i]));
  }
  const auto print_row = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string padding = spaces(widths[i] - display_width(cells[i]));
      if (i > 0) line += spaces(kGap);
      line += columns_[i].align == Align::kRight ? padding + cells[i] : cells[i] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  };
  print_row(titles);
  for (const auto& row : rows_) print_row(row);
}

void Fields::add(std::string name, std::string value) {
  if (!value.empty()) fields_.emplace_back(std::move(name), printable(value));
}

void Fields::print(std::ostream& out) const {
  std::size_t width = 0;
  for (const auto& [name, value] : fields_) width = std::max(width, name.size());
  for (const auto& [name, value] : fields_)
    out << name << spaces(width - name.size() + kGap) << value << '\n';
}

}  // namespace spillway::cli
