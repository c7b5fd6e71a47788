#include "load/report/markdown.h"

#include <gtest/gtest.h>

#include "load/report/results_fixture.h"

namespace spillway::load {
namespace {

void expect_in(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << part << "\nis not in:\n" << text;
}

TEST(Markdown, HasEverythingThatAPersonSigns) {
  const std::string text = summary_markdown(sample_results());
  expect_in(text,
            {
                "# Baseline \\| on this machine: WARN\n",
                "First ground: http\\_reqs{name:none} missed count\\>0: it was 0.\n",
                "## Command\n\n```\nspillway load run stage-0\n```\n",
                "| started | 2027-01-15T08:00:00.000000Z |\n| length of the run | 1m0s |\n| generator | "
                "2 cores, 4 GB |\n",
                "| requests | 1,100 | 18.3 |\n| failed requests | 4 (0.36%) |  |\n",
                "| enter | service | 1,000 | 4 | ",
                "| p99.9 | p99.99 | max |\n",
                "| 1s | 1s |\n| enter | response | 1,000 | 4 | ",
                "| login | service | 100 | 0 | 50ms | 90.04ms | 95.02ms | 99.02ms | 100ms | 100ms | 100ms |\n"
                "| all requests | service | 1,100 | 4 | ",
                "| memory a virtual user | 2.3 kB |\n",
                "| `http_req_duration{name:enter}` | `p(95)<2000` | 950ms | yes | core | `p(95)<100` "
                "**missed** |\n",
                "| `http_reqs{name:none}` | `count>0` | 0 | **no** |  |  |\n",
                "| is 404 | 548 | **2** |\n",
                "| exactly N winners | yes | 100 | 0 | 100 winners of 100 places |\n",
                "| kill -9 the server | 20.0 s | 25.0 s | 1.5 s | 4 | started again after 5 s |\n",
                "It was not the bottleneck.\n",
                "## Verdict: WARN. Grounds\n\n- http\\_reqs",
                "## Action items\n\n- [ ] Find out why",
                "Signed: ",
            });
}

TEST(Markdown, SaysWhatIsNotThere) {
  Results r;
  r.self.grounds = {"CPU 99%"};
  expect_in(summary_markdown(r), {"The plan has none.\n", "None were looked at.\n", "None were injected.\n",
                                  "**It was the bottleneck**:\n\n- CPU 99%\n", "## Action items\n\nNone.\n",
                                  "This run says nothing about the server"});
}

TEST(Markdown, NothingFromOutsideIsMarkup) {
  Results r = sample_results();
  r.invariants[0] = {"one | two\n# three", false, 0, 0, "<script>"};
  r.faults[0].recovery_s = -1;
  r.command = "a\n```\nb";
  r.thresholds[0].metric = "x{a:`|`}";
  expect_in(summary_markdown(r),
            {"| one \\| two \\# three | **not proven** | 0 | 0 | \\<script\\> |\n",
             "| **not within the run** |", "````\na\n```\nb\n````\n", "| `x{a:'\\|'}` |"});
}

}  // namespace
}  // namespace spillway::load
