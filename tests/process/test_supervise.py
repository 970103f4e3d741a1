"""Workers that die, do not start, or stand still, and what the rest of the service makes of it.

How the service ends, and how workers end whose master died, is in test_stop.py.
"""

import errno
import os
import re
import signal
import threading
import time

import pytest

from clients import PROMPT, timed
from configs import GREETING, HELLO, unprivileged
from faults import Faults
from hellodtest import EXIT_NO_WORKER, Hellod, refused
from rude import SOURCE
from watch import SLOW, children, descriptors, wait_until
from workers import SANITIZED, killed, measures, opened, refused_in_all, replaced, settled, slots, stopped, targets

SERVES = {"listen": [GREETING, HELLO]}
HEALTHY = 2.0  # seconds of life after which a death is not an early one
DEATH = (
    r"^worker (\d+) \(pid (\d+)\) was killed by signal 9 \(Killed\) after \d+ ms; "
    r"the next one starts (at once|after a pause)$"
)


def converse(daemon):
    """One conversation on TCP and one question on UDP."""
    with daemon.connect() as client:
        client.greeted().ask(b"Bob\n", b"Hello, Bob!\n")
    with daemon.datagrams() as client:
        client.expect(b"Bob", b"Hello, Bob!")


class Load(threading.Thread):
    """Clients that come one after the other, in a context: .greeted counts those that were answered, .broken those
    whose connection broke. Every other trouble is raised at the end."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self._daemon, self._over, self._error = daemon, False, None
        self.greeted = self.broken = 0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._over = True
        self.join(20 * SLOW)
        if self._error:
            raise self._error

    def run(self):
        try:
            while not self._over:
                self._one()
        except BaseException as error:  # for __exit__ to raise
            self._error = error

    def _one(self):
        with self._daemon.connect() as client:
            got = b""
            try:
                got = client.read(len(PROMPT))
                client.send(b"Bob\ndisconnect\n")
                got += client.rest()
            except (ConnectionResetError, BrokenPipeError, AssertionError):  # rest() says so of a reset
                pass
        whole = PROMPT + b"Hello, Bob!\n"
        # A connection may break, but nobody is told anything but what is due.
        assert whole.startswith(got), got
        self.greeted += got == whole
        self.broken += got != whole


class Watch(threading.Thread):
    """Looks at the totals again and again, in a context; none may ever be less than before."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self._daemon, self._over = daemon, False
        self.looks, self.backwards = 0, []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        try:
            if not kind:  # on a busy machine all else may have been quicker
                wait_until(lambda: self.looks > 1, 10, "two looks at the counters")
        finally:
            self._over = True
            self.join(20 * SLOW)
        assert kind or not self.backwards, self.backwards

    def run(self):
        before = self._daemon.counters()
        while not self._over:
            now = self._daemon.counters()
            self.backwards += [(name, before[name], now[name]) for name in now if now[name] < before[name]]
            self.looks += 1
            before = now


# ---- deaths ----


def test_killed_workers_under_load():
    with Hellod({**SERVES, "workers": 4}) as daemon:
        found = opened(daemon, 24)
        victims = slots(daemon)
        with Watch(daemon), Load(daemon) as one, Load(daemon) as two:
            for slot, block in victims.items():
                before = one.greeted + two.greeted
                killed(block["pid"])
                # Only its own connections break.
                for stream, pid in found:
                    if pid == block["pid"]:
                        stream.expect_end()
                    elif pid in daemon.workers():
                        stream.ask(b"Bob\n", b"Hello, Bob!\n")
                took, _ = timed(lambda: replaced(daemon, slot, block["pid"]))
                assert took < 2 * SLOW
                wait_until(lambda: one.greeted + two.greeted > before + 20, 10, "the load to go on")
        print(f"{one.greeted + two.greeted} conversations, {one.broken + two.broken} broken")
        assert one.broken + two.broken <= 2 * len(victims)
        totals = settled(daemon)
        assert refused_in_all(totals) == 0
        # A worker may be killed after it has closed a connection and before it has counted that.
        most = len(found) + one.broken + two.broken + len(victims)
        assert len(found) <= totals["closed_killed"] <= most
        assert totals["accepted"] >= one.greeted + two.greeted + len(found)
        assert len(daemon.workers()) == 4
        for stream, _ in found:
            stream.close()


def test_death_is_said_and_counted():
    with Hellod({**SERVES, "workers": 1}) as daemon:
        clients = [daemon.connect().greeted() for _ in range(3)]
        settled(daemon, live=3)
        clients[0].ask(b"Bob\n", b"Hello, Bob!\n")
        daemon.wait_for_counter("answers", 1)
        (pid,) = daemon.workers()
        killed(pid)
        slot, dead, when = daemon.wait_for_line(DEATH).groups()
        assert (int(slot), int(dead), when) == (0, pid, "at once")
        replaced(daemon, 0, pid)
        totals = settled(daemon)
        assert (totals["accepted"], totals["closed_killed"], totals["answers"]) == (3, 3, 1)
        converse(daemon)
        assert settled(daemon)["accepted"] == 4
        for client in clients:
            client.close()


def test_places_of_a_source_are_free_again_when_their_worker_dies():
    # Failure 51: the connections of a service that failed were counted for ever.
    config = {**SERVES, "workers": 2, "exempt": [], "limits": {"per_source": 6}}

    def come():
        return daemon.connect(source=("127.0.5.1", 0))

    with Hellod(config) as daemon:
        for _ in range(2):
            found = opened(daemon, 6, source=("127.0.5.1", 0))
            with come() as client:
                client.expect_end(SOURCE)
            slot, victim = next((slot, block["pid"]) for slot, block in slots(daemon).items() if block["live"])
            lost = sum(1 for _, pid in found if pid == victim)
            killed(victim)
            replaced(daemon, slot, victim)
            found += [(come().greeted(), None) for _ in range(lost)]
            with come() as client:
                client.expect_end(SOURCE)
            for stream, _ in found:
                stream.close()
            settled(daemon)


def kill_again(daemon, slot, pid):
    """Kills worker PID of SLOT; returns its successor and the seconds until that served."""
    killed(pid)
    took, successor = timed(lambda: replaced(daemon, slot, pid, seconds=10))
    return successor, took


@pytest.mark.skipif(SLOW > 4, reason="a start takes longer than an early death")
def test_early_deaths_back_off():
    # Failure 36: a cluster whose workers died at once spun in forking.
    with Hellod({**SERVES, "workers": 2}) as daemon, Load(daemon) as load:
        pid = slots(daemon)[1]["pid"]
        pauses = []
        for _ in range(3):
            pid, took = kill_again(daemon, 1, pid)
            pauses.append(took)
        print("pauses after early deaths:", [f"{pause:.2f}" for pause in pauses])
        # Once at once, then after a second, then after two; the other worker serves meanwhile.
        for pause, expected in zip(pauses, (0, 1, 2)):
            assert expected - 0.05 <= pause < expected + 0.9 * SLOW
        assert load.greeted > 100
        born = time.monotonic()
        wait_until(lambda: time.monotonic() - born > HEALTHY, 5, "the worker to have lived for a while")
        assert kill_again(daemon, 1, pid)[1] < 0.9 * SLOW

        def said():
            return [match[3] for _, line in daemon.lines if (match := re.search(DEATH, line))]

        wait_until(lambda: len(said()) == 4, 5, "four deaths to be logged")
        assert said() == ["at once", "after a pause", "after a pause", "at once"]


# ---- workers that do not start ----


def test_first_generation_that_cannot_start_ends_the_service():
    with Faults() as faults:
        faults.on("epoll_create1", errno.EMFILE)
        with refused({**SERVES, "workers": 3}, EXIT_NO_WORKER, env=faults.environment) as failed:
            assert failed.wait_for_line("^no worker could start: ").string.endswith("epoll: Too many open files")


@pytest.mark.skipif(SANITIZED, reason="a leak checker wants to fork too")
def test_first_generation_that_cannot_be_forked_ends_the_service():
    identity = unprivileged()
    if identity and identity[0] == "root":
        pytest.skip("root of a user namespace has no limit of processes")
    how = {"rlimits": {"RLIMIT_NPROC": (0, 0)}, "wrapper": []}
    with refused({**SERVES, "workers": 2}, EXIT_NO_WORKER, **how) as failed:
        assert "Resource temporarily unavailable" in failed.wait_for_line("^no worker could start: fork").string
        assert len([line for _, line in failed.lines if "cannot be started" in line]) == 2


def test_one_worker_that_cannot_start_at_first_is_tried_again():
    with Faults() as faults:
        faults.on("epoll_create1", errno.EMFILE, once=True)
        with Hellod({**SERVES, "workers": 3}, env=faults.environment) as daemon:
            assert faults.happened("epoll_create1")
            daemon.wait_for_line(r"^worker \d \(pid \d+\) ended with code 1 after \d+ ms; the next one starts at once$")
            assert len(daemon.workers()) == 3
            converse(daemon)


def test_fork_that_fails_is_said_and_tried_again():
    with Faults() as faults, Hellod({**SERVES, "workers": 2}, env=faults.environment) as daemon, Load(daemon):
        pid = slots(daemon)[0]["pid"]
        faults.on("fork", errno.EAGAIN)
        killed(pid)
        daemon.wait_for_line("^worker 0 cannot be started: Resource temporarily unavailable$")
        assert len(daemon.workers()) == 1
        converse(daemon)
        faults.off("fork")
        replaced(daemon, 0, pid)


# ---- what a worker has from its master ----


def sockets(pid):
    """The sockets of PID."""
    return {target for target in targets(pid).values() if target.startswith("socket:")}


def check_descriptors(daemon):
    """The workers of DAEMON, which has two sockets, have these, their own links, and nothing of each other."""
    workers = daemon.workers()
    listening = set.intersection(*(sockets(pid) for pid in workers))
    assert len(listening) == 2 and listening < sockets(daemon.pid)
    log = os.readlink(f"/proc/{daemon.pid}/fd/2")
    for pid in workers:
        # Of a link one end is here, and nobody else has that.
        (link,) = sockets(pid) - listening
        assert not any(link in sockets(other) for other in [daemon.pid, *workers] if other != pid)
        others = [target for target in targets(pid).values() if not target.startswith("socket:")]
        # Nothing, nothing, the log and the log without waiting; its loop, and the descriptor in reserve; what the
        # workers wake each other with.
        expected = ["/dev/null"] * 2 + [log] * 2 + ["anon_inode:[eventpoll]"] * 2
        assert sorted(others) == sorted(expected + ["anon_inode:[eventfd]"] * len(workers))


@measures
def test_worker_has_only_what_is_its_own():
    with Hellod({**SERVES, "workers": 3}) as daemon:
        check_descriptors(daemon)
        for slot, block in slots(daemon).items():
            killed(block["pid"])
            replaced(daemon, slot, block["pid"])
        check_descriptors(daemon)


def test_master_keeps_nothing_of_the_dead():
    with Hellod({**SERVES, "workers": 4}) as daemon:
        before = descriptors(daemon.pid)
        for slot, block in slots(daemon).items():
            killed(block["pid"])
            replaced(daemon, slot, block["pid"])
        assert descriptors(daemon.pid) == before
        assert len(children(daemon.pid)) == 4


@measures
def test_worker_leaves_the_service_signals_to_its_master():
    # Failure 39: what was sent to the whole group killed requests.
    with Hellod({**SERVES, "workers": 1}) as daemon:
        (worker,) = daemon.workers()
        with open(f"/proc/{worker}/status", encoding="ascii") as file:
            masks = {name: int(mask, 16) for name, mask in re.findall(r"^Sig(Blk|Ign):\s+(\w+)$", file.read(), re.M)}
        assert masks["Blk"] == 0
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            assert masks["Ign"] >> (number - 1) & 1, number
            os.kill(worker, number)
        converse(daemon)
        assert daemon.workers() == [worker]


# ---- workers that stand still ----


@pytest.mark.parametrize("workers", (1, 2))
def test_stopped_worker_goes_on_where_it_was(workers):
    with Hellod({**SERVES, "workers": workers}) as daemon:
        found = opened(daemon, 8)
        pid = found[0][1]
        with daemon.datagrams() as other, stopped(pid):
            for stream, _ in found:
                stream.send(b"Bob\n")
            # Those of the other worker are answered, and so is all that is new, if there is another worker.
            for stream, owner in found:
                if owner != pid:
                    stream.expect(b"Hello, Bob!\n")
            if workers > 1:
                took = [timed(lambda: converse(daemon))[0] for _ in range(20)]
                print(f"worst conversation beside a stopped worker: {max(took):.3f} s")
                assert max(took) < 0.5 * SLOW
            waiting = daemon.connect()
            other.send(b"Bob")
            assert all(stream.quiet() for stream, owner in found if owner == pid)
            os.kill(pid, signal.SIGCONT)
            for stream, owner in found:
                if owner == pid:
                    stream.expect(b"Hello, Bob!\n")
            waiting.greeted().close()
            assert other.receive()[0] == b"Hello, Bob!"
        assert pid in daemon.workers()
        for stream, _ in found:
            stream.close()
        assert settled(daemon)["closed_killed"] == 0
