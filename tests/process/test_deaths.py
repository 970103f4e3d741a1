"""Deaths that the master's loop brings together with its own timers, noticed by a descriptor or by a signal.

What becomes of a service whose workers die is in test_supervise.py.
"""

import os
import signal
import time

import pytest

from configs import GREETING
from hellodtest import Hellod
from watch import process_state, wait_until
from workers import stopped

TICK = 6.5  # seconds within which the master looks after its workers, whenever it did so last


# libsystemd learns of a death through a descriptor of the process (pidfd_open(2)); or through SIGCHLD where there is none,
# as under valgrind, and then it notes each death once: a note that is taken away, as by switching the event off and on,
# never comes back. When several deaths and a timer are found in one pass of the loop, a note waits while the timer is
# served, and what the timer does about workers must leave it alone.
@pytest.mark.parametrize("descriptors", ("1", "0"), ids=("descriptor", "signal"))
def test_deaths_in_the_same_moment_as_a_tick(descriptors):
    with Hellod({"workers": 4, "listen": [GREETING]}, env={"SYSTEMD_PIDFD": descriptors}) as daemon:
        before = daemon.workers()
        with stopped(daemon.pid):
            start = time.monotonic()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not any(map(process_state, before)), 5, f"the end of {before}")
            wait_until(lambda: time.monotonic() - start > TICK, TICK + 1, "a tick to be due")
        wait_until(lambda: len(set(daemon.workers()) - set(before)) == 4, 5, lambda: f"other workers\n{daemon.log()}")
        daemon.connect().greeted().close()
