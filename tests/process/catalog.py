"""The message catalogue, systemd/hellod.catalog, as journald reads it."""

import re
from collections import namedtuple
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / "systemd" / "hellod.catalog"
Entry = namedtuple("Entry", "subject head text")


def catalog():
    """Its entries by id; each has the subject, the lines of its head by name, and the text."""
    entries = {}
    for part in re.split(r"^-- ", FILE.read_text(encoding="utf-8"), flags=re.M)[1:]:
        message_id, _, rest = part.partition("\n")
        head, _, text = rest.partition("\n\n")
        assert message_id not in entries, f"two entries for {message_id}"
        fields = dict(line.split(": ", 1) for line in head.splitlines())
        entries[message_id] = Entry(fields["Subject"], fields, text.strip())
    return entries
