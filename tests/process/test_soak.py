"""The soak, in its short form: rude load, kills and reloads for half a minute, and the daemon holds at the end what it held
at first. The long form is `make soak`."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from workers import measures

SOAK = Path(__file__).resolve().parents[1] / "soak"
sys.path.insert(0, str(SOAK))
from sample import differences  # noqa: E402  the folder had to be named first

pytestmark = measures

FIRST = {"master": 300_000, "worker": 300_000, "entries": 100, "master_fds": 20, "worker_fds": 13, "tables": 4096}


@pytest.mark.seconds(150)
def test_half_a_minute():
    done = subprocess.run(
        [sys.executable, str(SOAK / "run"), "--seconds", "30"], capture_output=True, text=True, timeout=140, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "worse",
    (
        {"master": 440_000},
        {"worker": 440_000},
        {"entries": 200},
        {"master_fds": 21},
        {"worker_fds": 14},
        {"tables": 8192},
        {"idle": 0.5},
    ),
)
def test_the_soak_sees_what_grows(worse):
    first = SimpleNamespace(**FIRST, idle=0.0)
    assert differences(first, SimpleNamespace(**FIRST, idle=0.01)) == []
    (found,) = differences(first, SimpleNamespace(**{**FIRST, "idle": 0.0, **worse}))
    assert next(iter(worse)) in found or "for nothing" in found
