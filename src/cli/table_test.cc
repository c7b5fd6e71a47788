#include "cli/table.h"

#include <gtest/gtest.h>

#include <sstream>

namespace spillway::cli {
namespace {

template <class T>
std::string printed(const T& what) {
  std::ostringstream out;
  what.print(out);
  return out.str();
}

TEST(Table, AlignsKoreanByItsColumns) {
  Table table({{"EVENT"}, {"TITLE"}, {"PLACES", Align::kRight}});
  table.add({"e1", "겨울 콘서트", "100"});
  table.add({"e2", "Winter", "5"});
  EXPECT_EQ(printed(table),
            "EVENT  TITLE        PLACES\n"
            "e1     겨울 콘서트     100\n"
            "e2     Winter            5\n");
}

TEST(Table, EmptyCellsAndEmptyTablesSaySo) {
  Table table({{"A"}, {"B"}});
  EXPECT_EQ(printed(table), "(none)\n");
  table.add({"", "x"});
  table.add({"y", ""});
  EXPECT_EQ(printed(table), "A  B\n-  x\ny  -\n");
}

TEST(Table, CellsStayInTheirRow) {
  Table table({{"A"}, {"B"}});
  table.add({"one\ntwo", "\x1b[2J"});
  EXPECT_EQ(printed(table), "A           B\none\\x0atwo  \\x1b[2J\n");
}

TEST(Fields, LeaveOutWhatIsNotKnown) {
  Fields fields;
  fields.add("event", "e1");
  fields.add("closes", "");
  fields.add("remaining", "3");
  EXPECT_EQ(printed(fields), "event      e1\nremaining  3\n");
}

}  // namespace
}  // namespace spillway::cli
