"""Serving allocates nothing: a worker that does is ended by the preloaded library and seen by its death."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import rude
from configs import GREETING, HELLO, UPPER
from hellodtest import Hellod
from watch import seeded
from workers import SANITIZED

SOURCE = Path(__file__).with_name("preload") / "allocations.c"
LINES = {**GREETING, "framing": "line"}
SLOW_ONE = {**GREETING, "name": "slow", "delay": 0.05}


@pytest.fixture(scope="module")
def library():
    if SANITIZED:
        pytest.skip("a sanitizer or valgrind has an allocator of its own")
    folder = Path(tempfile.mkdtemp(prefix="hellod-"))
    folder.chmod(0o755)
    made = folder / "allocations.so"
    build = [os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-w"]
    subprocess.run([*build, "-o", made, SOURCE, "-ldl"], check=True, timeout=60)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


def test_serving_allocates_nothing(library):
    limits = {"connections": 40, "per_source": 20, "idle_timeout": 0.4, "write_timeout": 0.4}
    config = {"workers": 1, "listen": [LINES, HELLO, UPPER, SLOW_ONE], "exempt": ["127.0.0.1"], "limits": limits}
    chance = seeded()
    with Hellod(config, options=["-v"], env={"LD_PRELOAD": library}) as daemon:
        (pid,) = daemon.workers()
        with daemon.connect("slow").greeted() as slow, daemon.connect("upper") as upper:
            slow.send(b"Bob")
            slow.expect(b"Hello, Bob!")
            upper.send(b"bob")
            upper.expect(b"BOB")
        with daemon.datagrams() as client:
            client.expect(b"Bob", b"Hello, Bob!")
            client.send(b"\0")
            client.expect(b"Bob", b"Hello, Bob!")
        crowd = rude.Crowd(daemon.address("greeting"), 120, ["127.0.0.2", "127.0.0.3", "127.0.1.4"], chance)
        crowd.run(arrive=0.3, seconds=30)
        # The first sign of an allocation would be that this is another worker.
        assert daemon.workers() == [pid]
        assert "ALLOCATED" not in daemon.log()
