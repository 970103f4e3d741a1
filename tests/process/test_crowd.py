"""A rude crowd against small limits, ten thousand silent clients, and floods: good clients are served all the same, and
nothing is left over."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

import rude
from clients import PROMPT, timed
from configs import GREETING, HELLO
from hellodtest import Hellod
from watch import SLOW, descriptors, private_bytes, seeded, wait_until
from workers import SANITIZED, refused_in_all, room_for, settled

LINES = {**GREETING, "framing": "line"}
GOOD = "127.0.0.2"  # the address of those who behave
RUDE = [f"127.0.{i}.3" for i in range(1, 7)]
MANY = 500
PACE = min(SLOW, 5)  # what the timeouts are stretched by, so that slow is not silent
TIMEOUT = 0.5 * PACE


class Good(threading.Thread):
    """Good clients that come one after the other, from before the crowd to after it, in a context. One that hears that
    the server is full comes again after a moment, if it may. In the end .worst is the longest time that one took from
    its first attempt to its last answer, .served how many there were, and .refusals how often they were sent away."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self._work, self._over = work, threading.Event()
        self.worst, self.served, self.refusals, self.error = 0.0, 0, 0, None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        self._over.set()
        self.join(20 * SLOW)
        if self.error:
            raise self.error
        if kind is None:
            assert not self.is_alive() and self.served > 0, "a good client hangs"

    def run(self):
        try:
            while not self._over.is_set():
                start = time.monotonic()
                while not self._work():
                    self.refusals += 1
                    self._over.wait(0.01)
                self.worst = max(self.worst, time.monotonic() - start)
                self.served += 1
                self._over.wait(0.005)
        except BaseException as error:  # for __exit__ to raise
            self.error = error


def good_stream(daemon):
    """One good conversation; False when it was told that the server is full."""
    with daemon.connect(source=(GOOD, 0)) as client:
        first = client.read(1)
        if first == PROMPT[:1]:
            client.expect(PROMPT[1:])
            client.ask(b"Alice\n", b"Hello, Alice!\n")
            client.send(b"disconnect\n")
            client.expect_end()
            return True
        client.expect_end(rude.FULL[1:])
        return False


def good_datagram(daemon):
    # Not from another address of ours: there the kernel may give it the daemon's own port, which the guard drops.
    with daemon.datagrams() as client:
        client.expect(b"Alice", b"Hello, Alice!")
    return True


def meet(daemon, chance):
    """A crowd of MANY, and good clients meanwhile; returns the crowd and the good ones."""
    crowd = rude.Crowd(daemon.address("greeting"), MANY, RUDE, chance)
    with Good(lambda: good_stream(daemon)) as streams, Good(lambda: good_datagram(daemon)) as datagrams:
        crowd.run(arrive=0.4 * PACE, seconds=30)
    for kind, good in (("stream", streams), ("datagram", datagrams)):
        print(f"good {kind} clients: {good.served}, worst {good.worst:.3f} s, {good.refusals} refusals")
    return crowd, streams, datagrams


def check_sums(crowd, streams, before, after):
    """Every client was treated as its manner deserves, and the counters say what the clients heard."""
    grown = {name: after[name] - before[name] for name in after}
    late = crowd.lag > min(TIMEOUT, 1) / 2  # where the timeout is longer, silent clients make room after a second
    wrong = [reason for client in crowd.clients if (reason := client.wrong())]
    assert late or not wrong, "\n".join(wrong)
    # Those who left at once may have been admitted or refused, nobody heard it.
    unheard = sum(1 for client in crowd.clients if not client.heard)
    admitted = sum(1 for client in crowd.clients if client.admitted) + streams.served
    full = sum(1 for client in crowd.clients if client.heard == rude.FULL) + streams.refusals
    source = sum(1 for client in crowd.clients if client.heard == rude.SOURCE)
    print(f"{admitted} admitted, {full} heard full, {source} heard source, {unheard} heard nothing; {grown}")
    assert decided(grown) == MANY + streams.served + streams.refusals
    assert admitted <= grown["accepted"] <= admitted + unheard
    assert full <= grown["refused_full"] <= full + unheard
    assert source <= grown["refused_source"] <= source + unheard
    assert grown["refused_prefix"] == grown["refused_descriptors"] == 0
    assert grown["closed_drain"] == grown["closed_killed"] == 0
    if late:
        print(f"this machine was too busy for {crowd.lag:.2f} s: why connections ended is not compared")
        return
    by_manner = {manner: sum(1 for c in crowd.clients if c.manner is manner and c.admitted) for manner in rude.EXPECTED}
    assert grown["closed_idle"] + grown["closed_evicted"] == by_manner[rude.silent]
    assert grown["closed_too_long"] == by_manner[rude.too_long]
    farewells = (rude.byte_by_byte, rude.flooding, rude.talking_after_the_farewell)
    assert grown["closed_farewell"] == sum(by_manner[manner] for manner in farewells) + streams.served
    assert by_manner[rude.half_closed] + by_manner[rude.garbage] <= grown["closed_end"]
    assert by_manner[rude.never_reading] == grown["closed_write"]


@pytest.mark.parametrize("per_source", (4, 0), ids=("few a source", "full"))
def test_rude_crowd(per_source):
    chance = seeded()
    config = {
        "listen": [LINES, HELLO],
        "exempt": [GOOD],
        "rate": {"per_source": 0},  # the good datagrams follow each other without a pause
        "limits": {"connections": 16, "per_source": per_source, "per_prefix": 0, "idle_timeout": TIMEOUT,
                   "write_timeout": TIMEOUT, "penalty": 0.0},  # each is told the reason of its own
    }
    with Hellod(config) as daemon:
        good_stream(daemon)
        good_datagram(daemon)
        workers = daemon.workers()
        before = settled(daemon)
        open_before = [descriptors(pid) for pid in workers]
        memory = []
        for _ in range(2):
            crowd, streams, datagrams = meet(daemon, chance)
            after = settled(daemon)
            check_sums(crowd, streams, before, after)
            assert datagrams.worst < 1 * SLOW
            if per_source:
                # The sources of the crowd together have fewer places than there are: nobody else is sent away.
                assert streams.refusals == 0
                assert streams.worst < 1 * SLOW
            else:
                assert after["refused_full"] > before["refused_full"]
                assert streams.worst < 5 * SLOW
            wait_until(lambda: [descriptors(pid) for pid in workers] == open_before, 5, "all descriptors to be closed")
            memory.append([private_bytes(pid) for pid in workers])
            before = after
        assert daemon.workers() == workers
        print("private memory after each crowd:", memory)
        if not SANITIZED:
            # What is kept for use again differs by a few buffers; a leak would be of hundreds.
            assert all(second - first < 256 * 1024 for first, second in zip(*memory))


# ---- the silent ----


def connect_all(address, count, sources):
    """COUNT connections, made as fast as the kernel takes them, unread."""
    found = []
    for number in range(count):
        connection = socket.socket()
        connection.settimeout(10 * SLOW)
        connection.bind((sources[number % len(sources)], 0))
        connection.connect(address)
        found.append(connection)
    return found


def decided(counters):
    """The connections that were admitted or refused."""
    return counters["accepted"] + refused_in_all(counters)


def test_ten_thousand_silent_clients_keep_nobody_waiting():
    count = room_for(1000 if SANITIZED else 10000)
    limits = {"connections": count // 2 + 300, "idle_timeout": 600.0}
    with Hellod({"listen": [LINES, HELLO], "limits": limits}) as daemon:
        with Good(lambda: good_stream(daemon)) as streams, Good(lambda: good_datagram(daemon)) as datagrams:
            silent = connect_all(daemon.address("greeting"), count, RUDE)
            wait_until(lambda: decided(daemon.counters()) >= count, 20, "all to be accepted")
            there = streams.served, datagrams.served
            wait_until(lambda: streams.served > there[0] + 20 and datagrams.served > there[1] + 20, 10, "good clients")
        assert refused_in_all(daemon.counters()) == 0
        print(f"{count} silent; worst stream {streams.worst:.3f} s, worst datagram {datagrams.worst:.3f} s")
        assert streams.worst < 1 * SLOW and datagrams.worst < 1 * SLOW
        for connection in silent:
            connection.close()
        totals = settled(daemon, seconds=20)
        assert totals["accepted"] == count + streams.served
        assert totals["closed_end"] + totals["closed_reset"] == count


# ---- floods ----


class Flood:
    """Threads that do WORK again and again, in a context."""

    def __init__(self, work, threads):
        self._over = False
        self._threads = [threading.Thread(target=self._run, args=(work,), daemon=True) for _ in range(threads)]

    def _run(self, work):
        while not self._over:
            work()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over = True
        for thread in self._threads:
            thread.join(20 * SLOW)


def test_flood_of_lines_does_not_stop_datagrams():
    with Hellod({"workers": 1, "listen": [LINES, HELLO]}) as daemon:
        lines = b"Bob\n" * 20000

        def flood():
            with daemon.connect() as client:
                client.exchange(lines)

        with Flood(flood, 4), daemon.datagrams() as client:
            wait_until(lambda: daemon.counters()["messages"] > 100000, 20, "the flood")
            before, times = daemon.counters()["messages"], []

            def asked_meanwhile():
                """A hundred questions can be answered before any of the flood's threads has its turn again."""
                times.append(timed(lambda: client.expect(b"Alice", b"Hello, Alice!"))[0])
                return len(times) >= 100 and daemon.counters()["messages"] > before

            wait_until(asked_meanwhile, 20, "lines meanwhile")
        print(f"worst of {len(times)} datagrams in a flood of lines: {max(times):.3f} s")
        assert max(times) < 1 * SLOW


# A program that does nothing but send: a thread would have to share the interpreter with the good clients.
DATAGRAM_FLOOD = """
import socket, sys
flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
flood.connect((sys.argv[1], int(sys.argv[2])))
while True:
    flood.send(b"Bob", socket.MSG_DONTWAIT)
"""


@contextmanager
def datagram_flood(address):
    command = [sys.executable, "-I", "-S", "-c", DATAGRAM_FLOOD, address[0], str(address[1])]
    flood = subprocess.Popen(command)
    try:
        yield
        assert flood.poll() is None, "the flood has ended"
    finally:
        flood.kill()
        flood.wait()


def test_flood_of_datagrams_does_not_stop_streams():
    with Hellod({"workers": 1, "listen": [LINES, HELLO]}) as daemon:
        with datagram_flood(daemon.address("hello")):
            wait_until(lambda: daemon.counters()["datagrams"] > 20000, 20, "the flood")
            before = daemon.counters()["datagrams"]
            worst = max(timed(lambda: good_stream(daemon))[0] for _ in range(50))
            flooded = daemon.counters()["datagrams"] - before
        print(f"worst conversation in a flood of datagrams: {worst:.3f} s; {flooded} datagrams meanwhile")
        assert flooded > 0 and worst < 1 * SLOW
