"""The message catalogue, the table of events and hellod(8) have the same ids, and each event is logged somewhere."""

import re
from pathlib import Path

import pytest

from catalog import FILE, catalog

TREE = Path(__file__).resolve().parents[2]
PAGES = {path.name for path in (TREE / "man").iterdir()}
PAGES |= {"coredumpctl.1", "journald.conf.5", "systemd.resource-control.5", "systemd.service.5", "systemd.socket.5"}


def read(name):
    return (TREE / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table():
    """The ids by event."""
    found = re.findall(r'\[(EVENT_\w+)\] = "(\w+)"', read("src/base/events.c"))
    assert len(dict(found)) == len(found) > 0
    return dict(found)


def test_ids(table):
    assert len(set(table.values())) == len(table)
    # As systemd-id128(1) makes them: random ones of version 4.
    assert [one for one in table.values() if not re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", one)] == []


def test_every_event_has_an_id(table):
    assert set(re.findall(r"^    (EVENT_\w+)", read("src/base/events.h"), re.M)) - {"EVENT_NONE"} == set(table)


def test_every_event_is_in_the_catalogue(table):
    assert set(table.values()) == set(catalog())


def test_every_event_is_in_the_manual(table):
    assert set(re.findall(r"^\.It Li ([0-9a-f]{32})$", read("man/hellod.8"), re.M)) == set(table.values())


def test_every_event_is_logged(table):
    sources = "".join(path.read_text(encoding="utf-8") for path in (TREE / "src").rglob("*.c"))
    for event in table:
        assert re.search(rf"\b(log_event|log_to_journal)\(\w+,\s*{event},", sources), event


def test_every_field_is_in_the_manual():
    fields = set(re.findall(r'\badd(?:_number)?\(&?\w+, "([A-Z_]+)"', read("src/base/fields.c")))
    listed = re.findall(r"^\.It Li ([A-Z_]+(?: , [A-Z_]+)*)$", read("man/hellod.8").partition("\n.Sh SOCKET ACTIVATION\n")[0], re.M)
    assert fields and {name for names in listed for name in names.split(" , ")} == fields


def test_each_warning_and_notice_is_an_event():
    """So that whatever an operator should see can be looked up. An error is one, too, or is the reason of one."""
    rooms = ("master", "worker")
    for path in [TREE / "src" / "hellod.c", *(it for room in rooms for it in (TREE / "src" / room).glob("*.c"))]:
        said = path.read_text(encoding="utf-8")
        assert not re.search(r"\blog_line\(|\blog_event\(LOG_LEVEL_(WARNING|NOTICE|ERROR),\s*EVENT_NONE", said), path


@pytest.mark.parametrize("message_id", catalog())
def test_entries(message_id):
    entry = catalog()[message_id]
    assert set(entry.head) == {"Subject", "Defined-By", "Documentation"}
    assert entry.head["Defined-By"] == "hellod"
    for page in entry.head["Documentation"].split():
        name, section = re.fullmatch(r"man:([\w.-]+)\((\d)\)", page).groups()
        assert f"{name}.{section}" in PAGES
    assert len(entry.subject) <= 60 and not entry.subject.endswith(".")
    assert "@" not in entry.text  # between two of them would be a field's name
    assert len(entry.text.split("\n\n")) >= 2  # what it is, and what to do


def test_lines():
    assert [line for line in FILE.read_text(encoding="utf-8").splitlines() if len(line) > 80 and line[0] != "#"] == []
