"""Reads rpms. Has the same functions as debs.py."""

import subprocess

from archives import entry, merged, output


def name(package):
    return output("rpm", "-qp", "--qf", "%{NAME}", package)


def version(package):
    return output("rpm", "-qp", "--qf", "%{VERSION}-%{RELEASE}", package)


def rows(package, *tags):
    """What each entry has for TAGS."""
    form = "[" + "\t".join(f"%{{{tag}}}" for tag in tags) + "\n]"
    return [line.split("\t") for line in output("rpm", "-qp", "--qf", form, package).splitlines()]


def contents(package):
    """Its entries; folders are among them only when they are the package's own."""
    fields = rows(package, "FILEMODES", "FILENAMES", "FILELINKTOS", "FILEUSERNAME", "FILEGROUPNAME")
    return {entry(int(mode) & 0xFFFF, merged(path), *rest) for mode, path, *rest in fields}


def configs(package):
    """The files that an upgrade leaves as they are: %config(noreplace)."""
    return {merged(path) for flags, path in rows(package, "FILEFLAGS:fflags", "FILENAMES") if {"c", "n"} <= set(flags)}


def unpack(package, folder):
    folder.mkdir(exist_ok=True)
    subprocess.run(["cpio", "--quiet", "-idm"], cwd=folder, input=output("rpm2cpio", package, text=False), check=True)
