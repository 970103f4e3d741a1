"""The tarball of `make dist`."""

import subprocess
import tarfile

import pytest

from archives import entry, tar_entries
from worlds import TREE, sources


@pytest.fixture(scope="module")
def tarball(worlds, version):
    return worlds[0].products("dist", "*.tar.gz")[f"hellod-{version}.tar.gz"]


def test_has_what_git_knows(tarball, version):
    """With the modes of a common umask, and owned by root: the tree has a file that git does not know."""
    expected = set()
    for name in sources():
        executable = (TREE / name).stat().st_mode & 0o100
        expected.add(entry(0o100755 if executable else 0o100644, f"hellod-{version}/{name}"))
    with tarfile.open(tarball) as archive:
        assert {line for _, line in tar_entries(archive)} == expected


def test_builds_and_installs_by_itself(installed, version):
    for name in ("sbin/hellod", "sbin/helloctl", "bin/helloc"):
        said = subprocess.run([installed / "usr" / name, "-V"], capture_output=True, text=True, check=True).stdout
        assert version in said
