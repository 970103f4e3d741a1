"""Debian systems in containers, booted with their own systemd: cached roots, a throw-away layer on each, commands and
network inside.

    root = make_root(CACHE, "bookworm")
    with Machine(CACHE, root, "bookworm") as machine:
        machine.boot()
        machine("systemctl", "start", "hellod")

Runs in the namespaces that `run` makes: what is mounted and started here needs nobody to end it. This file must not
know what is tested.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "process"))
from watch import wait_until  # noqa: E402  the folder had to be named first

# What is tested with, and what the packages are built with (packaging/debian/control). What is done in one suite alone,
# because it takes its time, is shared out among them.
PACKAGES = "systemd systemd-sysv systemd-container dbus iproute2 procps autopkgtest".split()
PACKAGES += "build-essential debhelper pkgconf systemtap-sdt-dev".split()
PACKAGES += [f"lib{name}-dev" for name in ("cmocka", "config", "edit", "seccomp", "systemd")]
MORE = {"bookworm": ["piuparts"], "trixie": ["lintian", "rpm", "debugedit", "elfutils"]}
CGROUP = Path("/sys/fs/cgroup")
CLONE_NEWNET = 0x40000000
# What nspawn withholds though units make use of it: bpf for IPAddressDeny= and DevicePolicy=, keyrings, and Landlock.
CALLS = "bpf @keyring landlock_create_ruleset landlock_add_rule landlock_restrict_self"
RIGHTS = ["--capability=CAP_BPF,CAP_PERFMON", f"--system-call-filter={CALLS}"]
# A tree of the second version inside, whatever there is outside.
ONE_TREE = {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
# The exit status of systemd-nspawn after a reboot, when it is not to do that itself.
ASKS_FOR_REBOOT = 133
INSIDE = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/root",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}


def run(*command, **options):
    """Runs COMMAND; when it fails, what it said is in the exception."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def hierarchies():
    """The control group trees that systemd cares for: the one tree, or two beside those of the controllers."""
    if (CGROUP / "cgroup.controllers").exists():
        return [CGROUP]
    return [tree for tree in (CGROUP / "unified", CGROUP / "systemd") if tree.is_dir()]


def groups_of(cache):
    """How the names of the control groups begin. Two caches can be in use at the same time."""
    return f"hellod-system-{uuid.uuid5(uuid.NAMESPACE_URL, str(cache)).hex[:8]}"


def sweep(cache):
    """Takes away what a run has left. Its processes have been ended; the kernel may not be done with them yet."""

    def is_gone():
        shutil.rmtree(cache / "run", ignore_errors=True)
        tops = [top for tree in hierarchies() for top in tree.glob(f"{groups_of(cache)}*")]
        for top in tops:
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass
        return not tops and not (cache / "run").exists()

    wait_until(is_gone, 20, f"what is left of a run in {cache} and of control groups {groups_of(cache)}")


def enter_group(name):
    """Without a group of their own all systems would share that of this program."""
    for tree in hierarchies():
        (tree / name).mkdir(exist_ok=True)
        (tree / name / "cgroup.procs").write_text("0")


def nspawn(tree, name):
    """The command for a container, but for what is to run in it."""
    command = ["systemd-nspawn", "--quiet", f"--directory={tree}", f"--machine={name}", "--private-network"]
    command += ["--register=no", "--keep-unit", "--settings=no", "--link-journal=no", "--resolv-conf=off"]
    return command + ["--timezone=off", "--console=pipe"]


def why_not(cache):
    """Why no container can be started here, in one line; "" when one can: tries it, with a tree that has nothing but
    this system's programs."""
    name = f"{groups_of(cache)}-able"
    folder, tree = cache / "run/able", cache / "run/able/tree"
    try:
        for part in ("lower/usr", "lower/etc", "upper", "work", "tree"):
            (folder / part).mkdir(parents=True)
        for part in ("bin", "lib", "lib64"):
            (folder / "lower" / part).symlink_to(f"usr/{part}")
        layers = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
        run("mount", "-t", "overlay", "overlay", tree, "-o", layers)
        command = [*nspawn(tree, name), "--bind-ro=/usr", *RIGHTS, "/bin/true"]
        run(*command, stdin=subprocess.DEVNULL, preexec_fn=lambda: enter_group(name), env=ONE_TREE, timeout=60)
    except (OSError, subprocess.SubprocessError, RuntimeError) as error:
        return "no container can be started here: " + str(error).splitlines()[-1]
    return ""


def make_root(cache, suite):
    """The folder with a fresh SUITE, made when it is not there: about half a minute."""
    packages = PACKAGES + MORE.get(suite, [])
    root = cache / f"{suite}-{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join(packages)).hex[:8]}"
    if root.exists():
        return root
    unfinished = root.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    options = ["--quiet", "--variant=minbase", f"--include={','.join(packages)}", "--aptopt=Acquire::Languages none"]
    run("mmdebstrap", *options, suite, str(unfinished), timeout=600)
    unfinished.rename(root)
    return root


class Machine:
    """A system on a layer of its own over ROOT. Until boot() it is a folder, .tree, in which chroot() works."""

    def __init__(self, cache, root, name):
        self.name = f"{groups_of(cache)}-{name}"
        self.folder = cache / "run" / name
        self.tree = self.folder / "tree"
        self.init = self.nspawn = None
        for part in ("upper", "work", "tree"):
            (self.folder / part).mkdir(parents=True)
        layers = f"lowerdir={root},upperdir={self.folder}/upper,workdir={self.folder}/work,volatile"
        run("mount", "-t", "overlay", "overlay", self.tree, "-o", layers)
        # Without one each boot would be the first, which enables what presets say.
        (self.tree / "etc/machine-id").write_text(uuid.uuid4().hex + "\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.nspawn and self.nspawn.poll() is None:
            self.nspawn.kill()  # its init dies with it, and so all inside
            self.nspawn.wait(20)
        run("umount", "-l", self.tree)

    def bind(self, source, place, *options):
        """Shows the folder SOURCE at PLACE, before the boot."""
        (self.tree / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        run("mount", "--bind", source, f"{self.tree}{place}")
        if options:
            run("mount", "-o", f"remount,bind,{','.join(options)}", f"{self.tree}{place}")

    def unbind(self, place):
        run("umount", f"{self.tree}{place}")

    def chroot(self, *command):
        return run("chroot", self.tree, *command, env=INSIDE, timeout=300)

    def boot(self):
        """Returns when its systemd is done starting."""
        self.console = open(self.folder / "console", "ab")
        self.nspawn = subprocess.Popen(
            [*nspawn(self.tree, self.name), "--boot", *RIGHTS],
            stdin=subprocess.DEVNULL,
            stdout=self.console,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: enter_group(self.name),
            env=ONE_TREE,
        )
        wait_until(self._is_up, 60, lambda: "boot:\n" + (self.folder / "console").read_text(errors="replace")[-3000:])

    def reboot(self):
        """As an operator does it; returns when it is up again. What is in its files stays."""
        self.run("systemctl", "reboot")
        assert self.nspawn.wait(60) == ASKS_FOR_REBOOT
        self.boot()

    def _is_up(self):
        assert self.nspawn.poll() is None, (self.folder / "console").read_text(errors="replace")
        # The first child is not yet it: that one makes the container and leaves init behind.
        children = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        try:
            if len(children) != 1 or Path(f"/proc/{children[0]}/comm").read_text().strip() != "systemd":
                return False
        except (FileNotFoundError, ProcessLookupError):
            return False  # it was that one, and has just gone
        self.init = int(children[0])
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state in ("running", "degraded")

    def run(self, *command, seconds=60, data=None):
        """Runs COMMAND inside; returns it completed, stderr within stdout."""
        return subprocess.run(
            ["nsenter", "-t", str(self.init), "-a", *map(str, command)],
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
            env=INSIDE,
            timeout=seconds,
        )

    def __call__(self, *command, **options):
        """Runs COMMAND inside and returns what it says; it must not fail."""
        done = self.run(*command, **options)
        assert done.returncode == 0, f"{' '.join(map(str, command))}: exit status {done.returncode}: {done.stdout}"
        return done.stdout

    def version(self):
        """Of its systemd."""
        return int(self("systemctl", "--version").split()[1])

    def write(self, path, text):
        """Writes a file inside, and the folders above it."""
        self("sh", "-c", 'mkdir -p "${0%/*}" && cat >"$0"', path, data=text)

    def outside(self, path):
        """The path by which a file inside, a socket for instance, is found from here."""
        return f"/proc/{self.init}/root{path}"

    @contextmanager
    def network(self):
        """For the block, this thread is in the system's network; sockets made here stay there."""
        libc = ctypes.CDLL(None, use_errno=True)
        back, there = (os.open(f"/proc/{who}/ns/net", os.O_RDONLY | os.O_CLOEXEC) for who in ("self", self.init))

        def switch(fd):
            if libc.setns(fd, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

        try:
            switch(there)
            try:
                yield
            finally:
                switch(back)
        finally:
            os.close(back)
            os.close(there)


def is_refused(machine, address):
    """Whether nobody listens at a TCP ADDRESS inside."""
    with machine.network(), socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as probe:
        probe.settimeout(5)
        return probe.connect_ex(address) != 0
