"""The Debian packages of this tree, built in a suite by its own tools, and what a suite's dpkg does with them.

    packages = build(CACHE, "trixie", root)
    machine.bind(packages.folder, packages.PLACE, "ro")
    machine("dpkg", "-i", *packages.debs(packages.new))

There are two versions of the same sources: the tree's own, and an older number to upgrade from. This file must not know
what is tested with them.
"""

import hashlib
import os
import re
import shutil
import tarfile
from pathlib import Path

from machine import Machine, run

TREE = Path(__file__).resolve().parents[2]
OLD = "0.0.9"
# What the packages are not made of: with other tests they stay as they are.
WITHOUT = re.compile(r"[^/]*/tests/(bench|fuzz|lint|loss|packages|process|sanitize|system)/")


class Packages:
    """Those of one suite: .folder has them by version, .new and .old are the versions."""

    PLACE = "/packages"  # where machines see them

    def __init__(self, folder, new):
        self.folder, self.new, self.old = folder, new, OLD

    def show_in(self, machine):
        """Before the boot of MACHINE."""
        machine.bind(self.folder, self.PLACE, "ro")

    def file(self, version, pattern):
        """The one file of VERSION that PATTERN fits, as machines see it."""
        found = sorted((self.folder / version / "deb").glob(pattern))
        assert len(found) == 1, f"{pattern} of {version}: {found}"
        return f"{self.PLACE}/{version}/deb/{found[0].name}"

    def debs(self, version):
        """Those that are installed: the daemon and the client."""
        return [self.file(version, f"{name}_{version}-*.deb") for name in ("hellod", "hellod-client")]


def make_tarball(folder):
    """The sources as they are released; returns the file."""
    shutil.rmtree(folder / "dist", ignore_errors=True)
    run("make", "-s", "-C", TREE, "dist", f"BUILD={folder}")
    return next((folder / "dist").glob("hellod-*.tar.gz"))


def fingerprint(tarball, root):
    """Of all that the packages are made of and by."""
    digest = hashlib.sha256(root.name.encode())
    with tarfile.open(tarball) as archive:
        for member in archive:
            if member.isfile() and not WITHOUT.match(member.name):
                digest.update(f"{member.name} {member.mode}\n".encode() + archive.extractfile(member).read())
    return digest.hexdigest()[:16]


def build(cache, suite, root):
    """Returns the Packages for SUITE. They are kept for the next run, as long as nothing of theirs changes."""
    sources = cache / "run" / f"{suite}-sources"
    sources.mkdir(parents=True)
    tarball = make_tarball(sources)
    version = tarball.name.removeprefix("hellod-").removesuffix(".tar.gz")
    folder = cache / f"debs-{suite}-{fingerprint(tarball, root)}"
    if not folder.exists():
        for old in cache.glob(f"debs-{suite}-*"):
            shutil.rmtree(old)
        unfinished = folder.with_suffix(".unfinished")
        unfinished.mkdir()
        shutil.copy(tarball, unfinished)
        build_both(Machine(cache, root, f"{suite}-build"), unfinished, tarball.name, version)
        unfinished.rename(folder)
    return Packages(folder, version)


def build_both(machine, folder, tarball, version):
    """Into FOLDER, which has the TARBALL, in a MACHINE that nothing else is done in. The older number is the same code:
    what takes time is done once."""
    place = Packages.PLACE
    with machine:
        machine.bind(folder, place)
        machine.boot()
        machine("tar", "-C", "/root", "-xzf", f"{place}/{tarball}")
        for number, options in ((version, ""), (OLD, "nocheck noopt noautodbgsym")):
            options = f"DEB_BUILD_OPTIONS=parallel={os.cpu_count()} {options}"
            tree = f"/root/{tarball.removesuffix('.tar.gz')}"
            make = ["make", "-s", "-C", tree, "deb", f"VERSION={number}", f"BUILD={place}/{number}"]
            machine("env", options, "nice", *make, seconds=600)
