"""Floods: more sources than could be remembered, and more connections than can be served. Nothing grows, the log says
little, and whoever comes over the other transport is served.

Here it is counted who is served; how long they wait is measured by `make bench-overload`, which also sends from four times
as many sources. Floods of lines and of datagrams are in test_crowd.py.
"""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

import netns
from clients import Datagram, Stream
from configs import GREETING, HELLO
from hellodtest import TREE, Hellod, run
from reloads import owed
from test_memory import held
from watch import wait_until
from workers import SANITIZED, refused_in_all, settled, stopped

LINES = {**GREETING, "framing": "line"}
FLOOD = Path(os.environ.get("HELLOD_SCOREBOARD", TREE / "build" / "tests" / "scoreboard_dump")).with_name("flood")

FIRST, NETWORK = "172.16.0.0", "172.16.0.0/12"  # nobody here has one of these addresses
SOURCES = 2**15 if SANITIZED else 2**18  # twice as many as the table of rates has places
WARM_UP = 2**14  # so many touch each page of the table of rates
LINES_ABOUT_RATES = 64  # in 30 seconds, however many networks are over theirs
PAGES = 64 * 1024  # a process may grow by so much, by chance
BUFFERS = 256 * 1024  # that it touches when datagrams come in batches for the first time


def flooded(target, count, during):
    """Sends COUNT datagrams to TARGET, each from a source of its own; calls DURING again and again meanwhile, and
    returns how often."""
    words = [FLOOD, target[0], target[1], FIRST, SOURCES, count, 40]
    times = 0
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE) as flood:
        try:
            while flood.poll() is None:
                during()
                times += 1
            assert flood.returncode == 0 and int(flood.stdout.read()) == count
        finally:
            flood.kill()
    return times


def memory_for_rates(daemon):
    """What -T says that the table of rates takes."""
    return int(run("-c", daemon.config, "-T").stdout.rpartition(": ")[2].split()[0])


@pytest.mark.netns
def test_flood_from_more_sources_than_are_remembered():
    with netns.Neighbour() as neighbour:
        neighbour.wire("near", "far", ["10.1.0.1/24"], ["10.1.0.2/24"])
        # Answers go where their addresses would be, and to nobody.
        netns.ip(f"route add {NETWORK} via 10.1.0.2")
        for name in ("all", "near"):
            netns.sysctl(f"ipv4/conf/{name}/rp_filter", 0)
        # Of the 256 of a network some are answered, and the others over its rate.
        listeners = [{**LINES, "address": "10.1.0.1"}, {**HELLO, "address": "10.1.0.1"}]
        config = {"listen": listeners, "rate": {"per_source": 10}}
        with Hellod(config) as daemon, neighbour.inside():
            target, stream = daemon.address("hello"), daemon.address("greeting")

            def greeted():
                with Stream(stream) as client:
                    client.greeted().ask(b"Bob\n", b"Hello, Bob!\n")

            greeted()
            everybody = [daemon.pid, *daemon.workers()]
            before = sum(held(pid) for pid in everybody)
            flooded(target, WARM_UP, greeted)
            daemon.at_rest()
            known, lines = {pid: held(pid) for pid in everybody}, len(daemon.lines)
            served = flooded(target, SOURCES, greeted)
            totals = settled(daemon)
            after = {pid: held(pid) for pid in everybody}
            print(f"{totals}; {served} conversations meanwhile; bytes before, warm and after: {before} {known} {after}")
            # What came into the queue was judged.
            assert totals["datagrams"] > SOURCES / 100 and totals["drop_rate"] > 0 and refused_in_all(totals) == 0
            assert served > 0 and len(daemon.lines) - lines <= LINES_ABOUT_RATES + 2 * len(everybody)
            if not SANITIZED:
                assert sum(known.values()) - before <= memory_for_rates(daemon) + BUFFERS * len(everybody)
                assert max(after[pid] - known[pid] for pid in everybody) <= PAGES
            # And who comes now is answered.
            with Datagram(target) as client:
                client.expect(b"Bob", b"Hello, Bob!")


# ---- connects ----

DATAGRAMS = 300

# A program that does nothing else: a thread would have to share the interpreter with the good clients. From so many
# addresses that no limit for one of them matters. What it ends by a reset leaves no port behind that has to rest.
CONNECT_FLOOD = """
import itertools, socket, struct, sys
address, reset = (sys.argv[1], int(sys.argv[2])), struct.pack("ii", 1, 0)
for number in itertools.count():
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        client.bind((f"127.2.{number % 200}.1", 0))
        client.settimeout(0.2)
        try:
            client.connect(address)
        except OSError:
            pass
"""


@contextmanager
def connect_flood(daemon):
    flood = subprocess.Popen([sys.executable, "-I", "-S", "-c", CONNECT_FLOOD, *map(str, daemon.address("greeting"))])
    try:
        wait_until(lambda: came(daemon) > 200, 20, "the flood")
        yield
        assert flood.poll() is None, "the flood has ended"
    finally:
        flood.kill()
        flood.wait()


def came(daemon):
    """Connections that somebody has looked at."""
    totals = daemon.counters()
    return totals["accepted"] + refused_in_all(totals)


@pytest.mark.parametrize("full", (False, True), ids=("room", "full"))
def test_flood_of_connects_does_not_stop_datagrams(full):
    # Full: the only places are taken by those who are owed an answer, so that each one who comes is refused.
    slow = {**LINES, "name": "slow", "delay": 60.0}
    limits = {"connections": 2} if full else {}
    with Hellod({"workers": 1, "listen": [LINES, slow, HELLO], "exempt": ["127.0.0.1"], "limits": limits}) as daemon:
        holders = [owed(daemon) for _ in range(2)]
        with connect_flood(daemon), daemon.datagrams() as client:
            start, before = time.monotonic(), came(daemon)
            for number in range(DATAGRAMS):
                client.expect(b"%d" % number, b"Hello, %d!" % number)
            wait_until(lambda: came(daemon) > before + 100, 20, "the flood to go on")
            print(f"{came(daemon) - before} connects in {time.monotonic() - start:.2f} s")
        totals = settled(daemon, live=2, seconds=20)
        assert totals["datagrams"] == totals["datagram_answers"] == DATAGRAMS
        # Behind the two who hold the places nobody came in; else, everybody.
        assert (totals["accepted"] == 2) == full and (refused_in_all(totals) == 0) != full
        for client in holders:
            client.reset()


# ---- who comes when ----


def told(daemon):
    """What the access log says, in the order in which the worker did it."""
    return [line for _, line in daemon.lines if line.startswith(("Datagram", "Connection"))]


@pytest.mark.parametrize("crowd", ("streams", "datagrams"))
def test_one_of_the_other_kind_has_its_turn_between(crowd):
    # A stopped worker finds the crowd, and behind it the one.
    config = {"workers": 1, "listen": [LINES, HELLO], "exempt": [], "log": {"access": True}}
    with Hellod({**config, "limits": {"per_source": 0}, "rate": {"per_source": 0}}) as daemon:
        (worker,) = daemon.workers()
        clients = [daemon.connect().greeted() for _ in range(100 if crowd == "streams" else 1)]
        with daemon.datagrams() as other:
            with stopped(worker):
                for _ in range(100 if crowd == "datagrams" else 0):
                    other.send(b"Bob")
                for client in clients:
                    client.send(b"disconnect\n")
                if crowd == "streams":
                    other.send(b"Bob")
            wait_until(lambda: len(told(daemon)) == 101, 5, "everybody to be served")
        the_one = "Datagram" if crowd == "streams" else "Connection"
        (before,) = (number for number, line in enumerate(told(daemon)) if line.startswith(the_one))
        assert before <= 16
        for client in clients:
            client.close()
