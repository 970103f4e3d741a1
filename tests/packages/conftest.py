"""The places to build in, and what was built there; all of it is started when the first test asks."""

import os
import tarfile
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import debs
import rpms
from worlds import NOBODY, TREE, World


@pytest.fixture(scope="session")
def folder():
    """Where everybody may go, as the second world's user must."""
    with tempfile.TemporaryDirectory(prefix="hellod-packages-") as name:
        os.chmod(name, 0o711)
        yield Path(name)


@pytest.fixture(scope="session")
def version():
    lines = (TREE / "Makefile").read_text(encoding="utf-8").splitlines()
    return next(line.split()[-1] for line in lines if line.startswith("VERSION "))


def clone(folder):
    """A work tree with git, as it is before a release, with a note in it that is nobody's business."""
    environment = {"TZ": "UTC", "LC_ALL": "C", "HOME": str(folder), "DEB_BUILD_OPTIONS": "parallel=2"}
    world = World(folder, environment=environment, umask=0o022)
    world.copy_sources()
    for command in (("init", "-q"), ("add", "-A")):
        assert world.run("git", *command).returncode == 0
    (world.tree / "notes").write_text("mine\n", encoding="utf-8")
    return world


def copy(folder):
    """The same sources without git: for another user (where root may choose one), checked out long ago, in a year to
    come and on the other side of the globe, one job at a time, and what is made is for the user's eyes only."""
    environment = {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", "TMPDIR": str(folder / "tmp")}
    environment |= {"DEB_BUILD_OPTIONS": "parallel=1 nocheck", "RPM_BUILD_NCPUS": "1"}
    user = NOBODY if os.geteuid() == 0 else None
    world = World(folder, environment=environment, umask=0o077, user=user, before=["faketime", "-f", "+400d"])
    world.copy_sources()
    (folder / "tmp").mkdir()
    world.age()
    if user is not None:
        world.give_away()
    return world


@pytest.fixture(scope="session")
def worlds(folder):
    """Two that have nothing in common but the sources. Dist, deb and rpm are made in both, and tested in the first."""
    here, there = clone(folder / "here"), copy(folder / "there-where-the-name-is-a-longer-one")
    for target in ("dist", "deb", "rpm"):
        here.start(target)
        there.start(target, "RPMBUILD_ARGS=--nocheck")
    yield here, there
    for world in (here, there):
        world.stop()


@pytest.fixture(scope="session")
def installed(folder, worlds, version):
    """Where `make install` has put what it makes of the tarball, and of the tarball alone."""
    world = World(folder / "tarball", environment={"LC_ALL": "C"}, umask=0o022)
    with tarfile.open(worlds[0].products("dist", "*.tar.gz")[f"hellod-{version}.tar.gz"]) as archive:
        archive.extractall(world.tree)
    world.tree = world.tree / f"hellod-{version}"
    world.start("install", "-j2", "PREFIX=/usr", "SYSCONFDIR=/etc", f"DESTDIR={folder / 'root'}")
    world.wait("install")
    world.stop()
    return folder / "root"


@pytest.fixture(scope="session", params=["deb", "rpm"])
def packages(request, worlds, folder):
    """The packages of one kind, and then of the other: where they lie, by name, how they are read, and where all of
    them are unpacked."""
    kind = {"deb": debs, "rpm": rpms}[request.param]
    files = worlds[0].products(request.param, f"*.{request.param}")
    paths = {kind.name(path): path for name, path in files.items() if not name.endswith(".src.rpm")}
    root = folder / f"unpacked-{request.param}"
    for path in paths.values():
        kind.unpack(path, root)
    return SimpleNamespace(kind=request.param, read=kind, paths=paths, root=root)
