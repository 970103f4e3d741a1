"""The end: TERM and INT drain, a second one does not wait, and workers whose master is killed finish and go.

What a service does about workers that die is in test_supervise.py.
"""

import os
import re
import signal
import time

import pytest

from configs import GREETING, HELLO
from faults import Faults
from hellodtest import EXIT_OK, TREE, Hellod
from watch import SLOW, process_state, wait_until
from workers import settled, slots, stopped

LINES = {**GREETING, "framing": "line"}
SILENCE = 1.0  # seconds without a word after which a draining worker takes a client for idle
DELAY = 0.6
SLOW_LINES = {**LINES, "name": "slow", "delay": DELAY}


def serves(drain=10.0, **more):
    return {"listen": [LINES, HELLO, SLOW_LINES], "limits": {"drain_timeout": drain}, **more}


def term(daemon):
    daemon.signal(signal.SIGTERM)


def interrupt(daemon):
    daemon.signal(signal.SIGINT)


def term_to_all(daemon):
    """As a terminal or a control group does: every process of the service gets it."""
    os.killpg(daemon.pid, signal.SIGTERM)


def kill_master(daemon):
    daemon.signal(signal.SIGKILL)


def check_gone(daemon, workers, code, seconds=10):
    """The service ends with CODE, and no worker is left (failure 35: orphans)."""
    assert daemon.wait(seconds) == code
    wait_until(lambda: not any(map(process_state, workers)), seconds, f"the end of {workers}; the log:\n{daemon.log()}")
    daemon.assert_clean()


def end_of(how):
    """The exit code of a service that is ended by HOW."""
    return -signal.SIGKILL if how is kill_master else EXIT_OK


# ---- what is owed is paid ----


@pytest.mark.parametrize("how", (term, interrupt, term_to_all, kill_master), ids=lambda how: how.__name__)
def test_what_is_owed_is_paid(how):
    # Failure 39: a request under way was killed by the signal that should have let it finish.
    with Hellod(serves()) as daemon:
        workers, before = daemon.workers(), time.monotonic()
        idle, unfinished, waiting = daemon.connect(), daemon.connect(), daemon.connect("slow")
        for client in (idle, unfinished, waiting):
            client.greeted()
        unfinished.ask(b"Ann\nBo", b"Hello, Ann!\n")
        waiting.send(b"Eve\n")
        settled(daemon, live=3)
        how(daemon)
        start = time.monotonic()
        wait_until(lambda: time.monotonic() - start > SILENCE / 4, 5, "the drain to have begun")
        last = time.monotonic()
        unfinished.ask(b"b\n", b"Hello, Bob!\n")
        # The daemon's clocks run from what it did last for a client: never sooner than from before that was asked for.
        waiting.expect(b"Hello, Eve!\n")
        assert time.monotonic() - before >= DELAY * 0.9
        # All of them are closed with an end of file, not a reset, when they have been silent for a second.
        idle.expect_end()
        assert time.monotonic() - before >= SILENCE * 0.9
        assert time.monotonic() - start < (SILENCE + 1) * SLOW
        unfinished.expect_end()
        assert time.monotonic() - last >= SILENCE * 0.9
        waiting.expect_end()
        check_gone(daemon, workers, end_of(how))
        for client in (idle, unfinished, waiting):
            client.close()
        if how is kill_master:
            daemon.wait_for_line(r"^worker \d has lost its master, finishes and goes$")
        else:
            daemon.wait_for_line(r": finishing 3 connections within 10000 ms$")
            daemon.wait_for_line(r"^served 3 connections, 3 answers on them, and 0 datagrams; 0 clients spoke too late$")


def test_last_words_are_those_of_the_readme():
    with Hellod({"listen": [GREETING]}) as daemon:
        daemon.signal(signal.SIGINT)
        assert daemon.wait() == EXIT_OK
        said = {re.sub(r"\d+", "N", line) for line in daemon.log().splitlines()[-2:]}
    readme = (TREE / "README.md").read_text().splitlines()
    assert said <= {re.sub(r"\d+", "N", line.rpartition("hellod: ")[2]) for line in readme}


@pytest.mark.parametrize("how", (term, kill_master), ids=lambda how: how.__name__)
def test_answer_that_is_delayed_is_waited_for(how):
    # Nobody else is there, so that nothing but the answer keeps the worker.
    with Hellod(serves()) as daemon, daemon.connect("slow").greeted() as client:
        workers = daemon.workers()
        client.send(b"Eve\n")
        settled(daemon, live=1)
        how(daemon)
        client.expect(b"Hello, Eve!\n")
        client.close()
        check_gone(daemon, workers, end_of(how))


def test_nobody_is_waited_for_when_nobody_is_there():
    with Hellod(serves()) as daemon:
        start, workers = time.monotonic(), daemon.workers()
        term(daemon)
        check_gone(daemon, workers, EXIT_OK)
        assert time.monotonic() - start < 0.9 * SLOW


@pytest.mark.parametrize("how", (term, kill_master), ids=lambda how: how.__name__)
def test_deadline_ends_those_who_go_on_talking(how):
    # The write timeout must not end the one who does not read: a slowed run fills its buffers for longer than that is.
    config = serves(limits={"drain_timeout": 0.8, "write_timeout": 3600.0})
    with Hellod(config) as daemon, daemon.connect() as client, daemon.connect() as stuck:
        workers = daemon.workers()
        client.greeted()
        stuck.send_what_fits(b"Bob\n" * 25_000_000)
        client.ask(b"Bob\n", b"Hello, Bob!\n")  # else it might be idle by now
        how(daemon)
        start = time.monotonic()

        def cut_off():
            try:
                client.send(b"Bob\n")
                return client.receive() == b""
            except OSError:
                return True

        wait_until(cut_off, 10, "the end of the conversation")
        # Before the master, or an alarm in the worker, has to kill it.
        took = time.monotonic() - start
        assert 0.7 <= took < 0.8 + 0.7 * SLOW
        check_gone(daemon, workers, end_of(how))
        assert "did not end in time" not in daemon.log()


def test_no_time_at_all():
    with Hellod(serves(drain=0.0)) as daemon, daemon.connect() as client:
        client.greeted()
        term(daemon)
        client.expect_end()
        assert daemon.wait(5) == EXIT_OK


def test_who_comes_while_it_drains():
    """A connection is refused; a datagram is answered for as long as somebody is there who can."""
    config = {"workers": 1, "listen": [LINES, HELLO, {**SLOW_LINES, "delay": 1.5 * min(SLOW, 8)}], "limits": {"drain_timeout": 60.0}}
    with Hellod(config) as daemon, daemon.connect("slow").greeted() as client, daemon.datagrams() as other:
        client.send(b"Eve\n")
        settled(daemon, live=1)
        term(daemon)
        daemon.wait_for_line(": finishing 1 connections")

        def refused():
            try:
                daemon.connect().close()
            except OSError:  # refused; or reset, by a queue that was being closed
                return True
            return False

        wait_until(refused, 5, "the port to be closed")
        other.expect(b"Bob", b"Hello, Bob!")
        client.expect(b"Hello, Eve!\n")
        client.expect_end()
        client.close()
        assert daemon.wait(5) == EXIT_OK


# ---- the second word ----


@pytest.mark.parametrize(
    "first, second", ((term, term), (interrupt, interrupt), (term, interrupt)), ids=lambda how: how.__name__
)
def test_second_signal_does_not_wait(first, second):
    # One worker: a second one would be on its way out, and a leak checker that is killed there is never reaped.
    config = {"workers": 1, "listen": [{**SLOW_LINES, "delay": 30.0}]}
    with Hellod(config) as daemon, daemon.connect("slow") as client:
        workers = daemon.workers()
        client.greeted().send(b"Bob\n")
        settled(daemon, live=1)
        first(daemon)
        daemon.wait_for_line(": finishing 1 connections")
        start = time.monotonic()
        second(daemon)
        check_gone(daemon, workers, EXIT_OK)
        assert time.monotonic() - start < 0.9 * SLOW
        daemon.wait_for_line("again: ending at once$")


def test_stopped_worker_is_killed_when_its_time_is_over():
    with Hellod(serves(drain=0.2)) as daemon:
        workers = daemon.workers()
        with stopped(workers[0]):
            term(daemon)
            check_gone(daemon, workers, EXIT_OK)
        daemon.wait_for_line("^generation 0: 1 workers did not end in time and are killed$")


def test_end_while_a_slot_is_empty():
    with Faults() as faults, Hellod(serves(), env=faults.environment) as daemon:
        workers = daemon.workers()
        faults.on("fork", 11)
        os.kill(workers[0], signal.SIGKILL)
        daemon.wait_for_line("cannot be started")
        term(daemon)
        check_gone(daemon, workers, EXIT_OK)


def test_hangup_does_not_end_workers():
    """A terminal's hang-up reaches all processes: only the master knows what it means."""
    with Hellod(serves()) as daemon, daemon.connect().greeted() as client:
        for pid in daemon.workers():
            os.kill(pid, signal.SIGHUP)
        client.ask(b"Bob\n", b"Hello, Bob!\n")
        with daemon.datagrams() as other:
            other.expect(b"Bob", b"Hello, Bob!")


# ---- the master is killed ----


def test_address_is_free_again_when_the_master_was_killed():
    with Hellod(serves()) as daemon:
        host, port = daemon.address("greeting")
        workers = daemon.workers()
        kill_master(daemon)
        check_gone(daemon, workers, -signal.SIGKILL)
    with Hellod({"listen": [{**LINES, "address": host, "port": port}]}) as daemon:
        daemon.connect().greeted().close()


def test_stopped_worker_goes_when_its_master_was_killed():
    with Hellod(serves(drain=0.2)) as daemon:
        stuck, other = daemon.workers()
        with daemon.connect(), stopped(stuck):
            kill_master(daemon)
            assert daemon.popen.wait(10 * SLOW) == -signal.SIGKILL  # wait() would wait for the log to end
            wait_until(lambda: not process_state(other), 5, "the end of the worker that goes on")
            assert process_state(stuck) == "T"
        check_gone(daemon, [stuck], -signal.SIGKILL)


def test_hanging_worker_goes_when_its_master_was_killed():
    # Its loop never comes round to read the link's end of file: the signal at the parent's death bounds its life.
    with Faults() as faults, Hellod(serves(drain=0.1, workers=1), env=faults.environment) as daemon:
        workers = daemon.workers()
        client = daemon.connect().greeted()
        faults.on("stuck")
        client.send(b"Bob\n")  # once round the loop

        def hangs():
            before = slots(daemon)[0]["beat"]
            client.send(b"Bob\n")
            return slots(daemon)[0]["beat"] == before

        wait_until(hangs, 10, "the worker to hang")
        kill_master(daemon)
        check_gone(daemon, workers, -signal.SIGKILL)
        client.close()


def test_master_that_dies_while_workers_start():
    # Failure 35: one that was forked but had not asked for its signal yet stayed for ever.
    for _ in range(5):
        with Hellod(serves(workers=8), ready=False) as daemon:
            wait_until(lambda: daemon.workers() and "listener" in daemon.log(), 5, "the first worker")
            kill_master(daemon)
            daemon.wait()
            daemon.assert_clean()
