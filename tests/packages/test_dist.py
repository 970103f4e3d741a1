"""The tarball of `make dist`."""

import re
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


def test_is_of_the_day_of_the_release(tarball):
    news = (TREE / "NEWS").read_text(encoding="utf-8")
    day = re.match(r"hellod \S+ \((\S+)\)\n", news)[1]
    noon = int(subprocess.run(["date", "-u", "-d", f"{day} 12:00", "+%s"], capture_output=True, check=True).stdout)
    with tarfile.open(tarball) as archive:
        assert {member.mtime for member in archive} == {noon}


def test_builds_and_installs_by_itself(installed, version):
    for name in ("sbin/hellod", "sbin/helloctl", "bin/helloc"):
        said = subprocess.run([installed / "usr" / name, "-V"], capture_output=True, text=True, check=True).stdout
        assert version in said
