"""A worker that somebody has taken over: it scribbles over all memory that it shares, and says whatever can be said over its
link. The master goes on, and so do the other workers. What such a worker cannot even try is in test_confined.py.
"""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from configs import GREETING
from reloads import Service
from watch import seeded, wait_until
from workers import SANITIZED

SOURCE = Path(__file__).with_name("preload") / "takeover.c"
# Places of sources and rates mean nothing any more: here nobody asks about them.
LIMITS = {"connections": 16, "per_source": 0, "per_prefix": 0}
SERVES = {"workers": 3, "listen": [{**GREETING, "framing": "line"}], "limits": LIMITS}
ROUNDS = 5

pytestmark = pytest.mark.skipif(SANITIZED, reason="sanitizers have memory of their own that they share with nobody")


@pytest.fixture
def library():
    folder = Path(tempfile.mkdtemp(prefix="hellod-"))
    folder.chmod(0o755)
    made = folder / "takeover.so"
    build = [os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-w"]
    subprocess.run([*build, "-o", made, SOURCE, "-ldl"], check=True, timeout=60)
    yield made
    shutil.rmtree(folder, ignore_errors=True)


def converse(service):
    """One conversation, with whichever worker; who comes to one that is confused asks again."""
    answer = b"What's your name?Hello, Bob!\n"

    def answered():
        with suppress(OSError), service.connect(seconds=1) as client:
            client.send(b"Bob\n")
            return client.read(len(answer)) == answer
        return False

    wait_until(answered, 20, "somebody to be served")


def test_the_master_goes_on(library):
    chance = seeded()
    for _ in range(ROUNDS):
        seed = chance.getrandbits(32)
        print(f"seed of the worker: {seed}")
        with Service(SERVES, env={"LD_PRELOAD": library, "HELLOD_TEST_SEED": seed}) as service:
            with service.connect().greeted() as client:
                client.send(b"take over\n")
                service.wait_for_line(r"^taken over: [1-9]\d* pieces of memory, link [1-9]\d*$")
            for _ in range(5):
                assert service.status().service["pid"] == service.pid
                converse(service)
            service.reload()
            converse(service)
            service.stop()
