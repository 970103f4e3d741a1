"""What `make image` makes: the root of the container and the portable service have what is listed here, it is all that
they need, and the file is the folder."""

import fnmatch
import os
import shutil
import stat
import subprocess

import pytest

from worlds import TREE

LIBRARY = "usr/lib*/*.so.*"
CONTAINER = {"etc/group", "etc/passwd", "etc/hellod/hellod.conf", "lib", "lib64", "usr/bin/helloc", "usr/sbin/hellod"}
PORTABLE = {"etc/hellod/hellod.conf", "etc/machine-id", "etc/resolv.conf", "lib", "lib64", "usr/lib/os-release"}
PORTABLE |= {"usr/lib/systemd/system/hellod.service", "usr/sbin/helloctl", "usr/sbin/hellod"}
# What systemd mounts onto.
EMPTY = {"dev", "proc", "run", "sys", "tmp", "var/tmp"}
PROGRAMS = {
    "container": ["/usr/sbin/hellod", "/usr/bin/helloc"],
    "portable": ["/usr/sbin/hellod", "/usr/sbin/helloctl"],
}


def build(folder, installed, version, **options):
    """Where build-image puts it all when it is run for FOLDER, with OPTIONS of subprocess.run."""
    shutil.copytree(installed, folder / "image/installed", symlinks=True)
    command = [TREE / "packaging/build-image", folder, version]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    return folder / "image"


@pytest.fixture(scope="module")
def image(folder, installed, version):
    return build(folder / "once", installed, version)


@pytest.fixture
def roots(image, version):
    return {"container": image / "container", "portable": image / f"hellod_{version}"}


def entries(root):
    """All that is in ROOT but folders that have something in them."""

    def is_full(path):
        return path.is_dir() and not path.is_symlink() and any(path.iterdir())

    return {str(path.relative_to(root)) for path in root.rglob("*") if not is_full(path)}


@pytest.mark.parametrize("kind, expected", [("container", CONTAINER), ("portable", PORTABLE | EMPTY)])
def test_contents(roots, kind, expected):
    found = entries(roots[kind])
    assert expected <= found
    others = {path for path in found - expected if not fnmatch.fnmatchcase(path, LIBRARY)}
    assert not others


@pytest.mark.parametrize("kind", PROGRAMS)
def test_modes(roots, kind):
    for path in roots[kind].rglob("*"):
        mode = path.lstat().st_mode
        runs = f"/{path.relative_to(roots[kind])}" in PROGRAMS[kind] or path.name.startswith("ld-")
        wanted = 0o755 if stat.S_ISDIR(mode) or runs else 0o644
        assert stat.S_ISLNK(mode) or stat.S_IMODE(mode) == wanted, f"{path}: {mode:o}"


@pytest.mark.parametrize("kind, program", [(kind, program) for kind in PROGRAMS for program in PROGRAMS[kind]])
def test_nothing_is_missing(roots, kind, program):
    """As its own dynamic loader sees it."""
    root = roots[kind]
    loader = next(path.relative_to(root) for path in root.glob("usr/lib*/**/ld-*"))
    command = ["unshare", "--user", "--map-root-user", "chroot", root, f"/{loader}", "--list", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert "not found" not in done.stdout


def test_the_file_is_the_folder(image, roots, version, folder):
    unpacked = folder / "unpacked-image"
    command = ["unsquashfs", "-quiet", "-no-progress", "-d", unpacked, image / f"hellod_{version}.raw"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert subprocess.run(["diff", "-r", "--no-dereference", roots["portable"], unpacked]).returncode == 0
    assert entries(unpacked) == entries(roots["portable"])


def test_the_file_is_the_same_bytes_again(image, folder, installed, version):
    environment = {**os.environ, "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8"}
    again = build(folder / "once-more", installed, version, env=environment, umask=0o077)
    name = f"hellod_{version}.raw"
    assert (again / name).read_bytes() == (image / name).read_bytes()
