"""The verdicts: a comparison that cannot fail compares nothing."""

import json

import pytest

from .tables import Results, compare_with_baseline, disturbance, render


@pytest.fixture
def baseline(tmp_path):
    file = tmp_path / "baseline.json"
    file.write_text(json.dumps({"ratios": {"post.64": 0.60, "get.64": 1.00}}))
    return file


@pytest.mark.parametrize("now, good", [
    ({"post.64": 0.60, "get.64": 1.00}, True),
    ({"post.64": 0.90, "get.64": 2.00}, True),
    ({"post.64": 0.52, "get.64": 0.88}, True),   # within the slack: 0.60 * 0.9 - 0.03 = 0.51
    ({"post.64": 0.50, "get.64": 1.00}, False),
    ({"post.64": 0.60, "get.64": 0.86}, False),
    ({"post.64": 0.60}, False),                  # what was not measured is not good
])
def test_comparison(baseline, now, good):
    assert compare_with_baseline(now, baseline) is good


def test_comparison_of_a_part(baseline):
    assert compare_with_baseline({"post.64": 0.60}, baseline, partial=True)
    assert not compare_with_baseline({"post.64": 0.50}, baseline, partial=True)


def test_bounds():
    results = Results(judge=True)
    assert results.check("rate", 0.61, at_least=0.60)[1] == "ok"
    assert results.check("rate", 0.59, at_least=0.60)[1] == "MISS"
    assert results.check("time", 5, at_most=5)[1] == "ok"
    assert results.check("time", 5.1, at_most=5)[1] == "MISS"
    assert [check["measured"] for check in results.missed()] == [0.59, 5.1]
    assert Results(judge=False).check("time", 9, at_most=5)[1] == "-"


def test_disturbance():
    def report(busy, us, on_cpu):
        return {"server": {"core_busy": busy, "cpu_us_per_request": us}, "client": {"on_cpu": on_cpu}, "rate": 100_000}
    assert disturbance([report(0.99, 9.5, 1.0)]) == []
    assert disturbance([report(0.99, 9.5, 1.0), report(0.99, 5.0, 1.0)])
    assert disturbance([report(0.99, 9.5, 0.5)])


def test_table_lines_are_equally_long():
    lines = render("t", ["a", "b"], [["x", "1"], ["long one", "1,000"]]).splitlines()[2:]
    assert len({len(line) for line in lines}) == 1
