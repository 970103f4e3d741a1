"""Workers that behave badly on demand, inside the running daemon (see preload/manners.c).

    with Manners() as manners, Hellod(config, env=manners.environment) as daemon:
        manners.spin(pid)                           # from its next look for events on

This file must not know what the daemon makes of it.
"""

import mmap
import os
import shutil
import signal
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

from watch import wait_until
from workers import SANITIZED

SOURCE = Path(__file__).with_name("preload") / "manners.c"


HOLD_NONE, HOLD_WANTED, HOLD_ON = range(3)  # struct wishes: hold, and for each of the SPINNERS pid, deaf, on
SPINNERS = 8
SIZE = 4 + SPINNERS * 12


def one_spins(pid):
    """The beginning of the file when worker PID is to spin, for a file that can only be written."""
    return struct.pack("=iiii", HOLD_NONE, pid, 0, 0)


class Manners:
    """Those of one daemon, a context manager; the library is built when it is entered."""

    def __enter__(self):
        if SANITIZED:
            pytest.skip("a sanitizer or valgrind wants to be loaded first")
        self._folder = Path(tempfile.mkdtemp(prefix="hellod-"))
        self._folder.chmod(0o755)
        library, wishes = self._folder / "manners.so", self._folder / "wishes"
        build = [os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-w"]
        try:
            subprocess.run([*build, "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
            wishes.write_bytes(bytes(SIZE))
            with wishes.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), 0)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._spinners = 0
        self.environment = {"LD_PRELOAD": library, "HELLOD_MANNERS": wishes}
        return self

    def __exit__(self, *_):
        self.end()
        self._map.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _get(self, place):
        return struct.unpack_from("=i", self._map, place)[0]

    def hold_one(self):
        """One of the workers that start from now on waits in its set-up, until let_go()."""
        struct.pack_into("=i", self._map, 0, HOLD_WANTED)

    def holds(self):
        """True while a worker waits."""
        return self._get(0) == HOLD_ON

    def let_go(self):
        struct.pack_into("=i", self._map, 0, HOLD_NONE)

    def spin(self, pid, deaf=False):
        """From now on worker PID spins without end; DEAF: and ignores SIGABRT."""
        place = 4 + 12 * self._spinners
        self._spinners += 1
        struct.pack_into("=ii", self._map, place + 4, deaf, 0)
        struct.pack_into("=i", self._map, place, pid)
        # A signal that does nothing else ends its wait for events.
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)
        # Until it does, it may take a client and leave it unanswered.
        wait_until(lambda: self._get(place + 8), 10, f"{pid} to spin")

    def end(self):
        """Nobody spins any more, for a test that fails in between."""
        for number in range(self._spinners):
            struct.pack_into("=i", self._map, 4 + 12 * number, 0)
