"""The rpm packages, installed by rpm and with their scriptlets run for real, as an administrator uses them. They are built
here by Debian's rpmbuild, with packaging/rpm/macros.debian in place of Fedora's macros. rpm knows nothing of what dpkg
has installed, so that dependencies are not looked at.

Each test starts in a system without them and leaves it so. It has Fedora's preset: what is not named stays off.
"""

import pytest

import machine as machines
import packages as debian
from conftest import CACHE, SUITES
from keeper import pause
from measure import Measurement, configure
from service import UNITS, WAYS, Service
from worlds import DRAIN_SECONDS, RESTART_DATAGRAMS, config

# Of the suite whose libraries are like those of Fedora and EL; in the other there is nothing to collect.
__test__ = "trixie" in SUITES

OLD = debian.OLD
CONF = "/etc/hellod/hellod.conf"
INSTANCE = 'listen = ( { name = "it"; protocol = "greeting"; type = "stream"; port = 4001; } );\n'
PRESETS = "/etc/systemd/system-preset"
QUICKLY = "-D 'optflags -O0' -D '_enable_debug_packages 0'"
OLDER_SAMPLE = "# What the older sample said."


def build(machine, tarball):
    """Both versions; returns the tree's. The older one is the same code, with another sample of the configuration. What
    %check does is no test of the packages, and left out."""
    name = tarball.name.removesuffix(".tar.gz")
    version = name.removeprefix("hellod-")
    machine("tar", "-C", "/root", "-xzf", f"/sources/{tarball.name}")
    tree = f"/root/{name}"
    for number, options in ((version, "--nocheck"), (OLD, f"--nocheck {QUICKLY}")):
        make = ["make", "-s", "-C", tree, "rpm", f"VERSION={number}", f"BUILD=/root/{number}", f"RPMBUILD_ARGS={options}"]
        machine("nice", *make, seconds=200)
        machine("sh", "-c", f"echo '{OLDER_SAMPLE}' >>{tree}/etc/hellod/hellod.conf")
    return version


class Packaged(Service):
    """hellod.service as the packages bring it; .new is the tree's version."""

    def __init__(self, machine, new):
        super().__init__(machine)
        self.new = new
        self.sockets = Service(machine, "hellod.socket")

    def rpm(self, *words):
        return self.machine("rpm", *words)

    def change_to(self, version, *options):
        """From whatever is there or not; returns what is said."""
        files = [f"/root/{version}/rpm/{name}-{version}-1.x86_64.rpm" for name in ("hellod", "hellod-client")]
        return self.rpm("-U", "--nodeps", "--oldpackage", *options, *files)

    def start(self):
        self.systemctl("enable", "--now")
        self.ask()

    def listen_by_sockets(self):
        self.sockets.systemctl("enable", "--now")
        self.ask()

    def runs(self):
        """The version that serves, not the one that is on disk."""
        return next(line.split()[1] for line in self.helloctl("status").splitlines() if line.startswith("hellod "))

    def configs(self):
        return self.machine("sh", "-c", "cd /etc/hellod && echo *").split()


@pytest.fixture(scope="module")
def rpms(suite, root):
    """A system in which the packages have been built; with their version."""
    folder = CACHE / "run" / f"{suite}-rpm-sources"
    folder.mkdir(parents=True)
    tarball = debian.make_tarball(folder)
    with machines.Machine(CACHE, root, f"{suite}-rpm") as booted:
        booted.bind(tarball.parent, "/sources", "ro")
        booted.boot()
        booted.write(f"{PRESETS}/99-default.preset", "disable *\n")
        yield booted, build(booted, tarball)


@pytest.fixture
def system(rpms):
    """Nothing is installed."""
    machine, version = rpms
    it = Packaged(machine, version)
    yield it
    machine.run("rpm", "-e", "--noscripts", "hellod", "hellod-client")
    ours = f"/etc/hellod {UNITS}/hellod* {UNITS}/*.wants/hellod* {PRESETS}/50-test.preset"
    machine("sh", "-c", f"systemctl stop 'hellod*'; rm -rf {ours}; systemctl daemon-reload")
    machine.run("userdel", "hellod")
    machine.run("systemctl", "reset-failed")
    it.wait_for_free_ports()


@pytest.fixture
def older(system):
    system.change_to(OLD)
    return system


def expect_service(it, version):
    for way in WAYS:
        it.ask(*way)
    assert (it.state(), it.runs()) == ("active", version)


def expect_nothing(it):
    it.wait_for_refusal("127.0.0.1", "::1")
    for unit in (it, it.sockets):
        assert (unit.state(), unit.show("LoadState")) == ("inactive", "not-found")
    assert it.machine.run("pgrep", "-x", "hellod").returncode == 1
    for name in ("hello[dc]*", "_hello[dc]*", "check_hello*"):
        assert it.machine("find", "/etc/systemd", "/run", "/usr", "-name", name) == ""


def test_install(system):
    assert system.machine.run("getent", "passwd", "hellod").returncode != 0
    system.change_to(system.new)
    assert system.machine("getent", "passwd", "hellod").strip().endswith("nologin")
    for unit in (system, system.sockets):
        assert (unit.show("UnitFileState"), unit.state()) == ("disabled", "inactive")
    system.start()
    expect_service(system, system.new)
    system.machine("/usr/lib64/nagios/plugins/check_hello", "-H", "127.0.0.1", "-u")
    assert system.rpm("-V", "--nodeps", "hellod", "hellod-client") == ""
    assert system.rpm("-qc", "hellod").split() == [CONF]


def test_what_presets_say(system):
    system.machine.write(f"{PRESETS}/50-test.preset", "enable hellod.service\n")
    system.change_to(system.new)
    assert (system.show("UnitFileState"), system.sockets.show("UnitFileState")) == ("enabled", "disabled")


@pytest.mark.parametrize("way", ["service", "sockets"])
def test_upgrades_lose_nothing(older, figures, way):
    """Up and down, under load; the socket unit is not touched."""
    ledger = Measurement(older, f"rpm, {way}", RESTART_DATAGRAMS)
    configure(older, config(3288))
    older.listen_by_sockets() if way == "sockets" else older.start()
    sockets = older.sockets.show("InvocationID"), older.sockets.show("ActiveEnterTimestampMonotonic")
    with ledger.run():
        for version in (older.new, OLD):
            with ledger.doing(f"{version} is installed"):
                older.change_to(version)
            assert older.runs() == version
            pause(DRAIN_SECONDS)
    assert sockets == (older.sockets.show("InvocationID"), older.sockets.show("ActiveEnterTimestampMonotonic"))
    ledger.judge(figures)


def test_a_socket_unit_that_has_changed_is_restarted(older):
    """As it would be, had the older package brought another one."""
    unit = "/usr/lib/systemd/system/hellod.socket"
    older.machine("sed", "-i", "s/^Backlog=.*/Backlog=2048/", unit)
    older.machine("systemctl", "daemon-reload")
    older.listen_by_sockets()
    assert "hellod.socket has changed" in older.change_to(older.new)
    assert older.machine("ss", "-Hlnt", "sport = :3288").split()[2] == "4096"
    expect_service(older, older.new)
    assert older.machine.run("ls", "/run/hellod.socket.before").returncode != 0


def test_what_does_not_run_is_not_started(older):
    older.listen_by_sockets()
    older.systemctl("stop")
    older.change_to(older.new)
    assert (older.sockets.state(), older.state(), older.show("UnitFileState")) == ("active", "inactive", "disabled")
    expect_service(older, older.new)


def test_a_bad_config_does_not_end_the_service(older):
    """It could not come back: the old program serves on, and the upgrade says what is wrong."""
    older.start()
    older.configure("limits = {\n    connections = 0;\n};\n")
    master = older.master()
    said = older.change_to(older.new)
    assert "/etc/hellod/conf.d/test.conf:2: " in said and "systemctl restart hellod.service" in said
    expect_service(older, OLD)
    assert older.master() == master


def test_an_instance(older):
    """It goes with the service: up, and away."""
    older.machine.write("/etc/hellod/second/hellod.conf", INSTANCE)
    second = Service(older.machine, "hellod@second.service")
    second.systemctl("enable", "--now")
    old = second.master()
    older.change_to(older.new)
    second.wait_for_new_master(old, 10)
    second.ask(port=4001)
    older.rpm("-e", "hellod", "hellod-client")
    second.wait_for_refusal("127.0.0.1", port=4001)
    expect_nothing(older)


def test_a_config_that_both_have_changed(older):
    older.start()
    older.machine("sed", "-i", '0,/# *answer = .*;/s//answer = "Moin, %s!";/', CONF)
    older.systemctl("reload")
    assert f"{CONF}.rpmnew" in older.change_to(older.new)
    assert older.configs() == ["conf.d", "hellod.conf", "hellod.conf.rpmnew"]
    assert older.answer() == b"Moin, Bob!\n"
    assert older.machine("tail", "-n", "1", CONF).strip() == OLDER_SAMPLE


def test_a_config_that_the_package_alone_has_changed(older):
    older.change_to(older.new)
    assert older.configs() == ["conf.d", "hellod.conf"]
    assert older.machine("tail", "-n", "1", CONF).strip() != OLDER_SAMPLE


@pytest.mark.parametrize("way", ["service", "sockets"])
def test_erase(system, way):
    """Stops all: no client starts again what goes. What somebody has written stays."""
    system.change_to(system.new)
    system.listen_by_sockets() if way == "sockets" else system.start()
    system.machine("sh", "-c", f"echo '# The administrator.' >>{CONF}")
    system.configure("workers = 2;\n")
    assert f"{CONF}.rpmsave" in system.rpm("-e", "hellod", "hellod-client")
    expect_nothing(system)
    assert system.configs() == ["conf.d", "hellod.conf.rpmsave"]


def test_erase_leaves_nothing(older):
    older.start()
    older.change_to(older.new)
    older.rpm("-e", "hellod", "hellod-client")
    expect_nothing(older)
    assert older.machine.run("ls", "/etc/hellod").returncode != 0
