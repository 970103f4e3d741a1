"""The harness that measures losses finds them: each kind of loss, made on purpose, is in its column, and nothing else.

The measurement itself is `make loss`; this file must not start the daemon.
"""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from watch import wait_until
from workers import measures

LOSS = Path(__file__).resolve().parents[1] / "loss"
sys.path.insert(0, str(LOSS))
import ledger as ledgers  # noqa: E402  the folder had to be named first
from ledger import BATCH, Ledger  # noqa: E402

pytestmark = measures  # and no program of ours to be looked at

PORTS = iter(range(19000, 19900, 10))
SILENCE = 1.5  # seconds


def plan(port, **changes):
    address = [["127.0.0.1", port]]
    rates = {"conversations": 100, "datagrams": 300, "long": 0, "seed": 1}
    return {"stream": address, "datagram": address, **rates, "silence": SILENCE, "patience": SILENCE, **changes}


@contextlib.contextmanager
def lossy(**faults):
    """Runs the server with FAULTS; its port, and a dict that afterwards holds what it did."""
    did = {}
    for port in PORTS:
        words = [sys.executable, "-I", "-S", str(LOSS / "lossy.py"), json.dumps({"port": port, **faults})]
        server = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if server.stdout.readline():
            break
        assert "Address already in use" in server.stderr.read()
        server.wait()
    try:
        yield port, did
        server.stdin.close()
        did.update(json.loads(server.stdout.readline()))
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
        server.stderr.close()


def measured(faults, until, **changes):
    """The ledger of a run against a server with FAULTS, until UNTIL(ledger); and what the server did."""
    with lossy(**faults) as (port, did):
        ledger = Ledger("test", plan(port, **changes))
        with ledger.load():
            wait_until(lambda: until(ledger), 20, lambda: f"what was waited for: {ledger.incidents}")
    return ledger, did


def counts(ledger):
    found = {}
    for incident in ledger.incidents:
        found[incident["what"]] = found.get(incident["what"], 0) + incident["count"]
    return found


def seen(*names):
    return lambda ledger: set(names) <= set(counts(ledger))


def test_nothing_is_found_where_nothing_is_lost():
    ledger, _ = measured({}, lambda ledger: True, long=4)
    assert ledger.incidents == [] and ledger.broken() == []
    tally = ledger.tally
    assert tally["conversations ended well"] == tally["conversations"] > 0
    assert tally["datagrams answered"] == tally["datagrams"] > 0
    assert tally["long answers"] == tally["long questions"] > 0


def test_every_lost_datagram_is_found():
    faults = {"drop": 41, "double": 43, "alter": 47, "delay": 53, "late": 1.2 * SILENCE}
    ledger, did = measured(faults, seen("lost", "doubled", "altered", "late"), stream=[])
    found = counts(ledger)
    # A wrong answer is none: the question stays without one. A delayed one may come after the end.
    assert found["lost"] + found["late"] == did["drop"] + did["alter"] + did["delay"]
    assert 0 < found["late"] <= did["delay"]
    assert (found["doubled"], found["altered"]) == (did["double"], did["alter"])
    assert set(found) == {"lost", "late", "doubled", "altered"}


def test_every_fault_of_a_connection_is_found():
    faults = {"reset": 17, "cut": 19, "ignore": 23, "garble": 29, "repeat": 31}
    ledger, did = measured(faults, seen("reset", "cut", "timeout", "altered", "doubled"), datagram=[])
    names = {"reset": "reset", "cut": "cut", "timeout": "ignore", "altered": "garble", "doubled": "repeat"}
    assert counts(ledger) == {name: did[fault] for name, fault in names.items()}


def test_every_fault_of_a_long_connection_is_found():
    faults = {"reset": 3, "cut": 5, "ignore": 7, "garble": 11}
    ledger, _ = measured(faults, seen("reset", "cut", "timeout", "altered"), conversations=1, long=20, datagram=[])
    found = {incident["what"] for incident in ledger.broken() if incident["kind"] == "long"}
    assert found == {"reset", "cut", "timeout", "altered"}


def test_who_is_refused_is_found():
    ledger, _ = measured({"deaf": 0.3}, seen("refused"), datagram=[])
    assert set(counts(ledger)) == {"refused"}
    assert all("refused" in incident["text"] for incident in ledger.broken())


def test_datagrams_that_the_kernel_dropped_are_told_apart():
    ledger, _ = measured({"asleep": 0.3}, seen("overflow"), stream=[])
    found = counts(ledger)
    assert found["lost"] == found["overflow"] > 0


def incident(what, asked, port=1, since=0.0, seconds=0.1):
    return {"what": what, "kind": "long", "asked": asked, "since": since, "when": asked + seconds, "port": port,
            "text": "", "count": 1}  # fmt: skip


@pytest.fixture
def killed():
    """A ledger in which a worker was killed at 10 that had the connection from port 5."""
    ledger = Ledger("test", {})
    ledger.killed.append(ledgers.Killed(10.0, [5]))
    return ledger


def test_connections_of_a_killed_worker_break_no_promise(killed):
    killed.take(incident("reset", 9.95, port=5))
    killed.take(incident("cut", 9.95, port=5))
    assert killed.broken() == []


@pytest.mark.parametrize("what, asked, port, since", [
    ("reset", 9.95, 6, 0.0),  # another's connection
    ("reset", 10.95, 5, 10.5),  # the port's next connection
    ("reset", 9.0, 5, 0.0),  # it was over before the worker was killed
    ("refused", 9.95, 5, 0.0),
    ("timeout", 9.95, 5, 0.0),
])  # fmt: skip
def test_what_else_happens_around_a_kill_breaks_a_promise(killed, what, asked, port, since):
    killed.take(incident(what, asked, port=port, since=since))
    assert len(killed.broken()) == 1


@pytest.mark.parametrize("found, read, broken", [
    ("", 0, []),
    ("cut crossed cut", 3, []),
    ("crossed", 0, ["cut"]),  # it was heard, and not answered
    ("cut cut crossed", 2, ["cut"]),
    ("cut", 2, ["unmissed"]),  # somebody was answered nothing, and does not know
    ("", 1, ["unmissed"]),
])  # fmt: skip
def test_as_many_find_the_end_as_the_server_knows_of(found, read, broken):
    ledger = Ledger("test", {})
    ledger.crossed = read
    for number, what in enumerate(found.split()):
        ledger.take(incident(what, 9.95, port=number))
    assert [one["what"] for one in ledger.broken()] == broken
    assert dict(ledger.figures())["questions that met such a close on their way"] == min(read, len(found.split()))


def test_a_killed_worker_had_one_batch_in_its_hands(killed):
    for _ in range(BATCH + 2):
        killed.take(incident("lost", 9.99))
    assert len(killed.broken()) == 2


@pytest.mark.parametrize("asked", [8.5, 10.01])
def test_datagrams_that_a_killed_worker_cannot_have_had_are_lost(killed, asked):
    killed.take(incident("lost", asked))
    assert len(killed.broken()) == 1


def test_what_was_late_is_not_lost(killed):
    killed.take(incident("lost", 3.0))
    killed.take(incident("late", 3.0, seconds=6))
    assert [one["what"] for one in killed.broken()] == ["late"]


def test_the_story_says_what_was_being_done(killed):
    killed.deeds = [(1.0, "reload 1"), (2.0, "reload 2"), (3.0, "reload 3")]
    killed.take(incident("refused", 2.5))
    (line,) = killed.story()
    assert "refused" in line and "reload 2 + 0.500 s" in line
