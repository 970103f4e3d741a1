"""Network namespaces for tests: addresses, interfaces and neighbours that the machine does not have.

A test marked netns runs in a process of its own, in a fresh network namespace in which it may do everything
(conftest.py sees to that). In there this file gives it `ip`, a second namespace, and datagrams with any source.

This file must not know the daemon.
"""

import ctypes
import os
import shutil
import socket
import struct
import subprocess
from contextlib import contextmanager

from watch import wait_until

CLONE_NEWNET = 0x40000000
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20
NLM_F_REQUEST, NLM_F_DUMP, NLMSG_DONE = 1, 0x300, 3


def words():
    """The command words that put a program into a network namespace of its own: ([...], None), or (None, reason)."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return None, "needs unshare and ip (packages util-linux and iproute2)"
    enter = ["unshare", "--net"]
    if os.geteuid() != 0:
        # The same user, with all rights, but in a user namespace: nobody else exists in there, not even root.
        enter += ["--user", "--map-current-user", "--keep-caps"]
    tried = subprocess.run([*enter, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    if tried.returncode != 0:
        return None, f"no network namespace of our own: {' '.join(enter)}: {tried.stderr.strip()}"
    return enter, None


def ip(*arguments, inside=None):
    """Runs ip(8) with ARGUMENTS (one text is split at blanks), in the namespace of process INSIDE if given."""
    parts = arguments[0].split() if len(arguments) == 1 else list(map(str, arguments))
    enter = ["nsenter", "-t", str(inside), "-n"] if inside else []
    subprocess.run(enter + ["ip", *parts], check=True, timeout=20)


def add_address(address, device, inside=None):
    """Gives DEVICE an ADDRESS ("10.1.0.1/24") and returns when it can be reached."""
    # Without nodad an IPv6 address is tested for a second or two first.
    ip(f"addr add {address} dev {device}" + (" nodad" if ":" in address else ""), inside=inside)
    # Even so its route comes a moment later.
    host = address.partition("/")[0]
    enter = ["nsenter", "-t", str(inside), "-n"] if inside else []
    asked = [*enter, "ip", "route", "get", host, *(["oif", device] if host.startswith("fe80") else [])]

    def is_local():
        return subprocess.run(asked, capture_output=True, text=True).stdout.startswith("local")

    wait_until(is_local, 5, f"a route to {address}")


def tells_of_unix():
    """Whether the kernel tells of sockets of AF_UNIX: asked, as sock_diag(7) says, for those in no state."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as asking:
            request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0, 0, 0, 0, 0)
            head = struct.pack("=IHHII", 16 + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0)
            asking.send(head + request)
            return struct.unpack_from("=IH", asking.recv(4096))[1] == NLMSG_DONE
    except OSError:
        return False


def sysctl(name, value):
    """Sets a network sysctl of the namespace we are in; NAME with slashes, below /proc/sys/net."""
    with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as file:
        file.write(str(value))


def _setns(fd):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "setns")


class Neighbour:
    """A second network namespace, held by a process; joined to ours by wires. A context manager.

        with Neighbour() as other:
            other.wire("near", "far", ["10.1.0.1/24"], ["10.1.0.2/24"])
            with other.inside():
                ...  # sockets made and programs started here live over there
    """

    def __init__(self):
        self._holder = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
        self.pid = self._holder.pid

    def __enter__(self):
        ours = os.readlink("/proc/self/ns/net")
        try:
            wait_until(lambda: os.readlink(f"/proc/{self.pid}/ns/net") != ours, 5, "a second network namespace")
            ip("link set lo up", inside=self.pid)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._holder.stdin.close()  # cat reads the end of file and goes
        self._holder.wait(10)

    def wire(self, near, far, near_addresses, far_addresses):
        """A veth pair: interface NEAR here, FAR over there, each up and with its addresses ("10.1.0.1/24")."""
        ip(f"link add {near} type veth peer name {far} netns {self.pid}")
        for side, device, addresses in ((None, near, near_addresses), (self.pid, far, far_addresses)):
            ip(f"link set {device} up", inside=side)
            for address in addresses:
                add_address(address, device, inside=side)

    @contextmanager
    def inside(self):
        """For the block, this thread is in the second namespace."""
        back = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
            try:
                yield self
            finally:
                _setns(back)
        finally:
            os.close(there)
            os.close(back)


def checksum(data):
    """The internet checksum of DATA."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def spoof(source, destination, payload):
    """Sends one UDP datagram that claims to come from SOURCE, both (host, port), of IPv4 or IPv6. Needs the right to
    make raw sockets, which a netns test has."""
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    hosts = socket.inet_pton(family, source[0]) + socket.inet_pton(family, destination[0])
    length = 8 + len(payload)
    ports = struct.pack("!HHH", source[1], destination[1], length)
    pseudo = hosts + struct.pack("!II", length, socket.IPPROTO_UDP)
    # A computed 0 is sent as all ones: 0 would mean "no checksum".
    datagram = ports + struct.pack("!H", checksum(pseudo + ports + payload) or 0xFFFF) + payload
    if family == socket.AF_INET:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0)
    else:
        header = struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64)
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(header + hosts + datagram, (destination[0], 0))
