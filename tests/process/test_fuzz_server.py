"""A few thousand of the random clients that `make fuzz-server` lets come for as long as one likes.

What they do and what must hold afterwards is in tests/fuzz/server.
"""

import subprocess
import sys

import pytest

from hellodtest import TREE
from watch import SLOW
from workers import SANITIZED

# Under valgrind, where everything is slowest, a hundred take half a minute.
CONVERSATIONS = 100 if SLOW >= 20 else 400 if SANITIZED else 4000
BURSTS = 4


@pytest.mark.seconds(180)
def test_random_clients():
    words = ["--conversations", CONVERSATIONS, "--burst", CONVERSATIONS // BURSTS]
    done = subprocess.run(
        [sys.executable, TREE / "tests" / "fuzz" / "server", *map(str, words)],
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=170 * SLOW,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-8000:]
    print(done.stdout)
