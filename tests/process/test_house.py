"""The shape of src: which room may use which, who alone may open which door, and that each file says what it is for.

Reads the sources; knows nothing of what the daemon does.
"""

import re
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"

# The rooms, and the rooms that each may use besides itself. "" is src itself, where the programs' main files are.
ROOMS = {
    "base": set(),
    "protocol": set(),
    "worker": {"protocol", "base"},
    "master": {"worker", "protocol", "base"},
    "client": {"protocol", "base"},
    "ctl": {"base"},
    "": {"master", "worker", "protocol", "base"},
}

# What only some modules may do: a pattern for their code, and a pattern for those modules.
DOORS = {
    "libconfig": (r"#include <libconfig\.h>", r"base/config\w*"),
    "sd-daemon": (r"#include <systemd/sd-daemon\.h>", r"master/(activation|notify|store)"),
    "systemd": (r"#include <systemd/", r"master/\w+"),
    "libseccomp": (r"#include <(seccomp\.h|linux/(seccomp|landlock|filter)\.h)>", r"base/confine\w*"),
    "fork": (r"\b(fork|vfork|clone3?|posix_spawn)\s*\(", r"master/slot|client/bench_run"),
    "reap": (r"\b(wait|wait3|wait4|waitpid|waitid)\s*\(", r"master/slot|client/bench_run"),
}

# What a pure protocol may include of the system: no sockets, no clock, no files.
PURE = {"assert.h", "ctype.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "string.h"}
IMPURE = r"\b(printf|fprintf|fopen|fwrite|puts|perror|getenv|time|malloc|calloc|realloc|free|exit|abort)\s*\("


class House:
    """The sources below a folder: .text by file, without comments and strings; .arrows by module, to what it includes."""

    def __init__(self, src):
        paths = sorted(path for path in src.rglob("*.[ch]"))
        self.raw = {path.relative_to(src).as_posix(): path.read_text(encoding="utf-8") for path in paths}
        self.text = {name: bare(text) for name, text in self.raw.items()}
        self.arrows = {}
        for name, text in self.raw.items():
            targets = self.arrows.setdefault(module(name), set())
            for include in re.findall(r'^\s*#\s*include\s+"([^"]+)"', text, re.M):
                assert include in self.raw, f'{name}: "{include}" is no file in src'
                if module(include) != module(name):
                    targets.add(module(include))

    def upward(self):
        """The arrows that leave their room for one that it may not use."""
        return [
            f"{source} -> {target}"
            for source, targets in sorted(self.arrows.items())
            for target in sorted(targets)
            if room(source) != room(target) and room(target) not in ROOMS[room(source)]
        ]

    def cycle(self):
        """A circle of modules that include each other, or None."""
        done = set()

        def walk(name, path):
            if name in path:
                return [*path[path.index(name) :], name]
            if name in done:
                return None
            done.add(name)
            return next(filter(None, (walk(target, [*path, name]) for target in sorted(self.arrows[name]))), None)

        return next(filter(None, (walk(name, []) for name in sorted(self.arrows))), None)


def bare(text):
    """TEXT without comments and string contents; file names in #include stay."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)
    lines = [line if line.lstrip().startswith("#") else re.sub(r'"(\\.|[^"\\])*"', '""', line) for line in text.split("\n")]
    return "\n".join(lines)


def module(name):
    return name.rsplit(".", 1)[0]


def room(name):
    return name.rpartition("/")[0]


@pytest.fixture(scope="module")
def house():
    return House(SRC)


def test_every_file_is_in_a_room(house):
    assert {room(name) for name in house.raw} <= set(ROOMS)


def test_no_arrow_runs_upwards(house):
    assert house.upward() == []


def test_no_cycle(house):
    assert house.cycle() is None


@pytest.mark.parametrize("door", DOORS)
def test_one_door(house, door):
    pattern, owners = DOORS[door]
    users = {module(name) for name, text in house.text.items() if re.search(pattern, text)}
    assert {name for name in users if not re.fullmatch(owners, name)} == set()


def test_protocols_are_pure(house):
    for name, text in house.text.items():
        if room(name) == "protocol":
            system = set(re.findall(r"^\s*#\s*include\s+<([^>]+)>", text, re.M))
            assert system <= PURE, f"{name} includes {sorted(system - PURE)}"
            assert re.findall(IMPURE, text) == [], name


def test_files_begin_with_what_they_are_for(house):
    assert [name for name, text in house.raw.items() if not re.match(r"/\*\s*\w", text)] == []


def test_prototypes_say_what_they_are_for(house):
    """A comment ends right above each prototype in a header."""
    silent = []
    for name, text in house.raw.items():
        if name.endswith(".h"):
            lines = text.split("\n")
            for above, line in zip(lines, lines[1:]):
                if re.match(r"[a-z][\w\s*]*\**\w+\(", line) and not above.rstrip().endswith("*/"):
                    silent.append(f"{name}: {line}")
    assert silent == []


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return House(folder)


def test_the_test_sees_upward_arrows(tmp_path):
    files = {"base/log.h": '#include "worker/conn.h"\n', "worker/conn.h": "", "protocol/p.c": '#include "base/log.h"\n'}
    assert write(tmp_path, files).upward() == ["base/log -> worker/conn", "protocol/p -> base/log"]


def test_the_test_sees_cycles(tmp_path):
    files = {"base/a.c": '#include "base/b.h"\n', "base/b.h": "", "base/b.c": '#include "base/c.h"\n'}
    assert write(tmp_path, {**files, "base/c.h": ""}).cycle() is None
    assert write(tmp_path, {**files, "base/c.h": '#include "base/a.h"\n', "base/a.h": ""}).cycle() is not None


def test_the_test_reads_no_comments():
    assert "fork" not in bare('/* fork() */ "fork()" // fork()')
