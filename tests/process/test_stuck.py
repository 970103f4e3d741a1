"""Workers that are stuck are replaced; workers that only get no time to run are left alone.

The master looks every five seconds, so that each of these takes a while: they all go on at the same time, and each test
waits for the end of its own.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from clients import timed
from configs import GREETING, HELLO
from hellodtest import Hellod
from manager import Manager
from manners import Manners
from watch import SLOW, process_state, wait_until
from workers import opened, replaced, settled, slots, stopped

SERVES = {"listen": [GREETING, HELLO], "workers": 3}
QUIET = 12.0  # seconds: longer than two looks of the master
WATCHDOG = 3.0  # seconds
STUCK = re.compile(
    r"^worker \(pid (\d+)\) is stuck: no pass of its loop in (\d+) ms of processor time since pass \d+; aborting it$"
)
DEATH = re.compile(r"^worker (\d+) \(pid (\d+)\) was killed by signal (\d+) .* the next one starts at once$")


@pytest.fixture(scope="module")
def stories():
    """Function to its future: all of them at once."""
    with ThreadPoolExecutor(len(STORIES)) as beside:
        yield {story: beside.submit(story) for story in STORIES}


def converse(daemon):
    """One conversation on TCP and one question on UDP."""
    with daemon.connect() as client:
        client.greeted().ask(b"Bob\n", b"Hello, Bob!\n")
    with daemon.datagrams() as client:
        client.expect(b"Bob", b"Hello, Bob!")


def converse_until(daemon, condition, seconds, what):
    """Has conversations until CONDITION is true; none may take long."""
    worst = 0

    def once():
        nonlocal worst
        worst = max(worst, timed(lambda: converse(daemon))[0])
        return condition()

    wait_until(once, seconds, what)
    print(f"worst conversation: {worst:.3f} s")
    assert worst < 2 * SLOW


def nobody_was_hurt(daemon, workers):
    return daemon.workers() == workers and not re.search("stuck|killed", daemon.log())


# ---- stuck ----


def events(daemon):
    """(seconds, "stuck" or signal number, process ID) for each worker that was found stuck or died."""
    found = []
    for when, line in list(daemon.lines):
        if match := STUCK.search(line):
            assert int(match[2]) >= 5000
            found.append((when, "stuck", int(match[1])))
        elif match := DEATH.search(line):
            found.append((when, int(match[3]), int(match[2])))
    return found


def two_stuck_workers():
    """One that ignores the first signal, one that does not, and one that serves."""
    with Manners() as manners, Manager() as manager:
        env = {**manners.environment, **manager.environment, "WATCHDOG_USEC": int(WATCHDOG * 1e6)}
        with Hellod(SERVES, env=env, rlimits={"RLIMIT_CORE": (0, 0)}) as daemon:
            pids = {slot: block["pid"] for slot, block in slots(daemon).items()}
            try:
                manners.spin(pids[0], deaf=True)
                manners.spin(pids[1])
                # Each has to be given ten seconds of processor time first, which a busy machine takes minutes for.
                converse_until(daemon, lambda: len(events(daemon)) >= 4, 240, lambda: f"two deaths: {daemon.log()}")
            finally:
                manners.end()
            check_events(events(daemon), pids)
            for slot in (0, 1):
                replaced(daemon, slot, pids[slot])
            converse(daemon)
            assert slots(daemon)[2]["pid"] == pids[2]
            settled(daemon)
            check_signs_of_life(manager, daemon)


def check_events(found, pids):
    # The second is left alone until the first is gone.
    (first, _, one), (gone, _, same), (second, _, other), (_, _, last) = found
    assert [what for _, what, _ in found if what == "stuck"] == ["stuck"] * 2
    assert (one, other) == (same, last) and {one, other} == {pids[0], pids[1]}
    assert first < gone < second
    ends = {pid: (what, when) for when, what, pid in found if what != "stuck"}
    assert ends[pids[0]][0] == signal.SIGKILL and ends[pids[1]][0] == signal.SIGABRT
    told = {pid: when for when, what, pid in found if what == "stuck"}
    assert 1.9 < ends[pids[0]][1] - told[pids[0]] < 6 * SLOW
    assert ends[pids[1]][1] - told[pids[1]] < 1 * SLOW


def check_signs_of_life(manager, daemon):
    """A master that deals with stuck workers is healthy."""
    times = [message.time for message in manager.having("WATCHDOG")]
    gaps = [after - before for before, after in zip(times, times[1:] + [time.monotonic()])]
    assert max(gaps) < WATCHDOG * 0.9, gaps
    assert {message.pid for message in manager.messages} == {daemon.pid}
    assert len(manager.having("READY")) == 1


@pytest.mark.seconds(300)
def test_stuck_workers_are_replaced_one_at_a_time(stories):
    # Failure 34: a process in a loop without end was not noticed, because it lived.
    stories[two_stuck_workers].result()


# ---- not stuck ----


def stopped_and_starved_workers():
    with Hellod(SERVES) as daemon:
        workers = daemon.workers()
        found = opened(daemon, 9)
        still = found[0][1]
        starved = next(pid for pid in workers if pid != still)
        # What spins beside it, in another story, leaves it next to nothing.
        os.sched_setscheduler(starved, os.SCHED_IDLE, os.sched_param(0))
        start = time.monotonic()
        with stopped(still):
            for stream, _ in found:
                stream.send(b"Bob\n")
            wait_until(lambda: time.monotonic() - start > QUIET, 60, "the master to look twice")
            assert process_state(still) == "T" and nobody_was_hurt(daemon, workers)
        for stream, _ in found:
            stream.expect(b"Hello, Bob!\n")
            stream.close()
        assert nobody_was_hurt(daemon, workers)
        assert settled(daemon)["closed_killed"] == 0


def test_worker_that_gets_no_time_is_not_stuck(stories):
    # Failure 30: workers were killed because their machine, or their service, had been standing still.
    stories[stopped_and_starved_workers].result()


def idle_service():
    with Manager() as manager, Hellod(SERVES, env=manager.environment) as daemon:
        workers, start = daemon.workers(), manager.wait_for("READY").time
        wait_until(lambda: time.monotonic() - start > QUIET, 60, "the master to look twice")
        # Nothing has changed, so there is nothing to say.
        assert len(manager.messages) == 1, manager.messages
        assert nobody_was_hurt(daemon, workers)


def test_idle_workers_are_not_stuck_and_their_master_is_silent(stories):
    stories[idle_service].result()


def clock(offset):
    """Command words that start the daemon with a monotonic clock that is OFFSET seconds ahead."""
    if not shutil.which("unshare"):
        pytest.skip("needs unshare (package util-linux)")
    words = ["unshare", *(["--user", "--map-current-user"] if os.geteuid() != 0 else [])]
    words += ["--time", "--monotonic", str(offset)]
    tried = subprocess.run([*words, "readlink", "/proc/self/ns/time"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"no clock of our own: {tried.stderr.strip()}")
    if tried.stdout.strip() == os.readlink("/proc/self/ns/time"):
        pytest.skip("this kernel gives a new clock to children only")
    return [*words, *shlex.split(os.environ.get("HELLOD_WRAPPER", ""))]


def clock_that_starts_late():
    offset = 100_000_000  # three years
    with Manager() as manager:
        with Hellod(SERVES, env={**manager.environment, "WATCHDOG_USEC": 3_000_000}, wrapper=clock(offset)) as daemon:
            workers, start = daemon.workers(), manager.wait_for("READY").time
            assert os.readlink(f"/proc/{daemon.pid}/ns/time") != os.readlink("/proc/self/ns/time")
            converse_until(daemon, lambda: time.monotonic() - start > QUIET, 60, "the master to look twice")
            assert nobody_was_hurt(daemon, workers)
            assert 8 <= len(manager.having("WATCHDOG")) <= 30
            assert 1 <= len(manager.having("STATUS", since=1)) <= 3


def test_clock_that_is_far_ahead_hurts_nobody(stories):
    stories[clock_that_starts_late].result()


STORIES = (two_stuck_workers, stopped_and_starved_workers, idle_service, clock_that_starts_late)
