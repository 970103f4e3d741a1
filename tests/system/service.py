"""hellod as a service of a booted system: what systemctl and the journal say of it, and clients of it."""

import json
import re

from clients import PROMPT, Datagram, Stream, greeting
from machine import is_refused
from watch import wait_until

PORT = 3288
WAYS = [("tcp", "127.0.0.1"), ("tcp", "::1"), ("udp", "127.0.0.1"), ("udp", "::1")]
UNITS = "/etc/systemd/system"
PROBE = "/usr/lib/hellod-probe"  # tests/system/probe.c, in a folder whose programs the unit may run
SAMPLES = "/usr/share/doc/hellod/examples"
MANNERS = "/usr/lib/hellod-manners.so"  # tests/process/preload/manners.c
ACTS = "/usr/lib/hellod-acts.so"  # tests/process/preload/acts.c
GATE = "/run/hellod-gate"
WAITS_AT_GATE = f"[Service]\nExecStartPre=+/bin/sh -c 'until [ -e {GATE} ]; do sleep 0.01; done'\n"


class Service:
    """One unit of hellod: hellod.service, or an instance."""

    def __init__(self, machine, unit="hellod.service"):
        self.machine = machine
        self.unit = unit
        self.since = None

    def reset(self):
        """All units of hellod stopped, nothing configured; the journal is read from here on."""
        self.machine.run("pkill", "-CONT", "-x", "hellod|systemd-journal")
        self.machine("systemctl", "stop", "hellod.socket", "hellod@*.service", "hellod.service")
        ours = f"{UNITS}/hellod* {UNITS}/*.wants/hellod* /etc/hellod/*/ {GATE}"
        self.machine("sh", "-c", f"rm -rf {ours} && mkdir /etc/hellod/conf.d")
        self.machine("systemctl", "daemon-reload")
        self.machine.run("systemctl", "reset-failed")
        self.wait_for_free_ports()
        self.since = self.machine("journalctl", "-n", "0", "--show-cursor", "--no-pager").split("cursor:")[-1].strip()

    # ---- what an operator does ----

    def systemctl(self, verb, *more):
        return self.machine("systemctl", verb, *more, self.unit)

    def configure(self, text, name="test.conf"):
        self.machine.write(f"/etc/hellod/conf.d/{name}", text)

    def drop_in(self, text, name="test.conf"):
        self.machine.write(f"{UNITS}/{self.unit}.d/{name}", text)
        self.machine("systemctl", "daemon-reload")

    def try_reload(self):
        """`systemctl reload`, which may fail; completed, with what it said."""
        return self.machine.run("systemctl", "reload", self.unit)

    def helloctl(self, *words):
        """helloctl, which must not fail, as root; returns what it says."""
        folder = self.unit.removesuffix(".service").replace("@", "-")
        return self.machine("helloctl", "-s", f"/run/{folder}/control", *words)

    # ---- starts that wait ----

    def gate(self):
        """From now on each start waits before hellod is run, as long as the gate is closed; it is open."""
        self.machine("touch", GATE)
        self.drop_in(WAITS_AT_GATE, "gate.conf")

    def close_gate(self):
        self.machine("rm", GATE)

    def open_gate(self):
        self.machine("touch", GATE)

    def wait_at_gate(self):
        """Until nothing of the service is left but a start that waits."""
        wait_until(lambda: self.show("SubState") == "start-pre", 20, lambda: self.show("SubState"))

    def show(self, name):
        return self.machine("systemctl", "show", "--value", "-p", name, self.unit).strip()

    def state(self):
        return self.show("ActiveState")

    def stored(self):
        """How many descriptors systemd has in store for it."""
        return int(self.show("NFileDescriptorStore"))

    def status_text(self, word):
        """The status line, once it has WORD."""
        wait_until(lambda: word in self.show("StatusText"), 15, lambda: self.show("StatusText"))
        return self.show("StatusText")

    def journal(self):
        """What the unit has logged since reset(), if there was one: a list of (priority, text)."""
        self.machine("journalctl", "--sync")
        # Chosen here: with a cursor and a choice of lines, journalctl leaves the first one out.
        since = ["--after-cursor", self.since] if self.since else []
        said = self.machine("journalctl", "-q", *since, "-o", "json")
        lines = [json.loads(line) for line in said.splitlines()]
        wanted = {"_SYSTEMD_UNIT": self.unit, "SYSLOG_IDENTIFIER": "hellod"}
        return [(int(line["PRIORITY"]), line["MESSAGE"]) for line in lines if wanted.items() <= line.items()]

    def texts(self):
        return "\n".join(text for _, text in self.journal())

    # ---- its processes ----

    def master(self):
        return int(self.show("MainPID"))

    def processes(self):
        """All processes of the unit, by their numbers inside."""
        group = self.show("ControlGroup")
        if not group:
            return set()
        said = self.machine.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs")
        return set(map(int, said.stdout.split())) if said.returncode == 0 else set()

    def filters(self):
        """How many seccomp filters the master has, and its workers have."""

        def of(pid):
            return int(re.search(r"^Seccomp_filters:\t(\d+)$", self.machine("cat", f"/proc/{pid}/status"), re.M)[1])

        return of(self.master()), {of(pid) for pid in self.processes() - {self.master()}}

    def kill(self, signal, pid):
        self.machine("kill", f"-{signal}", pid)

    def wait_for_new_master(self, old, seconds):
        """Until systemd has put another master in place of OLD, and it is ready; returns it."""

        def is_new():
            return self.state() == "active" and self.master() not in (0, old) and self.master()

        return wait_until(is_new, seconds, lambda: self.machine.run("systemctl", "status", self.unit).stdout)

    # ---- its clients ----

    def wait_for_free_ports(self):
        """Until nothing is bound where the sample configuration wants it: systemd takes its time to close what leaves
        the store."""

        def bound():
            return self.machine("ss", "-Hlntu", f"sport = :{PORT}")

        wait_until(lambda: bound() == "", 10, bound)

    def wait_for_refusal(self, *hosts, port=PORT):
        """Until nobody listens there, for the same reason."""
        for host in hosts:
            wait_until(lambda at=(host, port): is_refused(self.machine, at), 10, f"[{host}]:{port} to be closed")

    def answer(self, name=b"Bob", port=PORT, host="127.0.0.1"):
        """What a TCP client is answered, up to the end of the line that it sent."""
        with self.connect(host, port) as client:
            client.send(name + b"\n")
            client.finish()
            return client.rest().removeprefix(PROMPT)

    def connect(self, host="127.0.0.1", port=PORT, seconds=10):
        with self.machine.network():
            return Stream((host, port), seconds=seconds)

    def ask(self, kind="tcp", host="127.0.0.1", port=PORT):
        """One question and the built-in answer to it."""
        with self.machine.network():
            if kind == "udp":
                with Datagram((host, port), seconds=10) as client:
                    client.expect(b"Bob", greeting(b"Bob"))
                return
            client = Stream((host, port), seconds=10)
        with client:
            client.greeted().ask(b"Bob", greeting(b"Bob"))
