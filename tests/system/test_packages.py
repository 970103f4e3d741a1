"""The Debian packages as an administrator uses them: install, edit, upgrade while clients ask, go back, remove, purge.

Each test starts in a system without them and leaves it so.
"""

import os
import stat

import pytest

from keeper import pause
from machine import is_refused
from measure import Measurement, configure
from service import UNITS, WAYS, Service
from watch import wait_until
from worlds import DRAIN_SECONDS, RESTART_DATAGRAMS, config

CONFFILE = "/etc/hellod/hellod.conf"
QUIET = ["env", "DEBIAN_FRONTEND=noninteractive"]
INSTANCE = 'listen = ( { name = "it"; protocol = "greeting"; type = "stream"; port = 4001; } );\n'
# What changes whatever is installed or purged; the user stays, as Debian does it.
ALWAYS = ("/var/lib/dpkg/", "/var/lib/apt/", "/var/lib/systemd/", "/var/cache/", "/var/log/", "/var/tmp/", "/run/",
          "/tmp/", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/.pwd.lock")  # fmt: skip


def files(machine):
    """All of a system, as path to what tells whether it has changed."""
    found = {}
    for folder, folders, names in os.walk(machine.tree):
        for name in folders + names:
            path = os.path.join(folder, name)
            state = os.lstat(path)
            more = () if stat.S_ISDIR(state.st_mode) else (state.st_size, state.st_mtime_ns)
            found[path.removeprefix(str(machine.tree))] = (state.st_mode, state.st_uid, state.st_gid, *more)
    return {path: what for path, what in found.items() if not path.startswith(ALWAYS)}


@pytest.fixture(scope="module")
def before(bare):
    return files(bare)


class Packaged(Service):
    """hellod.service as the packages bring it."""

    def __init__(self, machine, packages):
        super().__init__(machine)
        self.packages = packages
        self.sockets = Service(machine, "hellod.socket")

    def daemon(self, version):
        return self.packages.debs(version)[0]

    def apt(self, *words):
        return self.machine(*QUIET, "apt-get", "-y", *words)

    def dpkg(self, *words, **options):
        """dpkg, which may fail; completed, with what it said."""
        return self.machine.run(*QUIET, "dpkg", *words, **options)

    def install(self, *files_or_options):
        done = self.dpkg("-i", *files_or_options)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def change_to(self, version):
        """Up or down; returns what is said of it."""
        said = self.install(self.daemon(version))
        assert self.runs() == version
        return said

    def runs(self):
        """The version that serves, not the one that is on disk."""
        return next(line.split()[1] for line in self.helloctl("status").splitlines() if line.startswith("hellod "))

    def listen_by_sockets(self):
        """As the comment in hellod.socket says."""
        self.systemctl("disable", "--now")
        self.wait_for_free_ports()
        self.sockets.systemctl("enable", "--now")
        self.ask()

    def repacked(self, version, number, script):
        """The daemon's package of VERSION, changed by a shell SCRIPT in the folder of its files, as NUMBER."""
        there = f"/root/hellod_{number}.deb"
        self.machine("rm", "-rf", "/root/repacked")
        self.machine("dpkg-deb", "-R", self.daemon(version), "/root/repacked")
        edit = f"sed -i 's/^Version: .*/Version: {number}/' DEBIAN/control\n{script}"
        self.machine("sh", "-e", "-c", f"cd /root/repacked\n{edit}")
        self.machine("dpkg-deb", "-b", "/root/repacked", there)
        return there


@pytest.fixture
def system(bare, packages, before):
    """Nothing is installed."""
    it = Packaged(bare, packages)
    yield it
    bare.run("dpkg", "--purge", "--force-all", "hellod", "hellod-client")
    bare("sh", "-c", f"systemctl stop 'hellod*'; rm -rf /etc/hellod {UNITS}/hellod* /root/*; systemctl daemon-reload")
    bare.run("systemctl", "reset-failed")
    it.wait_for_free_ports()


@pytest.fixture
def installed(system):
    """The daemon of this tree, as it comes."""
    system.install(system.daemon(system.packages.new))
    return system


@pytest.fixture
def older(system):
    """That of the version before."""
    system.install(system.daemon(system.packages.old))
    return system


def expect_service(it):
    assert it.state() == "active"
    for way in WAYS:
        it.ask(*way)


def test_install(system):
    system.apt("install", *system.packages.debs(system.packages.new))
    expect_service(system)
    assert (system.show("UnitFileState"), system.sockets.show("UnitFileState")) == ("enabled", "disabled")
    assert system.sockets.state() == "inactive"
    assert system.machine("systemctl", "is-system-running") == "running\n"
    assert system.machine("dpkg", "--verify", "hellod", "hellod-client") == ""
    assert system.machine("dpkg-query", "-W", "-f", "${Conffiles}", "hellod").split()[0] == CONFFILE
    assert system.machine("getent", "passwd", "hellod").strip().endswith(":/usr/sbin/nologin")
    assert system.machine("hellod", "-V").split()[1] == system.packages.new
    system.machine("helloc", "check", "-H", "::1")
    system.machine("/usr/lib/nagios/plugins/check_hello", "-H", "127.0.0.1", "-u")


def test_helloctl_is_for_the_group(installed):
    for group, allowed in (("hellod", True), ("nogroup", False)):
        somebody = ["-p", "DynamicUser=yes", "-p", f"SupplementaryGroups={group}"]
        done = installed.machine.run("systemd-run", "-q", "--pipe", "--wait", *somebody, "helloctl", "status")
        assert (done.returncode == 0) == allowed, done.stdout


def test_edit_and_reload(installed):
    installed.machine("sed", "-i", '0,/# *answer = .*;/s//answer = "Moin, %s!";/', CONFFILE)
    installed.configure("log = { access = true; };\n")
    installed.systemctl("reload")
    assert installed.answer() == b"Moin, Bob!\n"


@pytest.mark.seconds(200)
@pytest.mark.parametrize("way", ["service", "sockets"])
def test_upgrades_lose_nothing(older, figures, way):
    """Up and down, under load; the socket unit is not touched."""
    ledger = Measurement(older, f"upgrades, {way}", RESTART_DATAGRAMS)
    configure(older, config(3288))
    older.systemctl("reload")
    if way == "sockets":
        older.listen_by_sockets()
    sockets = older.sockets.show("InvocationID"), older.sockets.show("ActiveEnterTimestampMonotonic")
    enabled = older.show("UnitFileState")
    with ledger.run():
        for version in (older.packages.new, older.packages.old, older.packages.new):
            with ledger.doing(f"{version} is installed"):
                older.change_to(version)
            pause(DRAIN_SECONDS)
    assert sockets == (older.sockets.show("InvocationID"), older.sockets.show("ActiveEnterTimestampMonotonic"))
    assert (older.sockets.state() == "active", older.show("UnitFileState")) == (way == "sockets", enabled)
    ledger.judge(figures)


def test_a_socket_unit_that_has_changed_is_restarted(older):
    older.listen_by_sockets()
    changed = "sed -i s/^Backlog=.*/Backlog=2048/ $(find -name hellod.socket)"
    said = older.install(older.repacked(older.packages.new, "0.2.0-1", changed))
    assert "hellod.socket has changed" in said
    assert older.machine("ss", "-Hlnt", "sport = :3288").split()[2] == "2048"
    expect_service(older)
    assert older.runs() == older.packages.new


def test_what_is_off_stays_off(older):
    """The sockets wait for a client, and the service, which the administrator has disabled, for them."""
    older.listen_by_sockets()
    older.systemctl("stop")
    older.install(older.daemon(older.packages.new))
    assert (older.sockets.state(), older.state()) == ("active", "inactive")
    assert older.show("UnitFileState") == "disabled"
    older.ask()
    assert older.runs() == older.packages.new


def test_instances_are_upgraded_and_removed(older):
    older.machine.write("/etc/hellod/second/hellod.conf", INSTANCE)
    second = Service(older.machine, "hellod@second.service")
    second.systemctl("enable", "--now")
    old = second.master()
    older.change_to(older.packages.new)
    second.ask(port=4001)
    assert second.master() != old
    older.apt("remove", "hellod")
    second.wait_for_refusal("127.0.0.1", port=4001)
    assert older.dpkg("--purge", "hellod").returncode == 0
    left = older.machine("find", "/etc", "-name", "*hellod*")
    assert left.split() == ["/etc/hellod", "/etc/hellod/second/hellod.conf"], left


def metrics_requests(it):
    """The units that answer one now."""
    return it.machine("systemctl", "list-units", "--plain", "--no-legend", "hellod-metrics@*").splitlines()


def test_metrics_stay_on_and_go_with_the_package(older):
    """The newer one listens elsewhere, and is removed while somebody is connected."""
    metrics = Service(older.machine, "hellod-metrics.socket")
    assert (metrics.show("UnitFileState"), metrics.state()) == ("disabled", "inactive")
    metrics.systemctl("enable", "--now")
    assert not is_refused(older.machine, ("127.0.0.1", 9288))
    moved = "sed -i s/^ListenStream=.*/ListenStream=127.0.0.1:9289/ $(find -name hellod-metrics.socket)"
    older.install(older.repacked(older.packages.new, "0.2.0-1", moved))
    assert (metrics.show("UnitFileState"), metrics.state()) == ("enabled", "active")
    assert is_refused(older.machine, ("127.0.0.1", 9288))
    with metrics.connect(port=9289):
        wait_until(lambda: metrics_requests(older), 10, "a request that is served")
        older.apt("remove", "hellod")
        assert metrics_requests(older) == []
    assert (metrics.show("LoadState"), metrics.state()) == ("not-found", "inactive")
    assert is_refused(older.machine, ("127.0.0.1", 9289))
    assert older.dpkg("--purge", "hellod").returncode == 0
    assert older.machine("find", "/etc", "-name", "*hellod*") == ""


def test_a_bad_config_does_not_end_the_service(older):
    """It could not come back: the old program serves on, and the upgrade says what is wrong."""
    older.configure("limits = {\n    connections = 0;\n};\n")
    master = older.master()
    said = older.install(older.daemon(older.packages.new))
    assert "/etc/hellod/conf.d/test.conf:2: " in said
    assert "systemctl restart hellod.service" in said
    expect_service(older)
    assert (older.master(), older.runs()) == (master, older.packages.old)
    older.machine("rm", "/etc/hellod/conf.d/test.conf")
    older.systemctl("restart")
    assert older.runs() == older.packages.new


# ---- a changed conffile ----

EDITED = "# The administrator's.\n"


@pytest.fixture
def edited(installed):
    """With a config that the administrator has changed, and a newer package that has changed it too."""
    installed.machine("sh", "-c", f'printf %s "$0" >>{CONFFILE}', EDITED)
    change = "echo '# The package.' >>etc/hellod/hellod.conf"
    installed.newer = installed.repacked(installed.packages.new, "0.2.0-1", change)
    return installed


def conffiles(it):
    """Who has written the last line of the config, and of what is beside it."""
    found = {}
    for path in it.machine("sh", "-c", f"ls {CONFFILE}*").split():
        last = it.machine("tail", "-n", "1", path)
        who = {EDITED: "administrator", "# The package.\n": "package"}
        found[path.removeprefix(CONFFILE)] = who.get(last, "sample")
    return found


@pytest.mark.parametrize(
    "options, answer, left",
    [
        ([], "N\n", {"": "administrator", ".dpkg-dist": "package"}),
        (["--force-confdef", "--force-confold"], "", {"": "administrator", ".dpkg-dist": "package"}),
        (["--force-confnew"], "", {"": "package", ".dpkg-old": "administrator"}),
    ],
    ids=["no", "confdef", "confnew"],
)
def test_a_config_that_both_have_changed(edited, options, answer, left):
    done = edited.dpkg("-i", *options, edited.newer, data=answer)
    assert done.returncode == 0, done.stdout
    assert ("What would you like to do" in done.stdout) == (answer != "")
    assert conffiles(edited) == left
    expect_service(edited)
    assert edited.dpkg("--purge", "hellod").returncode == 0
    assert edited.machine.run("ls", "/etc/hellod").returncode != 0


def test_nobody_is_there_to_be_asked(edited):
    """The package waits to be configured; the config is as it was, and so is the service."""
    master = edited.master()
    assert edited.dpkg("-i", edited.newer).returncode != 0
    assert conffiles(edited)[""] == "administrator"
    assert edited.master() == master
    expect_service(edited)
    assert edited.dpkg("--configure", "--force-confold", "hellod").returncode == 0
    assert conffiles(edited) == {"": "administrator", ".dpkg-dist": "package"}
    assert edited.master() != master


def test_a_config_that_one_has_changed(edited):
    said = edited.install(edited.daemon(edited.packages.old))
    assert conffiles(edited) == {"": "administrator"} and "What would you like" not in said
    edited.machine("sed", "-i", "$d", CONFFILE)
    said = edited.install(edited.newer)
    assert conffiles(edited) == {"": "package"} and "What would you like" not in said


# ---- the end ----


def expect_no_service(it):
    it.wait_for_refusal("127.0.0.1", "::1")
    for unit in (it, it.sockets):
        assert (unit.state(), unit.show("LoadState")) == ("inactive", "not-found")
    assert it.machine.run("pgrep", "-x", "hellod").returncode == 1
    assert it.machine.run("ls", "/run/hellod").returncode != 0


def test_remove_and_install_again(installed):
    installed.machine("sh", "-c", f'printf %s "$0" >>{CONFFILE}', EDITED)
    installed.configure("workers = 2;\n")
    installed.apt("remove", "hellod")
    expect_no_service(installed)
    assert conffiles(installed) == {"": "administrator"}
    installed.apt("install", installed.daemon(installed.packages.new))
    expect_service(installed)
    assert installed.show("UnitFileState") == "enabled"
    assert conffiles(installed) == {"": "administrator"}
    assert len(installed.processes()) == 3


def test_remove_while_the_sockets_listen(installed):
    """No client starts again what goes."""
    installed.listen_by_sockets()
    installed.apt("remove", "hellod")
    expect_no_service(installed)


def test_purge_leaves_nothing(system, before):
    """Whatever has been done before."""
    system.install(*system.packages.debs(system.packages.old))
    system.listen_by_sockets()
    system.machine("systemctl", "enable", "--now", "hellod.service")
    system.change_to(system.packages.new)
    system.apt("purge", "hellod", "hellod-client")
    expect_no_service(system)
    system.machine("systemctl", "reset-failed")
    after = files(system.machine)
    changed = {path for path in before.keys() & after.keys() if before[path] != after[path]}
    assert (after.keys() - before.keys(), before.keys() - after.keys(), changed) == (set(), set(), set())
    assert "hellod" not in system.machine("find", "/var/lib/systemd", "/var/lib/dpkg/info", "/run", "-name", "*hello*")
    assert system.machine.run("systemctl", "list-unit-files", "--no-legend", "hellod*").stdout == ""


def test_the_client_alone(system):
    system.install(system.packages.debs(system.packages.new)[1])
    assert is_refused(system.machine, ("127.0.0.1", 3288))
    assert system.machine.run("helloc", "check").returncode == 2
