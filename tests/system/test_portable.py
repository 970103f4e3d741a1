"""The portable service: an image of what is installed in one system, attached by portablectl in another one, which has
nothing of hellod; and detached."""

import threading
from pathlib import Path

import pytest

from clients import Datagram
from machine import Machine
from queues import Queue
from service import PORT, WAYS, Service
from watch import wait_until

IMAGES = "/var/lib/portables"
IMAGE, NEXT = "hellod_0.1.0", "hellod_0.1.1"
PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
ATTACHED = "/etc/systemd/system.attached"
DYNAMIC_UIDS = range(61184, 65520)


@pytest.fixture(scope="module")
def images(machine, tmp_path_factory):
    """A folder with two versions of the image, made by this suite's tools of what `machine` has installed."""
    folder = tmp_path_factory.mktemp("portables")
    machine.bind(PACKAGING, "/packaging", "ro")
    machine.bind(folder, "/portables")
    for name in (IMAGE, NEXT):
        machine.chroot("/packaging/image-root", "portable", "/", f"/portables/{name}", name.partition("_")[2])
    machine.unbind("/portables")
    machine.unbind("/packaging")
    return folder


@pytest.fixture(scope="module")
def host(suite, root, images, tmp_path_factory):
    with Machine(tmp_path_factory.mktemp("host"), root, f"{suite}-portable") as booted:
        booted.bind(images, IMAGES, "ro")
        booted.boot()
        yield booted


class Portable(Service):
    """hellod.service of an image. What is of no use for it has no place here: there is no helloctl on the host."""

    def attach(self, profile="default"):
        self.machine("portablectl", "attach", "--now", "--enable", f"--profile={profile}", IMAGE)

    def detach(self, image=IMAGE):
        self.machine("portablectl", "detach", "--now", "--enable", image)

    def image(self):
        return Path(self.show("RootDirectory")).name

    def mounts(self):
        """The options of what is mounted for the master, by where it is."""
        lines = self.machine("cat", f"/proc/{self.master()}/mountinfo").splitlines()
        return {line.split()[4]: line.split()[5].split(",") for line in lines}

    def greets(self, answer):
        with self.machine.network(), Datagram(("127.0.0.1", PORT), seconds=10) as client:
            client.expect(b"Bob", answer)


@pytest.fixture
def portable(host):
    """Attached and serving; detached at the end, whatever came about."""
    it = Portable(host)
    it.attach()
    yield it
    host("rm", "-rf", "/etc/hellod")
    it.detach(it.image())


def test_its_own_restrictions_are_enough(host):
    """With a profile that adds none, and no user either."""
    host.write("/etc/systemd/portable/profile/none/service.conf", "")
    it = Portable(host)
    it.attach(profile="none")
    try:
        it.ask()
        assert it.show("CapabilityBoundingSet") == ""
    finally:
        it.detach()


@pytest.mark.parametrize("kind, at", WAYS)
def test_it_serves(portable, kind, at):
    portable.ask(kind, at)


def test_the_host_need_not_know_the_user(portable):
    uid = portable.machine("stat", "-c", "%u", f"/proc/{portable.master()}")
    assert int(uid) in DYNAMIC_UIDS
    assert portable.show("DynamicUser") == "yes"


def test_it_runs_nothing_but_itself(portable):
    """What the unit says of paths is about those in the image."""
    mounts = portable.mounts()
    assert {"ro", "noexec"} <= set(mounts["/"])
    assert "noexec" not in mounts["/usr/sbin/hellod"]


def test_its_workers_are_confined(portable):
    of_master, of_workers = portable.filters()
    assert of_workers == {of_master + 1}
    said = portable.machine("journalctl", "-q", "-o", "cat", "-u", portable.unit)
    assert "workers are confined by seccomp and Landlock (ABI " in said


def test_the_configuration_is_the_hosts(portable):
    def configure(text):
        portable.machine.write("/etc/hellod/hellod.conf", text)

    def listen(answer):
        listener = f'{{ name = "hello"; protocol = "hello"; type = "datagram"; answer = "{answer}"; }}'
        return f"listen = ( {listener} );\n"

    configure(listen("Ahoy, %s!"))
    portable.systemctl("restart")
    portable.greets(b"Ahoy, Bob!")
    configure(listen("Moin, %s!"))
    portable.systemctl("reload")
    portable.greets(b"Moin, Bob!")
    configure(listen("Hi"))
    assert portable.try_reload().returncode != 0
    assert "/etc/hellod/hellod.conf:1: " in portable.status_text("failed")
    portable.greets(b"Moin, Bob!")


def test_a_crash_keeps_those_who_wait(portable):
    group = portable.show("ControlGroup")
    portable.machine("systemctl", "kill", "-s", "STOP", portable.unit)
    old = portable.master()
    with Queue(portable) as queue:
        portable.machine("systemctl", "kill", "-s", "KILL", portable.unit)
        queue.expect_answers()
    assert portable.show("ControlGroup") == group
    portable.wait_for_new_master(old, 10)


def test_a_new_version_loses_nobody(portable):
    """Asked all the while, it answers all the while."""
    over, failures = threading.Event(), []

    def ask():
        while not over.is_set():
            try:
                for way in WAYS:
                    portable.ask(*way)
            except (OSError, AssertionError) as error:
                failures.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    portable.machine("portablectl", "reattach", "--now", "--enable", NEXT)
    wait_until(lambda: portable.image() == NEXT and portable.state() == "active", 20, portable.image)
    over.set()
    asking.join()
    assert not failures
    portable.ask()


def test_detached_it_is_gone(host):
    it = Portable(host)
    it.attach()
    it.ask()
    it.detach()
    it.wait_for_refusal("127.0.0.1", "::1")
    assert host.run("systemctl", "cat", "hellod.service").returncode != 0
    assert host("sh", "-c", f"ls {ATTACHED} 2>/dev/null || true") == ""
    # systemd leaves a link to that folder in /run.
    assert host("sh", "-c", "ls -d /run/private/hellod 2>/dev/null || true") == ""
    assert host("sh", "-c", "pgrep -x hellod || true") == ""
