"""What a process may not do, from inside and from outside.

    with Acts() as acts, Hellod(config, env=acts.environment) as daemon:
        acts.order(client, "read a file")       # the worker that reads it tries to (see preload/acts.c)

    attempts("sandbox", "openat=-100,@/etc/passwd,0")       # what tests/lib/forbidden.c says of each call

This file must not know what is forbidden.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from hellodtest import binary
from workers import SANITIZED

SOURCE = Path(__file__).with_name("preload") / "acts.c"
NOT_HERE = 77  # exit status

unsanitized = pytest.mark.skipif(SANITIZED, reason="sanitizers and valgrind make calls of their own")


def program():
    """The test program that tries things in a worker's sandbox."""
    return Path(binary()).parent / "tests" / "forbidden"


def attempts(fence, *calls, wrapper=()):
    """How each of CALLS ended behind FENCE: (call, outcome) pairs, see the program; skips the test where the kernel has
    no such fence. WRAPPER: words in front of the program."""
    done = subprocess.run([*wrapper, program(), fence, *calls], capture_output=True, text=True, timeout=60)
    if done.returncode == NOT_HERE:
        pytest.skip(f"this kernel has nothing for {fence!r}, or does not let us")
    assert done.returncode == 0 and not done.stderr, done
    return [tuple(map(str.strip, line.split("\t"))) for line in done.stdout.splitlines()]


def without(call):
    """The words that start a program for which CALL fails with EPERM."""
    return [str(program()), "without", call]


def status(pid):
    """/proc/PID/status of proc(5)."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())


def rights(pid):
    """The capabilities that PID has, could take, and could get by executing something; as numbers."""
    return [int(status(pid)[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")]


class Acts:
    """A context manager; the library is built when it is entered."""

    def __enter__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="hellod-"))
        self._folder.chmod(0o755)
        library = self._folder / "acts.so"
        build = [os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-w"]
        try:
            subprocess.run([*build, "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
        except BaseException:
            self.__exit__()
            raise
        self.environment = {"LD_PRELOAD": library}
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def order(client, act):
        client.send(f"act {act}\n".encode())
