"""doc/PERFORMANCE.md: its blocks are as the benchmarks write them, its pictures and links are there; and the tool that
fills it touches nothing else. Measures nothing.
"""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
BENCH = TREE / "tests" / "bench"
GUIDE = TREE / "doc" / "PERFORMANCE.md"
SVG = "{http://www.w3.org/2000/svg}"

sys.path.insert(0, str(BENCH))
import page  # noqa: E402  the folder had to be named first
import plot  # noqa: E402
from report import Report  # noqa: E402

BLOCKS = page.blocks(GUIDE.read_text(encoding="utf-8"))

LINES = {"name": "growth", "kind": "lines", "title": "a & b", "x_label": "connections", "y_label": "ns", "log_x": True,
         "x": [10, 1000, 50000], "series": {"hellod": [1200.5, 1300, None], "least": [1100, None, 1500]}}
BARS = {"name": "cost", "kind": "bars", "panels": [{"title": "requests", "unit": "µs", "values": {"hellod": 3, "<x>": 123456.7}},
                                                   {"title": "lines", "unit": "µs", "values": {"hellod": 0.1, "(least)": 0.0}}]}


def cells(line):
    """The cells of a line of a table."""
    assert line.startswith("| ") and line.endswith(" |"), line
    return [re.sub(r"\\(.)", r"\1", cell) for cell in re.split(r"(?<!\\) \| ", line[2:-2])]


def read_table(block):
    """The table that markdown() made a block from."""
    head, rule, *rows = block.strip("\n").split("\n")
    return {"columns": cells(head), "words": [mark == "---" for mark in cells(rule)], "rows": [cells(row) for row in rows]}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_as_the_tool_writes_it(name):
    table = read_table(BLOCKS[name])
    assert table["rows"]
    assert all(len(row) == len(table["columns"]) == len(table["words"]) for row in table["rows"])
    assert page.markdown(table) == BLOCKS[name]


def test_each_mark_has_its_other_end():
    marks = re.findall(r"<!-- (begin|end) ([\w/-]+) -->", GUIDE.read_text(encoding="utf-8"))
    assert [name for _, name in marks[::2]] == [name for _, name in marks[1::2]] == list(BLOCKS)


def test_links_and_pictures_are_there():
    text = GUIDE.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert [target for target in targets if not (GUIDE.parent / target).is_file()] == []
    assert sorted(path.name for path in GUIDE.parent.glob("*.svg")) == sorted(t for t in targets if t.endswith(".svg"))
    for path in re.findall(r"`((?:tests|src)/[\w./]+\.\w+)`", text):
        assert (TREE / path).is_file(), path


def test_targets_of_make_are_there():
    rules = (TREE / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^    )make ([\w-]+)", GUIDE.read_text(encoding="utf-8"), re.M))
    assert "performance" in named
    assert {name for name in named if not re.search(rf"^{name}:", rules, re.M)} == set()


@pytest.mark.parametrize("path", sorted(GUIDE.parent.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_can_be_drawn(path):
    assert_drawable(path.read_text(encoding="utf-8"))


def assert_drawable(text):
    """It is an SVG, and whatever has a place is inside; returns its words."""
    root = xml.fromstring(text)
    width, height = (float(root.get(name)) for name in ("width", "height"))
    for element in root.iter():
        for name, most in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("y1", height),
                           ("y2", height), ("cy", height)):
            assert 0 <= float(element.get(name, 0)) <= most, xml.tostring(element)
        assert float(element.get("x", 0)) + float(element.get("width", 0)) <= width + (element is root) * width
    return [element.text for element in root.iter(f"{SVG}text")]


def test_lines_are_drawn():
    words = assert_drawable(plot.draw(LINES))
    assert {"a & b", "connections", "ns", "hellod", "least", "10", "1 000", "50 000", "0", "1 500"} <= set(words)
    text = plot.draw(LINES)
    assert text.count("<circle") == 4


def test_bars_are_drawn():
    words = assert_drawable(plot.draw(BARS))
    assert {"requests (µs)", "lines (µs)", "hellod", "<x>", "(least)", "123 457", "0.1", "3"} <= set(words)


@pytest.mark.parametrize("most, last", [(1, 1), (0.13, 0.15), (7, 8), (99, 100), (1010, 1250), (0, 1)])
def test_a_scale_ends_in_a_round_number(most, last):
    found = plot.ticks(most)
    assert found[0] == 0 and found[-1] == pytest.approx(last) and len(found) <= 7


def collect(document, build):
    done = subprocess.run([BENCH / "report", "--build", build, "--document", document], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.fixture
def build(tmp_path):
    """A build folder with a report of one table and two plots."""
    sheet = Report("scale")
    table = sheet.table("start", ["workers", "ready ms", "<why", "verdict"])
    table.row(1, "3.25", "a|b \\", "met")
    table.row(4, "5", "", "MISSED")
    sheet.plot("growth", title="t", x_label="x", y_label="y", x=[1, 2], series={"hellod": [1, None]})
    sheet.bars("cost", title="one", unit="s", values={"hellod": 1})
    sheet.bars("cost", title="two", unit="s", values={"hellod": 2})
    sheet.save(tmp_path / "build" / "bench" / "scale.json")
    return tmp_path / "build"


def test_the_tool_fills_its_blocks_and_nothing_else(build, tmp_path):
    document = tmp_path / "PAGE.md"
    mark = "<!-- {0} report/machine -->\n"
    text = "# Head\n\n<!-- begin scale/start -->\nold\n<!-- end scale/start -->\ntail \\1 | x\n" + mark.format("begin") + mark.format("end")
    document.write_text(text, encoding="utf-8")
    code, said = collect(document, build)
    assert code == 0, said
    filled = document.read_text(encoding="utf-8")
    start, machine = page.blocks(filled)["scale/start"], page.blocks(filled)["report/machine"]
    assert start == ("\n| workers | ready ms | why | verdict |\n| --- | ---: | --- | --- |\n"
                     "| 1 | 3.25 | a\\|b \\\\ | met |\n| 4 | 5 |  | MISSED |\n\n")
    assert filled == text.replace("old\n", start).replace(mark.format("end"), machine + mark.format("end"))
    assert "Linux" in machine
    assert {path.name for path in tmp_path.glob("*.svg")} == {"scale-growth.svg", "scale-cost.svg"}
    assert "two (s)" in assert_drawable((tmp_path / "scale-cost.svg").read_text(encoding="utf-8"))


def test_a_table_without_a_place_is_no_secret(build, tmp_path):
    document = tmp_path / "PAGE.md"
    document.write_text("<!-- begin report/machine -->\n<!-- end report/machine -->\n", encoding="utf-8")
    code, said = collect(document, build)
    assert code == 2 and "no block scale/start" in said


def test_a_report_prints_what_it_keeps(capsys, tmp_path):
    sheet = Report("bench")
    sheet.table("one", ["work", "ns"]).row("requests", 12)
    sheet.save(None)
    sheet.save(tmp_path / "found.json")
    assert capsys.readouterr().out.split() == ["work", "ns", "requests", "12"]
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found == {"name": "bench", "plots": [],
                     "tables": [{"name": "one", "columns": ["work", "ns"], "words": [True, False], "rows": [["requests", "12"]]}]}
