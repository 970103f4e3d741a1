"""What keeps those apart who do not trust each other: clients and the log, clients and the master, the service and root,
one local user and another. What doc/SECURITY.md claims of these and no other test shows.
"""

import errno
import grp
import os
import pwd
import re
import socket
import uuid
from pathlib import Path

import pytest

from clients import Datagram
from configs import GREETING, HELLO, unprivileged
from hellodtest import EXIT_OK, Hellod
from reloads import Service
from workers import measures, stopped

SERVES = {"listen": [GREETING, HELLO]}
SOMEBODY = 12345  # a user and a group that nobody here has

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up, and other users at hand")


def converse(daemon):
    with daemon.connect() as client:
        client.greeted().ask(b"Bob\n", b"Hello, Bob!\n")
    with daemon.datagrams() as client:
        client.expect(b"Bob", b"Hello, Bob!")


# ---- clients and the master ----


def test_serving_needs_no_master():
    # What a client sends never reaches the master, so it may as well stand still.
    with Hellod(SERVES) as daemon:
        with stopped(daemon.pid):
            for _ in range(20):
                converse(daemon)


# ---- clients and the log ----


def test_what_clients_say_is_not_logged(folder):
    packets = {"name": "packets", "protocol": "greeting", "type": "seqpacket", "path": str(folder / "packets")}
    mark = uuid.uuid4().hex.encode()
    with Hellod({"listen": [GREETING, HELLO, packets]}, options=["-v", "-v"]) as daemon:
        with daemon.connect() as client:
            client.greeted().ask(mark + b"\n", b"Hello, " + mark + b"!\n")
            client.send(mark * 100)  # too long
            client.rest()
        with daemon.connect("packets") as client:
            client.greeted().ask(mark, b"Hello, " + mark + b"!")
        with daemon.datagrams() as client:
            client.send(b"\x1b" + mark)  # no text
            client.expect(mark, b"Hello, " + mark + b"!")
        daemon.wait_for_line("^Datagram from .* answered")
        daemon.stop()
        assert mark.decode() not in daemon.log()


def test_names_of_local_clients_are_one_line(folder):
    # A local client chooses the path that it is called by in the log.
    listener = {"name": "hello", "protocol": "hello", "type": "datagram", "path": str(folder / "hello")}
    with Hellod({"listen": [listener]}, options=["-v"]) as daemon:
        path = folder / "a\n<0>forged\x1b[31m"
        with Datagram(daemon.address("hello"), bind=str(path)) as client:
            path.chmod(0o777)
            client.expect(b"Bob", b"Hello, Bob!")
        daemon.wait_for_line(r"^Datagram from \S*/a\\x0a<0>forged\\x1b\[31m answered\.$")
        assert not [line for line in daemon.raw if "forged" in line and "Datagram from" not in line]


# ---- the service and root ----


@pytest.fixture
def in_a_group_more():
    """The daemon is started by somebody who is in one more group."""
    before = os.getgroups()
    os.setgroups([*before, SOMEBODY])
    yield
    os.setgroups(before)


@as_root
@measures
def test_root_is_given_up_for_good(in_a_group_more):
    user, group = (pwd.getpwnam(unprivileged()[0]).pw_uid, grp.getgrnam(unprivileged()[1]).gr_gid)
    with Hellod(SERVES) as daemon:
        for pid in (daemon.pid, *daemon.workers()):
            status = dict(re.findall(r"^(\w+):\t(.*)$", Path(f"/proc/{pid}/status").read_text(), re.M))
            assert status["Uid"].split() == [str(user)] * 4 and status["Gid"].split() == [str(group)] * 4
            assert status["Groups"].split() == []
            assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}


# ---- one local user and another ----


def as_somebody(work):
    """What WORK returns, a short text, for a user who is neither the service's nor in its group."""
    end, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(SOMEBODY)
        os.setuid(SOMEBODY)
        os.write(start, work().encode())
        os._exit(0)
    os.close(start)
    with open(end, encoding="ascii") as result:
        said = result.read()
    os.waitpid(pid, 0)
    return said


def take_part(kind, address):
    """Tries to share ADDRESS; returns "shared", or the name of the error."""
    with socket.socket(socket.AF_INET, kind) as thief:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            thief.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            thief.bind(address)
            if kind == socket.SOCK_STREAM:
                thief.listen()
            return "shared"
        except OSError as error:
            return errno.errorcode[error.errno]


@as_root
@pytest.mark.parametrize("per_worker", (False, True), ids=("one socket", "per worker"))
def test_nobody_else_shares_a_port(per_worker):
    config = {"listen": [{**one, "per_worker": per_worker} for one in (GREETING, HELLO)]}
    with Hellod(config) as daemon:
        for name, kind in (("greeting", socket.SOCK_STREAM), ("hello", socket.SOCK_DGRAM)):
            address = daemon.address(name)
            assert as_somebody(lambda kind=kind, address=address: take_part(kind, address)) == "EADDRINUSE"
        converse(daemon)


# ---- those who give orders ----


def test_stop_names_who_asked():
    with Service(SERVES) as service:
        with service.control() as control:
            control.done("stop")
        service.wait_for_line(rf"^stop by uid {os.getuid()} \(pid {os.getpid()}\): finishing ")
        assert service.wait() == EXIT_OK
