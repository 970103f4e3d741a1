"""Each exit code that a manual page of helloc's lists is met here, so that no new one is forgotten.

What else comes with it is for the tests of each command. This file must not know of more than exit codes.
"""

import fcntl
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import termios

import pytest

import helloc as client
import hostile
from helloc import helloc
from hellodtest import TREE
from hostile import Streams
from watch import SLOW, wait_until

LONG = 20 * SLOW  # seconds for what comes, SHORT for what does not
SHORT = 0.5


def talk(*words, **how):
    return helloc("-m", "Ada", *words, **how).returncode


def ping(*words, **how):
    return helloc("ping", "-c", 1, "-W", LONG, *words, **how).returncode


def check(host, port, *words, **how):
    return helloc("check", "-H", host, "-p", port, *words, **how).returncode


def meets(command, manner, *words):
    """COMMAND's exit code with a server of that MANNER."""

    def run():
        with Streams(manner) as server:
            return command(*server.operands, *words)

    return run


def writes_to_full(command):
    def run():
        with Streams(hostile.friendly) as server, open("/dev/full", "wb") as full:
            return command(*server.operands, stdout=full)

    return run


def unread(pipe):
    """How many bytes nobody has read yet."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def leaks_unsought():
    """The environment in which no tool looks for leaks at the end, which takes descriptors."""
    return {**os.environ, "ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:detect_leaks=0"}


def without_descriptors():
    """It has read half a name, so it has begun; the socket for datagrams is opened when the name is there."""
    words = client.command("-u", *hostile.nobody(socket.SOCK_DGRAM))
    ends = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, env=leaks_unsought(), **ends) as process:
        process.stdin.write(b"A")
        process.stdin.flush()
        wait_until(lambda: unread(process.stdin) == 0, 10, "the first letter is read")
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, 3))
        errors = process.communicate(b"da\n", timeout=LONG)[1]
        assert b"Too many open files" in errors
    return process.returncode


def ping_without_descriptors():
    """The first probe is lost by the server's fault, the others by that of this system."""
    with Streams(hostile.closes) as server:
        words = client.command("ping", "-i", 0.05, *server.operands)
        with subprocess.Popen(words, env=leaks_unsought(), stdout=subprocess.PIPE, text=True) as process:
            next(line for line in process.stdout if "lost: " in line)
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (3, 3))
            next(line for line in process.stdout if line.endswith("lost: Too many open files\n"))
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=LONG)
    return process.returncode


def unresolved(command):
    def run():
        return command("no-such-host.invalid", 3288)

    return run


# What brings each code, for each page.
BRINGS = {
    "helloc": {
        0: [meets(talk, hostile.friendly)],
        1: [meets(talk, hostile.full), meets(talk, hostile.too_idle)],
        64: [lambda: talk("--nonsense")],
        68: [unresolved(talk)],
        69: [lambda: talk(*hostile.nobody()), lambda: talk("-u", *hostile.nobody(socket.SOCK_DGRAM))],
        71: [without_descriptors, lambda: talk("-u", "127.255.255.255")],  # to all: it has no right
        74: [writes_to_full(talk)],
        75: [meets(talk, hostile.greets_and_waits, "-W", SHORT), meets(talk, hostile.silent, "-W", SHORT)],
        76: [meets(talk, hostile.closes), meets(talk, hostile.greets_and_floods)],
    },
    "helloc-ping": {
        0: [meets(ping, hostile.friendly)],
        1: [meets(ping, hostile.closes), lambda: ping(*hostile.nobody())],
        2: [
            lambda: ping("--nonsense"),
            unresolved(ping),
            lambda: ping("-u", "127.255.255.255"),
            ping_without_descriptors,
            writes_to_full(ping),
        ],
    },
    "helloc-check": {
        0: [meets(check, hostile.friendly)],
        1: [meets(check, hostile.full)],
        2: [lambda: check(*hostile.nobody()), meets(check, hostile.wrong), unresolved(check)],
        3: [
            meets(check, hostile.friendly, "--nonsense"),
            meets(check, hostile.friendly, "-h"),
            meets(check, hostile.friendly, "-V"),
            lambda: check("127.255.255.255", 3288, "-u"),
            writes_to_full(check),
        ],
    },
}
# The names that nobody has in a namespace of its own, so that no name server hears of them.
CASES = [
    pytest.param(bring, code, id=f"{page}-{code}-{number}", marks=[pytest.mark.netns] * ("unresolved" in bring.__qualname__))
    for page, codes in BRINGS.items()
    for code, brings in codes.items()
    for number, bring in enumerate(brings)
]


@pytest.mark.parametrize("bring, code", CASES)
def test_exit_code(bring, code):
    assert bring() == code


@pytest.mark.parametrize("command, usage", (("talk", 64), ("ping", 2), ("check", 3), ("bench", 64)))
def test_families_exclude_each_other(command, usage):
    for words in (["-4", "-6"], ["-6", "-4"], ["-64"]):
        done = helloc(command, *words)
        assert done.returncode == usage
        assert "-4 and -6 exclude each other" in done.stderr + done.stdout.decode()
    assert helloc(command, "-4", "-4", "-h").returncode == (usage if command == "check" else 0)


@pytest.mark.parametrize("page", BRINGS)
def test_the_page_has_no_other(page):
    text = (TREE / "man" / f"{page}.1").read_text(encoding="utf-8")
    section = re.search(r"^\.Sh EXIT STATUS$(.*?)^\.Sh ", text, re.M | re.S)[1]
    assert [int(code) for code in re.findall(r"^\.It (\d+)$", section, re.M)] == list(BRINGS[page])


def test_the_header_has_no_other():
    text = (TREE / "src" / "client" / "exits.h").read_text(encoding="utf-8")
    assert [int(code) for code in re.findall(r"EXITS_\w+ = (\d+)", text)] == list(BRINGS["helloc"])
