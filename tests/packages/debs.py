"""Reads Debian packages. Has the same functions as rpms.py."""

import io
import subprocess
import tarfile

from archives import merged, output, tar_entries


def name(package):
    return output("dpkg-deb", "-f", package, "Package").strip()


def version(package):
    return output("dpkg-deb", "-f", package, "Version").strip()


def contents(package):
    """Its entries. A folder that holds something goes without saying, if it is as folders should be."""
    with tarfile.open(fileobj=io.BytesIO(output("dpkg-deb", "--fsys-tarfile", package, text=False))) as archive:
        members = list(tar_entries(archive))
    holding = {path.rpartition("/")[0] for path, _ in members}
    return {line for path, line in members if path not in holding or line != f"755 {path}/"}


def configs(package):
    """The files that an upgrade asks about."""
    shown = subprocess.run(["dpkg-deb", "--info", package, "conffiles"], capture_output=True, text=True, check=False)
    return {merged(path) for path in shown.stdout.splitlines()}


def unpack(package, folder):
    output("dpkg-deb", "--extract", package, folder)
