"""A worker that dies in the hands of a tracer (gdb, strace, a leak checker at exit) is replaced once that lets go."""

import ctypes
import os
import signal

import pytest

from configs import GREETING
from hellodtest import Hellod
from watch import process_state, wait_until
from workers import SANITIZED

SEIZE = 0x4206  # PTRACE_SEIZE of ptrace(2)


def test_traced_worker_is_replaced():
    if SANITIZED:
        pytest.skip("a sanitizer or valgrind traces by itself")
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    with Hellod({"workers": 1, "listen": [GREETING]}) as daemon:
        (pid,) = daemon.workers()
        if ptrace(SEIZE, pid, None, None) != 0:
            pytest.skip(f"no process may be traced here: {os.strerror(ctypes.get_errno())}")
        os.kill(pid, signal.SIGKILL)
        # Dead for everybody, but only the tracer can wait for it.
        wait_until(lambda: process_state(pid) is None, 5, "the worker's death")
        with daemon.connect() as client:
            os.waitpid(pid, 0x40000000)  # __WALL: the tracer lets go
            wait_until(lambda: [p for p in daemon.workers() if p != pid], 12, "another worker")
            client.greeted().ask(b"Bob", b"Hello, Bob!")
