"""`helloctl top` on a terminal: what it shows, how it follows the terminal and the service, and that it leaves no trace."""

import os
import re
import signal
import time

import pytest

from controlled import Control, SERVICE, command, counter, helloctl, status, worker
from hellodtest import EXIT_OK, EXIT_USAGE
from screen import Screen
from watch import SLOW, wait_until

FRAMED = {"alternate"}  # the modes while it runs: no cursor, no wrapping


class Service:
    """A service of COUNT workers that gives more answers each time it is asked."""

    def __init__(self, count=2):
        self.count, self.asked = count, 0
        self.trouble = None  # bytes that are answered instead
        self.last = None  # the number of the question that is the last to be answered

    def __call__(self, client, line):
        assert line == b"1 status\n"
        self.asked += 1
        if self.last is None or self.asked <= self.last:
            client.sendall(self.trouble or self.status())

    def status(self):
        service = SERVICE.replace("answers=77", f"answers={self.asked * 1000}")
        workers = [worker(slot, connections=slot, answers=self.asked * 500, cpu_ms=self.asked * 100, restarts=7 * slot) for slot in range(self.count)]
        return status(*workers, counter("drop_text", self.asked, "datagrams dropped: not text"), service=service)


def top(control, **how):
    return Screen(command("-s", control.path, "top"), **how)


def test_frames(folder):
    with Control(folder, Service()) as control, top(control) as screen:
        screen.wait_for(r"answers/s: [1-9]\d*\.\d   refused or dropped/s: \d")
        rows = screen.rows()
        assert rows[0] == "hellod 0.1.0 is healthy: serving, 2 of 2 workers ready, up 1 d 2 h"
        assert re.fullmatch(r"connections: 5   answers: \d+000   answers/s: \d+\.\d   refused or dropped/s: \d+\.\d", rows[1])
        assert rows[2].split() == ["GEN", "SLOT", "PID", "STATE", "CONNECTIONS", "ANSWERS/S", "DROPS/S", "CPU", "%", "RESTARTS"]
        for slot, row in enumerate(rows[3:5]):
            assert re.fullmatch(rf"   0 +{slot} +400{slot} ready +{slot} +\d+\.\d +0\.0 +\d+\.\d +{7 * slot}", row), row
        assert rows[5:] == ["reload 3: ok, 2 min 5 s ago", "q ends"]
        assert screen.modes == FRAMED
        screen.type(b"q")
        assert screen.wait_end() == EXIT_OK


@pytest.mark.skipif("HELLOD_SANITIZED" in os.environ, reason="measures time")
def test_rates_are_about_right(folder):
    """A thousand answers and 200 ms of processor time a look, a look a second: less if the machine is slow, never more."""
    with Control(folder, Service()) as control, top(control) as screen:
        assert 100 < float(screen.wait_for(r"answers/s: (\d+\.\d)")[1]) < 1200
        assert 1 < float(screen.wait_for(r"4000 ready .* (\d+\.\d) +0$")[1]) < 12


def test_refreshes_once_a_second_and_not_more(folder):
    service = Service()
    with Control(folder, service) as control, top(control) as screen:
        wait_until(lambda: service.asked >= 1, 20, "a question")
        began = time.monotonic()
        wait_until(lambda: service.asked >= 4, 20, "four questions")
        assert time.monotonic() - began > 2.5
        assert screen.frames <= service.asked + 1
        assert len(control.asked) == service.asked  # all over one connection, or the fake would have seen more


@pytest.mark.parametrize("key", (b"q", b"Q", b"\x03"), ids=("q", "Q", "Ctrl-C"))
def test_keys_that_end(folder, key):
    with Control(folder, Service()) as control, top(control) as screen:
        screen.wait_for("q ends")
        screen.type(b"xyz\x1b[A\x1a")
        screen.type(key)
        assert screen.wait_end() == EXIT_OK


@pytest.mark.parametrize("number", (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
def test_signals_that_end(folder, number):
    with Control(folder, Service()) as control, top(control) as screen:
        screen.wait_for("q ends")
        screen.process.send_signal(number)
        assert screen.wait_end() == EXIT_OK


def test_terminal_that_takes_nothing_does_not_hold_it(folder):
    with Control(folder, Service(count=200)) as control, top(control, rows=500, columns=200) as screen:
        screen.wait_for("q ends")
        screen.pause()
        asked = len(control.asked)
        wait_until(lambda: len(control.asked) > asked + 1, 30, "more questions")
        screen.process.send_signal(signal.SIGTERM)
        assert screen.wait_end(20) == EXIT_OK


def test_follows_the_size(folder):
    service = Service(count=40)
    with Control(folder, service) as control, top(control) as screen:
        screen.wait_for("and 23 more")
        service.last = 0  # so that nothing but the size makes it draw
        rows = screen.rows()
        assert len(rows) <= 24 and rows[-1] == "q ends" and "400" in rows[3]
        screen.resize(50, 100)
        screen.process.send_signal(signal.SIGWINCH)
        screen.wait_for(" 4039 ready")
        assert not any("more" in row for row in screen.rows())


@pytest.mark.parametrize("size", ((1, 1), (1, 80), (24, 1), (2, 10), (6, 40), (7, 20)))
def test_tiny_terminals(folder, size):
    service = Service(count=9)
    with Control(folder, service) as control, top(control, rows=size[0], columns=size[1]) as screen:
        wait_until(lambda: service.asked > 2 and screen.frames > 1, 20, "some frames")
        rows = screen.rows()
        assert len(rows) <= size[0] and max(map(len, rows)) < size[1]
        screen.type(b"q")
        assert screen.wait_end() == EXIT_OK


def test_service_that_goes_and_comes_back(folder):
    service = Service()
    with Control(folder, service) as control:
        with top(control) as screen:
            screen.wait_for("is healthy")
            control.__exit__()
            service.last = service.asked + 1
            screen.wait_for("^NO ANSWER, trying again: .*no such socket")
            assert any("4001 ready" in row for row in screen.rows())
            control.__enter__()
            screen.wait_for("is healthy")
            # What was before is no base for rates.
            assert "answers/s: -   refused or dropped/s: -" in screen.rows()[1]
            screen.type(b"q")
            assert screen.wait_end() == EXIT_OK


@pytest.mark.parametrize(
    "answer",
    (b"What's your name?\n", b"ok\n", b"failed \x1b[31mnot now\n", b"\x00" * 100, b"service " + b"x" * 2_000_000),
    ids=("strange", "no status", "refusal", "zero bytes", "endless line"),
)
def test_service_that_goes_mad(folder, answer):
    service = Service()
    with Control(folder, service) as control, top(control) as screen:
        screen.wait_for("is healthy")
        service.trouble = answer
        screen.wait_for("^NO ANSWER, trying again")
        service.trouble = None
        screen.wait_for("is healthy")
        screen.type(b"q")
        assert screen.wait_end() == EXIT_OK


def test_service_that_is_silent_does_not_hold_the_keys(folder):
    service = Service()
    with Control(folder, service) as control, top(control) as screen:
        screen.wait_for("is healthy")
        service.last = 0
        asked = service.asked
        wait_until(lambda: service.asked > asked, 10, "another question")
        screen.type(b"q")
        assert screen.wait_end() == EXIT_OK


def test_hostile_strings_stay_text(folder):
    """The screen fails on anything but the few sequences of top itself."""
    hostile = SERVICE.replace('"serving"', r'"\x1b[2J\x9b31m\x07\x0a"').encode() + worker(0, state=r"\x1b]0;x\x07").encode() + b"ok\n"
    with Control(folder, hostile) as control, top(control) as screen:
        screen.wait_for(r"\\x1b\[2J\\x9b31m\\x07\\x0a")
        screen.wait_for(r"\\x1b\]0;x\\x07")


def test_terminal_that_is_gone(folder):
    with Control(folder, Service()) as control, top(control) as screen:
        screen.wait_for("q ends")
        screen.hang_up()
        assert screen.process.wait(10 * SLOW) == EXIT_OK


def test_needs_a_terminal(folder):
    with Control(folder, Service()) as control:
        done = helloctl("-s", control.path, "top")
    assert done.returncode == EXIT_USAGE and "needs a terminal" in done.stderr and done.stdout == b""


def test_nobody_there_at_the_start(folder):
    with Screen(command("-s", folder / "control", "top")) as screen:
        assert screen.wait_end() == 69
        assert screen.rows() == [""] and screen.frames == 0
