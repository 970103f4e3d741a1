"""Who builds from the same sources gets the same bytes: wherever, whenever, as whatever user and with whatever umask,
time zone, language and number of jobs.
"""

import subprocess

import pytest

LINES = 40  # of what differs


def difference(one, other):
    done = subprocess.run(["diffoscope", "--text", "-", one, other], capture_output=True, text=True, check=False)
    return "\n".join([f"{one.name} differs:", *(done.stdout + done.stderr).splitlines()[:LINES]])


@pytest.mark.parametrize(
    "target, patterns",
    [
        ("dist", ["*.tar.gz"]),
        ("deb", ["*.deb", "*.dsc", "*.tar.*"]),
        ("rpm", ["*.rpm"]),
    ],
)
def test_same_bytes(worlds, target, patterns):
    """Not so what a Debian build says of itself: .buildinfo, and .changes, which has the former's checksum."""
    for pattern in patterns:
        one, other = (world.products(target, pattern) for world in worlds)
        assert set(one) == set(other)
        differing = [name for name in one if one[name].read_bytes() != other[name].read_bytes()]
        assert not differing, "\n".join(difference(one[name], other[name]) for name in differing)
