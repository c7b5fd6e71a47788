#pragma once

#include <string>
#include <vector>

#include "load/measure/results.h"

namespace spillway::load {

/// A table of the report. Escapes what its cells say.
class HtmlTable {
 public:
  enum class Align : std::uint8_t { kText, kNumber, kSentence };
  struct Column {
    std::string title;
    Align align = Align::kText;
  };
  /// `look`, where it is not empty, makes a badge of the text: "good", "warn", "bad", "none".
  struct Cell {
    std::string text;
    const char* look = "";
  };
  static constexpr std::size_t kMaxRows = 500;

  HtmlTable(std::string caption, std::vector<Column> columns);
  void add(std::vector<Cell> cells);
  bool empty() const { return rows_ == 0; }
  std::string html() const;

 private:
  std::string caption_;
  std::vector<Column> columns_;
  std::string body_;
  std::size_t rows_ = 0;
};

// Sections of the report; empty where the run has nothing of the kind and need not say so.
std::string thresholds_html(const Results&);
std::string invariants_html(const Results&);
std::string steps_html(const Results&);
std::string faults_html(const Results&);
std::string checks_html(const Results&);
std::string generator_html(const Results&);
std::string environment_html(const Results&);

}  // namespace spillway::load
