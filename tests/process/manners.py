"""Workers that behave badly on demand, inside the running daemon (see preload/manners.c).

    with Manners() as manners, Hellod(config, env=manners.environment) as daemon:
        manners.spin(pid)                           # from its next look for events on

This file must not know what the daemon makes of it.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from watch import process_state, wait_until
from workers import SANITIZED

SOURCE = Path(__file__).with_name("preload") / "manners.c"


class Manners:
    """Those of one daemon, a context manager; the library is built when it is entered."""

    def __enter__(self):
        if SANITIZED:
            pytest.skip("a sanitizer or valgrind wants to be loaded first")
        self._folder = Path(tempfile.mkdtemp(prefix="hellod-"))
        self._folder.chmod(0o777)  # the daemon, as whatever user, renames what is for one worker
        library = self._folder / "manners.so"
        build = [os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-w"]
        try:
            subprocess.run([*build, "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
        except BaseException:
            self.__exit__()
            raise
        self.environment = {"LD_PRELOAD": library, "HELLOD_MANNERS": self._folder}
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._folder, ignore_errors=True)

    def hold_one(self):
        """One of the workers that start from now on waits in its set-up, until let_go()."""
        (self._folder / "hold").touch()

    def holds(self):
        """True while a worker waits."""
        return (self._folder / "held").exists()

    def let_go(self):
        (self._folder / "held").unlink()

    def spin(self, pid, deaf=False):
        """From now on worker PID spins without end; DEAF: and ignores SIGABRT."""
        (self._folder / f"{'deaf' if deaf else 'spin'}.{pid}").touch()
        # A signal that does nothing else ends its wait for events.
        os.kill(pid, signal.SIGSTOP)
        os.kill(pid, signal.SIGCONT)
        # Until it does, it may take a client and leave it unanswered.
        wait_until((self._folder / f"on.{pid}").exists, 10, f"{pid} to spin")

    def end(self):
        """Nobody spins any more, for a test that fails in between."""
        for path in self._folder.glob("*.[0-9]*"):
            if process_state(int(path.suffix[1:])):
                path.unlink()
