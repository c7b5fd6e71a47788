"""The G0 run that makes docs/g0-load-test.md, in small."""

import csv
import json
import os
import pathlib
import subprocess
import sys
import xml.dom.minidom

import pytest

from g0_chart import depth_svg
from harness import FINAL, find_k6

PROGRAM = str(pathlib.Path(__file__).resolve().parent / "g0_evidence.py")


@pytest.fixture(scope="module")
def k6():
    try:
        return find_k6()
    except FileNotFoundError as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing))
        pytest.skip(str(missing))


def test_the_run_shows_what_it_must_and_leaves_the_evidence(binary, k6, tmp_path):
    out, doc = tmp_path / "g0", tmp_path / "g0-load-test.md"
    run = subprocess.run([sys.executable, PROGRAM, "--out", str(out), "--doc", str(doc), "--vus", "10", "--duration",
                          "2s", "--spillway", binary, "--k6", k6], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
    assert {p.name for p in out.iterdir()} == {"k6-summary.txt", "k6-summary.json", "k6-summary.md", "queue_depth.csv",
                                               "queue_depth.svg", "samples.json"}
    samples = json.loads((out / "samples.json").read_text())
    assert len(samples) == 5 and all(s["final"]["status"] in FINAL for s in samples)
    assert {s["final"]["status"] for s in samples} == {"SUCCEEDED", "REJECTED"}
    rows = list(csv.DictReader((out / "queue_depth.csv").open()))
    assert int(rows[-1]["visible"]) == 0 and max(int(row["visible"]) for row in rows) > 100
    xml.dom.minidom.parseString((out / "queue_depth.svg").read_text())
    text = doc.read_text()
    assert "g0/queue_depth.svg" in text and "**no**" not in text and "nan" not in text.lower()


@pytest.mark.parametrize("points", [[(0, 0)], [(0, 0), (60, 0)], [(0, 0), (0.5, 3), (1, 0)],
                                    [(t, t * 4321.5) for t in range(61)] + [(62, 0)]])
def test_the_picture_is_good_for_any_run(points):
    marks = [(0, "paused"), (points[-1][0], "resumed & <drained>")]
    picture = xml.dom.minidom.parseString(depth_svg(points, marks, "title", "note"))
    for element in ("polygon", "polyline"):
        (shape,) = picture.getElementsByTagName(element)
        for pair in shape.getAttribute("points").split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 920 and 0 <= y <= 420
