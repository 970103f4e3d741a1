"""Places to build in that have nothing in common but the sources. Knows how `make` is started there, and nothing of
packages.
"""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TREE = Path(__file__).resolve().parents[2]
NOBODY = 65534
SECONDS = "600"  # after which a build, and all that it has started, is ended
LINES = 60  # of what a build said that are shown when it fails


def sources():
    """The files that are the project's, as git knows them, or all where there is no git."""
    if (TREE / ".git").exists():
        listed = subprocess.run(["git", "-C", TREE, "ls-files", "-z"], stdout=subprocess.PIPE, check=True).stdout
        return [name for name in listed.decode().split("\0") if name and os.path.lexists(TREE / name)]
    found = (path.relative_to(TREE) for path in TREE.rglob("*") if path.is_symlink() or path.is_file())
    return sorted(str(path) for path in found if path.parts[0] != "build")


class World:
    """A tree below FOLDER, and the user, the clock, the umask and the environment that build in it. What is to be built
    waits in a line of its own, so that worlds work side by side."""

    def __init__(self, folder, *, environment, umask, user=None, before=()):
        self.folder, self.tree = folder, folder / "sources"
        self.before = list(before)
        self.umask, self.user = umask, user
        self.environment = {"PATH": os.environ["PATH"], **environment}
        self.line = ThreadPoolExecutor(1)
        self.started = {}
        self.tree.mkdir(parents=True)

    def copy_sources(self):
        for name in sources():
            target = self.tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(TREE / name, target, follow_symlinks=False)
            if not target.is_symlink():
                target.chmod((0o777 if os.access(TREE / name, os.X_OK) else 0o666) & ~self.umask)

    def age(self):
        """As if checked out long ago."""
        for path in [self.tree, *self.tree.rglob("*")]:
            os.utime(path, (1_000_000_000, 1_000_000_000), follow_symlinks=False)

    def give_away(self):
        """All that was copied belongs to the user who builds."""
        for path in [self.folder, *self.folder.rglob("*")]:
            os.chown(path, self.user, self.user, follow_symlinks=False)

    def run(self, *command):
        """How COMMAND ended and what it said, both streams in one."""
        identity = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        return subprocess.run(
            ["timeout", "--kill-after=10", SECONDS, *self.before, *command],
            cwd=self.tree,
            env=self.environment,
            umask=self.umask,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            check=False,
            **identity,
        )

    def start(self, target, *arguments):
        """Puts `make TARGET ARGUMENTS` into the line."""
        self.started[target] = self.line.submit(self.run, "make", target, *arguments)

    def wait(self, target):
        """Returns when TARGET is made; what was said is the failure."""
        done = self.started[target].result()
        assert done.returncode == 0, "\n".join([f"make {target} failed:", *done.stdout.splitlines()[-LINES:]])

    def stop(self):
        """Returns when nothing is built any more; what still waits in the line is not."""
        self.line.shutdown(cancel_futures=True)

    def products(self, target, pattern):
        """The files like PATTERN that `make TARGET` has left, by name; at least one."""
        self.wait(target)
        found = {path.name: path for path in sorted((self.tree / "build" / target).glob(pattern))}
        assert found, f"make {target} made no {pattern}"
        return found
