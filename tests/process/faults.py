"""System calls that fail on demand, inside the running daemon (see preload/faults.c).

    with Faults() as faults, Hellod(config, env=faults.environment) as daemon:
        faults.on("accept4", errno.ENFILE)          # until off(), or once=True

This file must not know what the daemon makes of it.
"""

import mmap
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("preload") / "faults.c"


RECORD = struct.Struct("=24sii")  # struct fault: name, errno, how often
RECORDS = 64


class Faults:
    """The faults of one daemon, a context manager; the library is built when it is entered."""

    def __enter__(self):
        compiler = os.environ.get("CC", "cc")
        if os.environ.get("HELLOD_SANITIZED") and "clang" in compiler:
            pytest.skip("clang's sanitizers are part of the program, so that no library comes before them")
        self._folder = Path(tempfile.mkdtemp(prefix="hellod-"))
        self._folder.chmod(0o755)
        library, records = self._folder / "faults.so", self._folder / "records"
        build = [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-w"]
        try:
            subprocess.run([*build, "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
            records.write_bytes(bytes(RECORD.size * RECORDS))
            with records.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), 0)
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._places = {}
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.environment = {"LD_PRELOAD": library, "HELLOD_FAULTS": records, "ASAN_OPTIONS": sanitizer.lstrip(":")}
        return self

    def __exit__(self, *_):
        self._map.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def on(self, name, number=1, once=False):
        """From now on NAME fails with errno NUMBER; ONCE: one time, in whichever process comes first."""
        if name not in self._places:
            self._places[name] = RECORD.size * len(self._places)
            RECORD.pack_into(self._map, self._places[name], name.encode(), 0, 0)
        self._set(name, 24, int(number))
        self._set(name, 28, 1 if once else -1)

    def off(self, name):
        """NAME works again, also if it was to fail once and has not."""
        if name in self._places:
            self._set(name, 28, 0)

    def happened(self, name):
        """True when what NAME was to do once is done."""
        return struct.unpack_from("=i", self._map, self._places[name] + 28) == (0,)

    def _set(self, name, field, value):
        struct.pack_into("=i", self._map, self._places[name] + field, value)
