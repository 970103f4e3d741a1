"""doc/SECURITY.md: each claim names tests, and these are there; its table of limits says what the others say.

A claim is an item of a list under a heading that says "cannot". A test is named by its path below tests and, behind
"::", its function; of a fuzzer the path is enough. Reads texts; knows nothing of what the daemon does.
"""

import re
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
GUIDE = TREE / "doc" / "SECURITY.md"
NAME = re.compile(r"`((?:unit|process|system|fuzz|packages)/[\w./]+(?:::\w+)?)`")


def items(text):
    """The items of lists under headings that say "cannot", each on one line."""
    found, claims = [], False
    for line in text.splitlines():
        if line.startswith("#"):
            claims = "cannot" in line
        elif claims and line.startswith("- "):
            found.append(line)
        elif claims and line.startswith("  ") and found:
            found[-1] += " " + line.strip()
    return found


def is_test(name):
    """True if NAME is a test that is run."""
    path, _, function = name.partition("::")
    file = TREE / "tests" / path
    if not file.is_file():
        return False
    text = file.read_text(encoding="utf-8")
    if path.startswith("fuzz/"):
        return not function and "LLVMFuzzerTestOneInput" in text and file.name.startswith("fuzz_")
    if path.endswith(".py"):
        return file.name.startswith("test_") and function.startswith("test_") and f"\ndef {function}(" in text
    # Defined, and in the list of those that are run.
    defined = re.search(rf"^static void {function}\(void \*\*", text, re.M)
    return bool(defined) and len(re.findall(rf"\b{function}\b", text)) > 1


def differences(text):
    """What is wrong with the claims in TEXT."""
    wrong = [f"no test for it: {item[:80]}" for item in items(text) if not NAME.search(item)]
    return wrong + [f"no such test: {name}" for name in NAME.findall(text) if not is_test(name)]


def rows(text):
    """The table of limits: (option, default, counters)."""
    cells = r"`([\w.]+)` +\| +`([^`]+)` +\| (.+) \|"
    return [(option, default, re.findall(r"`(\w+)`", rest)) for option, default, rest in re.findall(cells, text)]


def limits_differences(text):
    page = (TREE / "man" / "hellod.conf.5").read_text(encoding="utf-8").replace("\\&", "")
    counters = (TREE / "src" / "base" / "counters.h").read_text(encoding="utf-8")
    wrong = []
    for option, default, names in rows(text):
        if f"\n.It Ic {option} No = Li {default} Pq " not in page:
            wrong.append(f"hellod.conf(5) does not say {option} = {default}")
        wrong += [f"{name} is no counter" for name in names if f"    X({name}, " not in counters]
    return wrong


@pytest.fixture(scope="module")
def guide():
    return GUIDE.read_text(encoding="utf-8")


def test_claims_have_tests(guide):
    assert len(items(guide)) > 40
    assert differences(guide) == []


def test_limits_are_those_of_the_page(guide):
    assert len(rows(guide)) >= 10
    assert limits_differences(guide) == []


def test_headings_say_which_it_is(guide):
    # A list belongs to what can or what cannot be done, so that no claim hides in another place.
    heading = ""
    for line in guide.splitlines():
        heading = line if line.startswith("#") else heading
        assert not line.startswith("- ") or re.search(r"\b(can|cannot)\b", heading), f"{heading}: {line}"


CLAIM = "### What nobody cannot do\n\n- That.\n  `unit/test_guard.c::test_port`\n"


@pytest.mark.parametrize(
    "old, new, what",
    (
        ("test_port", "test_harbour", "no such test: unit/test_guard.c::test_harbour"),
        ("test_guard", "test_guards", "no such test: unit/test_guards.c::test_port"),
        ("test_port", "port_is_bad", "no such test: unit/test_guard.c::port_is_bad"),
        ("  `unit/test_guard.c::test_port`\n", "", "no test for it: - That."),
        ("- That.", "- That.\n- This.", "no test for it: - That."),
        ("unit/test_guard.c::test_port", "fuzz/replay.c", "no such test: fuzz/replay.c"),
        ("unit/test_guard.c::test_port", "process/test_rate.py::send", "no such test: process/test_rate.py::send"),
    ),
)
def test_a_claim_that_drifts_is_noticed(old, new, what):
    assert differences(CLAIM) == []
    assert differences(CLAIM.replace(old, new)) == [what]


def test_a_limit_that_drifts_is_noticed(guide):
    assert limits_differences(guide.replace("`4096`", "`4095`")) != []
    assert limits_differences(guide.replace("`refused_full`", "`refused_empty`")) != []
