"""How an entry of an archive is written down, whatever the archive: one line with mode and path."""

import stat
import subprocess
import tarfile


def output(*command, text=True):
    return subprocess.run(command, stdout=subprocess.PIPE, text=text, check=True).stdout


def merged(name):
    """A path without the "/" or "./" it begins with. Units are in /lib or in /usr/lib, which are the same folder."""
    name = name.lstrip("./")
    return f"usr/{name}" if name == "lib" or name.startswith("lib/") else name


def entry(mode, name, link="", user="root", group="root"):
    """The line: mode and path, where a link leads to, and the owner when it is not root."""
    if stat.S_ISLNK(mode):
        words = ["link", name, "->", link]
    else:
        words = [f"{stat.S_IMODE(mode):o}", f"{name}/" if stat.S_ISDIR(mode) else name]
    return " ".join(words + ([f"of {user}:{group}"] if (user, group) != ("root", "root") else []))


def tar_entries(archive):
    """Name and line of each member of a tar archive."""
    for member in archive:
        kind = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK}.get(member.type, stat.S_IFREG)
        name = merged(member.name)
        yield name, entry(kind | member.mode, name, member.linkname, member.uname, member.gname)
