"""Each line of the unit that forbids something does so: what it forbids can be done without it and cannot with it. And
within all that the service has a sandbox of its own."""

import re

import pytest

from service import ACTS, PROBE, SAMPLES, UNITS

SERVICE = "/usr/lib/systemd/system/hellod.service"
ALONE = f"{SAMPLES}/socket-only.conf"

# Setting, and what `probe` tries.
SWITCHES = {
    "CapabilityBoundingSet": "capability",
    "NoNewPrivileges": "new-privileges",
    "PrivateUsers": "host-users",
    "RestrictSUIDSGID": "suid",
    "ProtectSystem": "write-etc",
    "ProtectHome": "read-home",
    "PrivateTmp": "see-tmp",
    "PrivateMounts": "host-mounts",
    "NoExecPaths": "exec",
    "PrivateDevices": "see-dev",
    "DevicePolicy": "device",
    "ProtectKernelTunables": "tunable",
    "ProtectKernelModules": "module",
    "ProtectKernelLogs": "kernel-log",
    "ProtectControlGroups": "control-group",
    "ProtectClock": "clock",
    "ProtectHostname": "hostname",
    "ProtectProc": "other-processes",
    "ProcSubset": "proc-files",
    "PrivateIPC": "shm",
    "RestrictAddressFamilies": "netlink",
    "RestrictNamespaces": "namespace",
    "RestrictRealtime": "realtime",
    "LockPersonality": "personality",
    "MemoryDenyWriteExecute": "write-and-execute",
    "SystemCallArchitectures": "foreign-calls",
    "SystemCallFilter": "chroot",
    "UMask": "open-files",
}
SWITCHES_ALONE = {"PrivateNetwork": "host-network", "RestrictAddressFamilies": "internet", "IPAddressDeny": "send"}
# Those that belong to another one, and those that take nothing away which an attempt could show.
WITHOUT = {"AmbientCapabilities", "ExecPaths", "SystemCallErrorNumber", "RemoveIPC", "KeyringMode"}
# Root sees all processes whatever the setting.
AS_NOBODY = {"ProtectProc"}
TOGETHER = {"NoExecPaths": ["ExecPaths"], "SystemCallFilter": ["SystemCallErrorNumber"]}


def settings(machine, path):
    """The lines of the part that takes rights away: (setting, value)."""
    text = machine("cat", path).partition("[Install]")[0]
    start = "# ---- What it may not do ----" if path == SERVICE else "[Service]"
    return re.findall(r"^(\w+)=(.*)$", text.partition(start)[2], re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def bait(machine):
    """What the probe looks for."""
    machine("sh", "-c", f"touch /tmp/marker /dev/marker /root/secret; {PROBE} shm-make")


def attempt(machine, what, lines):
    properties = [word for key, value in lines for word in ("-p", f"{key}={value}")]
    done = machine.run("systemd-run", "--quiet", "--pipe", "--wait", "--collect", *properties, "--", PROBE, what)
    return done.stdout.strip()


@pytest.mark.parametrize("file, key", [(SERVICE, key) for key in SWITCHES] + [(ALONE, key) for key in SWITCHES_ALONE])
def test_it_bites(machine, file, key):
    what = (SWITCHES if file == SERVICE else SWITCHES_ALONE)[key]
    basis = [("User", "nobody")] if key in AS_NOBODY else []
    lines = [line for line in settings(machine, file) if line[0] in [key, *TOGETHER.get(key, [])]]
    assert lines, f"{file} has no {key}="
    if attempt(machine, what, basis) != "allowed":
        pytest.skip("the container itself forbids it")
    assert attempt(machine, what, basis + lines) != "allowed"


def test_none_is_forgotten(machine):
    assert {key for key, _ in settings(machine, SERVICE)} - WITHOUT == set(SWITCHES)
    assert {key for key, _ in settings(machine, ALONE)} == set(SWITCHES_ALONE)


def test_all_of_them_at_once(machine, service):
    unit = machine("cat", SERVICE).partition("[Install]")[0]
    unit = re.sub(r"^(Type|ExecStart|Restart\w*|WatchdogSec|RuntimeDirectory)=.*\n", "", unit, flags=re.MULTILINE)
    machine.write(f"{UNITS}/hellod-probe@.service", f"{unit}\nType=oneshot\nExecStart={PROBE} %i\n")
    machine("systemctl", "daemon-reload")
    for what in SWITCHES.values():
        machine.run("systemctl", "start", f"hellod-probe@{what}.service")
    machine("journalctl", "--sync")
    for what in SWITCHES.values():
        name = f"hellod-probe@{what}.service"
        said = machine("journalctl", "-q", "-o", "cat", "-t", "hellod-probe", "-u", name)
        result = machine("systemctl", "show", "--value", "-p", "Result", name).strip()
        # Or it was killed for trying.
        assert said.startswith("denied") or (said, result) in (("", "signal"), ("", "core-dump")), (what, said, result)


# ---- the service's own sandbox ----


def test_it_confines_itself_further(service):
    """The unit forbids nothing that this takes."""
    service.configure('sandbox = "off";')
    service.systemctl("start")
    of_unit, of_workers = service.filters()
    assert of_workers == {of_unit}
    service.configure("")
    service.systemctl("restart")
    assert service.filters() == (of_unit + 1, {of_unit + 2})
    assert re.search(r"^workers are confined by seccomp and Landlock \(ABI \d+\)$", service.texts(), re.MULTILINE)


def test_worker_that_tries_to_get_out(service):
    """As if a client had found a way to make it: that is the worker's end, and not the service's."""
    service.drop_in(f"[Service]\nEnvironment=LD_PRELOAD={ACTS}\n")
    service.systemctl("start")
    master = service.master()
    with service.connect() as client:
        client.greeted().send(b"act read a file")
        assert client.rest() == b""
    service.ask()
    said = r"^worker \d+ \(pid \d+\) tried the system call openat, which the sandbox forbids$"
    assert re.search(said, service.texts(), re.MULTILINE)
    assert (service.master(), service.state()) == (master, "active")
