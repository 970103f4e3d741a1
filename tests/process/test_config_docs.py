"""The table of options, the sample config and hellod.conf(5) say the same.

The table is read from "hellod -T": what it says of an empty config are the defaults, the ranges and the sentences. Every
option must stand in the sample and in the manual page with that default and that range, and nothing else may stand there.
Whoever adds an option and forgets one of the two fails here.
"""

import re
from typing import NamedTuple, Optional

import pytest

from hellodtest import EXIT_OK, TREE, run

SAMPLE = TREE / "etc" / "hellod" / "hellod.conf"
PAGE = TREE / "man" / "hellod.conf.5"

# Two options with required values; all others of this listener have their defaults.
ONE_LISTENER = 'listen = ( { name = "x"; protocol = "greeting"; } );\n'


class Option(NamedTuple):
    default: Optional[str]  # as written in a config; None: must be given, or a list of listeners
    range: str
    summary: str = ""


class Line(NamedTuple):
    path: str  # "limits.connections", "listen.guard.text"
    value: Optional[str]
    comment: str  # behind the value
    commented: bool  # the line as a whole is a comment
    above: str  # the comment line above


def lines_of(text):
    """The settings in TEXT, a config in the layout that both "hellod -T" and the sample have. Lines that do not belong to
    that layout are an error, so that none is overlooked."""
    found, groups, above, array = [], [], "", None

    def path(name):
        return ".".join(groups + [name])

    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        setting = re.fullmatch(r"(#?)(\w+) = (.+);\s+# (.+)", stripped)
        opening = re.fullmatch(r"(#?)(\w+) = ([({[])(?:\s+# (.+))?", stripped)
        if array is not None:
            if stripped == "];":
                name, comment, elements = array
                value = "[ " + " ".join(elements) + " ]" if elements else "[ ]"
                found.append(Line(path(name), value, comment, False, above))
                array = None
            else:
                array[2].append(stripped)
        elif setting:
            found.append(Line(path(setting[2]), setting[3], setting[4], bool(setting[1]), above))
        elif opening and opening[3] == "[":
            array = (opening[2], opening[4], [])
        elif opening:
            if opening[3] == "(":
                found.append(Line(path(opening[2]), None, opening[4], False, above))
            groups.append(opening[2])
        elif re.fullmatch(r"(#?\}|\));", stripped):
            groups.pop()
        elif stripped.startswith("# "):
            above = stripped[2:]
        else:
            assert re.fullmatch(r"|#|\{|\},?", stripped), f"line {number} is of no known kind: {line}"
    assert not groups and array is None
    return found


def dump(folder, text):
    file = folder / "hellod.conf"
    file.write_text(text)
    done = run("-c", file, "-T")
    assert done.returncode == EXIT_OK, done.stderr
    return done.stdout


def read_table(folder):
    """Path to Option, from the program itself."""
    table = {}
    for line in lines_of(dump(folder, "")) + lines_of(dump(folder, ONE_LISTENER)):
        values, origin = line.comment.split("; ", 1)
        default = line.value
        if origin == "default, from 0: one per CPU":
            default = "0"
        elif origin != "default":
            default = None
        # What one listener has set is no default of listeners: the second text has the last word on them.
        if line.path.startswith("listen.") or line.path not in table:
            table[line.path] = Option(default, values, line.above)
    return table


@pytest.fixture
def table(tmp_path):
    return read_table(tmp_path)


def sample_differences(table, text):
    wrong, seen = [], set()
    for line in lines_of(text):
        option = table.get(line.path)
        if option is None:
            wrong.append(f"{line.path} is no option")
            continue
        if line.comment != option.range:
            wrong.append(f"{line.path}: range {line.comment}, not {option.range}")
        # What the two listeners set themselves is not a default.
        if line.value != option.default and (line.commented or not line.path.startswith("listen.")):
            wrong.append(f"{line.path}: default {line.value}, not {option.default}")
        if line.path not in seen and line.above != option.summary:
            wrong.append(f"{line.path}: sentence {line.above!r}, not {option.summary!r}")
        seen.add(line.path)
    return wrong + [f"{path} is missing" for path in table if path not in seen]


def plain(roff):
    """What mandoc shows for ROFF, as far as the page's values need it."""
    return roff.replace("\\(dq", '"').replace("\\(aq", "'").replace("\\e", "\\").replace("\\&", "").replace("\\-", "-")


def page_differences(table, text):
    wrong, seen, section = [], set(), None
    for line in text.splitlines():
        if line.startswith(".Sh "):
            section = line[4:]
        if section not in ("OPTIONS", "LISTENERS") or not line.startswith(".It Ic "):
            continue
        entry = re.fullmatch(r"\.It Ic (\S+)(?: No = Li (.+?))? Pq (required; )?(.+)", line)
        assert entry, f"the entry is of no known form: {line}"
        name = entry[1] if section == "OPTIONS" else "listen." + entry[1]
        option = table.get(name)
        seen.add(name)
        if option is None:
            wrong.append(f"{name} is no option")
            continue
        default = plain(entry[2]) if entry[2] else None
        if default != option.default:
            wrong.append(f"{name}: default {default}, not {option.default}")
        if bool(entry[3]) != (option.default is None and name != "listen"):
            wrong.append(f"{name}: required or not")
        if plain(entry[4]) != option.range:
            wrong.append(f"{name}: range {plain(entry[4])}, not {option.range}")
    return wrong + [f"{path} is missing" for path in table if path not in seen]


def values(text):
    return [(line.path, line.value) for line in lines_of(text)]


def without_origin(text):
    return [re.sub(r"; [^;]*$", "", line) for line in text.splitlines()]


# ---- the three say the same ----


def test_the_table_is_whole(table):
    # Not a list of all options, which would be a fourth place to keep: some of each kind.
    assert table["workers"] == Option("0", "0..256 processes", table["workers"].summary)
    assert table["limits.idle_timeout"].default == "300.0" and table["log.access"].default == "false"
    assert table["exempt"].default == '[ "127.0.0.0/8", "::1" ]'
    assert table["listen.name"].default is None and table["listen.protocol"].default is None
    assert table["listen.type"].default == '"stream"' and table["listen.guard.text"].default == "true"
    assert all(option.range and option.summary.endswith(".") for option in table.values())


def test_sample_says_what_the_table_says(table):
    assert sample_differences(table, SAMPLE.read_text()) == []


def test_page_says_what_the_table_says(table):
    assert page_differences(table, PAGE.read_text()) == []


def test_sample_changes_nothing(tmp_path):
    defaults = dump(tmp_path, "")
    assert without_origin(dump(tmp_path, SAMPLE.read_text())) == without_origin(defaults)


def test_sample_with_all_options_set_changes_nothing(tmp_path):
    text, count = re.subn(r"(?m)^(\s*)#(\w+ = |\};)", r"\1\2", SAMPLE.read_text())
    assert count > 20
    assert values(dump(tmp_path, text)) == values(dump(tmp_path, ""))


def test_page_names_the_default_listeners(tmp_path):
    literal = re.search(r"(?s)\n\.It Ic listen Pq .*?\n\.Bd -literal\n(.*?)\n\.Ed\n", PAGE.read_text())
    as_in_page = dump(tmp_path, f"listen = {literal[1]};\n")
    assert without_origin(as_in_page) == without_origin(dump(tmp_path, ""))


def test_examples_of_the_page_are_sound(tmp_path):
    examples = PAGE.read_text().split(".Sh EXAMPLES")[1]
    blocks = re.findall(r"(?s)\.Bd -literal -offset indent\n(.*?)\n\.Ed\n", examples)
    assert len(blocks) >= 3
    for block in blocks:
        dump(tmp_path, plain(block))


def test_listing_is_a_config_with_the_same_listing(tmp_path):
    first = dump(tmp_path, SAMPLE.read_text())
    assert without_origin(dump(tmp_path, first)) == without_origin(first)


# ---- and when they do not, that is noticed ----


@pytest.mark.parametrize(
    "old, new",
    (
        ("#connections = 4096;", "#connections = 4095;"),
        ("# 1..1000000 connections", "# 1..100000 connections"),
        ("#idle_timeout", "#idle_timeou"),
        ("        #text = true;", "        #txt = true;"),
        ('#exempt = [ "127.0.0.0/8", "::1" ];', '#exempt = [ "127.0.0.0/8" ];'),
        ("Whether empty datagrams are dropped.", "Whether empty datagrams are counted."),
        ("# 1..64 listeners", "# 1..63 listeners"),
    ),
)
def test_a_sample_that_drifts_is_noticed(table, old, new):
    text = SAMPLE.read_text()
    assert old in text
    assert sample_differences(table, text.replace(old, new)) != []


@pytest.mark.parametrize("path", ("workers", "exempt", "log.access", "listen.delay", "listen.guard.text"))
def test_a_missing_option_is_noticed(table, path):
    kept = "\n".join(l for l in SAMPLE.read_text().splitlines() if not re.match(rf"\s*#?{path.split('.')[-1]} = ", l))
    assert f"{path} is missing" in sample_differences(table, kept)
    name = path.replace("listen.", "", 1)
    kept = "\n".join(l for l in PAGE.read_text().splitlines() if not l.startswith(f".It Ic {name} "))
    assert page_differences(table, kept) == [f"{path} is missing"]


@pytest.mark.parametrize(
    "old, new",
    (
        ("Li 4096 Pq 1..1000000 connections", "Li 4095 Pq 1..1000000 connections"),
        ("Pq 1..1000000 connections", "Pq 1..100000 connections"),
        (".It Ic name Pq required; ", ".It Ic name Pq "),
        (".It Ic guard.text ", ".It Ic guard.txt "),
        ("Pq 0.1..86400 seconds", "Pq 1..86400 seconds"),
        ("\\(dqHello, %s!\\(dq", "\\(dqHallo, %s!\\(dq"),
    ),
)
def test_a_page_that_drifts_is_noticed(table, old, new):
    text = PAGE.read_text()
    assert old in text
    assert page_differences(table, text.replace(old, new)) != []
