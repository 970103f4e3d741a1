"""Runs the real client for a test: to its end, or on a terminal.

Environment: HELLOC   the binary, default build/helloc of this tree
             and those of hellodtest.py

This file must not know what the commands say.
"""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import termios
import threading

from hellodtest import SICK, TREE
from watch import SLOW, wait_until

# Exit codes of helloc and helloc talk, as helloc(1) lists them.
DONE, REFUSED, USAGE, NO_HOST, NOBODY, SYSTEM, IO, TOO_LATE, STRANGE = 0, 1, 64, 68, 69, 71, 74, 75, 76


def program():
    """The client to be tested."""
    return os.environ.get("HELLOC", str(TREE / "build" / "helloc"))


def command(*arguments):
    """The words that run it with ARGUMENTS."""
    return [*shlex.split(os.environ.get("HELLOD_WRAPPER", "")), program(), *map(str, arguments)]


def helloc(*arguments, text=b"", seconds=20, env=None, stdout=subprocess.PIPE):
    """Runs it with TEXT as standard input; returns subprocess.CompletedProcess with bytes in .stdout, a text in .stderr."""
    done = subprocess.run(
        command(*arguments),
        input=text,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=seconds * SLOW,
        env={**os.environ, **(env or {})},
        check=False,
    )
    done.stderr = done.stderr.decode("utf-8", "backslashreplace")
    assert not SICK.search(done.stderr), done.stderr
    return done


class Terminal:
    """Runs it on a terminal of its own, which is its controlling one. In the block: .said all that came, as bytes."""

    def __init__(self, *arguments, env=None, rows=24, columns=80):
        self._arguments, self._size = arguments, (rows, columns)
        self._env = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **(env or {})}
        self.said = b""

    def __enter__(self):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", *self._size, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        ends = {name: self.slave for name in ("stdin", "stdout", "stderr")}
        # A shell that started us in the background has INT ignored, and so would it.
        take = (
            "import fcntl, os, signal, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
            "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])"
        )
        # In a process of its own: what runs between fork and exec must not be Python, as we have threads.
        words = ["/usr/bin/python3", "-I", "-S", "-c", take, *command(*self._arguments)]
        self.process = subprocess.Popen(words, env=self._env, **ends)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def _read(self):
        while not self._over.is_set():
            if select.select([self.master], [], [], 0.05)[0]:
                self.said += os.read(self.master, 65536)

    def type(self, keys):
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def wait_for(self, pattern, since=0, seconds=10):
        """Waits until PATTERN (a regular expression) is in what was said from byte SINCE on; returns where it ends."""
        wait_until(
            lambda: re.search(pattern, self.said[since:]), seconds, lambda: f"{pattern!r} in {self.said[since:]!r}"
        )
        return since + re.search(pattern, self.said[since:]).end()

    def signal(self, number):
        self.process.send_signal(number)

    def wait_end(self, seconds=10):
        """Waits for the end, asserts that the terminal is as it was, and returns the exit code."""
        try:
            code = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it has not ended: {self.said!r}") from None
        assert termios.tcgetattr(self.slave) == self.before
        assert not SICK.search(self.said.decode("utf-8", "backslashreplace")), self.said
        return code

    def hang_up(self):
        """The terminal goes away, as when its window is closed; returns the exit code."""
        os.close(self.slave)
        self._end_reading()
        os.close(self.master)
        self.slave = self.master = None
        return self.process.wait(10 * SLOW)

    def _end_reading(self):
        self._over.set()
        self._thread.join()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._end_reading()
        for fd in (self.master, self.slave):
            if fd is not None:
                os.close(fd)
