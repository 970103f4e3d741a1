"""One number, which everything else follows."""

import re
import subprocess

from worlds import TREE, sources

SINGLE = {"Makefile", "NEWS"}  # where the number stands, and where its text does
COPIES = {f"packaging/kubernetes/{name}.yaml" for name in ("every-node", "hellod")}  # test_manifests holds them to it


def test_stands_nowhere_else(version):
    """Tests may have it in what a daemon might have said, explanations as an example."""
    number = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.])")
    places = {name for name in sources() if not name.startswith("tests/") and not name.endswith(".md")}
    texts = {name: (TREE / name).read_text(encoding="utf-8", errors="replace") for name in places}
    assert {name for name, text in texts.items() if number.search(text)} == SINGLE | COPIES


def test_programs_and_packages_have_it(packages, version):
    assert {packages.read.version(path).rpartition("-")[0] for path in packages.paths.values()} == {version}
    for program in ("usr/sbin/hellod", "usr/sbin/helloctl", "usr/bin/helloc"):
        said = subprocess.run([packages.root / program, "-V"], capture_output=True, text=True, check=True).stdout
        assert said.split()[:2] == [program.rpartition("/")[2], version]
