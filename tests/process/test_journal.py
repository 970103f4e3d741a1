"""In the journal: entries with fields, by which whatever an operator looks for is found; and a journal that is stopped,
full or dead holds nobody up, loses lines only when it must, and hears how many.
"""

import os
import re
import signal

import pytest

from catalog import catalog
from configs import GREETING, HELLO, write_config
from control import Control
from hellodtest import EXIT_OK
from journal import Journal, Journaled
from reloads import owed
from rude import FULL, SOURCE, TOO_LONG
from watch import wait_until
from workers import killed, settled

IDS = {entry.subject: message_id for message_id, entry in catalog().items()}
ONE_WORKER = {"workers": 1, "listen": [{**GREETING, "framing": "line"}, HELLO]}
LOST = r"^lines of the log that were lost: (\d+)$"


@pytest.fixture
def journal(folder):
    with Journal(folder) as made:
        yield made


def subject(entry):
    return catalog()[entry["MESSAGE_ID"]].subject


def about(entry, *names):
    return tuple(entry.get(name) for name in names)


def test_access_lines_have_fields(journal):
    with Journaled(journal, ONE_WORKER, options=["-v"]) as daemon:
        (worker,) = daemon.workers()
        with daemon.connect() as client:
            client.greeted()
            port = str(client.socket.getsockname()[1])
        with daemon.datagrams() as client:
            client.expect(b"Bob", b"Hello, Bob!")
            other = str(client.socket.getsockname()[1])
        lines = [
            ("Accept new connection from 127.0.0.1:" + port, "greeting", port, None),
            (f"Connection from 127.0.0.1:{port} closed.", "greeting", port, "closed_end"),
            (f"Datagram from 127.0.0.1:{other} answered.", "hello", other, None),
        ]
        for text, listener, number, cause in lines:
            entry = journal.wait("^" + text + "$")
            assert about(entry, "LISTENER", "PEER_ADDRESS", "PEER_PORT") == (listener, "127.0.0.1", number)
            assert about(entry, "SLOT", "GENERATION", "WORKER_PID") == ("0", "0", str(worker))
            assert about(entry, "PRIORITY", "CAUSE", "MESSAGE_ID") == ("6", cause, None)
        daemon.stop()
    assert not [line for line in journal.lines if "127.0.0.1:" + port in line]


def test_lines_about_a_listener_are_found_by_its_name(journal):
    with Journaled(journal, ONE_WORKER) as daemon:
        assert [one["LISTENER"] for one in journal.find("^listener ")] == ["greeting", "hello"]
        write_config(daemon.directory, {**ONE_WORKER, "listen": [GREETING]})
        daemon.signal(signal.SIGHUP)
        assert journal.wait("^listener hello: udp .* closed$")["LISTENER"] == "hello"
        daemon.stop()


def test_deaths_and_reloads(journal):
    with Journaled(journal, {**ONE_WORKER, "workers": 2}) as daemon:
        victim = daemon.workers()[0]
        killed(victim)
        entry = journal.wait(r"was killed by signal 9", WORKER_PID=str(victim))
        assert subject(entry) == "A worker of hellod has died and is replaced"
        assert entry["SLOT"] in "01" and about(entry, "GENERATION", "PRIORITY") == ("0", "4")
        daemon.signal(signal.SIGHUP)
        assert subject(journal.wait("^reload 1 done")) == "hellod has taken up its new configuration"
        daemon.stop()
    assert subject(journal.wait("^Terminated: finishing ")) == "hellod has begun to stop"


def test_deaths_of_those_who_do_not_serve(journal):
    """Who is to finish is missed by its clients if it crashes; that it ends is nothing to write home about."""
    slow = {**ONE_WORKER, "workers": 2, "listen": [{**GREETING, "delay": 60.0}], "limits": {"drain_timeout": 60.0}}
    with Journaled(journal, slow) as daemon, owed(daemon, "greeting"):
        before = set(daemon.workers())
        daemon.signal(signal.SIGHUP)
        journal.wait("^reload 1 done")
        (victim,) = wait_until(lambda: (left := before & set(daemon.workers())) and len(left) == 1 and left, 10, daemon.log)
        killed(victim)
        entry = journal.wait("^worker [01] of generation 0 .* was killed by signal 9", WORKER_PID=str(victim))
        assert subject(entry) == "A worker of hellod has died and is not replaced"
        assert about(entry, "GENERATION", "PRIORITY") == ("0", "4")
        daemon.stop()
    journal.read()
    assert len(journal.find("of generation 0 ")) == 1


def ordered(entry):
    """Who asked, as a line ends with it."""
    return re.search(r"asked for by uid (\d+) \(pid (\d+)\)$", entry["MESSAGE"]).groups() == (str(os.getuid()), str(os.getpid()))


def test_orders(journal, folder):
    with Journaled(journal, {**ONE_WORKER, "control": str(folder / "control")}) as daemon:
        with Control(folder / "control") as control:
            # What makes others quiet is told itself.
            for level in ("err", "warning"):
                control.done(f"log-level {level}")
                entry = journal.wait(f"^log level {level}, ")
                assert ordered(entry) and about(entry, "PRIORITY") == ("5",)
                assert subject(entry) == "hellod has another log level"
            for _ in range(2):  # the first one brings the lines back
                control.done("reload")
        entry = journal.wait("^reload 2, ")
        assert ordered(entry) and subject(entry) == "hellod is about to take up its configuration again"
        assert not journal.find("^reload 1, ")
        daemon.stop()


def test_without_a_control_socket(journal, folder):
    journal.how["env"]["RUNTIME_DIRECTORY"] = str(folder / "nowhere")
    with Journaled(journal, {**ONE_WORKER, "control": None}):
        assert subject(journal.wait("^control socket: .* cannot be had")) == "hellod has no control socket"


def test_who_is_cut_off(journal):
    with Journaled(journal, {"workers": 1, "listen": [{**GREETING, "delay": 60.0}]}) as daemon:
        with owed(daemon, "greeting"):
            daemon.signal(signal.SIGTERM)
            journal.wait("^Terminated: finishing 1 ")
            daemon.signal(signal.SIGTERM)
            entry = journal.wait("^Terminated again")
            assert subject(entry) == "hellod does not wait for its clients any longer"
        assert daemon.wait() == EXIT_OK


def test_workers_without_a_master(journal):
    with Journaled(journal, ONE_WORKER) as daemon:
        (worker,) = daemon.workers()
        killed(daemon.pid)
        entry = journal.wait("^worker 0 has lost its master", WORKER_PID=str(worker))
        assert about(entry, "PRIORITY", "SLOT") == ("4", "0")
        assert subject(entry) == "The master process of hellod is gone"


def counting(**more):
    """A config in which loopback is like any other place."""
    return {**ONE_WORKER, "exempt": [], **more}


def test_who_comes_too_often(journal):
    with Journaled(journal, counting(limits={"per_source": 2})) as daemon:
        inside = [daemon.connect(source=("127.0.0.5", 0)).greeted() for _ in range(2)]
        for _ in range(3):
            with daemon.connect(source=("127.0.0.5", 0)) as client:
                client.expect_end(SOURCE)
        entry = journal.wait(r"^127\.0\.0\.5 has too many connections; refused since the last line about it: 1$")
        assert subject(entry) == "A client of hellod wants too many connections"
        assert about(entry, "PEER_ADDRESS", "RULE", "CAUSE") == ("127.0.0.5", "limits.per_source", "refused_source")
        assert about(entry, "LISTENER", "SLOT", "COUNT") == ("greeting", "0", "1")
        for client in inside:
            client.close()
        daemon.stop()
    journal.read()
    assert len(journal.find("has too many connections")) == 1


def test_who_finds_no_place(journal):
    slow = {**GREETING, "delay": 60.0}  # whoever is owed an answer keeps the place
    limits = {"connections": 1, "drain_timeout": 1.0}
    with Journaled(journal, {"workers": 1, "listen": [slow], "limits": limits}, options=["-v"]) as daemon:
        with owed(daemon, "greeting"):
            for _ in range(3):
                with daemon.connect() as client:
                    client.expect_end(FULL)
        entry = journal.wait("^the service is full; connections refused since the last line about it: 1$")
        assert subject(entry) == "hellod is full and refuses clients"
        assert about(entry, "PEER_ADDRESS", "RULE", "CAUSE") == ("127.0.0.1", "limits.connections", "refused_full")
        daemon.stop()
    journal.read()
    assert len(journal.find("is full")) == 1
    # Only who was let in has the two lines of log.access.
    assert len(journal.find("^Accept new connection ")) == len(journal.find("^Connection .* closed")) == 1


def test_who_offends(journal):
    with Journaled(journal, counting()) as daemon:
        for _ in range(5):
            with daemon.connect().greeted() as client:
                client.send(b"x" * 1025)
                client.expect_end(TOO_LONG + b"\n")
        entry = journal.wait("^127.0.0.1 is refused for 10 seconds")
        assert subject(entry) == "A client of hellod is refused for a while"
        assert about(entry, "PEER_ADDRESS", "RULE", "CAUSE") == ("127.0.0.1", "limits.penalty", "closed_too_long")
        daemon.stop()


def test_who_asks_too_often(journal):
    rate = {"per_source": 1, "budget": 1}
    with Journaled(journal, counting(rate=rate)) as daemon:
        for number in range(30):
            with daemon.datagrams(bind=(f"127.0.0.{5 + number // 15}", 0)) as client:
                client.send(b"Bob")
        entry = journal.wait(r"^127\.0\.0\.0/24 is over its rate; ")
        assert subject(entry) == "A network sends hellod more datagrams than it may"
        assert about(entry, "PEER_NETWORK", "RULE", "CAUSE") == ("127.0.0.0/24", "rate", "drop_rate")
        assert entry["PEER_ADDRESS"].startswith("127.0.0.") and entry["LISTENER"] == "hello"
        entry = journal.wait("^the service is over its budget of answers; ")
        assert subject(entry) == "hellod is over its budget of answers to datagrams"
        assert about(entry, "RULE", "CAUSE", "PEER_ADDRESS") == ("budget", "drop_budget", None)
        daemon.stop()


def test_who_is_not_confined(journal):
    with Journaled(journal, {**ONE_WORKER, "sandbox": "off"}):
        entry = journal.wait("^workers are not confined")
        assert about(entry, "PRIORITY", "SLOT") == ("5", None)
        assert subject(entry) == "Workers of hellod are not fully confined"


def converse(daemon, count):
    for _ in range(count):
        with daemon.connect() as client:
            client.greeted()


def test_stopped_journal_holds_nobody_up(journal):
    with Journaled(journal, ONE_WORKER, options=["-v"]) as daemon:
        with daemon.datagrams() as client:
            asked = 0
            while daemon.counters()["log_lost"] < 100:
                for _ in range(100):
                    client.expect(b"Bob", b"Hello, Bob!")
                asked += 100
        daemon.wait_for_counter("datagram_answers", asked)
        converse(daemon, 3)
        lost = settled(daemon)["log_lost"]
        # It goes on, and is told of the gap.
        entry = journal.wait(LOST)
        assert about(entry, "PRIORITY", "CAUSE") == ("4", "log_lost")
        assert subject(entry) == "hellod has lost lines of its log"
        with daemon.datagrams() as client:
            client.expect(b"Bob", b"Hello, Bob!")
        daemon.stop()
    journal.read()
    assert sum(int(one["COUNT"]) for one in journal.find(LOST)) == lost
    texts = [one["MESSAGE"] for one in journal.entries] + [line.partition(">")[2] for line in journal.lines]
    access = [text for text in texts if re.match("(Accept|Connection|Datagram) ", text)]
    assert len(access) + lost == asked + 1 + 2 * 3


def test_dead_journal_holds_nobody_up(journal):
    with Journaled(journal, ONE_WORKER, options=["-v"]) as daemon:
        converse(daemon, 1)
        journal.wait("^Connection from .* closed")
        journal.die()
        converse(daemon, 10)
        daemon.wait_for_counter("log_lost", 20)
        assert len(daemon.workers()) == 1
        daemon.stop()


def test_journal_that_is_started_anew_is_found(journal):
    with Journaled(journal, ONE_WORKER, options=["-v"]) as daemon:
        journal.begin_anew()
        converse(daemon, 1)
        assert journal.wait("^Connection from .* closed")["LISTENER"] == "greeting"
        daemon.stop()
