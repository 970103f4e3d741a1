"""System calls that fail on demand, inside the running daemon (see preload/faults.c).

    with Faults() as faults, Hellod(config, env=faults.environment) as daemon:
        faults.on("accept4", errno.ENFILE)          # until off(), or once=True

This file must not know what the daemon makes of it.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("preload") / "faults.c"


class Faults:
    """The faults of one daemon, a context manager; the library is built when it is entered."""

    def __enter__(self):
        compiler = os.environ.get("CC", "cc")
        if os.environ.get("HELLOD_SANITIZED") and "clang" in compiler:
            pytest.skip("clang's sanitizers are part of the program, so that no library comes before them")
        self._folder = Path(tempfile.mkdtemp(prefix="hellod-"))
        self._folder.chmod(0o777)  # the daemon, as whatever user, removes what is for once
        library = self._folder / "faults.so"
        build = [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-w"]
        try:
            subprocess.run([*build, "-o", library, SOURCE, "-ldl"], check=True, timeout=60)
        except BaseException:
            self.__exit__()
            raise
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.environment = {"LD_PRELOAD": library, "HELLOD_FAULTS": self._folder, "ASAN_OPTIONS": sanitizer.lstrip(":")}
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._folder, ignore_errors=True)

    def on(self, name, number=1, once=False):
        """From now on NAME fails with errno NUMBER; ONCE: one time, in whichever process comes first."""
        path = self._folder / (name + (".once" if once else ""))
        draft = path.with_name("draft")
        draft.write_text(f"{int(number)}\n", encoding="ascii")
        draft.rename(path)

    def off(self, name):
        """NAME works again, also if it was to fail once and has not."""
        for suffix in ("", ".once"):
            (self._folder / (name + suffix)).unlink(missing_ok=True)

    def happened(self, name):
        """True when what NAME was to do once is done."""
        return not (self._folder / f"{name}.once").exists()
