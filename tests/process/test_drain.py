"""What becomes of those whom the old workers serve when new ones have come: whoever is silent is closed with an end of
file, whoever is owed something gets it, and nobody stays beyond the time for it.

How a service drains that is told to stop is in test_stop.py.
"""

import signal
import threading
import time

import pytest

from configs import GREETING, HELLO
from hellodtest import EXIT_OK
from reloads import SILENCE, Service, all_stopped, converse, is_refused, owed, signal_all, wait_for_end_of
from watch import SLOW, process_state, wait_until
from workers import measures, settled

LINES = {**GREETING, "framing": "line"}
SLOW_LINES = {**LINES, "name": "slow", "delay": 0.6}


def serves(drain=10.0, delay=0.6, **more):
    return {"listen": [LINES, HELLO, {**SLOW_LINES, "delay": delay}], "limits": {"drain_timeout": drain}, **more}


class Talker(threading.Thread):
    """A client in a context that asks again and again; .end is b"" when the server ended it with an end of file, or the
    exception, and .seconds what that took."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self._client, self._over, self._start = client, threading.Event(), time.monotonic()
        self.asked, self.end, self.seconds = 0, None, None

    def __enter__(self):
        self.start()
        wait_until(lambda: self.asked > 2, 5, "the conversation to begin")
        return self

    def __exit__(self, *_):
        self._over.set()
        self.join(10 * SLOW)
        self._client.close()

    def run(self):
        try:
            while not self._over.wait(0.02):
                self._client.send(b"Bob\n")
                got = self._client.read(len(b"Hello, Bob!\n"))
                if got != b"Hello, Bob!\n":
                    self.end = got
                    break
                self.asked += 1
        except OSError as error:
            self.end = error
        self.seconds = time.monotonic() - self._start

    def wait_for_end(self, seconds):
        wait_until(lambda: self.end is not None, seconds, "the end of the conversation")


def test_who_is_silent_is_closed():
    silent_since = time.monotonic()
    with Service(serves()) as service, service.connect().greeted() as client:
        start = time.monotonic()
        service.reload()
        client.expect_end()
        end = time.monotonic()
        assert end - silent_since > SILENCE * 0.9 and end - start < (SILENCE + 1) * SLOW
        client.close()
        wait_for_end_of(service, 0)
        totals = settled(service)
        assert totals["closed_drain"] == totals["accepted"] == 1


def test_who_was_just_greeted_is_answered():
    with Service(serves()) as service, service.connect().greeted() as client:
        service.reload()
        start = time.monotonic()
        wait_until(lambda: time.monotonic() - start > SILENCE / 4, 5, "the drain to have begun")
        client.ask(b"Bob\n", b"Hello, Bob!\n")
        client.expect_end()
        client.close()
        wait_for_end_of(service, 0)


def test_what_is_owed_is_paid():
    with Service(serves()) as service:
        waiting, unfinished = owed(service), service.connect().greeted()
        unfinished.ask(b"Ann\nBo", b"Hello, Ann!\n")
        service.reload()
        unfinished.ask(b"b\n", b"Hello, Bob!\n")
        waiting.expect(b"Hello, Bob!\n")
        for client in (waiting, unfinished):
            client.expect_end()
            client.close()
        wait_for_end_of(service, 0)
        assert settled(service)["closed_drain"] == 2


def test_many_answers_that_are_owed():
    # More than fits a socket's buffer: the worker goes when the last byte has gone.
    data = b"Bob\n" * 100_000
    with Service(serves()) as service, service.connect(receive_buffer=4096, seconds=20).greeted() as client:
        feeder = threading.Thread(target=client.send, args=(data,), daemon=True)
        feeder.start()
        settled(service, live=1)
        wait_until(lambda: service.counters()["answers"] > 0, 5, "the first answers")
        service.reload()
        assert client.read(len(b"Hello, Bob!\n") * 100_000) == b"Hello, Bob!\n" * 100_000
        feeder.join(5)
        client.expect_end()
        client.close()
        wait_for_end_of(service, 0)


def test_who_says_farewell_while_it_drains():
    with Service(serves()) as service, service.connect().greeted() as client:
        service.reload()
        client.ask(b"Bob\n", b"Hello, Bob!\n")
        client.send(b"disconnect\n")
        client.expect_end()
        client.close()
        wait_for_end_of(service, 0)
        assert settled(service)["closed_farewell"] == 1


def test_nobody_is_waited_for_when_nobody_is_there():
    with Service(serves()) as service:
        start = time.monotonic()
        service.reload()
        wait_for_end_of(service, 0)
        assert time.monotonic() - start < SILENCE * 0.9 * SLOW


@measures
def test_who_goes_on_talking_is_ended_at_the_deadline():
    with Service(serves(drain=1.5)) as service, Talker(service.connect().greeted()) as talker:
        start = time.monotonic()
        # The time is that of the world that goes, not of the one that comes.
        service.reload(serves(drain=30.0))
        talker.wait_for_end(10)
        took = time.monotonic() - start
        assert 1.4 < took < 1.5 + 0.7 * SLOW
        assert talker.end == b"", talker.end
        wait_for_end_of(service, 0)
        assert "did not end in time" not in service.log()
        service.wait_for_line("^generation 0 finishes 1 connections within 1500 ms$")


def test_no_time_at_all():
    with Service(serves(drain=0.0)) as service, service.connect().greeted() as client:
        start = time.monotonic()
        service.reload()
        client.expect_end()
        client.close()
        wait_for_end_of(service, 0)
        assert time.monotonic() - start < SILENCE * 0.9 * SLOW
        converse(service)


def test_talker_is_served_by_the_old_and_then_by_the_new():
    with Service(serves(drain=0.5)) as service:
        for generation in range(3):
            with Talker(service.connect().greeted()) as talker:
                service.reload()
                talker.wait_for_end(10)
                assert talker.end == b"" and talker.asked > 2, talker.end
            wait_for_end_of(service, generation)
        assert settled(service)["closed_drain"] == 3


@measures
def test_stopped_workers_are_killed_when_their_time_is_over():
    with Service(serves(drain=0.3)) as service:
        old = service.workers()
        with service.connect().greeted(), all_stopped(old):
            start = time.monotonic()
            service.reload()
            wait_for_end_of(service, 0, 10)
            assert 1.2 < time.monotonic() - start < 1.3 + 2 * SLOW  # a second of grace
            assert not any(map(process_state, old))
        assert len(service.workers()) == 2
        converse(service)
        assert settled(service)["closed_killed"] == 1


def test_deadline_of_each_generation_is_its_own():
    # A later reload neither shortens nor lengthens the time of those who go already.
    with Service(serves(drain=1.5)) as service, Talker(service.connect().greeted()) as first:
        start = time.monotonic()
        service.reload(serves(drain=100.0))
        with Talker(service.connect().greeted()) as second:
            service.reload()
            first.wait_for_end(10)
            assert time.monotonic() - start > 1.4
            assert second.end is None and first.end == b""
            wait_for_end_of(service, 0)
            asked = second.asked
            wait_until(lambda: second.asked > asked + 5, 5, "the other to go on")
            assert service.status().generations == [1, 2]


def test_stop_while_an_old_generation_finishes():
    with Service(serves(drain=100.0, delay=30.0)) as service:
        client = owed(service)
        service.reload(serves(drain=0.5))
        idle = service.connect().greeted()
        workers = service.workers()
        start = time.monotonic()
        service.signal(signal.SIGTERM)
        # One time for all of them, which is that of now.
        for one in (client, idle):
            one.expect_end()
            one.close()
        assert service.wait() == EXIT_OK
        assert time.monotonic() - start < 5 * SLOW
        assert not any(map(process_state, workers))
        service.assert_clean()


def test_stop_closes_the_listening_sockets_at_once():
    with Service(serves(delay=1.0)) as service:
        client, address = owed(service), service.address("greeting")
        service.signal(signal.SIGTERM)
        wait_until(lambda: is_refused(address), 0.9, "the listener to be closed")
        client.expect(b"Hello, Bob!\n")
        client.close()
        assert service.wait() == EXIT_OK


def test_idle_clients_of_many_reloads():
    # Connections from before, between and after: each ends with an end of file, none is reset.
    with Service(serves()) as service:
        clients = []
        for _ in range(4):
            clients += [service.connect().greeted() for _ in range(4)]
            for client in clients[-4:-2]:
                client.ask(b"Bob\n", b"Hello, Bob!\n")
            service.reload()
        for client in clients:
            client.expect_end()
            client.close()
        service.alone()
        totals = settled(service)
        assert totals["closed_drain"] == totals["accepted"] == 16


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT), ids=("TERM", "INT"))
def test_signals_that_reach_draining_workers_do_not_matter(number):
    # A terminal or a control group sends them to all.
    with Service(serves()) as service:
        client = owed(service)
        service.reload()
        signal_all(service.pids(0), number)
        client.expect(b"Hello, Bob!\n")
        client.expect_end()
        client.close()
        assert settled(service)["closed_killed"] == 0
