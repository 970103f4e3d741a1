"""A terminal for a program: a pseudo-terminal, and a screen that understands as much of ECMA-48 as a well-behaved program
of ours may use. Anything else on it is a failure.

This file must not know what the program shows.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import threading

from watch import SLOW, wait_until

SEQUENCE = re.compile(rb"\x1b\[(\?[0-9]+[hl]|[HJK])|[\r\n]|[\x20-\x7e]")
MODES = {b"?1049": "alternate", b"?25": "cursor", b"?7": "wrap"}


class Screen:
    """Runs the words of COMMAND on a terminal of ROWS and COLUMNS. In the block: .rows() what is on the screen, .frames how often
    the cursor went home, .modes the set of private modes that are on."""

    def __init__(self, command, rows=24, columns=80):
        self.command, self._size = command, (rows, columns)
        self.modes = {"cursor", "wrap"}
        self.frames = 0
        self.trouble = None
        self._lock = threading.Lock()
        self._clear()

    def __enter__(self):
        self.master, self.slave = pty.openpty()
        self.resize(*self._size)
        self.before = termios.tcgetattr(self.slave)
        self._quit, self._told = os.pipe()
        self.process = subprocess.Popen(self.command, stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE)
        self._paused = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        return self

    def resize(self, rows, columns):
        with self._lock:
            self._size = rows, columns
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def pause(self):
        """From now on the terminal takes nothing."""
        self._paused.set()

    def hang_up(self):
        """The terminal goes away, as when its window is closed."""
        self._stop()
        os.close(self.master)
        self.master = None

    def type(self, keys):
        os.write(self.master, keys)

    def rows(self):
        """The lines on the screen as it is, without trailing spaces."""
        with self._lock:
            assert self.trouble is None, self.trouble
            return ["".join(row).rstrip() for row in self._rows]

    def wait_for(self, pattern, seconds=10):
        """Waits for a line in which PATTERN is found and returns the match."""

        def found():
            return next(filter(None, (re.search(pattern, row) for row in self.rows())), None)

        return wait_until(found, seconds, lambda: f"{pattern} on the screen:\n" + "\n".join(self.rows()))

    def wait_end(self, seconds=10):
        """Waits for the program's end, asserts that the terminal is as it was, and returns the exit code."""
        code = self.process.wait(seconds * SLOW)
        assert termios.tcgetattr(self.slave) == self.before
        if not self._paused.is_set():
            wait_until(lambda: self.modes == {"cursor", "wrap"}, seconds, lambda: f"modes on: {self.modes}")
        return code

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()
        self._stop()
        for fd in (self.master, self.slave, self._quit, self._told):
            if fd is not None:
                os.close(fd)

    def _stop(self):
        os.write(self._told, b"x")
        self._thread.join()

    def _clear(self):
        self._rows, self._row, self._column = [[]], 0, 0

    def _read(self):
        rest = b""
        while True:
            watched = [self._quit] if self._paused.is_set() else [self._quit, self.master]
            readable, _, _ = select.select(watched, [], [], 0.05)
            if self._quit in readable:
                return
            if self.master not in readable:
                continue
            rest += os.read(self.master, 65536)
            with self._lock:
                rest = self._take(rest)

    def _take(self, data):
        while data:
            match = SEQUENCE.match(data)
            if not match:
                # Perhaps the rest of it is still to come.
                if not re.fullmatch(rb"\x1b(\[(\?[0-9]*)?)?", data):
                    self.trouble = f"not to be sent to a terminal: {data[:40]!r}"
                return data
            self._obey(match[0], match[1])
            data = data[match.end() :]
        return data

    def _obey(self, what, sequence):
        if sequence is None:
            self._write(what)
        elif sequence == b"H":
            self._row = self._column = 0
            self.frames += 1
        elif sequence == b"K":
            del self._rows[self._row][self._column :]
        elif sequence == b"J":
            del self._rows[self._row][self._column :], self._rows[self._row + 1 :]
        else:
            name = MODES[sequence[:-1]]
            (self.modes.add if sequence.endswith(b"h") else self.modes.discard)(name)
            if name == "alternate":
                self._clear()

    def _write(self, character):
        if character == b"\r":
            self._column = 0
        elif character == b"\n":
            self._row += 1
            if self._row == len(self._rows):
                self._rows.append([])
            if self._row >= self._size[0]:
                self.trouble = "the screen scrolled"
        else:
            if self._column >= self._size[1]:
                self._write(b"\r")
                self._write(b"\n")
            row = self._rows[self._row]
            row.extend(" " * (self._column + 1 - len(row)))
            row[self._column] = character.decode()
            self._column += 1
            if self._column >= self._size[1] and "wrap" not in self.modes:
                self.trouble = "a line reached the last column"
